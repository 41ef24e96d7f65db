"""The effect of each command on a session, decided in this one place: ``(session, command, now) → outcome``.

How to read it
--------------
A session's own state follows from its steps. So the table has a row for each state of the step that a command is about,
and a column for each kind of command:

===============  ============  =======================  ======================
the step is      start         complete                 advance
===============  ============  =======================  ======================
in no session    created, …    SessionNotFoundError     SessionNotFoundError
not started      begun         StepNotStartedError      StepNotStartedError
running          begun         ended                    advanced
success          begun         ended                    StepNotRunningError
error            begun         ended                    StepNotRunningError
===============  ============  =======================  ======================

``Create`` and ``Delete`` are about the session as a whole and stand beside the table. A step number outside
1…`total_steps` is refused before the table is asked.

* *begun* replaces the step by a fresh running one, so that a retry starts afresh. It is never a repeat: two workers
  that start the same step are two attempts.
* *ended*: the last word wins. A worker that first reported "success" and then "error" meant the latter. An identical
  report is a repeat.
* *advanced* changes nothing but the step it is about. An identical report is a repeat.
* A repeat is accepted and changes nothing, no time stamp and no status, and no subscriber is notified.
* A command that names a run is about that run: it creates no session, and another run of the id refuses it
  (``OtherRunError``).

What must not go in here: time (it is an argument), randomness, storage, JSON, and permissions.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple, TypeAlias

from progress_sse.core.commands import (
    Advance,
    Command,
    Complete,
    Create,
    Delete,
    Start,
    StepCommand,
    check_command,
    check_definitions,
)
from progress_sse.core.errors import (
    InvalidRequestError,
    OtherRunError,
    ProblemError,
    SessionExistsError,
    SessionNotFoundError,
    StepNotRunningError,
    StepNotStartedError,
    StepOutOfRangeError,
)
from progress_sse.core.model import (
    Session,
    SessionProgress,
    SessionStatus,
    StepAdvance,
    StepDefinition,
    StepProgress,
    StepStatus,
)


class Outcome(NamedTuple):
    """The result of a command.

    Attributes:
        session: The session afterwards; `None` once it is removed.
        transition: The number of the step that changed, or `None` where no transition happened.
        is_fresh: Whether the session was created or replaced, so that a new epoch begins.
    """

    session: Session | None
    transition: int | None = None
    is_fresh: bool = False


def apply(session_id: str, session: Session | None, command: Command, now: datetime) -> Outcome:
    """Return the outcome of `command` on `session`, at the time `now` (aware, in UTC).

    Raises:
        ProblemError: The command cannot be applied, and the session is unchanged; the table says which error it is.
    """
    check_command(command)
    if isinstance(command, Create):
        if session is not None and not command.replace:
            raise SessionExistsError
        return Outcome(created(session_id, command.definitions, now), is_fresh=True)
    if isinstance(command, Delete):
        if session is None:
            raise SessionNotFoundError
        return Outcome(None)
    if session is None:
        if not isinstance(command, Start) or command.run is not None:
            raise SessionNotFoundError
        session = created(session_id, command.definitions, now)
        return _apply_to_step(session, command, now)._replace(is_fresh=True)
    if command.run not in (None, session.run):
        raise OtherRunError
    return _apply_to_step(session, command, now)


def created(session_id: str, definitions: tuple[StepDefinition, ...], now: datetime) -> Session:
    """Return a fresh, pending session with one step for each definition.

    Raises:
        InvalidRequestError: There is none, or one with a name or time that cannot be shown.
    """
    check_definitions(definitions)
    stamp = timestamp(now)
    return Session(SessionProgress(session_id, 0, len(definitions), "pending", {}, stamp, stamp), definitions)


def with_nothing_started(session: Session) -> Session:
    """Return the session as it was when it was created."""
    progress = session.progress
    fresh = progress._replace(current_step=0, status="pending", steps={}, updated_at=progress.created_at)
    return session._replace(progress=fresh)


def is_expired(status: SessionStatus, created_at: str, updated_at: str, *, before: str) -> bool:
    """Return whether a session may be cleaned up: created before `before`, and not running and updated since."""
    return created_at < before and not (status == "running" and updated_at >= before)


def age_limit(now: datetime, max_age_hours: float) -> str:
    """Return the time stamp that lies `max_age_hours` before `now`."""
    try:
        return timestamp(now - timedelta(hours=max_age_hours))
    except OverflowError:  # Before the year 1; no session is that old.
        return timestamp(datetime.min.replace(tzinfo=now.tzinfo))


def timestamp(moment: datetime) -> str:
    """Return ISO 8601 with offset and microseconds; as text, moments in UTC sort by time."""
    return moment.isoformat(timespec="microseconds")


def _apply_to_step(session: Session, command: StepCommand, now: datetime) -> Outcome:
    total_steps = session.progress.total_steps
    if not 1 <= command.step <= total_steps:
        raise StepOutOfRangeError(f"step must lie between 1 and {total_steps}.")
    before = session.progress.steps.get(command.step)
    rule = _TABLE[type(command)]["not started" if before is None else before.status]
    if isinstance(rule, type):
        raise rule
    after = rule(session, before, command, now)
    if after is before:
        return Outcome(session)
    return Outcome(_with_step(session, after, command, now), command.step)


def _with_step(session: Session, step: StepProgress, command: StepCommand, now: datetime) -> Session:
    before = session.progress
    steps = {**before.steps, step.step: step}
    progress = SessionProgress(
        before.session_id,
        step.step if isinstance(command, Start) else before.current_step,
        before.total_steps,
        _status_after(command, before, steps),
        steps,
        before.created_at,
        timestamp(now),
    )
    return Session(progress, session.definitions)


def _status_after(command: StepCommand, before: SessionProgress, steps: Mapping[int, StepProgress]) -> SessionStatus:
    if isinstance(command, Start):
        return "running"
    if isinstance(command, Advance):
        return before.status
    statuses = [step.status for step in steps.values()]
    if statuses.count("success") == before.total_steps:
        return "completed"
    return "error" if "error" in statuses else "running"


def _begun(session: Session, _before: StepProgress | None, command: Start, now: datetime) -> StepProgress:
    definition = session.definitions[command.step - 1]
    return StepProgress(
        step=command.step,
        name=definition.name,
        status="running",
        started_at=timestamp(now),
        completed_at=None,
        elapsed_ms=0,
        timeout_ms=command.timeout_ms or definition.timeout_ms,
    )


def _ended(_session: Session, before: StepProgress, command: Complete, now: datetime) -> StepProgress:
    status: StepStatus = "success" if command.success else "error"
    if (before.status, before.message, before.error) == (status, command.message, command.error):
        return before
    return StepProgress(
        before.step,
        before.name,
        status,
        before.started_at,
        timestamp(now),
        _elapsed_ms(before, now),
        before.timeout_ms,
        command.message,
        command.error,
    )


def _advanced(_session: Session, before: StepProgress, command: Advance, _now: datetime) -> StepProgress:
    if command.total is not None and command.current > command.total:
        raise InvalidRequestError("current must lie between 0 and total.")
    advance = StepAdvance(command.current, command.total)
    if (before.advance, before.message) == (advance, command.message):
        return before
    return StepProgress(
        before.step,
        before.name,
        before.status,
        before.started_at,
        before.completed_at,
        before.elapsed_ms,
        before.timeout_ms,
        command.message,
        before.error,
        advance,
    )


def _elapsed_ms(step: StepProgress, now: datetime) -> int:
    assert step.started_at is not None
    elapsed = now - datetime.fromisoformat(step.started_at)
    return max(0, elapsed // timedelta(milliseconds=1))


_Rule: TypeAlias = Callable[..., StepProgress] | type[ProblemError]

_TABLE: Final[Mapping[type[StepCommand], Mapping[str, _Rule]]] = {
    Start: {"not started": _begun, "running": _begun, "success": _begun, "error": _begun},
    Complete: {"not started": StepNotStartedError, "running": _ended, "success": _ended, "error": _ended},
    Advance: {
        "not started": StepNotStartedError,
        "running": _advanced,
        "success": StepNotRunningError,
        "error": StepNotRunningError,
    },
}
