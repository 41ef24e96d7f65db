"""Tasks of taskiq as steps: each that was declared with one reports its start, its end and its retries.

::

    broker = ListQueueBroker("redis://…").with_middlewares(SimpleRetryMiddleware(), ReportingMiddleware())

    @broker.task(progress_step=2)
    async def parse(path: str) -> None: ...

    await parse.kicker().with_labels(progress_session="import-42").kiq("rows.csv")

A label ``progress_step`` says for one call which step it is. Without a ``progress_session`` the session is that of the
task's id. What a task sends belongs to its session.
"""

from typing import Any

from taskiq import NoResultError, TaskiqMessage, TaskiqMiddleware, TaskiqResult

from progress_sse.bridges.attempts import SESSION_KEY, STEP_KEY, Attempt, running_attempt

__all__ = ["ReportingMiddleware"]


class ReportingMiddleware(TaskiqMiddleware):
    """What makes a broker's workers report."""

    def pre_send(self, message: TaskiqMessage) -> TaskiqMessage:
        """Let a task belong to the session in which it is sent."""
        if attempt := running_attempt():
            message.labels.setdefault(SESSION_KEY, attempt.session_id)
        return message

    def pre_execute(self, message: TaskiqMessage) -> TaskiqMessage:
        """Start the step."""
        session_id = message.labels.get(SESSION_KEY) or message.task_id
        Attempt(session_id, message.labels.get(STEP_KEY)).begin(int(message.labels.get("_retries", 0)))
        return message

    def on_error(self, message: TaskiqMessage, result: TaskiqResult[Any], exception: BaseException) -> None:
        """Keep what other middleware may replace in the result."""
        if attempt := running_attempt():
            attempt.error = exception

    def post_execute(self, message: TaskiqMessage, result: TaskiqResult[Any]) -> None:
        """Let the step end, if no other attempt will follow, and leave it."""
        attempt = running_attempt()
        if attempt is None:
            return
        if attempt.error is None or isinstance(attempt.error, NoResultError):  # The task itself wants none.
            attempt.complete()
        elif isinstance(result.error, NoResultError):
            attempt.wait(attempt.error)
        else:
            attempt.fail(attempt.error)
        attempt.leave()
