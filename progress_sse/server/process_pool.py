"""The server processes of `serve --workers N`: each is started, replaced and ended here."""

import asyncio
import contextlib
import logging
import socket
import sys
from typing import Final

from progress_sse._internal.clock import Clock, SystemClock
from progress_sse.core.errors import ConfigurationError
from progress_sse.server.inherited_sockets import READY, InheritedSockets

logger = logging.getLogger(__name__)

PAUSE_S: Final = 1.0
"""Seconds before a process that ended by itself is replaced: one that always fails must not keep the machine busy."""

START_TIMEOUT_S: Final = 60.0
"""Seconds within which a new process must accept connections. It is killed then, since other slots wait for it."""


class ServerProcess:
    """A process that serves, or is about to."""

    def __init__(self, process: asyncio.subprocess.Process, control: socket.socket, stop_timeout_s: float) -> None:
        """Manage a process that has been started; it has `stop_timeout_s` seconds to end when it is told to."""
        self._process = process
        self._control = control
        self._stop_timeout_s = stop_timeout_s
        self._kill_timer: asyncio.TimerHandle | None = None

    async def is_ready(self) -> bool:
        """Wait until it accepts connections; false if it ended instead, or took too long and was killed."""
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                return await asyncio.get_running_loop().sock_recv(self._control, len(READY)) == READY
        except TimeoutError:
            self.kill()
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

    def _on_overdue(self) -> None:
        logger.warning("a server process did not end in time and is killed")
        self.kill()

    def kill(self) -> None:
        """End it at once. Every update that it has acknowledged is durable by then."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()


class ProcessPool:
    """All server processes that live: those that serve, those that start, and those that end."""

    def __init__(self, listener: socket.socket, stop_timeout_s: float) -> None:
        """Serve `listener`, with no process yet; each has `stop_timeout_s` seconds to end."""
        self._listener = listener
        self._stop_timeout_s = stop_timeout_s
        self._processes: set[ServerProcess] = set()
        self._is_ending = False

    async def spawn(self) -> ServerProcess:
        """Start a process, and wait until it accepts connections.

        Raises:
            ConfigurationError: It could not be started, or it ended instead, and its log says why.
        """
        try:
            process = await self._start()
        except OSError as error:
            raise ConfigurationError(f"A server process cannot be started: {error.strerror}.") from error
        self._processes.add(process)
        if self._is_ending:
            process.end()
        if not await process.is_ready():
            await self.reap(process)
            raise ConfigurationError("A server process did not start.")
        return process

    async def _start(self) -> ServerProcess:
        control, other_end = socket.socketpair()
        control.setblocking(False)
        with other_end:
            inherited = InheritedSockets(self._listener, other_end)
            try:
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "progress_sse", *sys.argv[1:]),
                    env=inherited.environment(),
                    pass_fds=inherited.descriptors(),
                    start_new_session=True,  # The supervisor alone handles Ctrl+C.
                )
            except BaseException:
                control.close()
                raise
        return ServerProcess(process, control, self._stop_timeout_s)

    async def reap(self, process: ServerProcess) -> int:
        """Wait until a process has ended, and return its exit code."""
        code = await process.wait()
        self._processes.discard(process)
        return code

    def end(self) -> None:
        """Tell all processes to end, also those that are starting; the second call kills them."""
        for process in self._processes:
            if self._is_ending:
                process.kill()
            else:
                process.end()
        self._is_ending = True

    async def wait(self) -> None:
        """Wait until all processes have ended."""
        await asyncio.gather(*map(self.reap, self._processes))


class Slot:
    """Holds one server process at a time, and replaces it.

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
