"""Which values a field can have, stated once: for callers in the process, for requests, and for their description.

A field has its bound in its annotation: ``current: Annotated[int, COUNT]``. A field of a `Literal` is bounded by that.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from types import NoneType
from typing import Any, Final, Literal, NamedTuple, TypeAlias, get_args, get_origin, get_type_hints

from progress_sse.core import details
from progress_sse.core.asks import MAX_ASK_ID_CHARS, MAX_ASK_TEXT_CHARS, AskKind
from progress_sse.core.errors import InvalidRequestError
from progress_sse.core.log_lines import MAX_LINES, LogLevel, NewLine
from progress_sse.core.model import MAX_SAFE_INTEGER, is_session_id, is_text

MAX_AGO_MS: Final = 86_400_000
"""How long before it is reported something may have happened: a day, in milliseconds."""

MIN_LEASE_MS: Final = 1_000
MAX_LEASE_MS: Final = 3_600_000
"""Milliseconds between two signs of life of a worker: at least, and at most."""

MAX_DEPTH: Final = 100
"""How deep arrays and objects may be nested in a body or a file; the interpreter's stack is no rule."""


def check_depth(value: object) -> None:
    """Refuse by a `ValueError` a parsed value that is nested deeper than `MAX_DEPTH`."""
    level = [value]
    for _ in range(MAX_DEPTH):
        nested = (each.values() if isinstance(each, dict) else each for each in level if isinstance(each, dict | list))
        level = [each for inner in nested for each in inner if isinstance(each, dict | list)]
        if not level:
            return
    raise ValueError(TOO_DEEP)


TOO_DEEP: Final = "it is nested too deeply."


class Unchanged(Enum):
    """Stands for a value that an update leaves as it is, where `None` removes it."""

    UNCHANGED = "unchanged"


UNCHANGED: Final = Unchanged.UNCHANGED


@dataclass(frozen=True, slots=True)
class Whole:
    """An integer from `least` to `most`, both included."""

    least: int = 0
    most: int = MAX_SAFE_INTEGER

    def fits(self, value: object) -> bool:
        """Return whether the field can have the value."""
        return type(value) is int and self.least <= value <= self.most  # bool is a subclass of int.

    @property
    def demand(self) -> str:
        """What the value must be."""
        return f"an integer from {self.least} to {self.most}"


