"""With `store_format` 1 the server takes requests as the version before does."""

from __future__ import annotations

import pytest

from tests.api.conftest import Connect


@pytest.mark.parametrize(
    "body",
    [
        {"action": "start", "step": 1, "attempt_id": "a", "lease_ms": 1000},
        {"action": "start", "step": 1, "name": "Load", "append": "yes", "ago_ms": -1},
        {"action": "start", "step": 1, "links": [{"label": "x", "url": "javascript:1"}], "title": 7},
    ],
)
async def test_an_update_may_have_keys_that_are_ignored(connect: Connect, body: dict[str, object]) -> None:
    """Whatever they contain: that version does not know them."""
    async with connect(store_format=1) as client:
        assert (await client.post("/api/progress/a/update", json=body)).status_code == 200
        [step, *_] = (await client.get("/api/progress/a")).json()["steps"]
        assert list(step)[-1] == "error"
        batch = {"updates": [{"session_id": "b", **body}]}
        assert (await client.post("/api/updates", json=batch)).json() == {"results": [{"status": 200}]}


@pytest.mark.parametrize("action", ["skip", "beat", "part", "finish", "plan", "describe", "acknowledge"])
async def test_an_action_that_it_does_not_have_is_refused(connect: Connect, action: str) -> None:
    """As any unknown one."""
    async with connect(store_format=1) as client:
        await client.put("/api/progress/a", json={"total_steps": 1})
        response = await client.post("/api/progress/a/update", json={"action": action, "step": 1})
        assert (response.status_code, response.json()["type"]) == (422, "/problems/invalid-request")


async def test_a_creation_may_have_keys_that_are_ignored(connect: Connect) -> None:
    """Known to this version, or to none."""
    async with connect(store_format=1) as client:
        body = {"total_steps": 2, "title": "x", "open_ended": True, "colour": "red"}
        created = await client.put("/api/progress/a", json=body)
        assert created.status_code == 201
        assert list(created.json())[-1] == "estimated_remaining_ms"


async def test_a_key_stands_for_the_same_request(connect: Connect) -> None:
    """With what is ignored, and without it."""
    async with connect(store_format=1) as client:
        for more in ({}, {"attempt_id": "a"}):
            headers = {"Idempotency-Key": "k"}
            body = {"action": "start", "step": 1, **more}
            response = await client.post("/api/progress/a/update", json=body, headers=headers)
            assert response.status_code == 200
        assert (await client.get("/api/progress/a")).json()["current_step"] == 1


async def test_a_session_takes_no_requests(connect: Connect) -> None:
    """That it would accept some is ignored."""
    async with connect(store_format=1) as client:
        await client.put("/api/progress/a", json={"total_steps": 1, "accepts": ["cancel"]})
        response = await client.post("/api/progress/a/requests", json={"kind": "cancel"})
        assert (response.status_code, response.json()["type"]) == (409, "/problems/request-not-accepted")
        assert (await client.get("/api/progress/a/requests")).json() == {"requests": []}


async def test_a_session_is_not_timed(connect: Connect) -> None:
    """Nor is anything learned from it, whatever it was created with."""
    async with connect(store_format=1) as client:
        steps = [{"name": "Import", "estimated_ms": 60000}]
        for path, body in (
            ("/api/progress/a", {"steps": steps, "profile": "nightly"}),
            ("/api/progress/b", {"workflow": "default"}),
        ):
            assert (await client.put(path, json=body)).status_code == 201
            await client.post(f"{path}/update", json={"action": "start", "step": 1})
            session = (await client.get(path)).json()
            assert list(session)[-1] == "estimated_remaining_ms"
            assert all("estimated_ms" not in each for each in session["steps"])
        await client.post("/api/progress/a/update", json={"action": "complete", "step": 1})
        assert (await client.get("/api/steps?profile=nightly")).json() == {"runs": 0, "steps": []}
