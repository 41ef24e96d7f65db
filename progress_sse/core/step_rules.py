"""What a command makes of a step: the cells of the table in ``state_machine``.

Each rule takes the session, the step so far, the command, its time and the step's number. It returns the step
afterwards; the same object if the command repeats what the step has already.
"""

from datetime import datetime, timedelta
from typing import Final

from progress_sse.core import errors
from progress_sse.core.attempts import attempt_number
from progress_sse.core.model import Liveness, Session, StepAdvance, StepConclusion, StepProgress, is_over
from progress_sse.core.parts import MAX_PART_TEXT_CHARS, MAX_PARTS, MAX_SESSION_PARTS, EndStatus, Part, Parts, end_of
from progress_sse.core.updates import Advance, Beat, Complete, ReportPart, Skip, Start

MILLISECOND: Final = timedelta(milliseconds=1)


def timestamp(moment: datetime) -> str:
    """Return ISO 8601 with offset and microseconds; as text, moments in UTC sort by time."""
    return moment.isoformat(timespec="microseconds")


def time_of(ago_ms: int, now: datetime, earliest: str) -> datetime:
    """Return when it happened: `ago_ms` before `now`, and not before the time stamp `earliest`."""
    if not ago_ms:
        return now
    return min(now, max(datetime.fromisoformat(earliest), now - ago_ms * MILLISECOND))


def current_time(now: datetime, session: Session) -> datetime:
    """Return the time at which a session goes on: `now`; its last update, while a clock that was set back is behind."""
    return max(now, datetime.fromisoformat(session.progress.updated_at))


def newest_named(session: Session, name: str) -> int:
    """Return the number of the newest running step of a name, else of the newest one.

    Raises:
        UnknownStepNameError: The session has no step of that name.
    """
    numbers = [number for number, each in enumerate(session.definitions, start=1) if each.name == name]
    if not numbers:
        raise errors.UnknownStepNameError
    steps = session.progress.steps
    running = [number for number in numbers if number in steps and steps[number].status == "running"]
    return (running or numbers)[-1]


def newest_time(session: Session, step: StepProgress | None) -> str:
    """Return the newest time stamp of a step; of one that was never started, the creation of its session."""
    if step is None:
        return session.progress.created_at
    return step.completed_at or step.started_at or session.progress.created_at


def begin(session: Session, before: StepProgress | None, command: Start, moment: datetime, number: int) -> StepProgress:
    """Replace the step by a fresh running one."""
    definition = session.definitions[number - 1]
    started_at = timestamp(moment)
    attempt = attempt_number(before, session.details.claims.get(number), command)
    parts = None if command.parts_total is None else Parts(command.parts_total, {})
    return StepProgress(
        number,
        definition.name,
        "running",
        started_at,
        None,
        0,
        command.timeout_ms or definition.timeout_ms,
        attempt=attempt,
        advance=None if parts is None else advance_of(parts),
        liveness=None if command.lease is None or command.lease.lease_ms is None else Liveness("live", started_at),
        parts=parts,
    )


def complete(
    _session: Session, before: StepProgress, command: Complete, moment: datetime, _number: int
) -> StepProgress:
    """End the step, or end it otherwise than before."""
    status: EndStatus = "success" if command.success else "error"
    is_repeat = (before.status, before.message, before.error) == (status, command.message, command.error)
    if is_repeat and before.conclusion == command.conclusion:
        return before
    return end(before, status, command.message, command.error, command.conclusion, moment)


def end(
    before: StepProgress,
    status: EndStatus,
    message: str,
    error: str,
    conclusion: StepConclusion | None,
    moment: datetime,
) -> StepProgress:
    """Return the step ended at `moment`, and its running parts with it; a worker that is lost may still do some."""
    parts = before.parts
    if parts is not None and conclusion != "lost":
        parts = _ended_parts(parts, status, error, moment)
    return before._replace(
        status=status,
        completed_at=timestamp(moment),
        elapsed_ms=elapsed_ms(before.started_at, moment),
        message=message,
        error=error,
        advance=None,
        liveness=None,
        conclusion=conclusion,
        parts=parts,
    )


def _ended_parts(parts: Parts, status: EndStatus, error: str, moment: datetime) -> Parts:
    short_error = error[:MAX_PART_TEXT_CHARS]
    return parts._replace(
        by_name={
            name: end_part(part._replace(error=short_error), status, moment) if part.status == "running" else part
            for name, part in parts.by_name.items()
        }
    )


def end_part(part: Part, status: EndStatus, moment: datetime) -> Part:
    """Return the part ended at `moment`."""
    elapsed = elapsed_ms(part.started_at, moment)
    completed_at = max(timestamp(moment), part.started_at)  # Its step may be reported to have ended before that.
    return part._replace(status=status, completed_at=completed_at, elapsed_ms=elapsed)


def advance(_session: Session, before: StepProgress, command: Advance, _moment: datetime, _number: int) -> StepProgress:
    """Move the step on.

    Raises:
        StepHasPartsError: Its parts move it on, as it is known how many it has.
    """
    if before.parts is not None and before.parts.total is not None:
        raise errors.StepHasPartsError
    advanced = StepAdvance(command.current, command.total)
    if (before.advance, before.message) == (advanced, command.message):
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
        advanced,
        before.attempt,
        before.liveness,
        None,
        before.parts,
    )


def beat(_session: Session, before: StepProgress, _command: Beat, _moment: datetime, _number: int) -> StepProgress:
    """Change nothing: each report is a sign of life; see `with_sign_of_life`."""
    return before


