"""What readers ask of a worker: asked, listed, told to the worker, and answered."""

from typing import Any

import httpx
import pytest

from tests.api.problems import assert_problem
from tests.api.refusal import UPDATE

SESSION = "/api/progress/s"
REQUESTS = f"{SESSION}/requests"
PLAIN = {"steps": [{"name": "Read"}, {"name": "Write"}]}
BOTH = PLAIN | {"accepts": ["cancel", "retry"]}


async def update(client: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    response = await client.post(UPDATE, json=body)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def ask(client: httpx.AsyncClient, status: int = 202, headers: Any = None, **body: Any) -> dict[str, Any]:
    response = await client.post(REQUESTS, json=body, headers=headers)
    assert response.status_code == status, response.text
    assert response.headers["cache-control"] == "no-store"
    asked: dict[str, Any] = response.json()
    return asked


async def listed(client: httpx.AsyncClient, path: str = REQUESTS) -> Any:
    response = await client.get(path)
    assert response.status_code == 200
    assert list(response.json()) == ["requests"]
    return response.json()["requests"]


@pytest.fixture
async def running(client: httpx.AsyncClient) -> httpx.AsyncClient:
    assert (await client.put(SESSION, json=BOTH)).status_code == 201
    await update(client, action="start", step=1)
    return client


async def test_a_request_is_shown_to_all_until_ten_are_newer(running: httpx.AsyncClient) -> None:
    """In the session, after what it accepts, and in the answer, by the same keys."""
    asked = await ask(running, kind="cancel", step=1, reason="wrong file")
    assert list(asked) == ["id", "kind", "step", "state", "asked_at", "reason"]
    assert (asked["kind"], asked["step"], asked["state"], asked["reason"]) == ("cancel", 1, "asked", "wrong file")
    shown = (await running.get(SESSION)).json()
    assert list(shown)[-2:] == ["accepts", "requests"]
    assert shown["requests"] == await listed(running) == [asked]


async def test_an_open_request_of_the_kind_is_found(running: httpx.AsyncClient) -> None:
    """Whatever else is said of it."""
    asked = await ask(running, kind="cancel")
    assert "reason" not in asked
    assert await ask(running, 200, kind="cancel", reason="really", step=2) == asked
    await update(running, action="acknowledge", request=asked["id"], state="seen")
    assert await ask(running, 200, kind="cancel") == asked | {"state": "seen"}


async def test_the_worker_is_told_with_each_answer_while_it_has_not_seen_it(running: httpx.AsyncClient) -> None:
    """A repeated report, too, and a sign of life."""
    assert "requests" not in await update(running, action="progress", step=1, current=1)
    asked = await ask(running, kind="cancel", step=1, reason="why")
    told = {"success": True, "session_id": "s", "requests": [{"id": asked["id"], "kind": "cancel", "step": 1}]}
    for _ in range(2):
        assert await update(running, action="progress", step=1, current=2) == told
    assert await update(running, action="beat", step=1) == told
    await update(running, action="acknowledge", request=asked["id"], state="seen", message="after this file")
    assert "requests" not in await update(running, action="progress", step=1, current=3)
    assert await listed(running) == [asked | {"state": "seen", "message": "after this file"}]


async def test_the_answer_under_a_key_tells_what_is_asked_now(running: httpx.AsyncClient) -> None:
    """The key remembers the rest of the answer."""
    body, headers = {"action": "progress", "step": 1, "current": 1}, {"idempotency-key": "k"}
    assert "requests" not in (await running.post(UPDATE, json=body, headers=headers)).json()
    asked = await ask(running, kind="cancel")
    told = (await running.post(UPDATE, json=body, headers=headers)).json()["requests"]
    assert told == [{"id": asked["id"], "kind": "cancel", "step": None}]
    await running.delete(SESSION)
    assert (await running.post(UPDATE, json=body, headers=headers)).json() == {"success": True, "session_id": "s"}


async def test_each_of_several_updates_tells_what_is_asked(running: httpx.AsyncClient) -> None:
    """Of its own session."""
    asked = await ask(running, kind="cancel")
    report = {"action": "progress", "step": 1, "current": 1}
    updates = [
        report | {"session_id": "s"},
        {"action": "start", "step": 1, "session_id": "other"},
        {"action": "acknowledge", "request": asked["id"], "state": "seen", "session_id": "s"},
        report | {"session_id": "s", "current": 2},
        {"action": "complete", "step": 2, "session_id": "s"},
    ]
    results = (await running.post("/api/updates", json={"updates": updates})).json()["results"]
    told = {"status": 200, "requests": [{"id": asked["id"], "kind": "cancel", "step": None}]}
    assert results[:4] == [told, {"status": 200}, {"status": 200}, {"status": 200}]
    assert results[4]["type"] == "/problems/step-not-started"


async def test_the_end_settles_it(running: httpx.AsyncClient) -> None:
    """In the same transition; it is no longer listed then."""
    asked = await ask(running, kind="cancel")
    answer = await update(running, action="finish", success=False, conclusion="cancelled")
    assert "requests" not in answer
    assert (await running.get(SESSION)).json()["requests"] == [asked | {"state": "honoured"}]
    assert await listed(running) == []
    again = await ask(running, kind="retry")
    assert await listed(running) == [again]
    await update(running, action="start", step=1)
    requests = (await running.get(SESSION)).json()["requests"]
    assert [(each["kind"], each["state"]) for each in requests] == [("retry", "honoured"), ("cancel", "honoured")]


async def test_a_pending_session_is_cancelled_by_the_server(client: httpx.AsyncClient) -> None:
    """So that its worker may not start it, until a reader asks to try again."""
    await client.put(SESSION, json=BOTH)
    assert (await ask(client, kind="cancel"))["state"] == "honoured"
    shown = (await client.get(SESSION)).json()
    assert (shown["status"], shown["conclusion"]) == ("error", "cancelled")
    start = {"action": "start", "step": 1, "session_id": "s"}
    assert_problem(await client.post(UPDATE, json=start), 409, "session-cancelled")
    [result] = (await client.post("/api/updates", json={"updates": [start]})).json()["results"]
    assert result["type"] == "/problems/session-cancelled"
    await ask(client, kind="retry")
    await update(client, action="start", step=1)


@pytest.mark.parametrize("kind", ["cancel", "retry"])
async def test_a_request_that_is_sent_again_is_taken_once(running: httpx.AsyncClient, kind: str) -> None:
    """And answered as it is now, whatever happened since."""
    if kind == "retry":
        await update(running, action="complete", step=1, success=False)
    headers = {"idempotency-key": "k"}
    asked = await ask(running, headers=headers, kind=kind)
    assert await ask(running, headers=headers, kind=kind) == asked
    await update(running, action="acknowledge", request=asked["id"], state="declined", message="no")
    settled = asked | {"state": "declined", "message": "no"}
    assert await ask(running, headers=headers, kind=kind) == settled
    other = await ask(running, headers={"idempotency-key": "other"}, kind=kind)
    assert other["id"] != asked["id"]
    assert await ask(running, headers=headers, kind=kind) == settled
    reused = await running.post(REQUESTS, json={"kind": kind, "reason": "x"}, headers=headers)
    assert_problem(reused, 422, "idempotency-key-reused")


async def test_a_repetition_that_found_an_open_request_finds_it_again(running: httpx.AsyncClient) -> None:
    """Once it is settled, too; so it asks nothing a second time."""
    asked, headers = await ask(running, kind="cancel"), {"idempotency-key": "k"}
    assert await ask(running, 200, headers=headers, kind="cancel") == asked
    await update(running, action="acknowledge", request=asked["id"], state="declined")
    assert await ask(running, 200, headers=headers, kind="cancel") == asked | {"state": "declined"}
    assert len((await running.get(SESSION)).json()["requests"]) == 1


async def test_a_repetition_for_a_session_that_is_gone_or_another_finds_none(running: httpx.AsyncClient) -> None:
    """The key outlives the session, and asks nothing of the next one."""
    headers = {"idempotency-key": "k"}
    await ask(running, headers=headers, kind="cancel")
    await running.delete(SESSION)
    again = await running.post(REQUESTS, json={"kind": "cancel"}, headers=headers)
    assert_problem(again, 404, "session-not-found")
    await running.put(SESSION, json=BOTH)
    again = await running.post(REQUESTS, json={"kind": "cancel"}, headers=headers)
    assert_problem(again, 404, "request-not-found")


async def test_a_request_may_be_for_one_run_and_one_state(running: httpx.AsyncClient) -> None:
    """As an update may."""
    for headers, status, problem in (
        ({"progress-run": "other"}, 412, "other-run"),
        ({"if-match": '"other"'}, 412, "precondition-failed"),
    ):
        response = await running.post(REQUESTS, json={"kind": "cancel"}, headers=headers)
        assert_problem(response, status, problem)
    tag = (await running.get(SESSION)).headers["etag"]
    await ask(running, headers={"if-match": tag}, kind="cancel")


async def test_the_requests_of_several_sessions_are_listed_together(running: httpx.AsyncClient) -> None:
    """Each with its session; one that does not exist has none."""
    await running.put("/api/progress/t", json=BOTH)
    await running.post("/api/progress/t/update", json={"action": "start", "step": 2})
    in_t = (await running.post("/api/progress/t/requests", json={"kind": "cancel"})).json()
    in_s = await ask(running, kind="cancel")
    path = "/api/requests?session_id=t&session_id=none&session_id=s&session_id=t"
    assert await listed(running, path) == [{"session_id": "t", **in_t}, {"session_id": "s", **in_s}]


async def test_a_session_that_does_not_exist_has_no_requests(client: httpx.AsyncClient) -> None:
    """It can neither be asked nor list any."""
    assert_problem(await client.get(REQUESTS), 404, "session-not-found")
    assert_problem(await client.post(REQUESTS, json={"kind": "cancel"}), 404, "session-not-found")
    assert await listed(client, "/api/requests?session_id=s") == []


async def test_the_list_of_sessions_shows_no_requests(running: httpx.AsyncClient) -> None:
    """They are for those who look at the session; and it does not matter what happened last."""
    await ask(running, kind="cancel")
    for report in ({"action": "progress", "step": 1, "current": 1}, {"action": "describe", "title": "t"}):
        await update(running, **report)
        [entry] = (await running.get("/api/progress")).json()["sessions"]
        assert "requests" not in entry
        assert entry["accepts"] == ["cancel", "retry"]
