"""The reports of a worker, as values: queued, sent and, in tests, recorded."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from operator import index
from typing import Final, Literal, NamedTuple, TypeAlias, get_args

from progress_sse.client.errors import Cancelled
from progress_sse.client.lease import Lease
from progress_sse.core.commands import UNCHANGED, Unchanged
from progress_sse.core.details import Link
from progress_sse.core.log_lines import LogLevel
from progress_sse.core.model import StepDefinition, is_text
from progress_sse.core.parts import PartStatus
from progress_sse.core.requests import Acknowledgement, RequestKind

MAX_TEXT_CHARS: Final = 8192
"""Characters of a message or an error that are sent: the default limit of a server."""

StepRef: TypeAlias = int | str
"""A step, by its number from 1 or by its name."""

Conclusion: TypeAlias = Literal["cancelled"] | None
"""How a failure came about, where it was no error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _OfAttempt:
    """A report, with the attempt that it is of; that is no part of its content."""

    lease: Lease | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Create(_OfAttempt):
    """Create the session, with its own steps, those of a workflow of the server, or the default ones.

    `replace` says whether it replaces an existing session of the id. An `open_ended` one gets steps as they start.
    The server learns what the steps take from all sessions of a `profile`.
    """

    steps: tuple[StepDefinition, ...] | None = None
    workflow: str | None = None
    replace: bool = True
    title: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    links: tuple[Link, ...] = ()
    open_ended: bool = False
    accepts: tuple[RequestKind, ...] = ()
    profile: str | None = None


@dataclass(frozen=True, slots=True)
class Start(_OfAttempt):
    """Start a step; `timeout_ms` of `None` is that of its definition.

    By a name it is the first step of that name, or a new one: where there is none, or with `append`. With `parts_total`
    it ends by itself, once so many parts have ended.
    """

    step: StepRef
    timeout_ms: int | None = None
    append: bool = False
    estimated_ms: int | None = None
    parts_total: int | None = None


@dataclass(frozen=True, slots=True)
class Advance(_OfAttempt):
    """Report that a running step has done `current` of `total` units (`None`: the total is unknown)."""

    step: StepRef
    current: int
    total: int | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Complete(_OfAttempt):
    """Complete a step, with or without success."""

    step: StepRef
    success: bool = True
    message: str = ""
    error: str = ""
    conclusion: Conclusion = None


@dataclass(frozen=True, slots=True)
class Skip(_OfAttempt):
    """Count a step as done that is not needed."""

    step: StepRef
    message: str = ""


@dataclass(frozen=True, slots=True)
class ReportPart(_OfAttempt):
    """Report one part of a step that many workers do at once; `current` of `None` says nothing of how far it is."""

    step: StepRef
    part: str
    status: PartStatus = "running"
    current: int | None = None
    total: int | None = None
    message: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Beat(_OfAttempt):
    """Give a sign of life for a running step."""

    step: StepRef


@dataclass(frozen=True, slots=True)
class Finish(_OfAttempt):
    """End the session as a whole; `links` of `None` leaves those of the session."""

    success: bool = True
    error: str = ""
    links: tuple[Link, ...] | None = None
    conclusion: Conclusion = None


@dataclass(frozen=True, slots=True)
class Plan(_OfAttempt):
    """Append steps to an open-ended session."""

    steps: tuple[StepDefinition, ...]


@dataclass(frozen=True, slots=True)
class Describe(_OfAttempt):
    """Change what the session says besides its steps; `None` removes it, and labels are merged."""

    title: str | Unchanged | None = UNCHANGED
    labels: Mapping[str, str | None] | Unchanged | None = field(default=UNCHANGED, hash=False)
    links: tuple[Link, ...] | Unchanged | None = UNCHANGED
    accepts: tuple[RequestKind, ...] | Unchanged = UNCHANGED


@dataclass(frozen=True, slots=True)
class Acknowledge(_OfAttempt):
    """Answer the request of a reader, by its id."""

    request: str
    state: Acknowledgement
    message: str = ""


LOG_LEVELS: Final[tuple[LogLevel, ...]] = get_args(LogLevel)


