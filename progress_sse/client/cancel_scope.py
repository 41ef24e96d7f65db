"""Requests of readers on a job's event loop: blocks that a request to cancel ends, and calls of the job's callbacks.

The task of a cancelled block is cancelled, as by `asyncio.timeout`. At its end such a block turns its own cancellation
into `Cancelled`. Where the task is cancelled from elsewhere, too, that cancellation goes on. An exception group of
nothing but `Cancelled` becomes one of them: the tasks of a task group may have checked first.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextvars import copy_context
from inspect import isawaitable
from typing import TYPE_CHECKING, Protocol

from progress_sse.client.errors import Cancelled
from progress_sse.client.inbox import Inbox, Request, calling
from progress_sse.client.loops import AsyncioLoop, JobLoop, is_cancellation, running_loop
from progress_sse.core.updates import StepRef

if TYPE_CHECKING:
    pass


class _Cancellable(Protocol):
    """The block as its event loop knows it."""

    def cancel(self) -> object:
        """Cancel the block."""

    def leave(self, error: BaseException | None) -> bool:
        """End the block that was cancelled; return whether nothing but that has cancelled it."""


class CancelScope:
    """A block that a request to cancel ends.

    Attributes:
        step: The step whose block it is; `None` for that of the whole job.
    """

    def __init__(
        self, inbox: Inbox, loop: JobLoop, step: StepRef | None = None, pending: Request | None = None
    ) -> None:
        """Begin the block in the current task of a loop; it is cancelled at once where a request is `pending`."""
        self.step = step
        self._inbox = inbox
        self._request: Request | None = None
        self._is_over = False
        self._loop = loop
        self._block: _Cancellable = _AsyncioTask() if isinstance(loop, AsyncioLoop) else _TrioScope()
        inbox.scopes[self] = None
        if pending is not None:
            self.cancel(pending)

    def cancel(self, request: Request) -> None:
        """Cancel the block's task, soon; called from any thread."""
        self._loop.call(lambda: self._cancel(request))

    def _cancel(self, request: Request) -> None:
        if self._is_over or self._request is not None or request.is_declined:
            return
        self._request = request
        self._block.cancel()

    def close(self, error: BaseException | None) -> BaseException | None:
        """End the block; return the exception that leaves it, `Cancelled` in place of its own cancellation."""
        self._inbox.scopes.pop(self, None)
        self._is_over = True
        is_ours = self._block.leave(error) and self._request is not None
        if is_ours and self._request is not None and is_cancellation(error):
            return self._request.cancellation()
        return _cancellation_in(error) or error


class _AsyncioTask:
    """The task of asyncio in which the block runs."""

    def __init__(self) -> None:
        self._task = asyncio.current_task()
        self._cancelling = 0 if self._task is None else self._task.cancelling()
        self._is_cancelled = False

    def cancel(self) -> None:
        if self._task is not None:
            self._is_cancelled = True
            self._task.cancel()

    def leave(self, _: BaseException | None) -> bool:
        task, self._task = self._task, None
        return task is not None and self._is_cancelled and task.uncancel() <= self._cancelling


class _TrioScope:
    """A scope of trio around the block."""

    def __init__(self) -> None:
        import trio

        self._scope: trio.CancelScope = trio.CancelScope()
        self._scope.__enter__()

    def cancel(self) -> None:
        self._scope.cancel()

    def leave(self, error: BaseException | None) -> bool:
        trace = None if error is None else error.__traceback__
        return bool(self._scope.__exit__(None if error is None else type(error), error, trace))


def _cancellation_in(error: BaseException | None) -> BaseException | None:
    """Return the `Cancelled` that the tasks of a group have ended by, if no other error has ended one."""
    if not isinstance(error, BaseExceptionGroup) or error.split(Cancelled)[1] is not None:
        return None
    first: BaseException = error
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first


class LoopAnnouncer:
    """Calls the callbacks of a job, on its event loop."""

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
