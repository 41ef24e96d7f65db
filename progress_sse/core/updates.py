"""What workers report of a session: a class of values for each kind, which the whole package uses.

The client queues these values, ``wire.update_json`` makes bytes of them and reads them, the store queues and applies
them, and ``state_machine`` has the rules. A field has its bound in its annotation (``bounds``). What goes with an
update, of whatever kind, is its `Envelope`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Final, Literal, NamedTuple, Protocol, TypeAlias, TypeVar, dataclass_transform

from progress_sse.core.asks import Acknowledgement, AskKind
from progress_sse.core.bounds import (
    ACCEPTS,
    ASK_ID,
    ASK_TEXT,
    COUNT,
    LABELS,
    LINES,
    LINKS,
    STEP,
    TEXT,
    TITLE,
    UNCHANGED,
    Unchanged,
    Whole,
    Words,
)
from progress_sse.core.details import Link
from progress_sse.core.errors import InvalidRequestError
from progress_sse.core.log_lines import MAX_SPLIT_LINES, NewLine, split_count
from progress_sse.core.model import Position, StepDefinition
from progress_sse.core.parts import MAX_PART_CHARS, MAX_PART_TEXT_CHARS, MAX_PARTS, PartStatus

Condition: TypeAlias = Callable[[Position | None], bool]
"""Whether a session at this position may be changed; `None` stands for a session that does not exist.