class LogLine(NamedTuple):
    """A line of the log.

    Attributes:
        text: Its text, without a line end.
        level: How important it is.
        before_ms: How many milliseconds before the last line of the same report it was made.
        left_out: How many lines it stands for; 0: it is a line itself.
    """

    text: str
    level: LogLevel = "info"
    before_ms: int = 0
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Log(_OfAttempt):
    """Add lines to the session's log, of one step or of none."""

    lines: tuple[LogLine, ...]
    step: StepRef | None = None


StepReport: TypeAlias = Start | Advance | Complete | Skip | ReportPart | Beat
SessionReport: TypeAlias = Finish | Plan | Describe | Acknowledge
Update: TypeAlias = StepReport | SessionReport | Log
Report: TypeAlias = Create | Update


Lane: TypeAlias = StepRef | tuple[StepRef, str]
"""What progress is of: a step, or a part of one by its name."""


class Latest:
    """The latest progress of a step or a part, read when it is sent, so that a change needs no new entry in the queue.

    The job changes the progress first and then checks `is_waiting`. The sender takes the entry out first and then
    reads it. So a change is either read, or the job sees that no entry waits.

    Attributes:
        step: The step.
        part: The name of the part; `None` if it is of the step itself.
        read: Returns the progress.
        lease: The attempt that the progress is of.
        queue: The queue that it was put into last, by steps and parts.
    """

    __slots__ = ("lease", "part", "queue", "read", "step")

    def __init__(self, step: StepRef, read: Callable[[], Advance | ReportPart], part: str | None = None) -> None:
        """Begin outside of any queue."""
        self.step = step
        self.part = part
        self.read = read
        self.lease: Lease | None = None
        self.queue: Mapping[Lane, object] = {}

    @property
    def lane(self) -> Lane:
        """What the progress is of."""
        return self.step if self.part is None else (self.step, self.part)

    @property
    def is_waiting(self) -> bool:
        """Whether it waits in its queue."""
        return self.queue.get(self.lane) is self


Queueable: TypeAlias = Report | Latest
"""An entry of a queue: a report, or a source of one."""


def named(report: Report) -> str:
    """Return which report it is, for a log."""
    kind = type(report).__name__.lower()
    return f"{kind} of step {report.step!r}" if isinstance(report, StepReport) else f"{kind} of the session"


def fit_text(text: object, most: int = MAX_TEXT_CHARS) -> str:
    """Return the text in a form that the server accepts, so that it refuses no completion for its error text."""
    if not isinstance(text, str):
        try:
            text = str(text)
        except Exception as error:  # Its `__str__` is broken.
            raise TypeError(f"a {type(text).__qualname__} cannot be shown as text") from error
    if len(text) > most:
        text = text[: most - 1] + "…"
    if is_text(text):
        return text
    return "".join(char if is_text(char) else "\N{REPLACEMENT CHARACTER}" for char in text)


def describe_error(error: BaseException) -> str:
    """Return an exception's type and text, or its type alone if it has no valid text."""
    name = type(error).__qualname__
    try:
        return f"{name}: {error}".removesuffix(": ")
    except Exception:  # noqa: BLE001  # a broken __str__ must not replace the job's error
        return name


def is_normal_exit(error: BaseException) -> bool:
    """Return whether an exception ends the process with success, as `sys.exit()` and `sys.exit(0)` do."""
    return isinstance(error, SystemExit) and error.code in (None, 0)


def conclusion_of(error: str | BaseException) -> Conclusion:
    """Return how a failure came about, where it was no error."""
    return "cancelled" if isinstance(error, Cancelled) else None


def error_text(error: str | BaseException) -> str:
    """Return the text of an error, in a form that the server accepts."""
    if isinstance(error, Cancelled):
        return fit_text(error)
    return fit_text(describe_error(error) if isinstance(error, BaseException) else error)


def step_ref(step: StepRef) -> StepRef:
    """Return a step's number or name in the form that is sent.

    Raises:
        TypeError: It is neither.
    """
    return fit_text(step) if isinstance(step, str) else index(step)
