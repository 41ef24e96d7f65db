"""The reports of a worker, as values: queued, sent and, in tests, recorded."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from progress_sse.core.model import StepDefinition, is_text

MAX_TEXT_CHARS: Final = 8192
"""Characters of a message or an error that are sent: the default limit of a server."""


@dataclass(frozen=True, slots=True)
class Create:
    """Create the session, with its own steps, those of a workflow of the server, or the default ones.

    `replace` says whether it replaces an existing session of the id.
    """

    steps: tuple[StepDefinition, ...] | None = None
    workflow: str | None = None
    replace: bool = True


@dataclass(frozen=True, slots=True)
class Start:
    """Start a step; `timeout_ms` of `None` is that of its definition."""

    step: int
    timeout_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Advance:
    """Report that a running step has done `current` of `total` units (`None`: the total is unknown)."""

    step: int
    current: int
    total: int | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Complete:
    """Complete a step, with or without success."""

    step: int
    success: bool = True
    message: str = ""
    error: str = ""


Report: TypeAlias = Create | Start | Advance | Complete


class Latest:
    """The latest progress of a step, read when it is sent, so that a change needs no new entry in the queue.

    The job changes the progress first and then checks `is_waiting`. The sender takes the entry out first and then
    reads it. So a change is either read, or the job sees that no entry waits.

    Attributes:
        step: The number of the step.
        read: Returns the progress.
        queue: The queue that it was put into last, by steps.
    """

    __slots__ = ("queue", "read", "step")

    def __init__(self, step: int, read: Callable[[], Advance]) -> None:
        """Begin outside of any queue."""
        self.step = step
        self.read = read
        self.queue: Mapping[int, object] = {}

    @property
    def is_waiting(self) -> bool:
        """Whether it waits in its queue."""
        return self.queue.get(self.step) is self


Queueable: TypeAlias = Report | Latest
"""An entry of a queue: a report, or a source of one."""


def fit_text(text: object) -> str:
    """Return the text in a form that the server accepts, so that it refuses no completion for its error text."""
    if not isinstance(text, str):
        try:
            text = str(text)
        except Exception as error:  # Its `__str__` is broken.
            raise TypeError(f"a {type(text).__qualname__} cannot be shown as text") from error
    if len(text) > MAX_TEXT_CHARS:
        text = text[: MAX_TEXT_CHARS - 1] + "…"
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
