"""`GET /livez`, `GET /readyz` and `GET /api`: which fault each reports, and that frequent checks cost little."""

import asyncio
from importlib.metadata import version
from typing import Any

import httpx
import pytest
from anyio import wait_all_tasks_blocked

from progress_sse.api.endpoints import server
from progress_sse.core.errors import StoreFullError, StoreUnavailableError
from progress_sse.service import STUCK_S
from progress_sse.store.backend_monitor import PING_VALID_S
from progress_sse.store.memory import MemoryBackend
from progress_sse.store.types import StorageLimits
from tests.api.conftest import Connect
from tests.clock import ManualClock

START = {"action": "start", "step": 1}


class FaultyBackend(MemoryBackend):
    """Memory that waits or fails when a test says so."""

    def __init__(self) -> None:
        super().__init__(StorageLimits())
        self.goes_on = asyncio.Event()
        self.goes_on.set()
        self.waiting = asyncio.Event()
        self.fault: Exception | None = None
        self.pings = 0

    async def ping(self) -> None:
        self.pings += 1
        await self._try()

    async def commit(self, change: Any) -> None:
        await self._try()
        await super().commit(change)

    async def _try(self) -> None:
        self.waiting.set()
        await self.goes_on.wait()
        if self.fault is not None:
            raise self.fault


async def health_of(client: httpx.AsyncClient, path: str) -> tuple[int, Any]:
    response = await client.get(path)
    return response.status_code, response.json()


@pytest.mark.protocol("P-17.9")
async def test_the_server_names_its_version(connect: Connect) -> None:
    """That of the package, whose local part tells the states of the sources apart; the description has the number."""
    async with connect() as client:
        about = (await client.get("/api")).json()
        described = (await client.get(f"/{about['description']}")).json()
    assert about == {"name": "progress_sse", "version": version("progress-sse"), "description": "openapi.json"}
    number, _, state = about["version"].partition("+")
    assert (number, bool(state)) == (described["info"]["version"], True)


@pytest.mark.protocol("P-17.1", "P-17.2")
@pytest.mark.parametrize(
    ("fault", "status"), [(StoreUnavailableError(), "store unavailable"), (StoreFullError(), "store full")]
)
async def test_an_unavailable_store_is_no_reason_for_a_restart(connect: Connect, fault: Exception, status: str) -> None:
    """The server is alive but not ready, says why, and is ready again without a restart."""
    backend = FaultyBackend()
    async with connect(backend=backend) as client:
        backend.fault = fault
        assert await health_of(client, "/readyz") == (503, {"status": status})
        assert await health_of(client, "/livez") == (200, {"status": "ok"})
        backend.fault = None
        assert await health_of(client, "/readyz") == (200, {"status": "ok"})


async def test_a_store_that_does_not_answer_is_not_waited_for(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller of a health check has a deadline of its own."""
    backend = FaultyBackend()
    async with connect(backend=backend) as client:
        backend.goes_on.clear()
        with monkeypatch.context() as impatient:
            impatient.setattr(server, "PING_TIMEOUT_S", 0.01)
            for _ in range(3):
                assert await health_of(client, "/readyz") == (503, {"status": "store unavailable"})
        assert backend.pings == 1
        backend.goes_on.set()
        assert await health_of(client, "/readyz") == (200, {"status": "ok"})


async def test_simultaneous_checks_ping_the_store_once(connect: Connect) -> None:
    """Every client may check, and on SQLite a ping writes to the disk."""
    backend = FaultyBackend()
    async with connect(backend=backend, clock=ManualClock()) as client:
        backend.goes_on.clear()
        asked = [asyncio.create_task(health_of(client, "/readyz")) for _ in range(50)]
        await wait_all_tasks_blocked()
        assert backend.pings == 1
        backend.goes_on.set()
        assert {status for status, _ in await asyncio.gather(*asked)} == {200}
        assert backend.pings == 1


async def test_repeated_checks_ping_the_store_once_a_second(connect: Connect) -> None:
    """Unless the store fails in the meantime."""
    backend, clock = FaultyBackend(), ManualClock()
    async with connect(backend=backend, clock=clock) as client:
        for pings in (1, 2):
            for _ in range(50):
                assert await health_of(client, "/readyz") == (200, {"status": "ok"})
            assert backend.pings == pings
            clock.advance(PING_VALID_S)
        assert await health_of(client, "/readyz") == (200, {"status": "ok"})
        backend.fault = StoreUnavailableError()
        assert (await client.post("/api/progress/s/update", json=START)).status_code == 503
        assert await health_of(client, "/readyz") == (503, {"status": "store unavailable"})


@pytest.mark.protocol("P-17.1")
@pytest.mark.parametrize("path", ["/readyz", "/api/progress/s/update"])
async def test_a_stuck_store_is_a_reason_for_a_restart(
    connect: Connect, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit that every backend would give up within seconds has run for a minute, and will not end."""
    monkeypatch.setattr(server, "PING_TIMEOUT_S", 0.01)
    backend, clock = FaultyBackend(), ManualClock()
    async with connect(backend=backend, clock=clock) as client:
        backend.goes_on.clear()
        asked = asyncio.create_task(client.get(path) if path == "/readyz" else client.post(path, json=START))
        await backend.waiting.wait()
        clock.advance(STUCK_S)
        assert await health_of(client, "/livez") == (200, {"status": "ok"})
        clock.advance(1)
        assert await health_of(client, "/livez") == (503, {"status": "store stuck"})
        backend.goes_on.set()
        await asked
        assert await health_of(client, "/livez") == (200, {"status": "ok"})


class Broken(ManualClock):
    """A clock of which `sleep` raises."""

    async def sleep(self, seconds: float) -> None:
        raise RuntimeError("a mistake")


async def test_a_stopped_heartbeat_is_a_reason_for_a_restart(connect: Connect) -> None:
    """Streams would become silent, and proxies would close them."""
    async with connect(clock=Broken()) as client:
        await asyncio.sleep(0)
        assert await health_of(client, "/livez") == (503, {"status": "heartbeat stopped"})
