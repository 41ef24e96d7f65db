"""The commands that workers and applications apply to a session, and which values are valid in them."""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, TypeAlias

from progress_sse.core.errors import InvalidRequestError
from progress_sse.core.model import MAX_SAFE_INTEGER, Position, StepDefinition, is_text

Condition: TypeAlias = Callable[[Position | None], bool]
"""Whether a session at this position may be changed; `None` stands for a session that does not exist.

A command applies only if the session is where the client expects it; the store checks the position.
"""


def anywhere(_position: Position | None) -> bool:
    """Allow a change wherever the session is."""
    return True


class Create(NamedTuple):
    """Create a fresh pending session; `replace` allows it to replace a session of that id."""

    definitions: tuple[StepDefinition, ...]
    replace: bool = True
    only_if: Condition = anywhere


class Delete(NamedTuple):
    """Remove the session."""

    only_if: Condition = anywhere


class Start(NamedTuple):
    """Begin a step; `timeout_ms` of `None` or 0 is the definition's. A session that it creates has `definitions`."""

    step: int
    definitions: tuple[StepDefinition, ...]
    timeout_ms: int | None = None
    run: str | None = None
    only_if: Condition = anywhere


class Complete(NamedTuple):
    """End a step, with success or an error."""

    step: int
    success: bool = True
    message: str = ""
    error: str = ""
    run: str | None = None
    only_if: Condition = anywhere


class Advance(NamedTuple):
    """Report how far a running step is."""

    step: int
    current: int
    total: int | None = None
    message: str = ""
    run: str | None = None
    only_if: Condition = anywhere


StepCommand: TypeAlias = Start | Complete | Advance
Command: TypeAlias = Create | Delete | StepCommand


def _is_integer(value: object) -> bool:
    return type(value) is int  # bool is a subclass of int.


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value <= MAX_SAFE_INTEGER


def _is_count_or_none(value: object) -> bool:
    return value is None or _is_count(value)


def _is_definition(value: object) -> bool:
    return (
        isinstance(value, StepDefinition)
        and is_text(value.name)
        and _is_count(value.timeout_ms)
        and _is_count(value.estimated_ms)
    )


_Demand: TypeAlias = tuple[Callable[[object], bool], str]

_INTEGER: Final[_Demand] = (_is_integer, "an integer")
_COUNT: Final[_Demand] = (_is_count, f"an integer from 0 to {MAX_SAFE_INTEGER}")
_OPTIONAL_COUNT: Final[_Demand] = (_is_count_or_none, _COUNT[1])
_TEXT: Final[_Demand] = (is_text, "text without NUL and surrogates")

_DEMANDS: Final[Mapping[type[Command], tuple[tuple[str, _Demand], ...]]] = {
    Create: (),
    Delete: (),
    Start: (("step", _INTEGER), ("timeout_ms", _OPTIONAL_COUNT)),
    Complete: (("step", _INTEGER), ("message", _TEXT), ("error", _TEXT)),
    Advance: (("step", _INTEGER), ("current", _COUNT), ("total", _OPTIONAL_COUNT), ("message", _TEXT)),
}


def check_command(command: Command) -> None:
    """Refuse values that no session can hold: HTTP requests are validated before, callers in the process are not."""
    for name, (is_fit, demand) in _DEMANDS[type(command)]:
        if not is_fit(getattr(command, name)):
            raise InvalidRequestError(f"{name} must be {demand}.")


def check_definitions(definitions: tuple[StepDefinition, ...]) -> None:
    """Refuse step definitions that no session can have.

    Raises:
        InvalidRequestError: There is none, or one with a name or time that cannot be shown.
    """
    if not definitions:
        raise InvalidRequestError("definitions must be at least one step.")
    if not all(map(_is_definition, definitions)):
        raise InvalidRequestError(
            f"each definition must have a name that is {_TEXT[1]}, and times that are {_COUNT[1]}."
        )
