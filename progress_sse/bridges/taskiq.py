"""Tasks of taskiq as steps: each that was declared with one reports its start, its end and its retries.

::

    broker = ListQueueBroker("redis://…").with_middlewares(SimpleRetryMiddleware(), ReportingMiddleware())

    @broker.task(progress_step=2)
    async def parse(path: str) -> None: ...

    await parse.kicker().with_labels(progress_session="import-42").kiq("rows.csv")

A label ``progress_step`` sets the step of one call. Without a ``progress_session`` the session has the task's id. Tasks
that a task sends belong to its session.

A task with the label ``progress_cancel`` may be cancelled by readers: its asyncio task is cancelled, and it is not
tried again. A function that runs in a thread ends by its own ``current().check()``. A label ``progress_part`` makes a
task a part of its step, which was started with ``parts_total``.

Where a task creates its session, the server learns from it under the name of the task, or that of the label
``progress_profile``.
"""

import asyncio
from functools import partial
from typing import Any, Final

from taskiq import NoResultError, TaskiqMessage, TaskiqMiddleware, TaskiqResult

from progress_sse.bridges.attempts import CANCEL_KEY, SESSION_KEY, TaskAttempt, running_attempt, task_step
from progress_sse.client.errors import Cancelled
from progress_sse.client.inbox import Request

__all__ = ["ReportingMiddleware"]


_REQUEUES: Final = "X-Taskiq-requeue"  # The label in which taskiq counts how often a task has sent its message again.


class ReportingMiddleware(TaskiqMiddleware):
    """Middleware that makes a broker's workers report."""

    def pre_send(self, message: TaskiqMessage) -> TaskiqMessage:
        """Give a task the session of the attempt that sends it."""
        if attempt := running_attempt.get():
            message.labels.setdefault(SESSION_KEY, attempt.task.session_id)
        return message

    def pre_execute(self, message: TaskiqMessage) -> TaskiqMessage:
        """Start the step."""
        labels = message.labels
        task = task_step(labels, message.task_id, message.task_name)
        attempt = TaskAttempt(task._replace(may_cancel=str(labels.get(CANCEL_KEY)).lower() == "true"))
        attempt.requeues = labels.get(_REQUEUES)
        attempt.begin(labels.get("_retries"), partial(_stop, attempt, asyncio.get_running_loop(), _task()))
        return message

    def on_error(self, message: TaskiqMessage, result: TaskiqResult[Any], exception: BaseException) -> None:
        """Keep the exception, which other middleware may replace in the result."""
        attempt = running_attempt.get()
        if attempt is None:
            return
        attempt.close_scope()
        attempt.error = exception
        request = attempt.stopped_by
        if request is not None and isinstance(exception, asyncio.CancelledError):
            _task().uncancel()
            attempt.error = request.cancellation()
        if isinstance(attempt.error, Cancelled):
            message.labels["retry_on_error"] = False

    def post_execute(self, message: TaskiqMessage, result: TaskiqResult[Any]) -> None:
        """End the step, unless another attempt will follow, and leave it."""
        attempt = running_attempt.get()
        if attempt is None:
            return
        attempt.close_scope()
        if message.labels.get(_REQUEUES) != attempt.requeues:
            attempt.wait("the task asked for it")
        elif attempt.error is None or isinstance(attempt.error, NoResultError):  # The task itself asked for no result.
            attempt.complete()
        elif isinstance(result.error, NoResultError):
            attempt.wait(attempt.error)
        else:
            attempt.fail(attempt.error)
        attempt.leave()


def _task() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None
    return task


def _stop(attempt: TaskAttempt, loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any], _: Request) -> None:
    """Cancel a task, unless it has ended by then."""
    loop.call_soon_threadsafe(lambda: None if attempt.has_ended else task.cancel())
