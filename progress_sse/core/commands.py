"""The commands that workers and applications apply to a session.

Which values are valid in them: ``command_checks``. What they do: ``state_machine``.
"""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Final, Literal, NamedTuple, TypeAlias

from progress_sse.core.details import Link
from progress_sse.core.log_lines import NewLine
from progress_sse.core.model import Position, StepDefinition
from progress_sse.core.parts import PartStatus
from progress_sse.core.requests import Acknowledgement, RequestKind

Condition: TypeAlias = Callable[[Position | None], bool]
"""Whether a session at this position may be changed; `None` stands for a session that does not exist.

A command applies only if the session is where the client expects it; the store checks the position.
"""

MAX_TOTAL_STEPS: Final = 1000
"""Steps that a session may have, where no setting says otherwise."""


class StepName(NamedTuple):
    """The name of a step, in place of its number."""

    name: str


Target: TypeAlias = int | StepName


def anywhere(_position: Position | None) -> bool:
    """Allow a change wherever the session is."""
    return True


class Unchanged(Enum):
    """Stands for a value that a command leaves as it is, where `None` removes it."""

    UNCHANGED = "unchanged"


UNCHANGED: Final = Unchanged.UNCHANGED


class Create(NamedTuple):
    """Create a fresh pending session; `replace` allows it to replace a session of that id.

    A client that says what the session does gets its time (`is_timed`), learned from the runs of its `profile`.
    """

    definitions: tuple[StepDefinition, ...]
    replace: bool = True
    only_if: Condition = anywhere
    title: str | None = None
    labels: Mapping[str, str] = {}
    links: tuple[Link, ...] = ()
    open_ended: bool = False
    accepts: tuple[RequestKind, ...] = ()
    attempt_id: str | None = None
    is_timed: bool = False
    profile: str | None = None


class Delete(NamedTuple):
    """Remove the session."""

    only_if: Condition = anywhere


class Start(NamedTuple):
    """Begin a step; `timeout_ms` of `None` or 0 is the definition's. A session that it creates has `definitions`.

    A step that is named is looked up, or appended to an open-ended session. Its sign of life is due every `lease_ms`.
    With `parts_total` it ends by itself, once so many parts have ended.
    """

    step: Target
    definitions: tuple[StepDefinition, ...]
    timeout_ms: int | None = None
    run: str | None = None
    only_if: Condition = anywhere
    append: bool = False
    estimated_ms: int | None = None
    attempt_id: str | None = None
    lease_ms: int | None = None
    lost_after_ms: int | None = None
    ago_ms: int = 0
    max_total_steps: int = MAX_TOTAL_STEPS
    parts_total: int | None = None


class Complete(NamedTuple):
    """End a step, with success or an error; `links` of `None` leaves those of the session."""

    step: Target
    success: bool = True
    message: str = ""
    error: str = ""
    run: str | None = None
    only_if: Condition = anywhere
    conclusion: Literal["cancelled"] | None = None
    links: tuple[Link, ...] | None = None
    attempt_id: str | None = None
    ago_ms: int = 0


class Advance(NamedTuple):
    """Report how far a running step is."""

    step: Target
    current: int
    total: int | None = None
    message: str = ""
    run: str | None = None
    only_if: Condition = anywhere
    attempt_id: str | None = None
    ago_ms: int = 0


class Skip(NamedTuple):
    """Count a step as done that is not needed."""

    step: Target
    message: str = ""
    run: str | None = None
    only_if: Condition = anywhere
    attempt_id: str | None = None
    ago_ms: int = 0


class Beat(NamedTuple):
    """Give a sign of life for a step, and say nothing else."""

    step: Target
    run: str | None = None
    only_if: Condition = anywhere
    attempt_id: str | None = None
    ago_ms: int = 0


class ReportPart(NamedTuple):
    """Report one part of a step; `current` of `None` says nothing of how far it is."""

    step: Target
    part: str
    status: PartStatus
    current: int | None = None
    total: int | None = None
    message: str = ""
    error: str = ""
    run: str | None = None
    only_if: Condition = anywhere
    attempt_id: str | None = None
    ago_ms: int = 0


class Finish(NamedTuple):
    """End the session as a whole; `links` of `None` leaves those of the session."""

    success: bool = True
    error: str = ""
    conclusion: Literal["cancelled"] | None = None
    links: tuple[Link, ...] | None = None
    run: str | None = None
    only_if: Condition = anywhere
    attempt_id: str | None = None
    ago_ms: int = 0


class Plan(NamedTuple):
    """Append steps to an open-ended session; one with an empty name is named by its number."""

    definitions: tuple[StepDefinition, ...]
    run: str | None = None
    only_if: Condition = anywhere
    attempt_id: str | None = None
    ago_ms: int = 0
    max_total_steps: int = MAX_TOTAL_STEPS


class Describe(NamedTuple):
    """Change what the session says besides its steps; `None` removes it, and labels are merged."""

    title: str | Unchanged | None = UNCHANGED
    labels: Mapping[str, str | None] | Unchanged | None = UNCHANGED
    links: tuple[Link, ...] | Unchanged | None = UNCHANGED
    accepts: tuple[RequestKind, ...] | Unchanged | None = UNCHANGED
    run: str | None = None
    only_if: Condition = anywhere
    attempt_id: str | None = None
    ago_ms: int = 0


class AppendLines(NamedTuple):
    """Write lines into the log of the session; about one of its steps, or about none."""

    lines: tuple[NewLine, ...]
    step: Target | None = None
    run: str | None = None
    only_if: Condition = anywhere
    attempt_id: str | None = None
    ago_ms: int = 0


class Acknowledge(NamedTuple):
    """Answer a request of a reader; a `message` of `None` leaves what the worker said of it before."""

    request: str
    state: Acknowledgement
    message: str | None = None
    run: str | None = None
    only_if: Condition = anywhere
    attempt_id: str | None = None
    ago_ms: int = 0


class Ask(NamedTuple):
    """Ask something of the worker, on behalf of a reader; an open request of the kind stays in its place."""

    kind: RequestKind
    request_id: str
    step: int | None = None
    reason: str | None = None
    run: str | None = None
    only_if: Condition = anywhere


class Stall(NamedTuple):
    """Say that the worker of a step has been silent for its lease; `since` is the time stamp of its last sign."""

    step: int
    since: str
    silent_ms: int
    only_if: Condition = anywhere


class Lose(NamedTuple):
    """End a step whose worker has been silent for so long that it counts as lost."""

    step: int
    silent_ms: int
    only_if: Condition = anywhere


StepCommand: TypeAlias = Start | Complete | Advance | Skip | Beat | ReportPart
"""What workers say of one step."""

SessionCommand: TypeAlias = Finish | Plan | Describe | Acknowledge | AppendLines
"""What workers say of the session as a whole."""

Update: TypeAlias = StepCommand | SessionCommand

ServerCommand: TypeAlias = Stall | Lose
"""What the server says by itself of a step whose worker is silent."""

STEP_COMMANDS: Final = (Advance, Start, Complete, Beat, ReportPart, Skip)
"""The types of `StepCommand`, of which an instance is found faster than of the union."""

Command: TypeAlias = Create | Delete | Update | Ask | ServerCommand
