"""Whose attempt a step is: a later attempt fences out the earlier ones, however late their reports arrive."""

from progress_sse.core.details import Claim, Details, with_replaced
from progress_sse.core.errors import AttemptSupersededError, StepRunningError
from progress_sse.core.model import Session, StepProgress
from progress_sse.core.updates import AppendLines, SessionUpdate, Start, StepUpdate


def check_attempt(session: Session, number: int, command: StepUpdate | AppendLines) -> None:
    """Refuse a command on a step by an attempt that another one has replaced.

    Raises:
        AttemptSupersededError: The step's newest attempt is another one; or, of a step that no attempt has started,
            the command's attempt lost another step to a later one.
    """
    attempt_id = command.attempt_id
    if attempt_id is None:
        return
    details = session.details
    step = session.progress.steps.get(number)
    claim = details.claims.get(number)
    was_never_started = step is None or (claim is None and step.conclusion == "skipped")
    if isinstance(command, Start) or was_never_started:
        is_superseded = attempt_id in details.replaced
    else:
        is_superseded = claim is None or claim.attempt_id != attempt_id
    if is_superseded:
        raise AttemptSupersededError


def check_session_attempt(session: Session, command: SessionUpdate) -> None:
    """Refuse a command on the session as a whole by an attempt that another one has replaced.

    Raises:
        AttemptSupersededError: It is neither the newest attempt of a step nor the one that created the session; or it
            lost a step to a later one, and holds none that runs.
    """
    attempt_id = command.attempt_id
    if attempt_id is None:
        return
    details = session.details
    steps = [number for number, claim in details.claims.items() if claim.attempt_id == attempt_id]
    if attempt_id in details.replaced:
        is_superseded = all(session.progress.steps[number].status != "running" for number in steps)
    else:
        is_superseded = attempt_id != details.creator and not steps
    if is_superseded:
        raise AttemptSupersededError


def check_no_other_runs(session: Session, attempt_id: str | None) -> None:
    """Refuse that an attempt ends steps that run under another one.

    Raises:
        StepRunningError: There is such a step.
    """
    if attempt_id is None:
        return
    for number, claim in session.details.claims.items():
        if claim.attempt_id not in (None, attempt_id) and session.progress.steps[number].status == "running":
            raise StepRunningError


def attempt_number(before: StepProgress | None, claim: Claim | None, start: Start) -> int | None:
    """Return which attempt a start is, counted from the first one with an id; the same id again is the same attempt."""
    if before is None or before.attempt is None:
        return None if start.attempt_id is None else 1
    is_same = claim is not None and claim.attempt_id is not None and claim.attempt_id == start.attempt_id
    return before.attempt if is_same else before.attempt + 1


def with_claim(details: Details, number: int, start: Start) -> Details:
    """Return the details after a step was started: whose it is now, and which attempt that replaces."""
    former = details.claims.get(number)
    lease = start.lease
    if former is None and start.attempt_id is None:
        return details
    claim = Claim(None) if lease is None else Claim(lease.attempt_id, lease.lease_ms, lease.lost_after_ms)
    if former is not None and former.has_stalled and former.attempt_id == claim.attempt_id:
        claim = claim._replace(has_stalled=True)
    replaced = details.replaced
    if former is not None and former.attempt_id not in (None, claim.attempt_id):
        replaced = with_replaced(replaced, former.attempt_id)
    creator = None if details.creator in replaced else details.creator  # Though more are replaced than remembered.
    return details._replace(claims={**details.claims, number: claim}, replaced=replaced, creator=creator)