def skip(session: Session, before: StepProgress | None, command: Skip, moment: datetime, number: int) -> StepProgress:
    """Count the step as done."""
    return skipped(session, before, number, command.message, moment)


def skipped(session: Session, before: StepProgress | None, number: int, message: str, moment: datetime) -> StepProgress:
    """Return the step as done without any work."""
    definition = session.definitions[number - 1]
    stamp = timestamp(moment)
    attempt = None if before is None else before.attempt
    return StepProgress(
        number,
        definition.name,
        "success",
        stamp,
        stamp,
        0,
        definition.timeout_ms,
        message,
        attempt=attempt,
        conclusion="skipped",
    )


def skip_again(_session: Session, before: StepProgress, command: Skip, _moment: datetime, _number: int) -> StepProgress:
    """Take an identical skip as a repeat.

    Raises:
        StepStartedError: The step has succeeded, unless it was skipped with the same message.
    """
    if before.conclusion != "skipped" or before.message != command.message:
        raise errors.StepStartedError
    return before


def revived(before: StepProgress, moment: datetime) -> StepProgress:
    """Return a step that counted as lost as if it still ran."""
    return before._replace(
        status="running",
        completed_at=None,
        elapsed_ms=0,
        error="",
        advance=None if before.parts is None else advance_of(before.parts),
        liveness=Liveness("live", timestamp(moment)),
        conclusion=None,
    )


def advance_of(parts: Parts) -> StepAdvance | None:
    """Return how far the parts are; `None` where it is not known how many there will be."""
    return None if parts.total is None else StepAdvance(parts.counts.ended, parts.total)


def with_sign_of_life(before: StepProgress, moment: datetime) -> StepProgress:
    """Return the step after a report of `moment` on it: a stalled one is live since then."""
    if before.liveness is None or before.liveness.state == "live":
        return before
    return before._replace(liveness=Liveness("live", max(before.liveness.since, timestamp(moment))))


def elapsed_ms(started_at: str | None, moment: datetime) -> int:
    """Return the whole milliseconds since a step or part was started."""
    assert started_at is not None
    elapsed = moment - datetime.fromisoformat(started_at)
    return max(0, elapsed // MILLISECOND)


def report_part(
    session: Session, before: StepProgress, command: ReportPart, moment: datetime, _number: int
) -> StepProgress:
    """Take the report on, and let the step end or run again with it.

    Raises:
        StepNotRunningError: The step has ended, and has no parts or the session is over.
        TooManyPartsError: The step or the session would have too many parts.
    """
    if before.status != "running" and before.parts is None:
        raise errors.StepNotRunningError
    parts = before.parts or Parts(None, {})
    former = parts.by_name.get(command.part)
    part = _reported_part(former, command, moment)
    if part is former:
        return before
    if before.status != "running" and is_over(session.progress.status, session.progress.steps):
        raise errors.StepNotRunningError
    if former is None:
        _check_room(session, parts)
    parts = parts._replace(by_name={**parts.by_name, part.part: part})
    if _is_ended_by(before, parts):
        return _ended_by_parts(before, parts)
    if before.status == "running":
        advance = advance_of(parts) or before.advance
        return before._replace(parts=parts, advance=advance)
    after = before._replace(parts=parts)
    return _running_again(session, after, moment) if part.status == "running" else after


def _reported_part(former: Part | None, command: ReportPart, moment: datetime) -> Part:
    """Return the part after the report; the same object if that repeats what it is already."""
    reported = (command.status, command.current, command.total, command.message, command.error)
    if former is not None and reported == (former.status, former.current, former.total, former.message, former.error):
        return former
    if former is not None and command.ago_ms:
        moment = max(moment, datetime.fromisoformat(former.newest_time))
    has_begun = former is None or (command.status == "running" and former.status != "running")
    started_at = timestamp(moment) if former is None or has_begun else former.started_at
    part = Part(command.part, *reported, started_at)
    return part if command.status == "running" else end_part(part, command.status, moment)


def _check_room(session: Session, parts: Parts) -> None:
    most = MAX_PARTS if parts.total is None else parts.total
    if len(parts.by_name) >= most:
        raise errors.TooManyPartsError(f"The step has at most {most} parts.")
    others = [step.parts for step in session.progress.steps.values() if step.parts is not None]
    if sum(len(each.by_name) for each in others) >= MAX_SESSION_PARTS:
        raise errors.TooManyPartsError(f"The steps of a session have at most {MAX_SESSION_PARTS} parts together.")


def _is_ended_by(before: StepProgress, parts: Parts) -> bool:
    """Return whether the step ends as its parts did; one that was ended otherwise stays as it is."""
    if not parts.are_complete or before.status == "running":
        return parts.are_complete
    assert before.parts is not None
    end_so_far = (before.status, before.error, before.conclusion)
    return before.parts.are_complete and end_so_far == (*_end_of(before.parts), None)


def _ended_by_parts(before: StepProgress, parts: Parts) -> StepProgress:
    status, error = _end_of(parts)
    last = max(part.newest_time for part in parts.by_name.values())
    return end(before._replace(parts=parts), status, before.message, error, None, datetime.fromisoformat(last))


def _end_of(parts: Parts) -> tuple[EndStatus, str]:
    return end_of(parts.counts.error, parts.total or 0)


def _running_again(session: Session, before: StepProgress, moment: datetime) -> StepProgress:
    claim = session.details.claims.get(before.step)
    has_lease = claim is not None and claim.lease_ms is not None
    liveness = Liveness("live", timestamp(moment)) if has_lease else None
    return revived(before, moment)._replace(liveness=liveness)