A command applies only if the session is where the client expects it; the store checks the position.
"""

MAX_TOTAL_STEPS: Final = 1000
"""Steps that a session may have, by default."""

StepRef: TypeAlias = int | str
"""A step, by its number from 1 or by its name."""

_MORE_THAN_TOTAL: Final = "current: must not be more than total."

Conclusion: TypeAlias = Literal["cancelled"] | None
"""How a failure came about, where it was no error."""


def anywhere(_position: Position | None) -> bool:
    """Allow a change wherever the session is."""
    return True


class Attempt(Protocol):
    """The attempt that an update is of, and for how long that may be silent; see `details.Claim`."""

    @property
    def attempt_id(self) -> str | None:
        """The id that its worker made up."""

    @property
    def lease_ms(self) -> int | None:
        """Milliseconds without a sign of life after which a step that it starts counts as stalled; `None`: never."""

    @property
    def lost_after_ms(self) -> int | None:
        """Milliseconds without a sign of life after which it counts as lost; `None`: never."""


class Envelope(NamedTuple):
    """What goes with an update of whatever kind, and is no part of its content.

    Attributes:
        lease: The attempt that it is of.
        run: The run of the session that is meant; `None`: the current one.
        ago_ms: How many milliseconds before it is applied it happened.
        only_if: Where the session must be.
        definitions: The steps of a session that a start creates.
        max_total_steps: How many steps a session may have.
    """

    lease: Attempt | None = None
    run: str | None = None
    ago_ms: int = 0
    only_if: Condition = anywhere
    definitions: tuple[StepDefinition, ...] = ()
    max_total_steps: int = MAX_TOTAL_STEPS


PLAIN: Final = Envelope()
"""The envelope of an update with which nothing goes."""

AnyType = TypeVar("AnyType")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def _value(kind: type[AnyType]) -> type[AnyType]:
    """Make values of a class that only type checkers take for frozen: at run time, each field of one costs a call."""
    return dataclass(slots=True, unsafe_hash=True)(kind)


@_value
class Update:
    """What a worker reports; two of the same content are equal, whatever their envelopes.

    Attributes:
        action: Its name in requests.
        envelope: What goes with it.
    """

    action: ClassVar[str]
    envelope: Envelope = field(default=PLAIN, compare=False, repr=False, kw_only=True)

    @property
    def lease(self) -> Attempt | None:
        """The attempt that it is of, with its times."""
        return self.envelope.lease

    @property
    def attempt_id(self) -> str | None:
        """The id of its attempt."""
        lease = self.envelope.lease
        return None if lease is None else lease.attempt_id

    @property
    def run(self) -> str | None:
        """The run of the session that is meant; `None`: the current one."""
        return self.envelope.run

    @property
    def ago_ms(self) -> int:
        """How many milliseconds before it is applied it happened."""
        return self.envelope.ago_ms

    @property
    def only_if(self) -> Condition:
        """Where the session must be."""
        return self.envelope.only_if

    def check_consistency(self) -> None:
        """Refuse values that contradict each other.

        Raises:
            InvalidRequestError: Its text names those that do.
        """


@_value
class StepUpdate(Update):
    """What workers report of one step."""

    step: Annotated[StepRef, STEP]


class SessionUpdate(Update):
    """What workers report of the session as a whole."""

    __slots__ = ()


@_value
class Start(StepUpdate):
    """Start a step; `timeout_ms` of `None` or 0 is that of its definition.

    By a name it is the first step of that name, or a new one: where there is none, or with `append`. With `parts_total`
    it ends by itself, once so many parts have ended.
    """

    action: ClassVar = "start"
    timeout_ms: Annotated[int | None, COUNT] = None
    append: bool = False
    estimated_ms: Annotated[int | None, COUNT] = None
    parts_total: Annotated[int | None, Whole(1, MAX_PARTS)] = None

    def check_consistency(self) -> None:
        """Refuse the times of a lease that do not fit together."""
        lease = self.envelope.lease
        if lease is None or (lease.lease_ms is None and lease.lost_after_ms is None):
            return
        if lease.attempt_id is None:
            raise InvalidRequestError("lease_ms: needs an attempt_id.")
        if lease.lease_ms is None:
            raise InvalidRequestError("lost_after_ms: needs a lease_ms.")
        if lease.lost_after_ms is not None and lease.lost_after_ms < lease.lease_ms:
            raise InvalidRequestError("lost_after_ms: must not be less than lease_ms.")


@_value
class Advance(StepUpdate):
    """Report that a running step has done `current` of `total` units (`None`: the total is unknown)."""

    action: ClassVar = "progress"
    current: Annotated[int, COUNT]
    total: Annotated[int | None, COUNT] = None
    message: Annotated[str, TEXT] = ""

    def check_consistency(self) -> None:
        """Refuse more than the whole."""
        if self.total is not None and self.current > self.total:
            raise InvalidRequestError(_MORE_THAN_TOTAL)


@_value
class Complete(StepUpdate):
    """Complete a step, with or without success; `links` of `None` leaves those of the session."""

    action: ClassVar = "complete"
    success: bool = True
    message: Annotated[str, TEXT] = ""
    error: Annotated[str, TEXT] = ""
    conclusion: Conclusion = None
    links: Annotated[tuple[Link, ...] | None, LINKS] = None

    def check_consistency(self) -> None:
        """Refuse a success that was cancelled."""
        _check_conclusion(self.conclusion, is_success=self.success)


@_value
class Skip(StepUpdate):
    """Count a step as done that is not needed."""

    action: ClassVar = "skip"
    message: Annotated[str, TEXT] = ""


@_value
class ReportPart(StepUpdate):
    """Report one part of a step that many workers do at once; a `current` of `None` leaves open how far it is."""

    action: ClassVar = "part"
    part: Annotated[str, Words(1, MAX_PART_CHARS)]
    status: PartStatus = "running"
    current: Annotated[int | None, COUNT] = None
    total: Annotated[int | None, COUNT] = None
    message: Annotated[str, Words(0, MAX_PART_TEXT_CHARS)] = ""
    error: Annotated[str, Words(0, MAX_PART_TEXT_CHARS)] = ""

    def check_consistency(self) -> None:
        """Refuse more than the whole."""
        _check_count(self.current, self.total)


@_value
class Beat(StepUpdate):
    """Give a sign of life for a running step, and report nothing else."""

    action: ClassVar = "beat"


@_value
class Finish(SessionUpdate):
    """End the session as a whole; `links` of `None` leaves those of the session."""

    action: ClassVar = "finish"
    success: bool = True
    error: Annotated[str, TEXT] = ""
    links: Annotated[tuple[Link, ...] | None, LINKS] = None
    conclusion: Conclusion = None

    def check_consistency(self) -> None:
        """Refuse a success that was cancelled."""
        _check_conclusion(self.conclusion, is_success=self.success)


@_value
class Plan(SessionUpdate):
    """Append steps to an open-ended session; one with an empty name is named by its number."""

    action: ClassVar = "plan"
    steps: tuple[StepDefinition, ...]


@_value
class Describe(SessionUpdate):
    """Change the details of the session; `None` removes one, and labels are merged."""

    action: ClassVar = "describe"
    title: Annotated[str | Unchanged | None, TITLE] = UNCHANGED
    labels: Annotated[Mapping[str, str | None] | Unchanged | None, LABELS] = field(default=UNCHANGED, hash=False)
    links: Annotated[tuple[Link, ...] | Unchanged | None, LINKS] = UNCHANGED
    accepts: Annotated[tuple[AskKind, ...] | Unchanged | None, ACCEPTS] = UNCHANGED


@_value
class Acknowledge(SessionUpdate):
    """Answer the request of a reader, by its id; an empty `message` leaves the earlier one."""

    action: ClassVar = "acknowledge"
    request: Annotated[str, ASK_ID]
    state: Acknowledgement
    message: Annotated[str, ASK_TEXT] = ""


@_value
class AppendLines(SessionUpdate):
    """Write lines into the log of the session; about one of its steps, or about none."""

    action: ClassVar = "log"
    lines: Annotated[tuple[NewLine, ...], LINES]
    step: Annotated[StepRef | None, STEP] = None

    def check_consistency(self) -> None:
        """Refuse texts with so many line ends that one update would fill the log."""
        if split_count(self.lines) > MAX_SPLIT_LINES:
            raise InvalidRequestError(f"lines: have more than {MAX_SPLIT_LINES} line ends.")


UPDATES: Final[tuple[type[Update], ...]] = (
    Start,
    Complete,
    Advance,
    Skip,
    Beat,
    ReportPart,
    Finish,
    Plan,
    Describe,
    Acknowledge,
    AppendLines,
)
"""All kinds."""


def _check_count(current: int | None, total: int | None) -> None:
    if total is not None and current is None:
        raise InvalidRequestError("total: needs a current.")
    if total is not None and current is not None and current > total:
        raise InvalidRequestError(_MORE_THAN_TOTAL)


def _check_conclusion(conclusion: Conclusion, *, is_success: bool) -> None:
    if conclusion is not None and is_success:
        raise InvalidRequestError("conclusion: a success is not cancelled.")


AnyUpdate = TypeVar("AnyUpdate", bound=Update)


def with_envelope(update: AnyUpdate, envelope: Envelope) -> AnyUpdate:
    """Return the same update in another envelope."""
    names: tuple[str, ...] = update.__match_args__
    content = [getattr(update, name) for name in names]
    return type(update)(*content, envelope=envelope)
