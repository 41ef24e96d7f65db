"""Sessions, steps and times for the tests of the rules."""

from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypeVar

from progress_sse.core.commands import Command, Create
from progress_sse.core.details import Claim, Details
from progress_sse.core.errors import ProblemError
from progress_sse.core.model import Session, SessionProgress, SessionStatus, StepAdvance, StepDefinition, StepProgress
from progress_sse.core.state_machine import EventName, apply, timestamp
from progress_sse.core.updates import Envelope, Start, Update, with_envelope
from progress_sse.core.workflows import Workflows

T0 = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
T1 = T0 + timedelta(seconds=1.5)
T2 = T1 + timedelta(seconds=1)

DEFINITIONS = (StepDefinition("one", 1000, 10), StepDefinition("two"), StepDefinition("three"))

StepState = Literal["not started", "running", "success", "error"]
STATES: tuple[StepState, ...] = ("not started", "running", "success", "error")


AnyCommand = TypeVar("AnyCommand", bound=Command)


def sent(command: AnyCommand, **values: Any) -> AnyCommand:
    """The command, with these values of its envelope, or of the attempt in it; of one without an envelope, its own."""
    changed: Any = command
    if not isinstance(changed, Update):
        changed = changed._replace(**values)
    else:
        given = {name: values.pop(name) for name in Claim._fields if name in values}
        if given:
            lease = changed.lease or Claim(None)
            assert isinstance(lease, Claim)
            values["lease"] = lease._replace(**given)
        changed = with_envelope(changed, changed.envelope._replace(**values))
    assert isinstance(changed, type(command))
    return changed


def start_of(step: int) -> Start:
    """The start of a step, which creates a session of the workflow `default` where there is none."""
    return Start(step, envelope=Envelope(definitions=Workflows().named()))


def step_in(state: StepState, number: int = 1) -> StepProgress | None:
    """A step that was started at T0 and ended, if it has, at T1."""
    running = StepProgress(
        number, DEFINITIONS[number - 1].name, "running", timestamp(T0), None, 0, 1000, "m", "", StepAdvance(1, 2)
    )
    if state == "not started":
        return None
    if state == "running":
        return running
    return running._replace(status=state, completed_at=timestamp(T1), elapsed_ms=1500, error="e", advance=None)


def session_with(*states: StepState, status: SessionStatus = "running", current_step: int = 1) -> Session:
    """A session whose steps are in these states."""
    steps = {n: step for n, state in enumerate(states, start=1) if (step := step_in(state, n))}
    progress = SessionProgress("s", current_step, len(DEFINITIONS), status, steps, timestamp(T0), timestamp(T1))
    return Session(progress, DEFINITIONS)


def after(session: Session | None, *commands: Command, now: datetime = T2) -> Session:
    """The session after the commands; a start that creates it gives it `DEFINITIONS`, if it names none."""
    for command in commands:
        if session is None and isinstance(command, Start) and not command.envelope.definitions:
            command = sent(command, definitions=DEFINITIONS)
        session = apply("s", session, command, now).session
    assert session is not None
    return session


def is_refused(session: Session | None, command: Command, error: type[ProblemError]) -> bool:
    """Whether the command, at T2, is refused with exactly this error."""
    try:
        apply("s", session, command, T2)
    except ProblemError as refusal:
        return type(refusal) is error
    return False


def published(
    session: Session, command: Command, *, event: EventName | None = None, steps: tuple[int, ...] | None = None
) -> Session:
    """The session after a command at T2, whose event and changed steps are these; `None`: any."""
    outcome = apply("s", session, command, T2)
    assert event in (None, outcome.event)
    assert steps in (None, outcome.steps)
    assert outcome.session is not None
    assert not outcome.is_fresh
    return outcome.session


def lost_session(*, attempt_id: str = "a") -> Session:
    """A session whose only started step counts as lost, under this attempt."""
    ended = StepProgress(1, "one", "error", timestamp(T0), timestamp(T1), 1500, 1000, "m", "no sign of life")
    step = ended._replace(attempt=1, conclusion="lost")
    details = Details(conclusion="lost", claims={1: Claim(attempt_id, 1000, 2000)})
    progress = SessionProgress("s", 1, len(DEFINITIONS), "error", {1: step}, timestamp(T0), timestamp(T1), details)
    return Session(progress, DEFINITIONS)


def open_ended(*names: str) -> Session:
    """An open-ended session with steps of these names, none of which was started; created at T0."""
    return after(None, Create(tuple(map(StepDefinition, names)), open_ended=True), now=T0)


def statuses(session: Session) -> dict[int, str]:
    """The status of each step that was started; the conclusion of one that has such."""
    return {number: step.conclusion or step.status for number, step in session.progress.steps.items()}
