"""What a session says besides its steps, as clients set it and readers get it."""

import json
from typing import Any

import httpx
import pytest

from tests.api.problems import assert_problem
from tests.api.refusal import JSON, UPDATE

SAID: dict[str, Any] = {
    "title": "Nightly import",
    "labels": {"customer": "acme"},
    "links": [{"label": "Report", "url": "/reports/1"}],
    "open_ended": True,
    "accepts": ["cancel"],
}

SEVEN = ["session_id", "current_step", "total_steps", "status", "steps", "percentage", "estimated_remaining_ms"]


async def poll(client: httpx.AsyncClient) -> dict[str, Any]:
    found: dict[str, Any] = (await client.get("/api/progress/s")).json()
    return found


async def update(client: httpx.AsyncClient, **body: Any) -> None:
    response = await client.post(UPDATE, json=body)
    assert response.status_code == 200, response.text


async def test_a_creation_says_all_of_it_after_the_keys_of_every_session(client: httpx.AsyncClient) -> None:
    """In a fixed order, whatever that of the request; the attempt that created it is shown to none."""
    body = dict(reversed(SAID.items())) | {"attempt_id": "me"}
    response = await client.put("/api/progress/s", json=body)
    assert response.status_code == 201
    shown = response.json()
    assert list(shown) == [*SEVEN, *SAID]
    assert {key: shown[key] for key in SAID} == SAID
    assert (shown["total_steps"], shown["percentage"], shown["steps"]) == (0, 0, [])
    assert await poll(client) == shown
    [listed] = (await client.get("/api/progress")).json()["sessions"]
    assert listed["title"] == SAID["title"]


async def test_a_creation_under_an_id_of_the_server_says_it_too(client: httpx.AsyncClient) -> None:
    """It takes the same body."""
    shown = (await client.post("/api/progress", json=SAID)).json()
    assert {key: shown[key] for key in SAID} == SAID


async def test_a_creation_that_is_sent_again_gets_its_first_answer(client: httpx.AsyncClient) -> None:
    """With all that it says, and without the steps that were found since."""
    key = {"idempotency-key": "k"}
    for body in (SAID, SAID | {"steps": [{"name": "Read"}]}):
        await client.delete("/api/progress/s")
        key = {"idempotency-key": f"{len(body)}"}
        first = await client.put("/api/progress/s", json=body, headers=key)
        await update(client, action="start", name="Found")
        await update(client, action="describe", title="Other")
        again = await client.put("/api/progress/s", json=body, headers=key)
        assert (again.status_code, again.content) == (first.status_code, first.content)


@pytest.mark.parametrize("path", ["/api/progress/s", "/api/progress"])
async def test_an_unknown_key_of_a_creation_is_named(client: httpx.AsyncClient, path: str) -> None:
    """A mistake must not make a session without its title; keys of step definitions are ignored as before."""
    method = "POST" if path == "/api/progress" else "PUT"
    response = await client.request(method, path, json={"heading": "t"})
    assert_problem(response, 422, "invalid-request")
    assert response.json()["detail"].startswith("heading: ")
    assert (await client.request(method, path, json={"steps": [{"colour": "red"}]})).status_code == 201


async def test_a_finished_session_says_why_until_it_goes_on(client: httpx.AsyncClient) -> None:
    """Its error and conclusion, after its own words."""
    await client.put("/api/progress/s", json={"total_steps": 2, "title": "t"})
    await update(client, action="start", step=1)
    await update(client, action="finish", success=False, error="stopped", conclusion="cancelled")
    shown = await poll(client)
    assert list(shown) == [*SEVEN, "title", "error", "conclusion", "steps_done"]
    assert (shown["status"], shown["error"], shown["conclusion"]) == ("error", "stopped", "cancelled")
    [first, second] = shown["steps"]
    assert (first["status"], first["error"], first["conclusion"]) == ("error", "stopped", "cancelled")
    assert second["status"] == "pending"
    await update(client, action="start", step=2)
    assert list(await poll(client)) == [*SEVEN, "title", "conclusion", "steps_done"]


async def test_planned_steps_are_named_by_their_numbers(client: httpx.AsyncClient) -> None:
    """Those of the session, not of the list."""
    await client.put("/api/progress/s", json={"open_ended": True, "steps": [{"name": "Read"}]})
    await update(client, action="plan", steps=[{}, {"name": "Write", "timeout_ms": 7}])
    steps = (await poll(client))["steps"]
    assert [(each["name"], each["timeout_ms"]) for each in steps] == [("Read", None), ("STEP2", None), ("Write", 7)]


async def test_a_step_shows_its_attempt_and_its_lease_last(client: httpx.AsyncClient) -> None:
    """After the keys of every step, and after its progress."""
    start = {"action": "start", "step": 1, "attempt_id": "a", "lease_ms": 1000, "lost_after_ms": 1000}
    await update(client, **start)
    await update(client, action="progress", step=1, current=1)
    await update(client, action="beat", step=1, attempt_id="a")
    step = (await poll(client))["steps"][0]
    assert list(step)[8:] == ["error", "progress", "attempt", "liveness"]
    assert (step["attempt"], step["liveness"]) == (1, {"state": "live", "since": step["started_at"]})
    await update(client, action="complete", step=1, success=False, conclusion="cancelled")
    assert list((await poll(client))["steps"][0])[8:] == ["error", "attempt", "conclusion"]


async def test_a_beat_changes_nothing_and_takes_no_key(client: httpx.AsyncClient) -> None:
    """No state that a reader could see, and no key that could be used for another request."""
    await update(client, action="start", step=1, attempt_id="a", lease_ms=1000)
    before = await client.get("/api/progress/s")
    beat = {"action": "beat", "step": 1, "attempt_id": "a"}
    assert (await client.post(UPDATE, json=beat, headers={"idempotency-key": "k"})).status_code == 200
    after = await client.get("/api/progress/s")
    assert (after.content, after.headers["etag"]) == (before.content, before.headers["etag"])
    complete = {"action": "complete", "step": 1}
    assert (await client.post(UPDATE, json=complete, headers={"idempotency-key": "k"})).status_code == 200


async def test_an_unknown_key_is_named_in_so_far_as_it_can_be(client: httpx.AsyncClient) -> None:
    """Its beginning, if it is long; a key that no response can hold is not named."""
    for key, named in {"x" * 100_000: "x" * 64, "\ud800a": "body", "タイトル": "タイトル"}.items():
        response = await client.put("/api/progress/s", content=json.dumps({key: 1}), headers=JSON)
        assert_problem(response, 422, "invalid-request")
        assert response.json()["detail"].startswith(f"{named}: ")


@pytest.mark.parametrize("labels", [{"secret:": "a"}, {"secret": 1}, {"secret": "x" * 257}, {"a\0secret": ""}])
async def test_a_label_is_not_repeated(client: httpx.AsyncClient, labels: dict[str, Any]) -> None:
    """Its key is a text of the client, like its value."""
    response = await client.put("/api/progress/s", json={"labels": labels})
    assert_problem(response, 422, "invalid-request")
    assert response.json()["detail"].startswith("labels: ")
