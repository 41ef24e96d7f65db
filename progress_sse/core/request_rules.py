"""When a request of a reader is taken, and what settles it.

Each rule returns the details of the session afterwards; the same object where nothing changes.

An open request to cancel is settled as soon as the session is *over*: completed, or in error with no step running. An
open request to try again is settled by the next start, and by the completion of the session.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from progress_sse.core.commands import Ask, Command
from progress_sse.core.details import Details
from progress_sse.core.errors import (
    RequestNotAcceptedError,
    RequestNotFoundError,
    RequestOutOfTimeError,
    RequestSettledError,
    SessionCancelledError,
    StepOutOfRangeError,
)
from progress_sse.core.model import Session, SessionStatus, StepProgress, is_over
from progress_sse.core.requests import (
    Request,
    find_request,
    open_request,
    with_changed,
    with_request,
    with_settled,
)
from progress_sse.core.step_rules import timestamp
from progress_sse.core.updates import Acknowledge, Complete, Finish, Start

CANCELLED_BEFORE_START: Final = "The session was cancelled before a step was started."
"""The error of a session that the server itself cancelled."""


def asked(session: Session, command: Ask, now: datetime) -> Details:
    """Return the details with a new request, unless it, or an open one of its kind, is there already.

    The server itself honours the request to cancel a session of which no step was ever started.

    Raises:
        RequestNotAcceptedError: The session takes no request of the kind.
        RequestOutOfTimeError: There is nothing to cancel any more, or nothing to try again yet.
        StepOutOfRangeError: It is about a step that the session does not have.
    """
    details, progress = session.details, session.progress
    if find_request(details.requests, command.request_id) is not None:
        return details
    if command.kind not in details.accepts:
        raise RequestNotAcceptedError
    if open_request(details.requests, command.kind) is not None:
        return details
    if command.step is not None and not 1 <= command.step <= progress.total_steps:
        raise StepOutOfRangeError(f"step must lie between 1 and {progress.total_steps}.")
    has_ended = is_over(progress.status, progress.steps)
    if has_ended if command.kind == "cancel" else not (has_ended and progress.status == "error"):
        raise RequestOutOfTimeError
    request = Request(command.request_id, command.kind, command.step, "asked", timestamp(now), command.reason or None)
    if command.kind == "cancel" and not progress.current_step:
        return details._replace(
            requests=with_request(details.requests, request._replace(state="honoured")),
            error=CANCELLED_BEFORE_START,
            conclusion="cancelled",
            is_finished=True,
            is_cancelled=True,
        )
    return details._replace(requests=with_request(details.requests, request))


def acknowledged(details: Details, command: Acknowledge) -> Details:
    """Return the details after a worker answered a request.

    Raises:
        RequestNotFoundError: The session does not remember a request of that id.
        RequestSettledError: It is settled, and not by this answer.
    """
    request = find_request(details.requests, command.request)
    if request is None:
        raise RequestNotFoundError
    message = command.message or request.message
    answered = request._replace(state=command.state, message=message)
    if answered == request:
        return details
    if not request.is_open:
        raise RequestSettledError
    allows_start = command.state == "honoured" and request.kind == "retry"
    return details._replace(
        requests=with_changed(details.requests, answered), is_cancelled=details.is_cancelled and not allows_start
    )


def settled(details: Details, command: Command, status: SessionStatus, steps: Mapping[int, StepProgress]) -> Details:
    """Return the details after a command changed the session to this status and these steps."""
    requests = details.requests
    if isinstance(command, Start):
        requests = with_settled(requests, "retry", "honoured")
    elif isinstance(command, Complete | Finish) and command.conclusion == "cancelled":
        requests = with_settled(requests, "cancel", "honoured")
    if is_over(status, steps):
        requests = with_settled(requests, "cancel", "too_late")
    if status == "completed":
        requests = with_settled(requests, "retry", "too_late")
    return details if requests is details.requests else details._replace(requests=requests)


def check_not_cancelled(session: Session) -> None:
    """Refuse that a session goes on which the server itself cancelled.

    Raises:
        SessionCancelledError: It was cancelled, and no reader asks to try again.
    """
    if session.details.is_cancelled and open_request(session.details.requests, "retry") is None:
        raise SessionCancelledError
