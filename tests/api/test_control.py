"""The right to ask something of a worker: which credentials have it."""

import httpx
import pytest

from tests.api.conftest import PUBLISH_TOKEN, Connect, issue_ticket
from tests.api.problems import assert_problem
from tests.harness.tokens import KEY, bearer, make_token

REQUESTS = "/api/progress/a/requests"
CANCEL = {"kind": "cancel"}
CONTROL = make_token(sessions=["a"], actions=["control"])


@pytest.fixture
async def running(closed: httpx.AsyncClient) -> httpx.AsyncClient:
    """A client of a server that requires tokens; the session `a` runs, and may be cancelled."""
    for body in ({"action": "describe", "accepts": ["cancel"]}, {"action": "start", "step": 1}):
        response = await closed.post("/api/progress/a/update", json=body, headers=bearer(PUBLISH_TOKEN))
        assert response.status_code == 200
    return closed


@pytest.mark.parametrize("token", [CONTROL, make_token(prefixes=[""], actions=["control"]), PUBLISH_TOKEN])
async def test_a_token_with_the_right_asks(running: httpx.AsyncClient, token: str) -> None:
    """A `publish_token` has every right."""
    assert (await running.post(REQUESTS, json=CANCEL, headers=bearer(token))).status_code == 202


@pytest.mark.protocol("P-20.19")
@pytest.mark.parametrize("actions", [["read"], ["publish"], ["read", "publish", "list"], []])
async def test_no_other_right_implies_it(running: httpx.AsyncClient, actions: list[str]) -> None:
    """A worker that reports on a session does not ask, nor does a reader."""
    response = await running.post(REQUESTS, json=CANCEL, headers=bearer(make_token(prefixes=[""], actions=actions)))
    assert_problem(response, 403, "forbidden")
    assert_problem(await running.post(REQUESTS, json=CANCEL), 401, "unauthorized")


async def test_it_implies_no_other_right(running: httpx.AsyncClient) -> None:
    """Neither to read, not even what was asked, nor to report."""
    for method, path in (
        ("GET", "/api/progress/a"),
        ("GET", REQUESTS),
        ("GET", "/api/requests?session_id=a"),
        ("POST", "/api/progress/a/update"),
        ("DELETE", "/api/progress/a"),
        ("GET", "/api/progress"),
    ):
        assert_problem(await running.request(method, path, headers=bearer(CONTROL)), 403, "forbidden")
    other = await running.post("/api/progress/b/requests", json=CANCEL, headers=bearer(CONTROL))
    assert_problem(other, 403, "forbidden")


async def test_requests_are_listed_to_those_who_may_read(running: httpx.AsyncClient) -> None:
    """As they are shown in the session."""
    asked = (await running.post(REQUESTS, json=CANCEL, headers=bearer(CONTROL))).json()
    reader = bearer(make_token(sessions=["a"]))
    assert (await running.get(REQUESTS, headers=reader)).json() == {"requests": [asked]}
    path = "/api/requests?session_id=a"
    assert (await running.get(path, headers=reader)).json() == {"requests": [{"session_id": "a", **asked}]}
    assert_problem(await running.get(f"{path}&session_id=b", headers=reader), 403, "forbidden")
    for each in (REQUESTS, path):
        assert_problem(await running.get(each), 401, "unauthorized")


@pytest.mark.protocol("P-20.19")
async def test_a_ticket_does_not_carry_it(running: httpx.AsyncClient) -> None:
    """It opens a stream, whatever its token allows."""
    for token in (PUBLISH_TOKEN, make_token(sessions=["a"], actions=["read", "control"])):
        for method, path in (("POST", REQUESTS), ("GET", REQUESTS)):
            ticket = await issue_ticket(running, token)
            response = await running.request(method, f"{path}?ticket={ticket}", json=CANCEL)
            assert_problem(response, 401, "unauthorized")


@pytest.mark.parametrize(
    ("given", "status"), [({}, 409), ({"publish_token": PUBLISH_TOKEN}, 401), ({"token_key": KEY}, 401)]
)
async def test_it_is_open_where_publishing_is(connect: Connect, given: dict[str, str], status: int) -> None:
    """Without tokens; that reading is open does not matter."""
    async with connect(**given) as client:
        headers = bearer(PUBLISH_TOKEN if "publish_token" in given else make_token(prefixes=[""], actions=["publish"]))
        await client.put("/api/progress/a", json={"total_steps": 1}, headers=headers)
        assert (await client.post(REQUESTS, json=CANCEL)).status_code == status


async def test_requests_count_as_often_as_updates_may_come(connect: Connect) -> None:
    """By the caller, and refused ones too."""
    async with connect(publish_rate="2/hour") as client:
        for status in (404, 404, 429):
            response = await client.post(REQUESTS, json=CANCEL)
            assert response.status_code == status
        assert int(response.headers["retry-after"]) >= 1
        assert (await client.put("/api/progress/a", json={})).status_code == 201
