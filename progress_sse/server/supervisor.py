"""Several processes behind one listening socket: `serve --workers N`.

The supervisor holds the socket and serves no connection itself. A server process runs the same command again, and
inherits that socket and one end of a control socket. Over that it gets the text of the file of hooks, so that all
processes have the same. It reports there that it accepts connections, and sees it end when the supervisor has gone.
While a process is replaced, new connections wait in the shared socket, so that none is refused.

On SIGHUP each process in turn is replaced by a new one, which accepts connections before the old one begins to drain.
It runs the code that is installed by then, with the arguments of the supervisor.
"""

import asyncio
import contextlib
import logging
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from typing import Final, Self

from progress_sse._internal.clock import Clock, SystemClock
from progress_sse.core.errors import ConfigurationError
from progress_sse.server.sockets import READY, InheritedSockets, encode_hooks
from progress_sse.settings import Settings
from progress_sse.wiring import read_hooks_text

logger = logging.getLogger(__name__)

PAUSE_S: Final = 1.0
"""Seconds before a process that ended by itself is replaced: one that always fails must not keep the machine busy."""

START_TIMEOUT_S: Final = 60.0
"""Seconds within which a new process must accept connections. It is killed then, since other slots wait for it."""

HURRY_S: Final = 1.0
"""Seconds that a process has after the second signal: it ends at once, but for what it has to log."""


class ServerProcess:
    """A process that serves, or is about to."""

    def __init__(self, process: asyncio.subprocess.Process, control: socket.socket, stop_timeout_s: float) -> None:
        """Manage a process that has been started; it has `stop_timeout_s` seconds to end."""
        self._process = process
        self._control = control
        self._stop_timeout_s = stop_timeout_s
        self._kill_timer: asyncio.TimerHandle | None = None

    @classmethod
    async def start(
        cls, arguments: Sequence[str], listener: socket.socket | None, stop_timeout_s: float, hooks: str = ""
    ) -> Self:
        """Run Python with these arguments, in a process that inherits the listener and a control socket.

        It gets `hooks`, the text of the file of hooks.
        """
        control, other_end = socket.socketpair()
        control.setblocking(False)
        with other_end:
            inherited = InheritedSockets(other_end, listener)
            try:
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, *arguments),
                    env=inherited.environment(),
                    pass_fds=inherited.descriptors(),
                    start_new_session=True,  # The supervisor alone handles Ctrl+C.
                )
            except BaseException:
                control.close()
                raise
        with contextlib.suppress(OSError):  # It has ended already, which `is_ready` finds out.
            await asyncio.get_running_loop().sock_sendall(control, encode_hooks(hooks))
        return cls(process, control, stop_timeout_s)

    async def is_ready(self) -> bool:
        """Wait until it accepts connections; false if it ended instead, or took too long and was killed."""
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                return await asyncio.get_running_loop().sock_recv(self._control, len(READY)) == READY
        except TimeoutError:
            self.kill()
            return False
        except ConnectionResetError:  # It ended before it had read what it was sent.
            return False

    async def wait(self) -> int:
        """Wait until it has ended, and return its exit code."""
        code = await self._process.wait()
        self._control.close()
        if self._kill_timer is not None:
            self._kill_timer.cancel()
        return code

    def end(self) -> None:
        """Terminate the process, and kill it after the timeout: it may be frozen or stuck."""
        if self._kill_timer is None:
            self._kill_timer = asyncio.get_running_loop().call_later(self._stop_timeout_s, self._on_overdue)
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()

    def end_at_once(self) -> None:
        """Terminate it again, so that it waits for no request, and kill it after `HURRY_S`: it may be frozen."""
        if self._kill_timer is not None:
            self._kill_timer.cancel()
        self._kill_timer = asyncio.get_running_loop().call_later(HURRY_S, self.kill)
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()

    def _on_overdue(self) -> None:
        logger.warning("a server process did not end in time and is killed")
        self.kill()

    def kill(self) -> None:
        """End it at once. Every update that it has acknowledged is durable by then."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()


class ProcessPool:
    """All server processes that live: those that serve, those that start, and those that end."""

    def __init__(self, listener: socket.socket, stop_timeout_s: float, hooks: str = "") -> None:
        """Let processes serve `listener`, with none yet; each has `stop_timeout_s` seconds to end.

        Each gets `hooks`, the text of the file of hooks, as it is when the process starts.
        """
        self.hooks = hooks
        self._listener = listener
        self._stop_timeout_s = stop_timeout_s
        self._processes: set[ServerProcess] = set()
        self._is_ending = False

    async def spawn(self) -> ServerProcess:
        """Start a process, and wait until it accepts connections.

        Raises:
            ConfigurationError: It could not be started, ended at once, or took too long; its log has the reason.
        """
        try:
            process = await ServerProcess.start(
                ["-m", "progress_sse", *sys.argv[1:]], self._listener, self._stop_timeout_s, self.hooks
            )
        except OSError as error:
            raise ConfigurationError(f"A server process cannot be started: {error.strerror}.") from error
        self._processes.add(process)
        if self._is_ending:
            process.end()
        if not await process.is_ready():
            await self.reap(process)
            raise ConfigurationError("A server process did not start.")
        return process

    async def reap(self, process: ServerProcess) -> int:
        """Wait until a process has ended, and return its exit code."""
        code = await process.wait()
        self._processes.discard(process)
        return code

    def end(self) -> None:
        """Let all processes end, also those that are starting; the second call lets them end at once."""
        for process in self._processes:
            if self._is_ending:
                process.end_at_once()
            else:
                process.end()
        self._is_ending = True

    async def wait(self) -> None:
        """Wait until all processes have ended."""
        await asyncio.gather(*map(self.reap, self._processes))


class Slot:
    """Holds one server process at a time, and replaces it when it ends by itself, or on request.

    A process may end by itself while it is being renewed, and a renewal may begin after it has ended. Both spawn under
    the lock, and check again that the process is still the one to replace. Otherwise a second process for the same slot
    would be left that no slot holds.
    """

    def __init__(self, pool: ProcessPool, process: ServerProcess, clock: Clock | None = None) -> None:
        """Begin with a process that serves; further ones are spawned in `pool`."""
        self._pool = pool
        self._process = process
        self._clock = clock or SystemClock()
        self._spawning = asyncio.Lock()

    async def keep_filled(self) -> None:
        """Replace processes that end by themselves; runs until it is cancelled."""
        while True:
            process = self._process
            code = await self._pool.reap(process)
            while self._process is process:
                logger.error("a server process ended with exit code %d and is replaced", code)
                await self._clock.sleep(PAUSE_S)
                await self._replace(process)

    async def _replace(self, ended: ServerProcess) -> None:
        async with self._spawning:
            if self._process is not ended:
                return
            try:
                self._process = await self._pool.spawn()
            except ConfigurationError as error:
                logger.error("%s", error)

    async def renew(self) -> None:
        """Spawn a new process, and end the present one once the new one serves.

        Raises:
            ConfigurationError: No new process could be started; the present one stays.
        """
        async with self._spawning:
            former, self._process = self._process, await self._pool.spawn()
        former.end()
        await self._pool.reap(former)


STOP_MARGIN_S: Final = 2.0
"""Seconds that a process has beyond the settings' graceful timeouts, before it is killed."""


