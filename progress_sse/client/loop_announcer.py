"""Calls a job's callbacks with the requests of readers, on the job's event loop."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from inspect import isawaitable

from progress_sse.client.inbox import Inbox, Request, calling
from progress_sse.client.own_log import log


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the running loop of asyncio; without one, as under trio, `None`."""
    with suppress(RuntimeError):
        return asyncio.get_running_loop()
    return None


class LoopAnnouncer:
    """See the module."""

    def __init__(self, inbox: Inbox, callbacks: Sequence[Callable[[Request], object]]) -> None:
        """Begin on the running loop."""
        self._inbox = inbox
        self._callbacks = callbacks
        self._loop = running_loop()
        if self._loop is None:
            log(logging.WARNING, "requests of readers are not announced, since no event loop of asyncio runs here")
        self._tasks: set[asyncio.Task[None]] = set()

    def __call__(self, request: Request) -> bool:
        """Call them soon; return whether the loop can. Called from any thread."""
        if self._loop is None:
            return False
        with suppress(RuntimeError):  # The loop is closed.
            self._loop.call_soon_threadsafe(self._begin, self._loop, request)
            return True
        return False

    def _begin(self, loop: asyncio.AbstractEventLoop, request: Request) -> None:
        task = loop.create_task(self._announce(request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _announce(self, request: Request) -> None:
        with request.announced_to(self._callbacks) as untold:
            for callback in untold:
                with calling():
                    called = callback(request)
                    if isawaitable(called):
                        await called
        self._inbox.proceed(request)
