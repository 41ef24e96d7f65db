"""Messages of Dramatiq as steps: each whose actor was declared with one reports its start, its end and its retries.

::

    broker.add_middleware(ReportingMiddleware())

    @dramatiq.actor(progress_step=2)
    def parse(path: str) -> None: ...

    parse.send_with_options(args=("rows.csv",), progress_session="import-42")

An option ``progress_step`` sets the step of one message. Without a ``progress_session`` the session has the message's
id. Messages that an actor sends or is piped to belong to its session.
"""

from typing import Any

from dramatiq import Broker, Message, MessageProxy, Middleware

from progress_sse.bridges.attempts import SESSION_KEY, STEP_KEY, Attempt, report_loss, running_attempt
from progress_sse.client.reports import StepRef

__all__ = ["ReportingMiddleware"]


class ReportingMiddleware(Middleware):
    """Middleware that makes a broker's workers report; add it before actors are declared."""

    @property
    def actor_options(self) -> set[str]:
        """The options that actors may be declared with."""
        return {STEP_KEY}

    def before_enqueue(self, broker: Broker, message: Message[Any], delay: int) -> None:
        """Give a message the session of the attempt that sends it."""
        if attempt := running_attempt():
            message.options.setdefault(SESSION_KEY, attempt.session_id)

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        """Start the step."""
        Attempt(*_session_and_step(broker, message)).begin(message.options.get("retries", 0))

    def after_process_message(
        self, broker: Broker, message: MessageProxy, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        """Complete the step; after an exception, the other middleware decides what follows."""
        if attempt := running_attempt():
            attempt.error = exception
            if exception is None:
                attempt.complete()

    def after_skip_message(self, broker: Broker, message: MessageProxy) -> None:
        """End the step of a message that was skipped, by its actor or before it ran, for example for its age."""
        attempt = running_attempt()
        if attempt is not None and message.failed:
            attempt.fail("given up")
        elif attempt is not None:
            attempt.complete()
        elif message.failed:
            report_loss(*_session_and_step(broker, message), "given up before it ran")

    def before_ack(self, broker: Broker, message: MessageProxy) -> None:
        """Leave the step; after an exception a retry will follow."""
        if attempt := running_attempt():
            if attempt.error is not None:
                attempt.wait(attempt.error)
            attempt.leave()

    def before_nack(self, broker: Broker, message: MessageProxy) -> None:
        """Leave the step, which has failed."""
        if attempt := running_attempt():
            if attempt.error is not None:
                attempt.fail(attempt.error)
            attempt.leave()


def _session_and_step(broker: Broker, message: MessageProxy) -> tuple[str, StepRef | None]:
    """Return a message's session, and the number of its step."""
    options = broker.get_actor(message.actor_name).options | message.options
    return options.get(SESSION_KEY) or message.message_id, options.get(STEP_KEY)
