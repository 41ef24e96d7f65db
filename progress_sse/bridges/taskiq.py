"""Tasks of taskiq as steps: each that was declared with one reports its start, its end and its retries.

::

    broker = ListQueueBroker("redis://…").with_middlewares(SimpleRetryMiddleware(), ReportingMiddleware())

    @broker.task(progress_step=2)
    async def parse(path: str) -> None: ...

    await parse.kicker().with_labels(progress_session="import-42").kiq("rows.csv")

A label ``progress_step`` sets the step of one call. Without a ``progress_session`` the session has the task's id. Tasks
that a task sends belong to its session.
"""

from typing import Any, Final

from taskiq import NoResultError, TaskiqMessage, TaskiqMiddleware, TaskiqResult

from progress_sse.bridges.attempts import SESSION_KEY, STEP_KEY, Attempt, running_attempt

__all__ = ["ReportingMiddleware"]


_REQUEUES: Final = "X-Taskiq-requeue"
"""The label in which taskiq counts how often a task has sent its message again."""


class ReportingMiddleware(TaskiqMiddleware):
    """Middleware that makes a broker's workers report."""

    def pre_send(self, message: TaskiqMessage) -> TaskiqMessage:
        """Give a task the session of the attempt that sends it."""
        if attempt := running_attempt():
            message.labels.setdefault(SESSION_KEY, attempt.session_id)
        return message

    def pre_execute(self, message: TaskiqMessage) -> TaskiqMessage:
        """Start the step."""
        session_id = message.labels.get(SESSION_KEY) or message.task_id
        attempt = Attempt(session_id, message.labels.get(STEP_KEY))
        attempt.requeues = message.labels.get(_REQUEUES)
        attempt.begin(int(message.labels.get("_retries", 0)))
        return message

    def on_error(self, message: TaskiqMessage, result: TaskiqResult[Any], exception: BaseException) -> None:
        """Keep the exception, which other middleware may replace in the result."""
        if attempt := running_attempt():
            attempt.error = exception

    def post_execute(self, message: TaskiqMessage, result: TaskiqResult[Any]) -> None:
        """End the step, unless another attempt will follow, and leave it."""
        attempt = running_attempt()
        if attempt is None:
            return
        if message.labels.get(_REQUEUES) != attempt.requeues:
            attempt.wait("the task asked for it")
        elif attempt.error is None or isinstance(attempt.error, NoResultError):  # The task itself asked for no result.
            attempt.complete()
        elif isinstance(result.error, NoResultError):
            attempt.wait(attempt.error)
        else:
            attempt.fail(attempt.error)
        attempt.leave()
