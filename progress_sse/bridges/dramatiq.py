"""Messages of Dramatiq as steps: each whose actor was declared with one reports its start, its end and its retries.

::

    broker.add_middleware(ReportingMiddleware())

    @dramatiq.actor(progress_step=2)
    def parse(path: str) -> None: ...

    parse.send_with_options(args=("rows.csv",), progress_session="import-42")

``progress_step``, ``progress_cancel`` and ``progress_profile`` are declared, or options of a message;
``progress_session`` and ``progress_part`` are options of a message. Without a ``progress_session`` the session has the
message's id. Messages that an actor sends or is piped to belong to its session.

An actor with ``progress_cancel=True`` may be cancelled by readers: `Cancelled` is raised in its thread, as Dramatiq
raises its time limit, and the message is not tried again. ``progress_part`` makes a message a part of its step, which
was started with ``parts_total``.

Where a message creates its session, the server learns from it under the name of the actor, or that of
``progress_profile``.
"""

from functools import partial
from threading import get_ident
from typing import Any

from dramatiq import Broker, Message, MessageProxy, Middleware
from dramatiq.threading import Interrupt, raise_thread_exception

from progress_sse.bridges.attempts import (
    DECLARED,
    SESSION_KEY,
    TaskAttempt,
    TaskStep,
    report_loss,
    running_attempt,
    task_step,
)
from progress_sse.client.errors import Cancelled
from progress_sse.client.inbox import Request

__all__ = ["ReportingMiddleware"]


class ReportingMiddleware(Middleware):
    """Middleware that makes a broker's workers report; add it before actors are declared."""

    @property
    def actor_options(self) -> set[str]:
        """The options that actors may be declared with."""
        return set(DECLARED)

    def before_enqueue(self, broker: Broker, message: Message[Any], delay: int) -> None:
        """Give a message the session of the attempt that sends it."""
        if attempt := running_attempt.get():
            message.options.setdefault(SESSION_KEY, attempt.task.session_id)

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        """Start the step."""
        attempt = TaskAttempt(_step_of(broker, message))
        attempt.begin(message.options.get("retries"), partial(_stop, get_ident()))

    def after_process_message(
        self, broker: Broker, message: MessageProxy, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        """Complete the step; after an exception, the other middleware decides what follows."""
        if attempt := running_attempt.get():
            attempt.close_scope()
            attempt.error = exception
            if exception is None:
                attempt.complete()
        if isinstance(exception, Cancelled):
            message.options["throws"] = Cancelled  # So that it is not tried again.

    def after_skip_message(self, broker: Broker, message: MessageProxy) -> None:
        """End the step of a message that was skipped, by its actor or before it ran, for example for its age."""
        attempt = running_attempt.get()
        if attempt is not None and message.failed:
            attempt.fail("given up")
        elif attempt is not None:
            attempt.complete()
        elif message.failed:
            report_loss(_step_of(broker, message), "given up before it ran")

    def before_ack(self, broker: Broker, message: MessageProxy) -> None:
        """Leave the step; after an exception a retry will follow."""
        if attempt := running_attempt.get():
            if attempt.error is not None:
                attempt.wait(attempt.error)
            attempt.leave()

    def before_nack(self, broker: Broker, message: MessageProxy) -> None:
        """Leave the step, which has failed."""
        if attempt := running_attempt.get():
            if attempt.error is not None:
                attempt.fail(attempt.error)
            attempt.leave()


def _stop(thread_id: int, request: Request) -> None:
    """Raise an exception in the thread of a message, as Dramatiq does at its time limit."""

    class TaskCancelled(Cancelled, Interrupt):
        def __init__(self) -> None:
            super().__init__(request.reason)

    raise_thread_exception(thread_id, TaskCancelled)  # type: ignore[no-untyped-call]


def _step_of(broker: Broker, message: MessageProxy) -> TaskStep:
    options = broker.get_actor(message.actor_name).options | message.options
    return task_step(options, message.message_id, message.actor_name)
