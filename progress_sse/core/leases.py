"""Whether a worker that holds a lease is stalled or lost, judged by how long it has been silent.

The caller passes how long that is, by the clock in ``store.leases``.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from progress_sse.core import ask_rules
from progress_sse.core.commands import Lose, ServerCommand, Stall
from progress_sse.core.details import Claim
from progress_sse.core.durations import in_words
from progress_sse.core.model import Liveness, Session, StepProgress
from progress_sse.core.session_rules import concluded, status_of
from progress_sse.core.step_rules import end, timestamp


class Silence(NamedTuple):
    """How long the worker of a step has given no sign of life.

    Attributes:
        ms: Milliseconds on the lease clock.
        since: Time stamp of the last sign; `None` if it is not known any more.
    """

    ms: int
    since: str | None = None


class Judgement(NamedTuple):
    """What follows from the silences of a session's workers.

    Attributes:
        commands: What the server has to report.
        check_in_ms: Milliseconds after which more may follow, unless a sign comes; `None`: never.
    """

    commands: tuple[ServerCommand, ...]
    check_in_ms: int | None

    @property
    def due_in_ms(self) -> int | None:
        """Milliseconds after which the session is to be checked again: at once if there is something to report."""
        return 0 if self.commands else self.check_in_ms


def judge(session: Session, silences: Mapping[int, Silence]) -> Judgement:
    """Return what follows from the silences, by step."""
    commands: list[ServerCommand] = []
    waits: list[int] = []
    for number in leased_steps(session):
        silence = silences[number]
        command = _next_command(session, number, silence)
        if command is not None and silence.ms >= command.silent_ms:
            commands.append(command)
        elif command is not None:
            waits.append(command.silent_ms - silence.ms)
    return Judgement(tuple(commands), min(waits, default=None))


def leased_steps(session: Session) -> Iterator[int]:
    """Yield the numbers of the running steps whose worker holds a lease."""
    steps = session.progress.steps
    for number, claim in session.details.claims.items():
        if claim.lease_ms is not None and steps[number].status == "running":
            yield number


def _next_command(session: Session, number: int, silence: Silence) -> ServerCommand | None:
    """Return what the server reports of the step if its worker stays silent."""
    claim = session.details.claims[number]
    liveness = session.progress.steps[number].liveness
    if liveness is None or claim.lease_ms is None:
        return None
    if liveness.state == "live":
        return Stall(number, silence.since or liveness.since, claim.lease_ms)
    return None if claim.lost_after_ms is None else Lose(number, claim.lost_after_ms)


def apply(session: Session, command: ServerCommand, now: datetime) -> Session:
    """Return the session after the command; the same object where it no longer applies.

    The store checks in the commit that the worker is still silent.
    """
    step = session.progress.steps.get(command.step)
    claim = session.details.claims.get(command.step)
    if step is None or step.status != "running" or step.liveness is None or claim is None:
        return session
    if isinstance(command, Stall):
        is_due = step.liveness.state == "live" and claim.lease_ms == command.silent_ms
        since = min(max(command.since, step.started_at or ""), timestamp(now))
        return _stalled(session, step._replace(liveness=Liveness("stalled", since)), claim, now) if is_due else session
    is_due = step.liveness.state == "stalled" and claim.lost_after_ms == command.silent_ms
    return _lost(session, step, command, now) if is_due else session


def _stalled(session: Session, step: StepProgress, claim: Claim, now: datetime) -> Session:
    after = _with_step(session, step, now)
    if claim.has_stalled:
        return after
    claims = {**after.details.claims, step.step: claim._replace(has_stalled=True)}
    return after.with_details(after.details._replace(claims=claims))


def _lost(session: Session, step: StepProgress, command: Lose, now: datetime) -> Session:
    text = f"The worker gave no sign of life for {in_words(command.silent_ms / 1000)}."
    after = _with_step(session, end(step, "error", step.message, text, "lost", now), now)
    status = after.progress.status
    steps = after.progress.steps
    details = after.details
    if not details.is_finished:
        status = status_of(steps, after.progress.total_steps, details)
        details = concluded(details, status, steps)
    details = ask_rules.settled(details, command, status, steps)
    return after._replace(progress=after.progress._replace(status=status, details=details))


def _with_step(session: Session, step: StepProgress, now: datetime) -> Session:
    steps = {**session.progress.steps, step.step: step}
    return session._replace(progress=session.progress._replace(steps=steps, updated_at=timestamp(now)))
