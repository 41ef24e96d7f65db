"""The application in the test's process, for everything that does not stream."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeAlias

import httpx
import pytest

from progress_sse import ProgressService, create_app
from progress_sse._internal.clock import Clock
from progress_sse.settings import load_settings
from progress_sse.store.backend import Backend
from tests.harness.described import check_answer

Connect: TypeAlias = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@asynccontextmanager
async def connected(
    *, backend: Backend | None = None, clock: Clock | None = None, **given: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """Run the application on a memory store, with a client; every response must be one that it describes."""
    settings = load_settings(store="memory://", **given)
    app = create_app(settings, service=ProgressService(settings, backend=backend, clock=clock))
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        hooks = {"response": [_check]}
        async with httpx.AsyncClient(
            transport=transport, base_url="http://progress.example", event_hooks=hooks
        ) as client:
            yield client


async def _check(response: httpx.Response) -> None:
    await response.aread()
    check_answer(response.request.method, response.request.url.path, response)


@pytest.fixture
def connect() -> Connect:
    """Run the application with settings of the test's own."""
    return connected


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """The application with its default settings."""
    async with connected() as client:
        yield client
