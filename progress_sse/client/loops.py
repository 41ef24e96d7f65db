"""The event loop of a job, asyncio's or trio's, as other threads use it; and its waits for the sending thread.

The library anyio would do as well, if it did not import its parts at the first use: a wait must not fail where a
process has no descriptor left.

Unless it says otherwise, each method may be called from any thread, and blocks none.
"""

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import Context
from typing import TYPE_CHECKING, Any, TypeAlias

from progress_sse.client.attempt import LOST_AFTER_MS, Attempt

if TYPE_CHECKING:
    import trio

Work: TypeAlias = Callable[[], Coroutine[Any, Any, None]]
Event: TypeAlias = "asyncio.Event | trio.Event"


class AsyncioLoop:
    """A loop of asyncio, running or not."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def is_running(self) -> bool:
        """Whether it may call something now."""
        return self.loop.is_running()

    @property
    def is_here(self) -> bool:
        """Whether the calling code runs on it."""
        return asyncio._get_running_loop() is self.loop  # noqa: SLF001  # public, and the only one that raises nothing

    def call(self, function: Callable[[], object]) -> bool:
        """Call a function soon; return whether the loop takes it. One that has ended takes none."""
        with suppress(RuntimeError):  # It is closed.
            self.loop.call_soon_threadsafe(function, context=Context())
            return True
        return False

    def start(self, work: Work, context: Context) -> None:
        """Run a coroutine function in a task of its own; called on the loop."""
        task = self.loop.create_task(work(), context=context)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def event(self) -> Event:
        """Return what a task of the loop waits for."""
        return asyncio.Event()

    async def wait(self, event: Event, timeout_s: float) -> bool:
        """Wait for an event, at most so long; return whether it came."""
        with suppress(TimeoutError):
            async with asyncio.timeout(min(timeout_s, threading.TIMEOUT_MAX)):
                await event.wait()
                return True
        return False


class _TrioLoop:
    """A run of trio; see `AsyncioLoop`."""

    def __init__(self, token: "trio.lowlevel.TrioToken") -> None:
        self._token = token
        self._trio: Any = sys.modules["trio"]

    @property
    def is_running(self) -> bool:
        return self.call(lambda: None)  # A run that has ended takes no call.

    @property
    def is_here(self) -> bool:
        return _trio_token() is self._token

    def call(self, function: Callable[[], object]) -> bool:
        with suppress(self._trio.RunFinishedError):
            self._token.run_sync_soon(function)
            return True
        return False

    def start(self, work: Work, context: Context) -> None:
        self._trio.lowlevel.spawn_system_task(work, context=context)

    def event(self) -> Event:
        event: Event = self._trio.Event()
        return event

    async def wait(self, event: Event, timeout_s: float) -> bool:
        with self._trio.move_on_after(timeout_s):
            await event.wait()
            return True
        return False


def _trio_token() -> "trio.lowlevel.TrioToken | None":
    trio = sys.modules.get("trio")
    with suppress(RuntimeError):  # This code runs outside of trio.
        return None if trio is None else trio.lowlevel.current_trio_token()
    return None


JobLoop: TypeAlias = AsyncioLoop | _TrioLoop


def running_loop() -> JobLoop | None:
    """Return the loop that this code runs on; `None` outside of one, and on one of another library."""
    loop = asyncio._get_running_loop()  # noqa: SLF001  # see above
    if loop is not None:
        return AsyncioLoop(loop)
    token = _trio_token()
    return None if token is None else _TrioLoop(token)


class Home:
    """The loop on which a job reports at present, and the last time at which it turned."""

    def __init__(self) -> None:
        """Begin on the running loop, if there is one."""
        self.loop: JobLoop | None = None
        self._turned_at = time.monotonic()
        self._is_asked = False
        self.find()

    def find(self) -> None:
        """Move to the running loop; code without one leaves it as it is."""
        if self.loop is not None and (self.loop.is_here or asyncio._get_running_loop() is None):  # noqa: SLF001
            return
        loop = running_loop()
        if loop is not None:
            now = time.monotonic()
            self.loop = loop
            self._turned_at = now
            self._is_asked = False

    def has_turned(self, lease: Attempt | None) -> bool:
        """Return whether the loop has turned within the time after which a step counts as lost; and ask it to."""
        within_s = ((lease and lease.lost_after_ms) or LOST_AFTER_MS) / 1000
        if self.loop is not None and not self._is_asked:
            self._is_asked = self.loop.call(self._turn)
        return time.monotonic() - self._turned_at <= within_s

    def _turn(self) -> None:
        self._turned_at = time.monotonic()
        self._is_asked = False


def is_cancellation(error: BaseException | None) -> bool:
    """Return whether it is what the running loop raises in a task that it cancels."""
    if isinstance(error, asyncio.CancelledError):
        return True
    trio = sys.modules.get("trio")
    return trio is not None and isinstance(error, trio.Cancelled)
