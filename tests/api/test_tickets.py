"""Tickets over HTTP: each opens one stream, once, with the rights of its token."""

from typing import Any

import httpx
import pytest

from progress_sse.store.memory import MemoryBackend
from progress_sse.store.types import StorageLimits
from tests.api.conftest import FULL_TOKEN, PUBLISH_TOKEN, Connect, issue_ticket
from tests.api.problems import assert_problem
from tests.harness.tokens import KEY, make_token

START = {"action": "start", "step": 1}


@pytest.mark.protocol("P-15.6")
@pytest.mark.parametrize("path", ["/api/progress/a/events?", "/api/events?session_id=a&"])
async def test_a_ticket_opens_one_stream_once(closed: httpx.AsyncClient, path: str) -> None:
    """PR-01: afterwards it is worthless, even if it was logged."""
    ticket = await issue_ticket(closed, make_token(sessions=["a"]))
    assert (await closed.head(f"{path}ticket={ticket}")).status_code == 200
    again = await closed.get(f"{path}ticket={ticket}")
    assert_problem(again, 401, "unauthorized")
    assert again.content == (await closed.get(path)).content
    for wrong in ("x", ticket[:-1], "%00", "%ff", "x" * 10_000):
        assert_problem(await closed.get(f"{path}ticket={wrong}"), 401, "unauthorized")


async def test_a_ticket_is_for_streams_only(closed: httpx.AsyncClient) -> None:
    """Other requests do not use it up."""
    ticket = await issue_ticket(closed, make_token(prefixes=[""], actions=["read", "publish", "list"]))
    for method, path in [
        ("GET", "/api/progress/a"),
        ("GET", "/api/progress"),
        ("POST", "/api/progress/a/update"),
        ("POST", "/api/tickets"),
        ("POST", "/api/cookie"),
    ]:
        assert_problem(await closed.request(method, f"{path}?ticket={ticket}", json=START), 401, "unauthorized")
    assert (await closed.head(f"/api/progress/a/events?ticket={ticket}")).status_code == 200


@pytest.mark.protocol("P-15.6")
async def test_a_ticket_has_the_rights_of_its_token(closed: httpx.AsyncClient) -> None:
    """For no other sessions, and no other action."""
    ticket = await issue_ticket(closed, make_token(sessions=["a"]))
    assert_problem(await closed.get(f"/api/progress/b/events?ticket={ticket}"), 403, "forbidden")
    ticket = await issue_ticket(closed, make_token(sessions=["a"], actions=["publish"]))
    assert_problem(await closed.get(f"/api/progress/a/events?ticket={ticket}"), 403, "forbidden")
    ticket = await issue_ticket(closed, PUBLISH_TOKEN)
    assert (await closed.head(f"/api/progress/b/events?ticket={ticket}")).status_code == 200


class SharedBackend(MemoryBackend):
    """A store that keeps tickets for several servers, as Redis does."""

    def __init__(self) -> None:
        super().__init__(StorageLimits())
        self.kept: dict[str, bytes] = {}

    async def put(self, name: str, value: bytes, lifetime_s: int) -> None:
        self.kept[name] = value

    async def take(self, name: str) -> bytes | None:
        return self.kept.pop(name, None)


async def test_a_ticket_is_invalid_once_its_token_is(connect: Connect) -> None:
    """SE-02: a restart with another key invalidates all at once, and so does the removal of a publish token."""
    backend = SharedBackend()
    closed: dict[str, Any] = {"backend": backend, "read": "token", "token_key": KEY, "publish_token": "old,kept"}
    async with connect(**closed) as client:
        tickets = [await issue_ticket(client, token) for token in (make_token(sessions=["a"]), "old", "kept")]
        assert not any(secret in bytes(backend.kept[name]) for name in backend.kept for secret in (b"old", b"kept"))
    another_key = "another-secret-that-is-longer-than-32-bytes"
    async with connect(**{**closed, "token_key": another_key, "publish_token": "kept"}) as client:
        answers = [await client.head(f"/api/progress/a/events?ticket={ticket}") for ticket in tickets]
    assert [answer.status_code for answer in answers] == [401, 401, 200]


@pytest.mark.protocol("P-15.5")
async def test_a_token_in_a_url_is_ignored(closed: httpx.AsyncClient) -> None:
    """PR-01: so that no client comes to rely on it."""
    for name in ("ticket", "token", "access_token", "authorization", "progress_sse"):
        assert_problem(await closed.get(f"/api/progress/a/events?{name}={FULL_TOKEN}"), 401, "unauthorized")
