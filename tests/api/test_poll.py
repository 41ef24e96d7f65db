"""Polling: the documented form, and 304 for an unchanged session."""

import json

import httpx
import pytest

KEYS = ["session_id", "current_step", "total_steps", "status", "steps", "percentage", "estimated_remaining_ms"]
STARTED = ["step", "name", "status", "started_at", "completed_at", "elapsed_ms", "timeout_ms", "message", "error"]
PENDING = ["step", "name", "status", "elapsed_ms", "timeout_ms"]


async def post(client: httpx.AsyncClient, session_id: str, **body: object) -> None:
    response = await client.post(f"/api/progress/{session_id}/update", json=body)
    assert response.status_code == 200, response.text


async def test_a_poll_has_exactly_the_documented_keys_in_their_order(client: httpx.AsyncClient) -> None:
    """Existing clients read them."""
    await post(client, "s", action="start", step=1)
    polled = (await client.get("/api/progress/s")).json()
    assert list(polled) == KEYS
    assert list(polled["steps"][0]) == STARTED
    assert [list(step) for step in polled["steps"][1:]] == [PENDING] * 6
    assert [step["step"] for step in polled["steps"]] == [1, 2, 3, 4, 5, 6, 7]
    names = [step["name"] for step in polled["steps"]]
    assert names == ["原稿生成", "メニュー登録", "STEP3", "STEP4", "STEP5", "STEP6", "STEP7"]
    assert (polled["percentage"], polled["estimated_remaining_ms"]) == (0, 180_000)


async def test_an_unknown_session_is_not_found_with_200(client: httpx.AsyncClient) -> None:
    """Pages poll before the worker's first report."""
    response = await client.get("/api/progress/日本語")
    assert response.status_code == 200
    assert (
        response.content
        == (
            '{"session_id":"日本語","current_step":0,"total_steps":0,"status":"not_found","steps":[],"percentage":0,'
            '"estimated_remaining_ms":0}'
        ).encode()
    )


async def test_an_unchanged_session_is_a_304(client: httpx.AsyncClient) -> None:
    """By its ETag, alone or in a list, weak or strong; the ETag changes with the body."""
    await post(client, "s", action="start", step=1)
    first = await client.get("/api/progress/s")
    tag = first.headers["etag"]
    assert first.headers["cache-control"] == "private, no-cache"
    for offered in (tag, f"W/{tag}", f'"x", {tag}', f'"x",W/{tag} ', "*"):
        response = await client.get("/api/progress/s", headers={"if-none-match": offered})
        assert (response.status_code, response.content) == (304, b"")
        assert response.headers["etag"] == tag
        assert response.headers["cache-control"] == "private, no-cache"
    for offered in (tag.strip('"'), '"x", *', "W/*", ""):
        assert (await client.get("/api/progress/s", headers={"if-none-match": offered})).status_code == 200
    await post(client, "s", action="complete", step=1)
    second = await client.get("/api/progress/s", headers={"if-none-match": tag})
    assert second.status_code == 200
    assert second.headers["etag"] != tag


async def test_an_absent_session_is_a_304_until_it_is_created(client: httpx.AsyncClient) -> None:
    """Waiting for a job to start costs almost nothing."""
    tag = (await client.get("/api/progress/s")).headers["etag"]
    assert (await client.get("/api/progress/s", headers={"if-none-match": tag})).status_code == 304
    await post(client, "s", action="start", step=1)
    assert (await client.get("/api/progress/s", headers={"if-none-match": tag})).status_code == 200


async def test_percentage_is_the_exact_floor(client: httpx.AsyncClient) -> None:
    """29 of 50 is 58, and 57 in floating point; an error counts as ended."""
    assert (await client.put("/api/progress/s", json={"total_steps": 50})).status_code == 201
    for step in range(1, 30):
        await post(client, "s", action="start", step=step)
        await post(client, "s", action="complete", step=step, success=step % 2 == 0)
    assert (await client.get("/api/progress/s")).json()["percentage"] == 58


async def test_progress_inside_a_step_counts_and_is_shown_until_it_ends(client: httpx.AsyncClient) -> None:
    """In optional keys, only for sessions whose worker reports it."""
    assert (await client.put("/api/progress/s", json={"total_steps": 2})).status_code == 201
    await post(client, "s", action="start", step=1)
    await post(client, "s", action="progress", step=1, current=1, total=3, message="x")
    polled = (await client.get("/api/progress/s")).json()
    assert list(polled["steps"][0]) == [*STARTED, "progress"]
    assert polled["steps"][0]["progress"] == {"current": 1, "total": 3}
    assert polled["percentage"] == 16
    await post(client, "s", action="progress", step=1, current=7)
    polled = (await client.get("/api/progress/s")).json()
    assert polled["steps"][0]["progress"] == {"current": 7, "total": None}
    assert polled["percentage"] == 0
    await post(client, "s", action="complete", step=1)
    polled = (await client.get("/api/progress/s")).json()
    assert list(polled["steps"][0]) == STARTED
    assert polled["percentage"] == 50


@pytest.mark.protocol("P-2.7")
async def test_head_is_get_without_the_body(client: httpx.AsyncClient) -> None:
    """For clients that only check whether it exists."""
    get, head = await client.get("/api/progress/s"), await client.head("/api/progress/s")
    assert head.status_code == 200
    assert head.content == b""
    assert {name: head.headers[name] for name in ("etag", "content-type")} == {
        name: get.headers[name] for name in ("etag", "content-type")
    }


async def test_the_definitions_are_listed(client: httpx.AsyncClient) -> None:
    """Front ends share them with the server."""
    listed = json.loads((await client.get("/api/steps")).content)
    assert listed["total_steps"] == 7
    assert listed["steps"][:3] == [
        {"step": 1, "name": "原稿生成", "timeout_ms": 300_000, "estimated_ms": 60_000},
        {"step": 2, "name": "メニュー登録", "timeout_ms": 120_000, "estimated_ms": 30_000},
        {"step": 3, "name": "STEP3", "timeout_ms": 120_000, "estimated_ms": 30_000},
    ]
