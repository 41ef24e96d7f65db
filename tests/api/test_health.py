"""`GET /livez` and `GET /readyz`: which trouble is whose, and that asking is no trouble."""

import asyncio
from typing import Any

import httpx
import pytest

from progress_sse.api.endpoints import health
from progress_sse.core.errors import StoreFullError, StoreUnavailableError
from progress_sse.service import STUCK_S
from progress_sse.store.backend_monitor import PING_VALID_S
from progress_sse.store.memory import MemoryBackend
from progress_sse.store.types import StorageLimits
from tests.api.conftest import Connect
from tests.clock import ManualClock

START = {"action": "start", "step": 1}


class Trying(MemoryBackend):
    """Memory that lets others wait, or down, as a test says."""

    def __init__(self) -> None:
        super().__init__(StorageLimits())
        self.goes_on = asyncio.Event()
        self.goes_on.set()
        self.waiting = asyncio.Event()
        self.trouble: Exception | None = None
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
        if self.trouble is not None:
            raise self.trouble


async def told(client: httpx.AsyncClient, path: str) -> tuple[int, Any]:
    response = await client.get(path)
    return response.status_code, response.json()


@pytest.mark.parametrize(
    ("trouble", "status"), [(StoreUnavailableError(), "store unavailable"), (StoreFullError(), "store full")]
)
async def test_a_store_that_is_away_is_no_reason_to_be_killed(
    connect: Connect, trouble: Exception, status: str
) -> None:
    """Not ready, which says why, and alive; ready again by itself."""
    backend = Trying()
    async with connect(backend=backend) as client:
        backend.trouble = trouble
        assert await told(client, "/readyz") == (503, {"status": status})
        assert await told(client, "/livez") == (200, {"status": "ok"})
        backend.trouble = None
        assert await told(client, "/readyz") == (200, {"status": "ok"})


async def test_a_store_that_does_not_answer_is_not_waited_for(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks has a deadline of his own."""
    monkeypatch.setattr(health, "PING_TIMEOUT_S", 0.01)
    backend = Trying()
    async with connect(backend=backend) as client:
        backend.goes_on.clear()
        for _ in range(3):
            assert await told(client, "/readyz") == (503, {"status": "store unavailable"})
        assert backend.pings == 1
        backend.goes_on.set()
        assert await told(client, "/readyz") == (200, {"status": "ok"})


async def test_many_who_ask_at_once_cost_one_look(connect: Connect) -> None:
    """Anybody may ask, and on SQLite a look is a write to the disk."""
    backend = Trying()
    async with connect(backend=backend) as client:
        backend.goes_on.clear()
        asked = [asyncio.create_task(told(client, "/readyz")) for _ in range(50)]
        await backend.waiting.wait()
        await asyncio.sleep(0)
        backend.goes_on.set()
        assert {status for status, _ in await asyncio.gather(*asked)} == {200}
        assert backend.pings < 5


async def test_who_asks_again_and_again_costs_a_look_a_second(connect: Connect) -> None:
    """Unless the store fails at something meanwhile."""
    backend, clock = Trying(), ManualClock()
    async with connect(backend=backend, clock=clock) as client:
        for looks in (1, 2):
            for _ in range(50):
                assert await told(client, "/readyz") == (200, {"status": "ok"})
            assert backend.pings == looks
            clock.advance(PING_VALID_S)
        assert await told(client, "/readyz") == (200, {"status": "ok"})
        backend.trouble = StoreUnavailableError()
        assert (await client.post("/api/progress/s/update", json=START)).status_code == 503
        assert await told(client, "/readyz") == (503, {"status": "store unavailable"})


@pytest.mark.parametrize("path", ["/readyz", "/api/progress/s/update"])
async def test_a_store_that_is_stuck_is_a_reason_to_be_killed(
    connect: Connect, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What every backend gives up within seconds has been under way for a minute: nothing here will end that."""
    monkeypatch.setattr(health, "PING_TIMEOUT_S", 0.01)
    backend, clock = Trying(), ManualClock()
    async with connect(backend=backend, clock=clock) as client:
        backend.goes_on.clear()
        asked = asyncio.create_task(client.get(path) if path == "/readyz" else client.post(path, json=START))
        await backend.waiting.wait()
        clock.advance(STUCK_S)
        assert await told(client, "/livez") == (200, {"status": "ok"})
        clock.advance(1)
        assert await told(client, "/livez") == (503, {"status": "store stuck"})
        backend.goes_on.set()
        await asked
        assert await told(client, "/livez") == (200, {"status": "ok"})


class Broken(ManualClock):
    """A clock that fails whoever sleeps by it."""

    async def sleep(self, seconds: float) -> None:
        raise RuntimeError("a mistake")


async def test_a_heart_that_beats_no_more_is_a_reason_to_be_killed(connect: Connect) -> None:
    """Streams would fall silent, and proxies cut them one after the other."""
    async with connect(clock=Broken()) as client:
        await asyncio.sleep(0)
        assert await told(client, "/livez") == (503, {"status": "heartbeat stopped"})
