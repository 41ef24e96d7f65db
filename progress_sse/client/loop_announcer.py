"""Calls a job's callbacks with the requests of readers, on the job's event loop."""

from collections.abc import Callable, Sequence
from contextvars import copy_context
from inspect import isawaitable

from progress_sse.client.inbox import Inbox, Request, calling
from progress_sse.client.loops import running_loop


class LoopAnnouncer:
    """See the module."""

    def __init__(self, inbox: Inbox, callbacks: Sequence[Callable[[Request], object]]) -> None:
        """Begin on the running loop."""
        self._inbox = inbox
        self._callbacks = callbacks
        self._loop = running_loop()

    def __call__(self, request: Request) -> bool:
        """Call them soon; return whether the loop can. Called from any thread."""
        loop, context = self._loop, copy_context()
        return loop is not None and loop.call(lambda: loop.start(lambda: self._announce(request), context))

    async def _announce(self, request: Request) -> None:
        with request.announced_to(self._callbacks) as untold:
            for callback in untold:
                with calling():
                    called = callback(request)
                    if isawaitable(called):
                        await called
        self._inbox.proceed(request)
