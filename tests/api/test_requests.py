"""What readers ask of a worker: asked, listed, told to the worker, and answered."""

from typing import Any

import httpx
import pytest

from tests.api.problems import assert_problem
from tests.api.refusal import UPDATE

SESSION = "/api/progress/s"
REQUESTS = f"{SESSION}/requests"
BOTH = {"steps": [{"name": "Read"}, {"name": "Write"}], "accepts": ["cancel", "retry"]}


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


async def test_the_answer_under_a_key_tells_what_is_asked_now(running: httpx.AsyncClient) -> None:
    """The key remembers the rest of the answer."""
    body, headers = {"action": "progress", "step": 1, "current": 1}, {"idempotency-key": "k"}
    assert "requests" not in (await running.post(UPDATE, json=body, headers=headers)).json()
    asked = await ask(running, kind="cancel")
    told = (await running.post(UPDATE, json=body, headers=headers)).json()["requests"]
    assert told == [{"id": asked["id"], "kind": "cancel", "step": None}]
    await running.delete(SESSION)
    assert (await running.post(UPDATE, json=body, headers=headers)).json() == {"success": True, "session_id": "s"}


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


async def test_the_list_of_sessions_shows_no_requests(running: httpx.AsyncClient) -> None:
    """They are for those who look at the session; and it does not matter what happened last."""
    await ask(running, kind="cancel")
    for report in ({"action": "progress", "step": 1, "current": 1}, {"action": "describe", "title": "t"}):
        await update(running, **report)
        [entry] = (await running.get("/api/progress")).json()["sessions"]
        assert "requests" not in entry
        assert entry["accepts"] == ["cancel", "retry"]