@dataclass(frozen=True, slots=True)
class Words:
    """Text that can be stored and shown everywhere, of `least` to `most` characters; `None`: of any number."""

    least: int = 0
    most: int | None = None

    def fits(self, value: object) -> bool:
        """Return whether the field can have the value."""
        if not isinstance(value, str) or not is_text(value):
            return False
        return self.least <= len(value) and (self.most is None or len(value) <= self.most)

    @property
    def demand(self) -> str:
        """What the value must be."""
        if self.most is None:
            return "text without NUL and surrogates"
        return f"text of {f'{self.least} to' if self.least else 'at most'} {self.most} characters"


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of its own: whether a value fits, and what it must be."""

    fits: Callable[[object], bool]
    demand: str


Bound: TypeAlias = Whole | Words | Rule


def _is_step(value: object) -> bool:
    return type(value) is int or (isinstance(value, str) and bool(value) and is_text(value))


def _are_labels(value: object) -> bool:
    return (
        isinstance(value, Mapping)
        and len(value) <= details.MAX_LABELS
        and all(
            LABEL.fits(key) and ":" not in key and (text is None or LABEL_VALUE.fits(text))
            for key, text in value.items()
        )
    )


def _are_links(value: object) -> bool:
    return isinstance(value, tuple) and len(value) <= details.MAX_LINKS and all(map(_is_link, value))


def _is_link(value: object) -> bool:
    return (
        isinstance(value, details.Link)
        and LINK_LABEL.fits(value.label)
        and URL.fits(value.url)
        and details.is_fit_url(value.url)
    )


def _are_kinds(value: object) -> bool:
    return isinstance(value, tuple) and set(value) <= set(get_args(AskKind))


def _are_lines(value: object) -> bool:
    return isinstance(value, tuple) and 1 <= len(value) <= MAX_LINES and all(map(_is_line, value))


def _is_line(value: object) -> bool:
    return (
        isinstance(value, NewLine)
        and is_text(value.text)
        and value.level in get_args(LogLevel)
        and (value.ago_ms is None or AGO.fits(value.ago_ms))
    )


COUNT: Final = Whole()
AGO: Final = Whole(0, MAX_AGO_MS)
LEASE: Final = Whole(MIN_LEASE_MS, MAX_LEASE_MS)
LOST_AFTER: Final = Whole(MIN_LEASE_MS)
TEXT: Final = Words()
TITLE: Final = Words(1, details.MAX_TITLE_CHARS)
ATTEMPT_ID: Final = Words(1, details.MAX_ATTEMPT_ID_CHARS)
LABEL: Final = Words(1, details.MAX_LABEL_CHARS)
LABEL_VALUE: Final = Words(0, details.MAX_LABEL_VALUE_CHARS)
LINK_LABEL: Final = Words(1, details.MAX_LINK_CHARS)
URL: Final = Words(1, details.MAX_URL_CHARS)
ASK_ID: Final = Words(1, MAX_ASK_ID_CHARS)
ASK_TEXT: Final = Words(0, MAX_ASK_TEXT_CHARS)
NOTICE_ID: Final = Words(1, len("msg_") + 32)
STEP: Final = Rule(_is_step, "an integer, or a StepName")
STEP_NUMBER: Final = Rule(lambda value: type(value) is int, "an integer, or None")
LABELS: Final = Rule(_are_labels, "short texts by short names")
LINKS: Final = Rule(_are_links, "links that pages may open")
ACCEPTS: Final = Rule(_are_kinds, f"some of {', '.join(get_args(AskKind))}")
LINES: Final = Rule(_are_lines, f"1 to {MAX_LINES} lines of text")
PROFILE: Final = Rule(lambda value: isinstance(value, str) and is_session_id(value), "text in the form of a session id")


class BoundField(NamedTuple):
    """A field with a bound.

    Attributes:
        gaps: The values that it may have besides: `None` and `UNCHANGED`.
        options: The values of its `Literal`, if that is its bound.
    """

    name: str
    bound: Bound
    gaps: tuple[Unchanged | None, ...]
    options: tuple[str, ...] = ()


_FOUND: Final[dict[type, tuple[BoundField, ...]]] = {}


def bound_fields(kind: type) -> tuple[BoundField, ...]:
    """Return the fields of a class that have a bound, in their order."""
    if kind not in _FOUND:
        found = (_bound_field(name, hint) for name, hint in get_type_hints(kind, include_extras=True).items())
        _FOUND[kind] = tuple(filter(None, found))
    return _FOUND[kind]


def _bound_field(name: str, hint: Any) -> BoundField | None:
    bounds = getattr(hint, "__metadata__", ())
    hint = get_args(hint)[0] if bounds else hint
    choices = (hint,) if get_origin(hint) is Literal else get_args(hint)
    gaps = tuple(gap for gap, choice in ((None, NoneType), (UNCHANGED, Unchanged)) if choice in choices)
    if bounds:
        return BoundField(name, bounds[0], gaps)
    for options in (get_args(choice) for choice in choices if get_origin(choice) is Literal):
        return BoundField(name, _one_of(options, gaps), gaps, options)
    return None


def _one_of(options: tuple[str, ...], gaps: tuple[object, ...]) -> Rule:
    listed = ", ".join(options)
    return Rule(lambda value: value in options, f"{listed}, or None" if None in gaps else f"one of {listed}")


def check_fields(value: object) -> None:
    """Refuse a value of which a field is out of its bound.

    Raises:
        InvalidRequestError: Its text names the field and its bound.
    """
    for name, bound, gaps, _ in bound_fields(type(value)):
        found = getattr(value, name)
        if not (found is None and None in gaps) and not (found is UNCHANGED and UNCHANGED in gaps):
            check_value(name, bound, found)


def check_value(name: str, bound: Bound, value: object) -> None:
    """Refuse a value that is out of a bound; see `check_fields`."""
    if not bound.fits(value):
        raise InvalidRequestError(f"{name} must be {bound.demand}.")
