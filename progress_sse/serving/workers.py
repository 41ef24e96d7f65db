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
        self._process = process
        self._tie = tie

    async def is_ready(self) -> bool:
        """Wait until it accepts connections; false if it ended instead."""
        return await asyncio.get_running_loop().sock_recv(self._tie, len(_READY)) == _READY

    async def wait(self) -> int:
        """Wait until it has ended, and return its exit code."""
        code = await self._process.wait()
        self._tie.close()
        return code

    def end(self) -> None:
        """Tell it to end; told twice, it ends at once."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()


class Crew:
    """All workers that live: those that serve, those that begin to, and those that are on their way out."""

    def __init__(self, listener: socket.socket) -> None:
        """Serve `listener`, by nobody yet."""
        self._listener = listener
        self._workers: set[Worker] = set()
        self._is_ending = False

    async def hire(self) -> Worker:
        """Start a worker, and wait until it accepts connections.

        Raises:
            ConfigurationError: It could not be started, or ended instead and has said why.
        """
        try:
            worker = await self._start()
        except OSError as error:
            raise ConfigurationError(f"A worker cannot be started: {error.strerror}.") from error
        self._workers.add(worker)
        if self._is_ending:
            worker.end()
        if not await worker.is_ready():
            await self.see_off(worker)
            raise ConfigurationError("A worker did not start.")
        return worker

    async def _start(self) -> Worker:
        tie, other_end = socket.socketpair()
        tie.setblocking(False)
        with other_end:
            try:
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "progress_sse", *sys.argv[1:]),
                    env={**os.environ, _SOCKETS: f"{self._listener.fileno()},{other_end.fileno()}"},
                    pass_fds=(self._listener.fileno(), other_end.fileno()),
                    start_new_session=True,  # Ctrl+C is for the supervisor to handle.
                )
            except BaseException:
                tie.close()
                raise
        return Worker(process, tie)

    async def see_off(self, worker: Worker) -> int:
        """Wait until a worker has ended, and return its exit code."""
        code = await worker.wait()
        self._workers.discard(worker)
        return code

    def end(self) -> None:
        """Tell everybody to end, and whoever is just coming; told twice, they end at once."""
        self._is_ending = True
        for worker in self._workers:
            worker.end()

    async def wait(self) -> None:
        """Wait until nobody is left."""
        await asyncio.gather(*map(self.see_off, self._workers))


class Supervisor:
    """Keeps as many workers serving as it was told."""

    def __init__(self, count: int, listener: socket.socket, on_started: Callable[[], None]) -> None:
        """Serve `listener` by `count` processes, and call `on_started` once all of them do."""
        self._crew = Crew(listener)
        self._places: list[Worker | None] = [None] * count
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
            await self._fill_all()
            tasks = [asyncio.create_task(self._keep_filled(place)) for place in range(len(self._places))]
            await self._told_to_end.wait()
        finally:
            for task in (*tasks, *((self._renewal,) if self._renewal else ())):
                task.cancel()
            if not self._told_to_end.is_set():
                self._crew.end()
            await self._crew.wait()

    async def _fill_all(self) -> None:
        filling = (self._fill(place) for place in range(len(self._places)))
        for outcome in await asyncio.gather(*filling, return_exceptions=True):
            if outcome is not None and not self._told_to_end.is_set():
                raise outcome
        if not self._told_to_end.is_set():
            self._on_started()

    async def _fill(self, place: int) -> None:
        self._places[place] = await self._crew.hire()

    async def _keep_filled(self, place: int) -> None:
        """Replace workers that end by themselves, for ever."""
        while (worker := self._places[place]) is not None:
            code = await self._crew.see_off(worker)
            while self._places[place] is worker:
                logger.error("a worker ended with exit code %d and is replaced", code)
                await asyncio.sleep(PAUSE_S)
                try:
                    await self._fill(place)
                except ConfigurationError as error:
                    logger.error("%s", error)

    def _end(self) -> None:
        self._told_to_end.set()
        self._crew.end()

    def _renew(self) -> None:
        if self._renewal is None or self._renewal.done():
            self._renewal = asyncio.create_task(self._renew_all())

    async def _renew_all(self) -> None:
        """Put a new worker into each place, or leave the one that is there if there can be none."""
        for place, worker in enumerate(tuple(self._places)):
            try:
                await self._fill(place)
            except ConfigurationError as error:
                logger.error("a worker is not replaced: %s", error)
            else:
                assert worker is not None
                worker.end()
                await self._crew.see_off(worker)
        logger.info("all workers have been renewed")
