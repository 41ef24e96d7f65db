"""Several processes behind one listening socket: `serve --workers N`.

The supervisor holds the socket and serves no connection itself. A server process runs the same command again, and
inherits that socket and one end of a control socket. It sends over the control socket that it accepts connections, and
sees it end when the supervisor has gone. While a process is replaced, new connections wait in the shared socket, so
that none is refused.

On SIGHUP each process in turn is replaced by a new one, which accepts connections before the old one begins to drain.
The new process runs the code that is installed by then, with the arguments of the supervisor.

What must not go in here: anything about sessions. The processes share a store, and nothing else.
"""

import asyncio
import logging
import signal
import socket
from collections.abc import Callable, Sequence
from typing import Final

from progress_sse.core.errors import ConfigurationError
from progress_sse.server.process_pool import ProcessPool, ServerProcess, Slot
from progress_sse.settings import Settings

logger = logging.getLogger(__name__)

STOP_MARGIN_S: Final = 2.0
"""Seconds that a process has beyond the settings' graceful timeouts, before it is killed."""


def stop_timeout_s(settings: Settings) -> float:
    """Return the seconds that a process may take to end: a graceful timeout for its requests, one for its commits."""
    return 2 * settings.graceful_timeout_s + STOP_MARGIN_S


class Supervisor:
    """Keeps the number of server processes that the settings name."""

    def __init__(self, settings: Settings, listener: socket.socket, on_started: Callable[[], None]) -> None:
        """Serve `listener`, and call `on_started` once all processes accept connections."""
        self._count = settings.workers
        self._pool = ProcessPool(listener, stop_timeout_s(settings))
        self._on_started = on_started
        self._must_end = asyncio.Event()
        self._must_renew = asyncio.Event()

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT, and then until every process has ended or was killed at its timeout.

        A second signal kills them at once.

        Raises:
            ConfigurationError: A process did not start.
        """
        loop = asyncio.get_running_loop()
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(each, self._end)
        loop.add_signal_handler(signal.SIGHUP, self._must_renew.set)
        tasks: list[asyncio.Task[None]] = []
        try:
            slots = [Slot(self._pool, process) for process in await self._spawn_all()]
            duties = (self._renew_on_request(slots), *(slot.keep_filled() for slot in slots))
            tasks = [asyncio.create_task(duty) for duty in duties]
            await self._must_end.wait()
        finally:
            for task in tasks:
                task.cancel()
            if not self._must_end.is_set():
                self._pool.end()
            await self._pool.wait()

    async def _spawn_all(self) -> list[ServerProcess]:
        spawning = (self._pool.spawn() for _ in range(self._count))
        outcomes = await asyncio.gather(*spawning, return_exceptions=True)
        if self._must_end.is_set():
            return []
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        self._on_started()
        return [outcome for outcome in outcomes if isinstance(outcome, ServerProcess)]

    def _end(self) -> None:
        self._must_end.set()
        self._pool.end()

    async def _renew_on_request(self, slots: Sequence[Slot]) -> None:
        """Renew one slot after the other at each SIGHUP; one that comes meanwhile starts another round."""
        while True:
            await self._must_renew.wait()
            self._must_renew.clear()
            for slot in slots:
                try:
                    await slot.renew()
                except ConfigurationError as error:
                    logger.error("a server process is not replaced: %s", error)
            logger.info("all server processes have been renewed")
