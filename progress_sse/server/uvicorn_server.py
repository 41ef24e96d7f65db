"""Uvicorn's configuration and shutdown.

Uvicorn waits for open connections before it runs the application's shutdown, so streams would never end. Here the
drain comes first, and connections that are still open after the graceful timeout are dropped.
"""

import asyncio
import contextlib
import gc
import logging
import os
import resource
import signal
import socket
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from progress_sse.api.error_responses import problem_response
from progress_sse.api.hot_routes import HotRoutes
from progress_sse.api.middleware import HostCheckMiddleware, needs_host_check
from progress_sse.server.connection_limits import ConnectionLimits
from progress_sse.server.sockets import BACKLOG
from progress_sse.service import ProgressService

logger: Final = logging.getLogger(__name__)

RESERVED_DESCRIPTORS: Final = 64
"""Descriptors that are kept for polls, workers and files when streams take all others."""

DESCRIPTORS_FOR_FILES: Final = 32
"""Reserved descriptors that no connection gets: for the store, and for connections that are about to be refused."""

COLLECTOR_THRESHOLDS: Final = (50_000, 50, 1000)
"""Arguments of `gc.set_threshold`: new objects per collection, and collections per one of the older generations."""

KEEP_ALIVE_S: Final = 5.0
"""Seconds that a connection stays open for the next request; uvicorn's default."""

HARD_STOP_S: Final = 1.0
"""Seconds in which uvicorn notices that all connections were dropped."""


async def serve(
    service: ProgressService,
    app: ASGIApp,
    listener: socket.socket,
    *,
    on_started: Callable[[], None],
    hot_routes: HotRoutes | None = None,
    watch: Callable[[Callable[[], None]], None] | None = None,
) -> None:
    """Serve until a signal or the watched event.

    Args:
        service: The service, started before and closed after.
        app: The service's application, or one around it.
        listener: The listening socket.
        on_started: Called once connections are accepted.
        hot_routes: Endpoints that are called without the application; `None` where another one is around it.
        watch: Called with a function that shuts the server down.

    Raises:
        StoreRefusedError: The store cannot be used as it is.
    """
    await service.start()
    _tune_collector()
    if service.settings.hooks is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, service.reload_hooks_soon)
    try:
        http = await choose_protocol(service, hot_routes)
        server = Server(make_config(_ending_when_cancelled(app), service, http), service, on_started)
        if watch is not None:
            watch(server.request_shutdown)
        await server.serve(sockets=[listener])
    finally:
        await service.aclose()


class Server(uvicorn.Server):
    """Drains on the first SIGTERM or SIGINT and ends with exit code 0; ends at once on the second."""

    def __init__(self, config: uvicorn.Config, service: ProgressService, on_started: Callable[[], None]) -> None:
        """Call `on_started` once connections are accepted; on shutdown, drain the streams of `service`."""
        super().__init__(config)
        self._service = service
        self._on_started = on_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept connections."""
        await super().startup(sockets=sockets)
        self._on_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, stop accepting, wait for the other requests, and drop those that are left."""
        self._service.streams.drain()
        timeout_s = self._service.settings.graceful_timeout_s
        dropping = asyncio.get_running_loop().call_later(timeout_s, self._drop_all)
        try:
            await super().shutdown(sockets=sockets)
        finally:
            dropping.cancel()

    def _drop_all(self) -> None:
        for connection in tuple(self.server_state.connections):
            connection.transport.abort()
        for request in self.server_state.tasks:  # Those that wait for another server do not see that theirs is gone.
            request.cancel()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Shut down; at the second signal at once. Every acknowledged update is durable by then.

        Uvicorn's own handler would raise the signal again at the end, and the exit code would not be 0.
        """
        if self.should_exit:
            signal.signal(sig, signal.SIG_DFL)  # A third one ends a process that cannot write its log.
            logging.shutdown()  # The signal leaves no time for it: what was counted is written.
            os.kill(os.getpid(), sig)
        self.request_shutdown()

    def request_shutdown(self) -> None:
        """Shut down gracefully."""
        self.should_exit = True


async def choose_protocol(service: ProgressService, hot_routes: HotRoutes | None) -> Any:
    """Return our HTTP protocol, as uvicorn's setting `http`; its own if ours does not fit the version installed."""
    try:
        # Imported here, as the import fails if uvicorn has moved the names that it needs.
        from progress_sse.server.protocol_probe import fits

        if await fits():
            return own_protocol(service, hot_routes)
    except ImportError:
        pass
    logger.warning(
        "uvicorn %s has changed inner parts that this server builds on, so uvicorn's own HTTP protocol serves: streams "
        "take more CPU, and head_timeout_s, body_timeout_s and the limits on heads do not apply",
        uvicorn.__version__,
    )
    return "auto"


def own_protocol(service: ProgressService, hot_routes: HotRoutes | None = None) -> Any:
    """Return the factory of our HTTP protocol, as uvicorn's setting `http`."""
    from progress_sse.server.connection_writer import WriteCoalescer  # as above
    from progress_sse.server.http_protocol import HttpProtocol

    settings = service.settings
    limits = ConnectionLimits(
        head_timeout_s=settings.head_timeout_s,
        body_timeout_s=settings.body_timeout_s,
        keep_alive_s=KEEP_ALIVE_S,
        max_body_bytes=settings.max_body_bytes,
        max_connections=max(1, descriptor_limit() - DESCRIPTORS_FOR_FILES),
    )
    return partial(
        HttpProtocol,
        coalescer=WriteCoalescer(),
        limits=limits,
        refusal=partial(problem_response, service),
        hot_routes=hot_routes,
    )


def make_config(app: ASGIApp, service: ProgressService, http: Any) -> uvicorn.Config:
    """Return uvicorn's configuration: no access log, as it shows query strings, and no `Server` header."""
    settings = service.settings
    if needs_host_check(service):
        app = HostCheckMiddleware(app, service)
    return uvicorn.Config(
        app,
        http=http,
        loop="uvloop",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        backlog=BACKLOG,
        timeout_graceful_shutdown=settings.graceful_timeout_s + HARD_STOP_S,  # type: ignore[arg-type]  # any number
    )


def _ending_when_cancelled(app: ASGIApp) -> ASGIApp:
    """Return the application without the error that uvicorn would log of each request that the shutdown cancels."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await app(scope, receive, send)

    return call


def _tune_collector() -> None:
    """Let the garbage collector run less often, and never check the loaded modules again.

    Open streams are many small objects that live long. With Python's defaults, their repeated collection takes half of
    all time at 10 000 streams. This is for a process that only serves, so it is never done on import.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTOR_THRESHOLDS)


def descriptor_limit() -> int:
    """Return how many descriptors this process may open."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def raise_descriptor_limit() -> int:
    """Raise the limit of open descriptors to its maximum, and return how many streams fit."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return max(1, descriptor_limit() - RESERVED_DESCRIPTORS)
