"""Blocks on an event loop that a request to cancel ends: their task is cancelled, as by `asyncio.timeout`.

At its end such a block turns its own cancellation into `Cancelled`. Where the task is cancelled from elsewhere, too,
that cancellation goes on. An exception group of nothing but `Cancelled` becomes one of them: the tasks of an
`asyncio.TaskGroup` may have checked first.
"""

import asyncio
from contextlib import suppress

from progress_sse.client.errors import Cancelled
from progress_sse.client.inbox import Inbox, Request
from progress_sse.core.updates import StepRef


class CancelScope:
    """See the module.

    Attributes:
        step: The step whose block it is; `None` for that of the whole job.
    """

    def __init__(self, inbox: Inbox, step: StepRef | None = None, pending: Request | None = None) -> None:
        """Begin the block in the current task; it is cancelled at once where a request is `pending`."""
        self.step = step
        self._inbox = inbox
        self._request: Request | None = None
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._cancelling = 0 if self._task is None else self._task.cancelling()
        inbox.scopes[self] = None
        if pending is not None:
            self.cancel(pending)

    def cancel(self, request: Request) -> None:
        """Cancel the block's task, soon; called from any thread."""
        with suppress(RuntimeError):  # The loop is closed.
            self._loop.call_soon_threadsafe(self._cancel, request)

    def _cancel(self, request: Request) -> None:
        if self._task is None or self._request is not None or request.is_declined:
            return
        self._request = request
        self._task.cancel()

    def close(self, error: BaseException | None) -> BaseException | None:
        """End the block; return the exception that leaves it, `Cancelled` in place of its own cancellation."""
        self._inbox.scopes.pop(self, None)
        task, self._task = self._task, None
        is_ours = task is not None and self._request is not None and task.uncancel() <= self._cancelling
        if is_ours and self._request is not None and isinstance(error, asyncio.CancelledError):
            return self._request.cancellation()
        return _cancellation_in(error) or error


def _cancellation_in(error: BaseException | None) -> BaseException | None:
    """Return the `Cancelled` that the tasks of a group have ended by, if no other error has ended one."""
    if not isinstance(error, BaseExceptionGroup) or error.split(Cancelled)[1] is not None:
        return None
    first: BaseException = error
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first
