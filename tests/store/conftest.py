from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import cast

import pytest

from progress_sse.backends.base import Backend
from progress_sse.backends.memory import MemoryBackend
from progress_sse.backends.sqlite import SqliteBackend
from progress_sse.record import StorageLimits
from progress_sse.store import ProgressStore
from tests.clock import ManualClock

BACKENDS: dict[str, Callable[[Path, StorageLimits], Backend]] = {
    "memory": lambda _path, limits: MemoryBackend(limits),
    "sqlite": SqliteBackend,
}

OpenBackend = Callable[..., Awaitable[Backend]]


@pytest.fixture(params=BACKENDS)
async def open_backend(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[OpenBackend]:
    """Open empty backends of each kind, with limits of their own where a test names some."""
    opened: list[Backend] = []

    async def open_one(**limits: int) -> Backend:
        backend = BACKENDS[cast(str, request.param)](tmp_path / f"{len(opened)}.db", StorageLimits(**limits))
        await backend.open()
        opened.append(backend)
        return backend

    yield open_one
    for backend in opened:
        await backend.aclose()


@pytest.fixture
async def backend(open_backend: OpenBackend) -> Backend:
    """An empty backend with the usual limits."""
    return await open_backend()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def store(backend: Backend, clock: ManualClock) -> ProgressStore:
    """A store on `backend`, with a clock that stands still."""
    return ProgressStore(backend, clock=clock)
