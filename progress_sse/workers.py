"""Several processes behind one listening socket: `serve --workers N`.

The supervisor holds the socket and serves nothing. A worker is the same command once more, handed that socket and one
end of a *tie*: over the tie it says that it accepts connections, and by its end it learns that the supervisor has
gone. Connections that come while a worker is replaced wait in the socket that all share, so that none is refused.

On SIGHUP each worker in turn is replaced by a new process, which accepts before the old one begins to drain. That one
comes to run what is installed by then, with the arguments of the supervisor.

What must not go in here: anything about sessions. What workers have in common is their store.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import Final, NamedTuple, Self

from progress_sse.errors import ConfigurationError

logger = logging.getLogger(__name__)

_SOCKETS: Final = "PROGRESS_SSE_SOCKETS"
_READY: Final = b"ready"

PAUSE_S: Final = 1.0
"""Seconds before a worker that ended by itself is replaced: one that cannot live must not keep the machine busy."""


class Inheritance(NamedTuple):
    """The sockets that a supervisor has handed to this process."""

    listener: socket.socket
    tie: socket.socket

    @classmethod
    def take(cls) -> Self | None:
        """Return them; `None` in a process that has no supervisor."""
        descriptors = os.environ.pop(_SOCKETS, None)
        if descriptors is None:
            return None
        return cls(*(socket.socket(fileno=int(each)) for each in descriptors.split(",")))

    def watch(self, on_orphaned: Callable[[], None]) -> None:
        """Call `on_orphaned` once the supervisor has gone."""
        loop = asyncio.get_running_loop()

        def hear() -> None:
            loop.remove_reader(self.tie)
            on_orphaned()

        loop.add_reader(self.tie, hear)

    def tell_ready(self) -> None:
        """Say that connections are accepted."""
        with contextlib.suppress(OSError):  # Then it is orphaned, and hears of it.
            self.tie.send(_READY)


class Worker:
    """A process that serves."""

    def __init__(self, process: asyncio.subprocess.Process, tie: socket.socket) -> None:
        """Take charge of a process, for as long as it lives."""
        self.is_ending = False
        self._process = process
        self._tie = tie

    @classmethod
    async def start(cls, listener: socket.socket) -> Self:
        """Start one, and wait until it accepts connections.

        Raises:
            ConfigurationError: It ended instead, and has said why.
        """
        tie, other_end = socket.socketpair()
        tie.setblocking(False)
        with other_end:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "progress_sse", *sys.argv[1:]),
                env={**os.environ, _SOCKETS: f"{listener.fileno()},{other_end.fileno()}"},
                pass_fds=(listener.fileno(), other_end.fileno()),
                start_new_session=True,  # Ctrl+C is for the supervisor to handle.
            )
        worker = cls(process, tie)
        try:
            if await asyncio.get_running_loop().sock_recv(tie, len(_READY)) != _READY:
                raise ConfigurationError("A worker did not start.")
        except BaseException:
            worker.end()
            raise
        return worker

    async def wait(self) -> int:
        """Wait until it has ended, and return its exit code."""
        code = await self._process.wait()
        self._tie.close()
        return code

    def end(self) -> None:
        """Tell it to end; told twice, it ends at once."""
        self.is_ending = True
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()


class _Place:
    """One of the workers, whichever process that is at the time."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self.worker: Worker | None = None

    async def fill(self) -> None:
        self.worker = await Worker.start(self._listener)

    async def keep_filled(self) -> None:
        """Replace workers that end by themselves, for ever."""
        while True:
            worker = self.worker
            assert worker is not None
            code = await worker.wait()
            while self.worker is worker:
                logger.error("a worker ended with exit code %d and is replaced", code)
                await asyncio.sleep(PAUSE_S)
                with contextlib.suppress(ConfigurationError):
                    await self.fill()

    async def renew(self) -> None:
        """Put a new worker in the place of the one that is there, or keep that if there can be none."""
        worker = self.worker
        assert worker is not None
        try:
            await self.fill()
        except ConfigurationError:
            logger.error("a worker is not replaced: the new one did not start")  # it has said why
            return
        worker.end()
        await worker.wait()


class Supervisor:
    """Keeps as many workers running as it was told."""

    def __init__(self, count: int, listener: socket.socket, on_started: Callable[[], None]) -> None:
        """Serve `listener` by `count` processes, and call `on_started` once all of them do."""
        self._places = [_Place(listener) for _ in range(count)]
        self._on_started = on_started
        self._told_to_end = asyncio.Event()
        self._renewal: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT, and until every worker has ended then; a second signal ends them at once.

        Raises:
            ConfigurationError: A worker did not start.
        """
        loop = asyncio.get_running_loop()
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(each, self._end)
        loop.add_signal_handler(signal.SIGHUP, self._renew)
        tasks: list[asyncio.Task[None]] = []
        try:
            await self._start()
            tasks = [asyncio.create_task(place.keep_filled()) for place in self._places]
            await self._told_to_end.wait()
        finally:
            for task in (*tasks, *((self._renewal,) if self._renewal else ())):
                task.cancel()
            workers = [place.worker for place in self._places if place.worker is not None]
            for worker in workers:
                if not worker.is_ending:
                    worker.end()
            await asyncio.gather(*(worker.wait() for worker in workers))

    async def _start(self) -> None:
        outcomes = await asyncio.gather(*(place.fill() for place in self._places), return_exceptions=True)
        for outcome in outcomes:
            if outcome is not None:
                raise outcome
        self._on_started()

    def _end(self) -> None:
        self._told_to_end.set()
        for place in self._places:
            if place.worker is not None:
                place.worker.end()

    def _renew(self) -> None:
        if self._renewal is None or self._renewal.done():
            self._renewal = asyncio.create_task(self._renew_all())

    async def _renew_all(self) -> None:
        for place in self._places:
            await place.renew()
        logger.info("all workers are new")
