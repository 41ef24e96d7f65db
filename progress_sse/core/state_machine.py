"""The effect of each command on a session, decided in this one place: ``(session, command, now) → outcome``.

How to read it
--------------
A session's own state follows from its steps, unless a worker has finished it. So the table has a row for each state of
the step that a command is about, and a column for each kind of command on a step (see ``step_rules``):

=========== ===== =================== =================== ================ =================== ===================
the step is start complete            advance             skip             beat                part
=========== ===== =================== =================== ================ =================== ===================
not started begin StepNotStartedError StepNotStartedError skip             StepNotStartedError StepNotStartedError
running     begin complete            advance             StepStartedError beat                report
success     begin complete            StepNotRunningError (repeat)         StepNotRunningError report
error       begin complete            StepNotRunningError skip             StepNotRunningError report
lost        begin complete            advance             skip             beat                report
=========== ===== =================== =================== ================ =================== ===================

``Create`` and ``Delete``, ``Finish``, ``Plan``, ``Describe`` and ``AppendLines`` (see ``session_rules``), ``Ask`` and
``Acknowledge`` (see ``ask_rules``) are about the session as a whole, and stand beside the table. In no session,
`start` creates one; all others are a ``SessionNotFoundError``. A step number outside 1…`total_steps`, and a name that
no step has, are refused before the table is asked. So is an attempt that a later one has replaced (see ``attempts``).

* *begin* replaces the step by a fresh running one, so that a retry starts afresh. It is never a repeat: two workers
  that start the same step are two attempts. It opens a finished session again.
* *complete*: the last word wins. A worker that first reported "success" and then "error" meant the latter. An identical
  report is a repeat.
* *advance* changes nothing but the step it is about. An identical report is a repeat.
* *skip* counts a step as done that never started or failed. An identical report is a repeat.
* *beat* is a sign of life. It changes only a stalled step.
* *report* takes one part of the step on (see ``step_rules``). A step of which it is known how many parts it has ends by
  itself with the last of them. It runs again with a part that begins again, unless the session is over. A step that has
  ended and has no parts is a ``StepNotRunningError``. An identical report is a repeat.
* *lost* is a step that ended since its worker was silent. A report of its attempt, a `Finish` too, applies as if it
  still ran; for all others the row is that of `error`.
* A repeat is accepted and changes nothing, no time stamp and no status, and no subscriber is notified.
* *stalled* and *lost* are reports of the server on a silent worker (see ``leases``). Neither changes a step that no
  longer runs, and a second one is a repeat.
* *asked* and *acknowledged* change what a reader asked of the worker, and nothing else. But the server itself honours
  the request to cancel a session of which no step was started: it fails, and no step may be started then
  (``SessionCancelledError``) unless a reader asks to try again. Each command may settle open requests.
* A *subscription* of a reader's browser changes what readers do not see. It is a transition all the same, so that
  each process has it before the session ends.
* *lines written* into the log change nothing, except that the first of them marks the session as one with a log.
* A command that names a run is about that run: it creates no session, and another run of the id refuses it
  (``OtherRunError``).

What must not go in here: time (it is an argument), randomness, storage, JSON, and permissions.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple, TypeAlias

from progress_sse.core import ask_rules, leases, session_rules, step_rules, time_rules
from progress_sse.core.attempts import check_attempt, with_claim
from progress_sse.core.commands import Ask, Command, Create, Delete, ServerCommand, Subscribe, Unsubscribe
from progress_sse.core.details import NO_DETAILS, Details, check_size
from progress_sse.core.errors import (
    OtherRunError,
    ProblemError,
    SessionExistsError,
    SessionNotFoundError,
    StepNotRunningError,
    StepNotStartedError,
    StepOutOfRangeError,
    StepStartedError,
    UnknownStepNameError,
)
from progress_sse.core.history import NOTHING_LEARNED, Learned, Lesson, lesson_of
from progress_sse.core.model import Session, SessionProgress, SessionStatus, StepDefinition, StepProgress
from progress_sse.core.session_rules import create, created, status_of
from progress_sse.core.step_rules import timestamp
from progress_sse.core.updates import (
    Advance,
    Beat,
    Complete,
    ReportPart,
    SessionUpdate,
    Skip,
    Start,
    StepUpdate,
    Update,
)

__all__ = [
    "EventName",
    "Outcome",
    "age_limit",
    "apply",
    "create",
    "created",
    "is_expired",
    "timestamp",
    "with_nothing_started",
]

EventName: TypeAlias = Literal["step", "session", "snapshot"]


class Outcome(NamedTuple):
    """The result of a command.

    Attributes:
        session: The session afterwards; `None` once it is removed.
        event: The event of the change: `step` if only that step changed or was appended, `session` if neither
            a step nor the status changed, else `snapshot`; `None` where no transition happened.
        steps: The numbers of the steps that changed.
        is_fresh: Whether the session was created or replaced, so that a new epoch begins.
        about: The number of the step that the command was about, if any.
        lesson: What the session teaches about its profile, if the command completed it.
    """

    session: Session | None
    event: EventName | None = None
    steps: tuple[int, ...] = ()
    is_fresh: bool = False
    about: int | None = None
    lesson: Lesson | None = None


def apply(
    session_id: str, session: Session | None, command: Command, now: datetime, learned: Learned = NOTHING_LEARNED
) -> Outcome:
    """Return the outcome of `command` on `session`, at the time `now` (aware, in UTC).

    The command has valid values: see `commands.check_command`. What was `learned` from earlier runs of the
    session's profile decides its time (see ``time_rules``).

    Times of a session never go back: while `now` is before its last update, a command happens at that update.

    Raises:
        ProblemError: The command cannot be applied, and the session is unchanged; the table has the error.
    """
    if session is not None and not isinstance(command, Create):  # A replacement has times of its own.
        now = step_rules.current_time(now, session)
    outcome = _decide(session_id, session, command, now)
    after = outcome.session
    if after is None or after is session or after.progress.details.timing is None:
        return outcome
    before = None if outcome.is_fresh else session
    timed = time_rules.with_time(before, after, outcome.about, command, now, learned)
    if timed is after:
        return outcome
    lesson = lesson_of(before, timed, now)
    return Outcome(timed, outcome.event, outcome.steps, outcome.is_fresh, outcome.about, lesson)


def _decide(session_id: str, session: Session | None, command: Command, now: datetime) -> Outcome:
    if session is None or isinstance(command, Create):
        return _begin(session_id, session, command, now)
    if isinstance(command, StepUpdate):
        if command.envelope.run is not None:
            _check_run(session, command)
        return _apply_to_step(session, command, now)
    if isinstance(command, Delete):
        return Outcome(None)
    if isinstance(command, ServerCommand):
        return _outcome_of(session, leases.apply(session, command, now))
    if isinstance(command, Subscribe | Unsubscribe):
        return _outcome_of(session, session_rules.subscribed(session, command, now))
    _check_run(session, command)
    if isinstance(command, Ask):
        return _outcome_of(session, session_rules.asked(session, command, now))
    assert isinstance(command, SessionUpdate)
    return _outcome_of(session, session_rules.apply(session, command, now))


def _begin(session_id: str, session: Session | None, command: Command, now: datetime) -> Outcome:
    """Return the outcome of a creation, or of a command in no session, where `start` alone creates one."""
    if isinstance(command, Create):
        if session is not None and not command.replace:
            raise SessionExistsError
        return Outcome(create(session_id, command, now), is_fresh=True)
    if not isinstance(command, Start) or command.run is not None:
        raise SessionNotFoundError
    created = session_rules.created_by(session_id, command, now)
    return _apply_to_step(created, command, now)._replace(is_fresh=True)


def _check_run(session: Session, command: Update | Ask) -> None:
    run = command.run
    if run is not None and run != session.run:
        raise OtherRunError


def _outcome_of(session: Session, after: Session) -> Outcome:
    if after is session:
        return Outcome(session)
    before_steps = session.progress.steps
    steps = after.progress.steps
    changed = tuple(number for number, step in steps.items() if step is not before_steps.get(number))
    return Outcome(after, _event_of(session, after, changed), changed)


def _event_of(before: Session, after: Session, changed: tuple[int, ...]) -> EventName:
    if after.progress.total_steps != before.progress.total_steps or len(changed) > 1:
        return "snapshot"
    if changed:
        return "step"
    return "session" if after.progress.status == before.progress.status else "snapshot"


def with_nothing_started(session: Session) -> Session:
    """Return the session as the first `start` created it, before that start and what else came with it.

    A start that named its step created an open-ended session without steps.
    """
    progress = session.progress
    is_open_ended = progress.details.open_ended
    definitions = () if is_open_ended else session.definitions
    details = Details(open_ended=True) if is_open_ended else NO_DETAILS
    created_at = progress.created_at
    fresh = SessionProgress(progress.session_id, 0, len(definitions), "pending", {}, created_at, created_at, details)
    return Session(fresh, definitions)


def is_expired(status: SessionStatus, created_at: str, updated_at: str, *, before: str) -> bool:
    """Return whether a session may be cleaned up: created before `before`, and not running and updated since."""
    return created_at < before and not (status == "running" and updated_at >= before)


def age_limit(now: datetime, max_age_hours: float) -> str:
    """Return the time stamp that lies `max_age_hours` before `now`."""
    try:
        return timestamp(now - timedelta(hours=max_age_hours))
    except OverflowError:  # Before the year 1; no session is that old.
        return timestamp(datetime.min.replace(tzinfo=now.tzinfo))


def _apply_to_step(session: Session, command: StepUpdate, now: datetime) -> Outcome:
    if isinstance(command.step, int):
        number = command.step
        target = session
        if not 1 <= number <= session.progress.total_steps:
            raise StepOutOfRangeError(f"step must lie between 1 and {session.progress.total_steps}.")
    else:
        number, target = _named(session, command, command.step)
    envelope = command.envelope
    ago_ms = envelope.ago_ms
    stored = before = target.progress.steps.get(number)
    if envelope.lease is not None:
        check_attempt(target, number, command)
    row = _row(before, command)
    rule = _TABLE[type(command)][row]
    if isinstance(rule, type):
        raise rule
    if isinstance(command, Start):
        ask_rules.check_not_cancelled(target)
    moment = step_rules.time_of(ago_ms, now, step_rules.newest_time(target, before)) if ago_ms else now
    if before is not None and (row == "lost" or before.liveness is not None) and not isinstance(command, Start | Skip):
        before = (step_rules.revived if row == "lost" else step_rules.with_sign_of_life)(before, moment)
    after = rule(target, before, command, moment, number)
    details = target.progress.details
    if isinstance(command, Start | Complete):
        details = _details_after(details, number, command)
    if after is stored:
        if details is target.progress.details:
            return Outcome(session, about=number)
        return Outcome(session_rules.with_details(session, details, moment), "session", about=number)
    is_still_running = row == "running" and after.status == "running"
    status = _fixed_status(target.progress, command, details, is_still_running=is_still_running)
    return Outcome(_with_step(target, after, command, moment, details, status), "step", (number,), about=number)


def _row(before: StepProgress | None, command: StepUpdate) -> str:
    """Return the state of the step, by which the table has a row."""
    if before is None:
        return "not started"
    if before.conclusion == "lost" and command.attempt_id is not None:  # It is the step's own: others were refused.
        return "lost"
    return before.status


def _named(session: Session, command: StepUpdate, name: str) -> tuple[int, Session]:
    """Return the number of the step that a command names, and the session with that step."""
    if not isinstance(command, Start):
        return step_rules.newest_named(session, name), session
    first = next((number for number, each in enumerate(session.definitions, start=1) if each.name == name), None)
    if first is not None and not command.append:
        return first, session
    if not session.details.open_ended:
        raise UnknownStepNameError
    definition = StepDefinition(name, command.timeout_ms or None, command.estimated_ms)
    longer = session_rules.appended(session, (definition,), command.envelope.max_total_steps)
    return longer.progress.total_steps, longer


def _details_after(before: Details, number: int, command: Start | Complete) -> Details:
    if isinstance(command, Start):
        return with_claim(session_rules.reopened(before), number, command)
    if command.links is None or command.links == before.links:
        return before
    after = before._replace(links=command.links)
    check_size(after)
    return after


def _with_step(
    session: Session,
    step: StepProgress,
    command: StepUpdate,
    moment: datetime,
    details: Details,
    status: SessionStatus | None,
) -> Session:
    before = session.progress
    steps = {**before.steps, step.step: step}
    status = status or status_of(steps, before.total_steps, details)
    if status == "error" or details.conclusion is not None:
        details = session_rules.concluded(details, status, steps)
    if details.requests:
        details = ask_rules.settled(details, command, status, steps)
    progress = SessionProgress(
        before.session_id,
        step.step if isinstance(command, Start) else before.current_step,
        before.total_steps,
        status,
        steps,
        before.created_at,
        session_rules.updated_at(before, moment),
        details,
    )
    return Session(progress, session.definitions)


def _fixed_status(
    before: SessionProgress, command: StepUpdate, details: Details, *, is_still_running: bool
) -> SessionStatus | None:
    """Return the status after a command, where it does not follow from the steps."""
    if isinstance(command, Start):
        return "running"
    return before.status if is_still_running or details.is_finished else None


_Rule: TypeAlias = Callable[..., StepProgress] | type[ProblemError]

_TABLE: Final[Mapping[type[StepUpdate], Mapping[str, _Rule]]] = {
    Start: dict.fromkeys(("not started", "running", "success", "error", "lost"), step_rules.begin),
    Complete: {
        "not started": StepNotStartedError,
        **dict.fromkeys(("running", "success", "error", "lost"), step_rules.complete),
    },
    Advance: {
        "not started": StepNotStartedError,
        "running": step_rules.advance,
        "success": StepNotRunningError,
        "error": StepNotRunningError,
        "lost": step_rules.advance,
    },
    Skip: {
        "not started": step_rules.skip,
        "running": StepStartedError,
        "success": step_rules.skip_again,
        "error": step_rules.skip,
        "lost": step_rules.skip,
    },
    Beat: {
        "not started": StepNotStartedError,
        "running": step_rules.beat,
        "success": StepNotRunningError,
        "error": StepNotRunningError,
        "lost": step_rules.beat,
    },
    ReportPart: {
        "not started": StepNotStartedError,
        **dict.fromkeys(("running", "success", "error", "lost"), step_rules.report_part),
    },
}
