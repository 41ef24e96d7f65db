"""Calls a job's callbacks with the requests of readers, on the job's event loop."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from inspect import isawaitable

from progress_sse.client.inbox import Inbox, Request, calling


class LoopAnnouncer:
    """See the module."""

    def __init__(self, inbox: Inbox, callbacks: Sequence[Callable[[Request], object]]) -> None:
        """Begin on the running loop."""
        self._inbox = inbox
        self._callbacks = callbacks
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()

    def __call__(self, request: Request) -> bool:
        """Call them soon; return whether the loop can. Called from any thread."""
        with suppress(RuntimeError):  # The loop is closed.
            self._loop.call_soon_threadsafe(self._begin, request)
            return True
        return False

    def _begin(self, request: Request) -> None:
        task = self._loop.create_task(self._announce(request))
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
