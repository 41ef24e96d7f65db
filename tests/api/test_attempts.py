"""An attempt that a later one has replaced changes nothing, on whichever way its updates come."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from tests.api.refusal import UPDATE, UPDATES

Send = Callable[[httpx.AsyncClient, dict[str, Any]], Awaitable[dict[str, Any]]]


async def alone(client: httpx.AsyncClient, body: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = (await client.post(UPDATE, json=body)).json()
    return answer


async def under_a_key(client: httpx.AsyncClient, body: dict[str, Any]) -> dict[str, Any]:
    first, again = [await client.post(UPDATE, json=body, headers={"idempotency-key": str(body)}) for _ in range(2)]
    assert (first.status_code, first.content) == (again.status_code, again.content)
    answer: dict[str, Any] = again.json()
    return answer


async def among_others(client: httpx.AsyncClient, body: dict[str, Any]) -> dict[str, Any]:
    other = {"session_id": "t", "action": "start", "step": 1}
    response = await client.post(UPDATES, json={"updates": [other, body | {"session_id": "s"}, other]})
    before, answer, after = response.json()["results"]
    assert before == after == {"status": 200}
    return dict(answer)


LATE: list[dict[str, Any]] = [
    {"action": "complete", "step": 1},
    {"action": "complete", "step": 1, "success": False, "error": "late", "links": [{"label": "l", "url": "/"}]},
    {"action": "complete", "name": "Read"},
    {"action": "progress", "step": 1, "current": 1, "ago_ms": 1000},
    {"action": "beat", "step": 1},
    {"action": "part", "step": 1, "part": "p", "status": "running"},
    {"action": "skip", "step": 1},
    {"action": "skip", "step": 2},
    {"action": "start", "step": 1},
    {"action": "start", "name": "Found"},
    {"action": "finish"},
    {"action": "finish", "success": False, "error": "late"},
    {"action": "plan", "steps": [{"name": "More"}]},
    {"action": "describe", "title": "late"},
]
"""Whatever an attempt may say."""


@pytest.mark.guarantee("G")
@pytest.mark.parametrize("send", [alone, under_a_key, among_others])
@pytest.mark.parametrize("is_over", [False, True], ids=["running", "over"])
async def test_a_superseded_attempt_changes_nothing(client: httpx.AsyncClient, send: Send, is_over: bool) -> None:
    """While the later attempt runs, and after its end."""
    steps = [{"name": "Read"}, {"name": "Write"}]
    await client.put("/api/progress/s", json={"steps": steps, "open_ended": True, "attempt_id": "early"})
    for attempt_id in ("early", "later"):
        await alone(client, {"action": "start", "step": 1, "attempt_id": attempt_id})
    if is_over:
        await alone(client, {"action": "complete", "step": 1, "attempt_id": "later"})
    before = await client.get("/api/progress/s")
    for body in LATE:
        answer = await send(client, body | {"attempt_id": "early"})
        assert (answer["status"], answer["type"]) == (409, "/problems/attempt-superseded"), body
    after = await client.get("/api/progress/s")
    assert (after.content, after.headers["etag"]) == (before.content, before.headers["etag"])
