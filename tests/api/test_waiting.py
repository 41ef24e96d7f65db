"""Polls that wait for a change."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import httpx
import pytest

from progress_sse import ProgressService, create_app
from progress_sse.settings import load_settings
from tests.api.conftest import client_of
from tests.clock import ManualClock, tasks_ran
from tests.harness.serving import eventually

DEADLINE_S = 20
ABSENT = '"absent"'
GONE = '"gone-0"'


class Server(NamedTuple):
    """A server with a clock that the test advances."""

    service: ProgressService
    clock: ManualClock
    client: httpx.AsyncClient

    async def poll(self, tag: str | None, prefer: str = "wait=30", **headers: str) -> httpx.Response:
        known = {} if tag is None else {"if-none-match": tag}
        return await self.client.get("/api/progress/a", headers={"prefer": prefer, **known, **headers})

    async def waiting(self, tag: str, prefer: str = "wait=30", **headers: str) -> asyncio.Task[httpx.Response]:
        """Begin to poll, and return once the request waits."""
        return await self.begin(self.poll(tag, prefer, **headers))

    async def begin(self, request: Coroutine[Any, Any, httpx.Response]) -> asyncio.Task[httpx.Response]:
        """Send a request, and return once it waits."""
        waits = self.service.streams.waits
        count, task = len(waits), asyncio.create_task(request)
        await eventually(lambda: len(waits) == count + 1 or task.done(), DEADLINE_S)
        await tasks_ran()
        assert not task.done()
        return task


@asynccontextmanager
async def serving(**given: Any) -> AsyncIterator[Server]:
    settings, clock = load_settings(store="memory://", **given), ManualClock()
    service = ProgressService(settings, clock=clock)
    app = create_app(settings, service=service)
    async with app.router.lifespan_context(app), client_of(app, raise_app_exceptions=False) as client:
        yield Server(service, clock, client)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as server:
        yield server


async def tag_of(server: Server) -> str:
    tag: str = (await server.client.get("/api/progress/a")).headers["etag"]
    return tag


@pytest.mark.protocol("P-22.2", "P-22.5")
async def test_a_poll_gets_the_change_as_soon_as_it_comes(server: Server) -> None:
    """As an ordinary poll would get it then."""
    await server.service.store.create_session("a", 2)
    tag = await tag_of(server)
    poll = await server.waiting(tag)
    await server.service.store.start_step("a", 1)
    response = await poll
    assert (response.status_code, response.json()["status"]) == (200, "running")
    assert response.headers["preference-applied"] == "wait=30"
    assert response.headers["etag"] == await tag_of(server) != tag


@pytest.mark.protocol("P-22.2")
async def test_a_poll_waits_for_a_creation_and_for_a_deletion(server: Server) -> None:
    """A session that does not exist has a tag, too."""
    poll = await server.waiting(ABSENT)
    await server.service.store.create_session("a", 2)
    assert (await poll).json()["status"] == "pending"
    poll = await server.waiting("*")
    await server.service.store.delete_session("a")
    response = await poll
    assert (response.json()["status"], response.headers["etag"]) == ("not_found", GONE)


@pytest.mark.protocol("P-22.2", "P-22.5")
@pytest.mark.parametrize(("prefer", "seconds"), [("wait=7", 7), ("wait=999", 30), ('foo, Wait="07";x', 7)])
async def test_without_a_change_a_poll_is_answered_after_its_time(server: Server, prefer: str, seconds: int) -> None:
    """With 304, and the seconds that it waited."""
    poll = await server.waiting(ABSENT, prefer)
    server.clock.advance(seconds - 0.5)
    await tasks_ran()
    assert not poll.done()
    server.clock.advance(0.5)
    response = await poll
    assert (response.status_code, response.content) == (304, b"")
    assert response.headers["preference-applied"] == f"wait={seconds}"
    assert response.headers["etag"] == ABSENT


@pytest.mark.protocol("P-2.7")
@pytest.mark.parametrize("path", ["/api/progress/a", "/api/progress/a/requests", "/api/requests?session_id=a"])
async def test_a_head_never_waits(server: Server, path: str) -> None:
    """It takes no place either, and is answered as a GET that does not wait."""
    await server.service.store.create_session("a", 2)
    headers = {"prefer": "wait=30", "if-none-match": await tag_of(server)}
    request = asyncio.create_task(server.client.head(path, headers=headers))
    await eventually(lambda: request.done() or len(server.service.streams.waits) > 0, DEADLINE_S)
    assert len(server.service.streams.waits) == 0
    response = await request
    assert response.status_code == (304 if path == "/api/progress/a" else 200)
    assert "preference-applied" not in response.headers


async def test_a_poll_that_can_tell_something_new_is_answered_at_once(server: Server) -> None:
    """Its tag is not that of the session, or its If-Match is not met."""
    await server.service.store.create_session("a", 2)
    response = await server.poll(ABSENT)
    assert (response.status_code, response.headers["preference-applied"]) == (200, "wait=30")
    response = await server.poll(await tag_of(server), **{"if-match": '"other"'})
    assert response.status_code == 412


@pytest.mark.protocol("P-22.4")
async def test_a_poll_for_which_there_is_no_place_is_answered_at_once() -> None:
    """Streams and waiting polls share the places, and nothing says that it had waited."""
    async with serving(max_streams=1) as server:
        poll = await server.waiting(ABSENT)
        response = await server.poll(ABSENT)
        assert response.status_code == 304
        assert "preference-applied" not in response.headers
        async with server.client.stream("GET", "/api/progress/a/events") as stream:
            assert await stream.aread() == b"retry: 30000\n\n"
        server.clock.advance(30)
        assert (await poll).status_code == 304


async def test_a_caller_has_its_share_of_the_places() -> None:
    """Its streams and its waiting polls together."""
    async with serving(max_streams_per_caller=1) as server:
        poll = await server.waiting(ABSENT)
        assert "preference-applied" not in (await server.poll(ABSENT)).headers
        server.clock.advance(30)
        await poll
        assert len(server.service.streams.waits) == 0


@pytest.mark.protocol("P-22.4")
async def test_a_server_that_stops_answers(server: Server) -> None:
    """At once, those that wait and those that come."""
    poll = await server.waiting(ABSENT)
    server.service.streams.drain()
    for response in (await poll, await server.poll(ABSENT)):
        assert response.status_code == 304
        assert "preference-applied" not in response.headers


async def test_waiting_polls_are_counted(server: Server) -> None:
    """For operators."""
    poll = await server.waiting(ABSENT)
    shown = (await server.client.get("/metrics")).text
    assert "progress_sse_waiting_requests 1.0" in shown
    server.clock.advance(30)
    await poll
    shown = (await server.client.get("/metrics")).text
    assert "progress_sse_waiting_requests 0.0" in shown
    assert 'progress_sse_waits_total{outcome="unmet"} 1.0' in shown
