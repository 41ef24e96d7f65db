"""The application in the test's process, for everything that does not stream."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeAlias

import httpx
import pytest
from starlette.types import ASGIApp

from progress_sse import ProgressService, create_app
from progress_sse._internal.clock import Clock
from progress_sse.settings import load_settings
from progress_sse.store.backend import FullBackend
from tests.harness.described import check_answer
from tests.harness.tokens import KEY, bearer, make_token

PUBLISH_TOKEN = "for-workers"

FULL_TOKEN = make_token(prefixes=[""])
"""A signed token to read every session."""

READS = ["/api/progress/a", "/api/progress/a/events", "/api/events?session_id=a"]
"""Every way to read the session `a`."""

Connect: TypeAlias = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


def client_of(app: ASGIApp, *, base: str = "", **options: Any) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, **options)
    return httpx.AsyncClient(transport=transport, base_url=f"http://progress.example{base}")


@asynccontextmanager
async def connected(
    *, backend: FullBackend | None = None, clock: Clock | None = None, **given: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """Run the application on a memory store, with a client; every response must be one that it describes."""
    settings = load_settings(store="memory://", **given)
    app = create_app(settings, service=ProgressService(settings, backend=backend, clock=clock))
    async with app.router.lifespan_context(app), client_of(app, raise_app_exceptions=False) as client:
        client.event_hooks = {"response": [_check]}
        yield client


async def _check(response: httpx.Response) -> None:
    await response.aread()
    check_answer(response.request.method, response.request.url.path, response)


@pytest.fixture
def connect() -> Connect:
    return connected


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with connected() as client:
        yield client


@pytest.fixture
async def closed(connect: Connect) -> AsyncIterator[httpx.AsyncClient]:
    """A server that requires a token for reading too, with a session `a` and a session `b`."""
    async with connect(read="token", token_key=KEY, publish_token=PUBLISH_TOKEN) as client:
        for session_id in ("a", "b"):
            created = await client.put(
                f"/api/progress/{session_id}",
                json={"steps": [{"name": f"secret of {session_id}"}]},
                headers=bearer(PUBLISH_TOKEN),
            )
            assert created.status_code == 201
        yield client


async def issue_ticket(client: httpx.AsyncClient, token: str) -> str:
    response = await client.post("/api/tickets", headers=bearer(token))
    assert response.status_code == 201
    assert response.headers["cache-control"] == "no-store"
    assert list(response.json()) == ["ticket", "expires_in"]
    assert response.json()["expires_in"] <= 60
    ticket: str = response.json()["ticket"]
    return ticket
