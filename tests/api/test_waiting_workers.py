"""Workers that wait until something is asked of them."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from progress_sse.core.asks import ReaderAsk
from progress_sse.store.types import Record
from tests.api.test_waiting import DEADLINE_S, Server, serving
from tests.clock import tasks_ran

REQUESTS = "/api/progress/a/requests"
OF_SEVERAL = "/api/requests?session_id=none&session_id=a&session_id=b"


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """A server with running sessions `a` and `b` that may be cancelled."""
    async with serving() as server:
        for session_id in "ab":
            await server.service.store.create_session(session_id, 2, accepts=["cancel"])
            await server.service.store.start_step(session_id, 1)
        yield server


async def cancel(server: Server, session_id: str = "a") -> ReaderAsk:
    return await server.service.store.ask(session_id, "cancel")


async def waiting(server: Server, path: str, seconds: int = 30) -> asyncio.Task[httpx.Response]:
    """Begin to wait, and return once the request waits."""
    return await server.begin(server.client.get(path, headers={"prefer": f"wait={seconds}"}))


@pytest.mark.parametrize("path", [REQUESTS, OF_SEVERAL])
async def test_a_worker_learns_at_once_what_is_asked(server: Server, path: str) -> None:
    """Though its session is one of several; other changes of a session are none of its business."""
    task = await waiting(server, path)
    await server.service.store.report_progress("a", 1, 1)
    await tasks_ran()
    assert not task.done()
    asked = await cancel(server)
    response = await task
    assert response.headers["preference-applied"] == "wait=30"
    assert [each["id"] for each in response.json()["requests"]] == [asked.id]


async def test_a_worker_waits_for_any_of_its_sessions(server: Server) -> None:
    """Each request comes with its session."""
    task = await waiting(server, OF_SEVERAL)
    await cancel(server, "b")
    assert [each["session_id"] for each in (await task).json()["requests"]] == ["b"]


@pytest.mark.parametrize("path", [REQUESTS, OF_SEVERAL])
async def test_a_worker_that_has_seen_it_waits_for_the_next(server: Server, path: str) -> None:
    """What it has seen is listed, and is no reason to answer."""
    asked = await cancel(server)
    response = await server.client.get(path, headers={"prefer": "wait=30"})
    assert (response.status_code, len(response.json()["requests"])) == (200, 1)
    await server.service.store.acknowledge("a", asked.id, "seen")
    task = await waiting(server, path, 7)
    server.clock.advance(7)
    response = await task
    assert response.headers["preference-applied"] == "wait=7"
    assert [each["state"] for each in response.json()["requests"]] == ["seen"]


class LateLooks:
    """Holds back what a wait reads from the store, as another server's notification and the store may be slow."""

    def __init__(self, server: Server) -> None:
        self.hub = server.service.streams.hub
        self._load = self.hub.load
        self.may_come = asyncio.Event()
        self.hub.load = self._load_late  # type: ignore[method-assign]

    async def _load_late(self, session_id: str) -> Record | None:
        await self.may_come.wait()
        return await self._load(session_id)


@pytest.mark.protocol("P-20.17")
@pytest.mark.parametrize("path", [REQUESTS, OF_SEVERAL])
async def test_a_worker_learns_of_a_request_that_another_one_has_seen_first(server: Server, path: str) -> None:
    """Also where it was never `asked` when its own server looked. What is settled by then is no news."""
    store, task = server.service.store, await waiting(server, path)
    looks = LateLooks(server)
    declined = await cancel(server)
    await store.acknowledge("a", declined.id, "declined")
    looks.may_come.set()
    await tasks_ran()
    assert not task.done()

    looks.may_come.clear()
    seen = await cancel(server)
    await store.acknowledge("a", seen.id, "seen")
    looks.may_come.set()
    async with asyncio.timeout(DEADLINE_S):
        response = await task
    assert response.headers["preference-applied"] == "wait=30"
    assert [(each["id"], each["state"]) for each in response.json()["requests"]] == [(seen.id, "seen")]


async def test_a_worker_learns_that_its_session_is_gone(server: Server) -> None:
    """There is nothing to wait for."""
    task = await waiting(server, REQUESTS)
    await server.service.store.delete_session("a")
    assert (await task).status_code == 404
    response = await server.client.get(REQUESTS, headers={"prefer": "wait=30"})
    assert response.status_code == 404


@pytest.mark.parametrize("path", [REQUESTS, OF_SEVERAL])
async def test_a_worker_for_which_there_is_no_place_is_answered_at_once(path: str) -> None:
    """Workers that wait and streams share the places."""
    async with serving(max_streams=1) as server:
        await server.service.store.create_session("a", 2, accepts=["cancel"])
        task = await waiting(server, REQUESTS)
        response = await server.client.get(path, headers={"prefer": "wait=30"})
        assert (response.status_code, response.json()) == (200, {"requests": []})
        assert "preference-applied" not in response.headers
        server.clock.advance(30)
        assert (await task).json() == {"requests": []}
