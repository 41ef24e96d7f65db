"""What the report of a part makes of its step: a cell of the table in ``state_machine``."""

from datetime import datetime

from progress_sse.core.errors import StepNotRunningError, TooManyPartsError
from progress_sse.core.model import Liveness, Session, StepProgress, is_over
from progress_sse.core.parts import MAX_PARTS, MAX_SESSION_PARTS, EndStatus, Part, Parts
from progress_sse.core.step_rules import advance_of, end, end_part, revived, timestamp
from progress_sse.core.updates import ReportPart


def report(session: Session, before: StepProgress, command: ReportPart, moment: datetime, _number: int) -> StepProgress:
    """Take the report on, and let the step end or run again with it."""
    if before.status != "running" and before.parts is None:
        raise StepNotRunningError
    parts = before.parts or Parts(None, {})
    former = parts.by_name.get(command.part)
    part = _reported(former, command, moment)
    if part is former:
        return before
    if before.status != "running" and is_over(session.progress.status, session.progress.steps):
        raise StepNotRunningError
    if former is None:
        _check_room(session, parts)
    parts = parts._replace(by_name={**parts.by_name, part.part: part})
    if _is_ended_by(before, parts):
        return _ended(before, parts)
    if before.status == "running":
        advance = advance_of(parts) or before.advance
        return before._replace(parts=parts, advance=advance)
    after = before._replace(parts=parts)
    return _running_again(session, after, moment) if part.status == "running" else after


def _reported(former: Part | None, command: ReportPart, moment: datetime) -> Part:
    """Return the part after the report; the same object if that repeats what it is already."""
    said = (command.status, command.current, command.total, command.message, command.error)
    if former is not None and said == (former.status, former.current, former.total, former.message, former.error):
        return former
    if former is not None and command.ago_ms:
        moment = max(moment, datetime.fromisoformat(former.newest_time))
    has_begun = former is None or (command.status == "running" and former.status != "running")
    started_at = timestamp(moment) if former is None or has_begun else former.started_at
    part = Part(command.part, *said, started_at)
    return part if command.status == "running" else end_part(part, command.status, moment)


def _check_room(session: Session, parts: Parts) -> None:
    most = MAX_PARTS if parts.total is None else parts.total
    if len(parts.by_name) >= most:
        raise TooManyPartsError(f"The step has at most {most} parts.")
    others = [step.parts for step in session.progress.steps.values() if step.parts is not None]
    if sum(len(each.by_name) for each in others) >= MAX_SESSION_PARTS:
        raise TooManyPartsError(f"The steps of a session have at most {MAX_SESSION_PARTS} parts together.")


def _is_ended_by(before: StepProgress, parts: Parts) -> bool:
    """Return whether the step ends as its parts did; one that was ended otherwise stays as it is."""
    if not parts.are_complete or before.status == "running":
        return parts.are_complete
    assert before.parts is not None
    said = (before.status, before.error, before.conclusion)
    return before.parts.are_complete and said == (*_end_of(before.parts), None)


def _ended(before: StepProgress, parts: Parts) -> StepProgress:
    status, error = _end_of(parts)
    last = max(part.newest_time for part in parts.by_name.values())
    return end(before._replace(parts=parts), status, before.message, error, None, datetime.fromisoformat(last))


def _end_of(parts: Parts) -> tuple[EndStatus, str]:
    failed = parts.counts.error
    return ("error", f"{failed} of {parts.total} parts failed.") if failed else ("success", "")


def _running_again(session: Session, before: StepProgress, moment: datetime) -> StepProgress:
    claim = session.details.claims.get(before.step)
    has_lease = claim is not None and claim.lease_ms is not None
    liveness = Liveness("live", timestamp(moment)) if has_lease else None
    return revived(before, moment)._replace(liveness=liveness)