class Supervisor:
    """Keeps the number of server processes that the settings name."""

    def __init__(self, settings: Settings, listener: socket.socket, on_started: Callable[[], None]) -> None:
        """Serve `listener`, and call `on_started` once all processes accept connections.

        Raises:
            ConfigurationError: The file of hooks has a mistake.
        """
        self._settings = settings
        # A process has a graceful timeout for its requests, one for tries of notices, and one for its commits.
        stop_timeout_s = 3 * settings.graceful_timeout_s + STOP_MARGIN_S
        self._pool = ProcessPool(listener, stop_timeout_s, read_hooks_text(settings))
        self._on_started = on_started
        self._must_end = asyncio.Event()
        self._must_renew = asyncio.Event()

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT, and then until every process has ended or was killed at its timeout.

        A second signal ends them at once.

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
        spawning = (self._pool.spawn() for _ in range(self._settings.workers))
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
        """Renew one slot after the other at each SIGHUP; one that comes meanwhile starts another round.

        A mistake in the file of hooks changes nothing.
        """
        while True:
            await self._must_renew.wait()
            self._must_renew.clear()
            try:
                self._pool.hooks = await asyncio.to_thread(read_hooks_text, self._settings)
            except ConfigurationError as error:
                logger.error("%s The server processes stay as they are.", error)
                continue
            for slot in slots:
                try:
                    await slot.renew()
                except ConfigurationError as error:
                    logger.error("a server process is not replaced: %s", error)
            logger.info("all server processes have been renewed")
