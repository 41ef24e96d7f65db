"""The reports of a worker, as values that compare: queued, sent and, in tests, recorded."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from progress_sse.core.model import StepDefinition, is_text

MAX_TEXT_CHARS: Final = 8192
"""Characters of a message or an error that are sent: what a server takes unless it is told otherwise."""


@dataclass(frozen=True, slots=True)
class Create:
    """Begin the session afresh, with steps of its own, or those of a workflow of the server's, or its default ones.

    `replace` says whether a session of that id gives way.
    """

    steps: tuple[StepDefinition, ...] | None = None
    workflow: str | None = None
    replace: bool = True


@dataclass(frozen=True, slots=True)
class Start:
    """A step begins; `timeout_ms` of `None` is its definition's."""

    step: int
    timeout_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Advance:
    """A running step has done `current` of `total` units (`None`: of an unknown number)."""

    step: int
    current: int
    total: int | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Complete:
    """A step has ended, well or not."""

    step: int
    success: bool = True
    message: str = ""
    error: str = ""


Report: TypeAlias = Create | Start | Advance | Complete


class Latest:
    """How far a step is, read when that is sent: what waits in a queue needs no replacing when it changes.

    A change comes first and the look at `is_waiting` second, while the sender takes it out first and reads it second:
    so a change is either read, or its author sees that nothing waits any more.

    Attributes:
        step: Which step.
        read: Returns how far it is.
        queue: Where it was put last, by its step.
    """

    __slots__ = ("queue", "read", "step")

    def __init__(self, step: int, read: Callable[[], Advance]) -> None:
        """Wait nowhere yet."""
        self.step = step
        self.read = read
        self.queue: Mapping[int, object] = {}

    @property
    def is_waiting(self) -> bool:
        """Whether it waits to be read."""
        return self.queue.get(self.step) is self


Queueable: TypeAlias = Report | Latest
"""What is queued: a report, or what one will be read from."""


def fit_text(text: object) -> str:
    """Return the text as the server accepts it: it must not refuse a completion for the text of its error."""
    if not isinstance(text, str):
        try:
            text = str(text)
        except Exception as error:  # Its `__str__` is broken.
            raise TypeError(f"a {type(text).__qualname__} cannot be told as text") from error
    if len(text) > MAX_TEXT_CHARS:
        text = text[: MAX_TEXT_CHARS - 1] + "…"
    if is_text(text):
        return text
    return "".join(char if is_text(char) else "\N{REPLACEMENT CHARACTER}" for char in text)


def describe_error(error: BaseException) -> str:
    """Return what an exception says, in one text; what cannot even say that is named at least."""
    name = type(error).__qualname__
    try:
        return f"{name}: {error}".removesuffix(": ")
    except Exception:  # noqa: BLE001  # a broken __str__ is not what the job failed of
        return name
