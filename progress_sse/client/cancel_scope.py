"""Blocks on an event loop that a request to cancel ends: their task is cancelled, as by `asyncio.timeout`.

At its end such a block turns its own cancellation into `Cancelled`. Where the task is cancelled from elsewhere, too,
that cancellation goes on.
"""

import asyncio
from contextlib import suppress

from progress_sse.client.inbox import Inbox, Request
from progress_sse.client.reports import StepRef


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
        if task is None or self._request is None:
            return error
        is_ours = task.uncancel() <= self._cancelling
        return self._request.cancellation() if is_ours and isinstance(error, asyncio.CancelledError) else error
