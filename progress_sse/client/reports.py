"""The reports of a worker, as values: queued, sent and, in tests, recorded."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from operator import index
from typing import Final, NamedTuple, TypeAlias

from progress_sse.client.attempt import Attempt
from progress_sse.client.errors import Cancelled
from progress_sse.core.asks import AskKind
from progress_sse.core.bounds import MAX_AGO_MS
from progress_sse.core.details import Link
from progress_sse.core.log_lines import LogLevel, NewLine
from progress_sse.core.model import StepDefinition, is_text
from progress_sse.core.updates import AppendLines, Envelope, ReportPart, StepRef, StepUpdate, Update

MAX_TEXT_CHARS: Final = 8192
"""Characters of a message or an error that are sent: the default limit of a server."""


def own_lease(report: "Report") -> Attempt | None:
    """Return the attempt that made the report."""
    lease = report.lease
    assert lease is None or isinstance(lease, Attempt)
    return lease


@dataclass(frozen=True, slots=True)
class Create:
    """Create the session, with its own steps, those of a workflow of the server, or the default ones.

    `replace` says whether it replaces an existing session of the id. An `open_ended` one gets steps as they start.
    The server learns what the steps take from all sessions of a `profile`. Its `lease` is no part of its content.
    """

    steps: tuple[StepDefinition, ...] | None = None
    workflow: str | None = None
    replace: bool = True
    title: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    links: tuple[Link, ...] = ()
    open_ended: bool = False
    accepts: tuple[AskKind, ...] = ()
    profile: str | None = None
    lease: Attempt | None = field(default=None, compare=False, repr=False, kw_only=True)


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
class Log:
    """Lines for the log of the session, of one step or of none; the `lease` is no part of their content."""

    lines: tuple[LogLine, ...]
    step: StepRef | None = None
    lease: Attempt | None = field(default=None, compare=False, repr=False, kw_only=True)

    def update(self, ago_ms: int) -> AppendLines:
        """Return the update that writes them, if the last of them was made so many milliseconds ago."""
        lines = [
            NewLine(line.text, line.level, min(ago_ms + line.before_ms, MAX_AGO_MS) or None) for line in self.lines
        ]
        return AppendLines(tuple(lines), self.step, envelope=Envelope(self.lease))


Report: TypeAlias = Create | Update | Log

Lane: TypeAlias = StepRef | tuple[StepRef, str]
"""What progress is of: a step, or a part of one by its name."""


class Latest:
    """The latest progress of a step or a part, read when it is sent, so that a change needs no new entry in the queue.

    The job changes the progress first and then checks `is_waiting`. The sender takes the entry out of the `queue` first
    and then reads it. So a change is either read, or the job sees that no entry waits.

    Attributes:
        step: The step.
        part: The name of the part; `None` if it is of the step itself.
        read: Returns the progress.
        lease: The attempt that the progress is of.
        queue: The queue that it was put into last, by steps and parts.
    """

    __slots__ = ("lease", "part", "queue", "read", "step")

    def __init__(self, step: StepRef, read: Callable[[], Update], part: str | None = None) -> None:
        self.step = step
        self.part = part
        self.read = read
        self.lease: Attempt | None = None
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
    kind = getattr(report, "action", type(report).__name__.lower())
    kind = f"part {report.part!r}" if isinstance(report, ReportPart) else kind
    return f"{kind} of step {report.step!r}" if isinstance(report, StepUpdate) else f"{kind} of the session"


def fit_text(text: object, most: int = MAX_TEXT_CHARS) -> str:
    """Return the text in a form that the server accepts, so that it refuses no completion for its error text.

    Raises:
        TypeError: It cannot be shown as text.
    """
    if type(text) is not str:
        try:
            text = str.__str__(text if isinstance(text, str) else str(text))  # Not of a class derived from it.
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
