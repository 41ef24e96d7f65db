"""Uvicorn, as we run it, and as it goes down.

It waits for open connections before it runs the application's shutdown, so a stream that waited for that would never
end. Here the drain comes first, and what has not ended by the graceful timeout is dropped.
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
from starlette.types import ASGIApp

from progress_sse.api.middleware.host_check import HostCheckMiddleware
from progress_sse.api.problems import problem_response
from progress_sse.server.connection_limits import Patience
from progress_sse.server.sockets import BACKLOG
from progress_sse.server.write_coalescing import Outbox
from progress_sse.service import ProgressService

logger: Final = logging.getLogger(__name__)

RESERVED_DESCRIPTORS: Final = 64
"""Descriptors that are kept for polls, workers and files when streams take all others."""

DESCRIPTORS_FOR_FILES: Final = 32
"""Those of them that no connection gets: for the store, and what is accepted before it can be told to go."""

COLLECTOR_THRESHOLDS: Final = (50_000, 50, 1000)
"""New objects before the youngest are gone through, and how often that is done before the older ones are."""

HARD_STOP_S: Final = 1.0
"""Seconds that uvicorn gets to notice that everything was dropped."""


async def serve(
    service: ProgressService,
    app: ASGIApp,
    listener: socket.socket,
    *,
    on_started: Callable[[], None],
    watch: Callable[[Callable[[], None]], None] | None = None,
) -> None:
    """Serve until a signal says to stop, or what is watched.

    Args:
        service: Started before, and closed after.
        app: Its application, or one around that.
        listener: Where connections come in.
        on_started: Called once they are accepted.
        watch: Called with what makes the server go down.

    Raises:
        StoreRefusedError: The store cannot be used as it is.
    """
    await service.start()
    _tune_collector()
    try:
        server = Server(
            make_config(app, service, await choose_protocol(service)),
            drain=service.streams.drain,
            on_started=on_started,
            graceful_timeout_s=service.settings.graceful_timeout_s,
        )
        if watch is not None:
            watch(server.go_down)
        await server.serve(sockets=[listener])
    finally:
        await service.aclose()


class Server(uvicorn.Server):
    """Drains on the first SIGTERM or SIGINT and ends with exit code 0; ends at once on the second."""

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        drain: Callable[[], None],
        on_started: Callable[[], None],
        graceful_timeout_s: float,
    ) -> None:
        """Call `on_started` once connections are accepted; going down, call `drain` and wait `graceful_timeout_s`."""
        super().__init__(config)
        self._drain = drain
        self._on_started = on_started
        self._graceful_timeout_s = graceful_timeout_s

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept connections."""
        await super().startup(sockets=sockets)
        self._on_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, stop accepting, wait for the rest, drop what is left."""
        self._drain()
        dropping = asyncio.get_running_loop().call_later(self._graceful_timeout_s, self._drop_all)
        try:
            await super().shutdown(sockets=sockets)
        finally:
            dropping.cancel()

    def _drop_all(self) -> None:
        for connection in tuple(self.server_state.connections):
            connection.transport.abort()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Go down; at once, if told a second time. What was acknowledged is durable by then.

        uvicorn's own would note the signal, to raise it again at the end, and the exit code would not be 0.
        """
        if self.should_exit:
            signal.signal(sig, signal.SIG_DFL)
            os.kill(os.getpid(), sig)
        self.go_down()

    def go_down(self) -> None:
        """Drain, and end."""
        self.should_exit = True


async def choose_protocol(service: ProgressService) -> Any:
    """Return our HTTP protocol, as uvicorn's setting `http`; its own if ours does not fit the version installed."""
    try:
        # Imported here, as it fails where uvicorn has no longer what it imports.
        from progress_sse.server.protocol_probe import fits

        if await fits():
            return own_protocol(service)
    except ImportError:
        pass
    logger.warning(
        "uvicorn %s has changed inner parts that this server builds on, so uvicorn's own HTTP protocol serves: streams "
        "take more CPU, and head_timeout_s, body_timeout_s and the limits on heads do not apply",
        uvicorn.__version__,
    )
    return "auto"


def own_protocol(service: ProgressService) -> Any:
    """Return what makes our HTTP protocol for each connection, as uvicorn's setting `http`."""
    from progress_sse.server.http_protocol import HttpProtocol  # as above

    settings = service.settings
    patience = Patience(
        head_timeout_s=settings.head_timeout_s,
        body_timeout_s=settings.body_timeout_s,
        max_body_bytes=settings.max_body_bytes,
        max_connections=max(1, descriptor_limit() - DESCRIPTORS_FOR_FILES),
    )
    return partial(HttpProtocol, outbox=Outbox(), patience=patience, refusal=partial(problem_response, service))


def make_config(app: ASGIApp, service: ProgressService, http: Any) -> uvicorn.Config:
    """Return how we run uvicorn: quiet, without an access log (it shows query strings) and without its name."""
    settings = service.settings
    if settings.is_loopback and not settings.insecure and service.authorizer.is_open_to("publish"):
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


def _tune_collector() -> None:
    """Let the garbage collector look less often, and never again at what has been loaded.

    Open streams are many small objects that live long; with Python's defaults, going through them over and over takes
    half of all time at 10 000 streams. For a process that only serves; never done on import.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTOR_THRESHOLDS)


def descriptor_limit() -> int:
    """Return how many descriptors this process may have."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def raise_descriptor_limit() -> int:
    """Raise the limit of open descriptors as far as it goes, and return how many streams that leaves room for."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return max(1, descriptor_limit() - RESERVED_DESCRIPTORS)
