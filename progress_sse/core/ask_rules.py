"""When an ask of a reader is taken, and what settles it.

Each rule returns the details of the session afterwards; the same object where nothing changes.

An open ask to cancel is settled as soon as the session is *over*: completed, or in error with no step running. An open
ask to try again is settled by the next start, and by the completion of the session.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from progress_sse.core import errors
from progress_sse.core.asks import ReaderAsk, find_ask, open_ask, with_ask, with_changed, with_settled
from progress_sse.core.commands import Ask, Command
from progress_sse.core.details import Details
from progress_sse.core.model import Session, SessionStatus, StepProgress, is_over
from progress_sse.core.step_rules import timestamp
from progress_sse.core.updates import Acknowledge, Complete, Finish, Start

CANCELLED_BEFORE_START: Final = "The session was cancelled before a step was started."
"""The error of a session that the server itself cancelled."""


def asked(session: Session, command: Ask, now: datetime) -> Details:
    """Return the details with a new ask, unless it, or an open one of its kind, is there already.

    The server itself honours the ask to cancel a session of which no step was ever started.

    Raises:
        RequestNotAcceptedError: The session does not accept asks of the kind.
        RequestOutOfTimeError: There is nothing to cancel, or nothing to try again.
        StepOutOfRangeError: The session has no step of that number.
    """
    details = session.details
    progress = session.progress
    if find_ask(details.requests, command.ask_id) is not None:
        return details
    if command.kind not in details.accepts:
        raise errors.RequestNotAcceptedError
    if open_ask(details.requests, command.kind) is not None:
        return details
    if command.step is not None and not 1 <= command.step <= progress.total_steps:
        raise errors.StepOutOfRangeError(f"step must lie between 1 and {progress.total_steps}.")
    has_ended = is_over(progress.status, progress.steps)
    if has_ended if command.kind == "cancel" else not (has_ended and progress.status == "error"):
        raise errors.RequestOutOfTimeError
    asked = ReaderAsk(command.ask_id, command.kind, command.step, "asked", timestamp(now), command.reason or None)
    if command.kind == "cancel" and not progress.current_step:
        return details._replace(
            requests=with_ask(details.requests, asked._replace(state="honoured")),
            error=CANCELLED_BEFORE_START,
            conclusion="cancelled",
            is_finished=True,
            is_cancelled=True,
        )
    return details._replace(requests=with_ask(details.requests, asked))


def acknowledged(details: Details, command: Acknowledge) -> Details:
    """Return the details after a worker answered an ask; the same object if it repeats its answer.

    Raises:
        RequestNotFoundError: The session does not remember an ask of that id.
        RequestSettledError: It is settled, and not by this answer.
    """
    former = find_ask(details.requests, command.request)
    if former is None:
        raise errors.RequestNotFoundError
    message = command.message or former.message
    answered = former._replace(state=command.state, message=message)
    if answered == former:
        return details
    if not former.is_open:
        raise errors.RequestSettledError
    allows_start = command.state == "honoured" and former.kind == "retry"
    return details._replace(
        requests=with_changed(details.requests, answered), is_cancelled=details.is_cancelled and not allows_start
    )


def settled(details: Details, command: Command, status: SessionStatus, steps: Mapping[int, StepProgress]) -> Details:
    """Return the details after a command changed the session to this status and these steps."""
    asks = details.requests
    if isinstance(command, Start):
        asks = with_settled(asks, "retry", "honoured")
    elif isinstance(command, Complete | Finish) and command.conclusion == "cancelled":
        asks = with_settled(asks, "cancel", "honoured")
    if is_over(status, steps):
        asks = with_settled(asks, "cancel", "too_late")
    if status == "completed":
        asks = with_settled(asks, "retry", "too_late")
    return details if asks is details.requests else details._replace(requests=asks)


def check_not_cancelled(session: Session) -> None:
    """Refuse that a session goes on which the server itself cancelled.

    Raises:
        SessionCancelledError: It was cancelled, and no reader asks to try again.
    """
    if session.details.is_cancelled and open_ask(session.details.requests, "retry") is None:
        raise errors.SessionCancelledError
