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
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Self

from progress_sse._internal.clock import Clock, SystemClock
from progress_sse.core.errors import ConfigurationError
from progress_sse.settings import Settings

logger = logging.getLogger(__name__)

_SOCKETS: Final = "PROGRESS_SSE_SOCKETS"
_READY: Final = b"ready"

PAUSE_S: Final = 1.0
"""Seconds before a worker that ended by itself is replaced: one that cannot live must not keep the machine busy."""

START_TIMEOUT_S: Final = 60.0
"""Seconds after which a worker that does not accept connections is given up: others wait for their turn."""


STOP_MARGIN_S: Final = 2.0
"""Seconds that a worker has beyond what its settings grant what is under way, before it is killed."""


def stop_timeout_s(settings: Settings) -> float:
    """Return for how many seconds a worker that was told to end may take: for its requests, and then its commits."""
    return 2 * settings.graceful_timeout_s + STOP_MARGIN_S


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

    def __init__(self, process: asyncio.subprocess.Process, tie: socket.socket, stop_timeout_s: float) -> None:
        """Take charge of a process, for as long as it lives; told to end, it has `stop_timeout_s` seconds for that."""
        self._process = process
        self._tie = tie
        self._stop_timeout_s = stop_timeout_s
        self._overdue: asyncio.TimerHandle | None = None

    async def is_ready(self) -> bool:
        """Wait until it accepts connections; false if it ended instead, or was given up."""
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                return await asyncio.get_running_loop().sock_recv(self._tie, len(_READY)) == _READY
        except TimeoutError:
            self.kill()
            return False

    async def wait(self) -> int:
        """Wait until it has ended, and return its exit code."""
        code = await self._process.wait()
        self._tie.close()
        if self._overdue is not None:
            self._overdue.cancel()
        return code

    def end(self) -> None:
        """Tell it to end; it is killed if it takes too long, as one does that is frozen or stuck."""
        if self._overdue is None:
            self._overdue = asyncio.get_running_loop().call_later(self._stop_timeout_s, self._on_overdue)
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()

    def _on_overdue(self) -> None:
        logger.warning("a worker did not end in time and is killed")
        self.kill()

    def kill(self) -> None:
        """End it at once. What it has acknowledged is durable by then."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()


class Crew:
    """All workers that live: those that serve, those that begin to, and those that are on their way out."""

    def __init__(self, listener: socket.socket, stop_timeout_s: float) -> None:
        """Serve `listener`, with no worker yet; each has `stop_timeout_s` seconds to end."""
        self._listener = listener
        self._stop_timeout_s = stop_timeout_s
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
        return Worker(process, tie, self._stop_timeout_s)

    async def see_off(self, worker: Worker) -> int:
        """Wait until a worker has ended, and return its exit code."""
        code = await worker.wait()
        self._workers.discard(worker)
        return code

    def end(self) -> None:
        """Tell everybody to end, and whoever is just coming; told twice, they end at once."""
        for worker in self._workers:
            if self._is_ending:
                worker.kill()
            else:
                worker.end()
        self._is_ending = True

    async def wait(self) -> None:
        """Wait until nobody is left."""
        await asyncio.gather(*map(self.see_off, self._workers))


class Place:
    """Where one worker serves, and others after it, one at a time.

    A worker may end by itself while it is being renewed, and the other way round. So whoever hires holds the lock, and
    looks again who is there once he has it: two workers for one place would leave one that nobody knows of.
    """

    def __init__(self, crew: Crew, worker: Worker, clock: Clock | None = None) -> None:
        """Begin with a worker that serves; further ones are hired into `crew`."""
        self._crew = crew
        self._worker = worker
        self._clock = clock or SystemClock()
        self._hiring = asyncio.Lock()

    async def keep_filled(self) -> None:
        """Replace workers that end by themselves, for ever."""
        while True:
            worker = self._worker
            code = await self._crew.see_off(worker)
            while self._worker is worker:
                logger.error("a worker ended with exit code %d and is replaced", code)
                await self._clock.sleep(PAUSE_S)
                await self._replace(worker)

    async def _replace(self, ended: Worker) -> None:
        async with self._hiring:
            if self._worker is not ended:
                return
            try:
                self._worker = await self._crew.hire()
            except ConfigurationError as error:
                logger.error("%s", error)

    async def renew(self) -> None:
        """Let a new worker serve, and the one that is there end; it stays if there can be no new one.

        Raises:
            ConfigurationError: There can be none.
        """
        async with self._hiring:
            former, self._worker = self._worker, await self._crew.hire()
        former.end()
        await self._crew.see_off(former)


class Supervisor:
    """Keeps as many workers serving as it was told."""

    def __init__(self, settings: Settings, listener: socket.socket, on_started: Callable[[], None]) -> None:
        """Serve `listener` by as many processes as the settings say, and call `on_started` once all of them do."""
        self._count = settings.workers
        self._crew = Crew(listener, stop_timeout_s(settings))
        self._on_started = on_started
        self._told_to_end = asyncio.Event()
        self._told_to_renew = asyncio.Event()

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT, and until every worker has ended then, or was killed as its time was over.

        A second signal kills them at once.

        Raises:
            ConfigurationError: A worker did not start.
        """
        loop = asyncio.get_running_loop()
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(each, self._end)
        loop.add_signal_handler(signal.SIGHUP, self._told_to_renew.set)
        tasks: list[asyncio.Task[None]] = []
        try:
            places = [Place(self._crew, worker) for worker in await self._hire_all()]
            duties = (self._renew_when_told(places), *(place.keep_filled() for place in places))
            tasks = [asyncio.create_task(duty) for duty in duties]
            await self._told_to_end.wait()
        finally:
            for task in tasks:
                task.cancel()
            if not self._told_to_end.is_set():
                self._crew.end()
            await self._crew.wait()

    async def _hire_all(self) -> list[Worker]:
        hiring = (self._crew.hire() for _ in range(self._count))
        outcomes = await asyncio.gather(*hiring, return_exceptions=True)
        if self._told_to_end.is_set():
            return []
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        self._on_started()
        return [outcome for outcome in outcomes if isinstance(outcome, Worker)]

    def _end(self) -> None:
        self._told_to_end.set()
        self._crew.end()

    async def _renew_when_told(self, places: Sequence[Place]) -> None:
        """Renew one place after the other, for ever; once more, if told so meanwhile."""
        while True:
            await self._told_to_renew.wait()
            self._told_to_renew.clear()
            for place in places:
                try:
                    await place.renew()
                except ConfigurationError as error:
                    logger.error("a worker is not replaced: %s", error)
            logger.info("all workers have been renewed")
