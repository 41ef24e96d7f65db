"""Which events a transition is: what an operator, or a reader whose tab is closed, may be notified of."""

from collections.abc import Iterator
from typing import Literal, TypeAlias

from progress_sse.core.model import Session, StepProgress
from progress_sse.core.state_machine import Outcome

NoticeEvent: TypeAlias = Literal["started", "stalled", "recovered", "completed", "failed", "cancelled"]


def events_of(before: Session | None, outcome: Outcome) -> Iterator[NoticeEvent]:
    """Yield the events of a transition from `before`, in the order of `NoticeEvent`.

    * `started`: the first `start` of an epoch.
    * `stalled`: a step, once in each of its attempts.
    * `recovered`: a stalled or lost step, by a report of its attempt.
    * `completed`: the status becomes that.
    * `failed`: a step that was not in error ends in error, or a session that was not is finished so; the status is
      `error` then. `cancelled`: likewise, with that conclusion.
    """
    after = outcome.session
    if after is None:
        return
    steps = {} if before is None or outcome.is_fresh else before.progress.steps
    former_status = "pending" if before is None or outcome.is_fresh else before.progress.status
    if after.progress.current_step and (before is None or outcome.is_fresh or not before.progress.current_step):
        yield "started"
    changed = [(steps.get(number), after.progress.steps[number]) for number in outcome.steps]
    if after.details.claims and any(_has_stalled(before, after, number) for number in outcome.steps):
        yield "stalled"
    if outcome.about is not None and any(_has_recovered(former, step) for former, step in changed):
        yield "recovered"
    if after.progress.status == "completed" != former_status:
        yield "completed"
    if after.progress.status == "error":
        is_finished = after.details.is_finished and former_status != "error"
        if is_finished or any(_has_failed(former, step) for former, step in changed):
            yield "cancelled" if after.details.conclusion == "cancelled" else "failed"


def _has_stalled(before: Session | None, after: Session, number: int) -> bool:
    claim = after.details.claims.get(number)
    former = None if before is None else before.details.claims.get(number)
    return claim is not None and former is not None and claim.has_stalled and not former.has_stalled


def _has_recovered(former: StepProgress | None, step: StepProgress) -> bool:
    if former is None or former.attempt != step.attempt or step.conclusion in ("skipped", "lost"):
        return False
    was_stalled = former.liveness is not None and former.liveness.state == "stalled"
    return was_stalled or former.conclusion == "lost"


def _has_failed(former: StepProgress | None, step: StepProgress) -> bool:
    return step.status == "error" and (former is None or former.status != "error")
