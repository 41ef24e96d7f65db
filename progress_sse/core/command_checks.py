"""Which values are valid in commands, for those that callers in the process make: HTTP requests are validated."""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias, get_args

from progress_sse.core import details, requests
from progress_sse.core.commands import (
    Acknowledge,
    Advance,
    AppendLines,
    Ask,
    Beat,
    Command,
    Complete,
    Create,
    Delete,
    Describe,
    Finish,
    Lose,
    Plan,
    ReportPart,
    Skip,
    Stall,
    Start,
    StepName,
    Unchanged,
)
from progress_sse.core.errors import InvalidRequestError
from progress_sse.core.log_lines import MAX_LINES, MAX_SPLIT_LINES, LogLevel, NewLine, split_count
from progress_sse.core.model import MAX_SAFE_INTEGER, StepDefinition, is_session_id, is_text
from progress_sse.core.parts import MAX_PART_CHARS, MAX_PART_TEXT_CHARS, MAX_PARTS, PartStatus

MAX_AGO_MS: Final = 86_400_000
"""How long before it is reported something may have happened: a day, in milliseconds."""

MIN_LEASE_MS: Final = 1_000
MAX_LEASE_MS: Final = 3_600_000
"""Milliseconds between two signs of life of a worker: at least, and at most."""


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value <= MAX_SAFE_INTEGER  # bool is a subclass of int.


def _is_count_or_none(value: object) -> bool:
    return value is None or _is_count(value)


def _is_step(value: object) -> bool:
    return type(value) is int or (isinstance(value, StepName) and bool(value.name) and is_text(value.name))


def _is_ago(value: object) -> bool:
    return type(value) is int and 0 <= value <= MAX_AGO_MS


def _is_attempt_id(value: object) -> bool:
    return value is None or _is_short_text(value, details.MAX_ATTEMPT_ID_CHARS)


def _is_lease(value: object) -> bool:
    return value is None or (type(value) is int and MIN_LEASE_MS <= value <= MAX_LEASE_MS)


def _is_short_text(value: object, most: int) -> bool:
    return is_text(value) and 0 < len(str(value)) <= most


def _is_title(value: object) -> bool:
    return value is None or isinstance(value, Unchanged) or _is_short_text(value, details.MAX_TITLE_CHARS)


def _is_labels(value: object) -> bool:
    if value is None or isinstance(value, Unchanged):
        return True
    return (
        isinstance(value, Mapping)
        and len(value) <= details.MAX_LABELS
        and all(
            _is_short_text(key, details.MAX_LABEL_CHARS)
            and ":" not in key
            and (text is None or (is_text(text) and len(text) <= details.MAX_LABEL_VALUE_CHARS))
            for key, text in value.items()
        )
    )


def _is_links(value: object) -> bool:
    if value is None or isinstance(value, Unchanged):
        return True
    return (
        isinstance(value, tuple)
        and len(value) <= details.MAX_LINKS
        and all(isinstance(each, details.Link) and _is_link(each) for each in value)
    )


def _is_link(link: details.Link) -> bool:
    has_fit_texts = _is_short_text(link.label, details.MAX_LINK_CHARS) and _is_short_text(
        link.url, details.MAX_URL_CHARS
    )
    return has_fit_texts and details.is_fit_url(link.url)


def _is_accepts(value: object) -> bool:
    if value is None or isinstance(value, Unchanged):
        return True
    return isinstance(value, tuple) and set(value) <= set(get_args(requests.RequestKind))


def _is_kind(value: object) -> bool:
    return value in get_args(requests.RequestKind)


def _is_acknowledgement(value: object) -> bool:
    return value in get_args(requests.Acknowledgement)


def _is_request_id(value: object) -> bool:
    return _is_short_text(value, requests.MAX_REQUEST_ID_CHARS)


def _is_request_text(value: object) -> bool:
    return value is None or (is_text(value) and len(str(value)) <= requests.MAX_REQUEST_TEXT_CHARS)


def _is_number_or_none(value: object) -> bool:
    return value is None or type(value) is int


def _is_conclusion(value: object) -> bool:
    return value in (None, "cancelled")


def _is_profile(value: object) -> bool:
    return value is None or (isinstance(value, str) and is_session_id(value))


def _is_part(value: object) -> bool:
    return _is_short_text(value, MAX_PART_CHARS)


def _is_part_status(value: object) -> bool:
    return value in get_args(PartStatus)


def _is_part_text(value: object) -> bool:
    return is_text(value) and len(str(value)) <= MAX_PART_TEXT_CHARS


def _is_target(value: object) -> bool:
    return value is None or _is_step(value)


def _is_lines(value: object) -> bool:
    return isinstance(value, tuple) and 1 <= len(value) <= MAX_LINES and all(map(_is_line, value))


def _is_line(value: object) -> bool:
    return (
        isinstance(value, NewLine)
        and is_text(value.text)
        and value.level in get_args(LogLevel)
        and (value.ago_ms is None or _is_ago(value.ago_ms))
    )


def _is_parts_total(value: object) -> bool:
    return value is None or (type(value) is int and 1 <= value <= MAX_PARTS)


_Demand: TypeAlias = tuple[Callable[[object], bool], str]

_STEP: Final[_Demand] = (_is_step, "an integer, or a StepName")
_COUNT: Final[_Demand] = (_is_count, f"an integer from 0 to {MAX_SAFE_INTEGER}")
_OPTIONAL_COUNT: Final[_Demand] = (_is_count_or_none, _COUNT[1])
_TEXT: Final[_Demand] = (is_text, "text without NUL and surrogates")
_LEASE: Final[_Demand] = (_is_lease, f"an integer from {MIN_LEASE_MS} to {MAX_LEASE_MS}")

_ATTEMPT: Final[tuple[tuple[str, _Demand], ...]] = (
    ("attempt_id", (_is_attempt_id, f"text of 1 to {details.MAX_ATTEMPT_ID_CHARS} characters")),
)
_SENT: Final = (*_ATTEMPT, ("ago_ms", (_is_ago, f"an integer from 0 to {MAX_AGO_MS}")))
_LINKS: Final[tuple[tuple[str, _Demand], ...]] = (("links", (_is_links, "links that pages may open")),)
_TELLING: Final[tuple[tuple[str, _Demand], ...]] = (
    ("title", (_is_title, f"text of 1 to {details.MAX_TITLE_CHARS} characters")),
    ("labels", (_is_labels, "short texts by short names")),
    *_LINKS,
    ("accepts", (_is_accepts, f"some of {', '.join(get_args(requests.RequestKind))}")),
)
_REQUEST_ID: Final[_Demand] = (_is_request_id, f"text of 1 to {requests.MAX_REQUEST_ID_CHARS} characters")
_REQUEST_TEXT: Final[_Demand] = (_is_request_text, f"text of at most {requests.MAX_REQUEST_TEXT_CHARS} characters")
_PART_TEXT: Final[_Demand] = (_is_part_text, f"text of at most {MAX_PART_TEXT_CHARS} characters")
_CONCLUSION: Final[tuple[tuple[str, _Demand], ...]] = (("conclusion", (_is_conclusion, "cancelled, or None")),)

_DEMANDS: Final[Mapping[type[Command], tuple[tuple[str, _Demand], ...]]] = {
    Create: (*_TELLING, *_ATTEMPT, ("profile", (_is_profile, "text in the form of a session id"))),
    Delete: (),
    Start: (
        ("step", _STEP),
        ("timeout_ms", _OPTIONAL_COUNT),
        ("estimated_ms", _OPTIONAL_COUNT),
        ("lease_ms", _LEASE),
        ("lost_after_ms", _OPTIONAL_COUNT),
        ("parts_total", (_is_parts_total, f"an integer from 1 to {MAX_PARTS}")),
        *_SENT,
    ),
    Complete: (("step", _STEP), ("message", _TEXT), ("error", _TEXT), *_CONCLUSION, *_LINKS, *_SENT),
    Advance: (("step", _STEP), ("current", _COUNT), ("total", _OPTIONAL_COUNT), ("message", _TEXT), *_SENT),
    Skip: (("step", _STEP), ("message", _TEXT), *_SENT),
    Beat: (("step", _STEP), *_SENT),
    ReportPart: (
        ("step", _STEP),
        ("part", (_is_part, f"text of 1 to {MAX_PART_CHARS} characters")),
        ("status", (_is_part_status, f"one of {', '.join(get_args(PartStatus))}")),
        ("current", _OPTIONAL_COUNT),
        ("total", _OPTIONAL_COUNT),
        ("message", _PART_TEXT),
        ("error", _PART_TEXT),
        *_SENT,
    ),
    Finish: (("error", _TEXT), *_CONCLUSION, *_LINKS, *_SENT),
    Plan: _SENT,
    Describe: (*_TELLING, *_SENT),
    Acknowledge: (
        ("request", _REQUEST_ID),
        ("state", (_is_acknowledgement, f"one of {', '.join(get_args(requests.Acknowledgement))}")),
        ("message", _REQUEST_TEXT),
        *_SENT,
    ),
    AppendLines: (
        ("lines", (_is_lines, f"1 to {MAX_LINES} lines of text")),
        ("step", (_is_target, f"{_STEP[1]}, or None")),
        *_SENT,
    ),
    Ask: (
        ("kind", (_is_kind, f"one of {', '.join(get_args(requests.RequestKind))}")),
        ("request_id", _REQUEST_ID),
        ("step", (_is_number_or_none, "an integer, or None")),
        ("reason", _REQUEST_TEXT),
    ),
    Stall: (),
    Lose: (),
}


def check_command(command: Command) -> None:
    """Refuse values that no session can hold.

    Raises:
        InvalidRequestError: A value is none that its field can have, or contradicts another one.
    """
    for name, (is_fit, demand) in _DEMANDS[type(command)]:
        if not is_fit(getattr(command, name)):
            raise InvalidRequestError(f"{name} must be {demand}.")
    if isinstance(command, Start):
        check_lease(command)
    elif isinstance(command, Complete | Finish):
        check_conclusion(command)
    elif isinstance(command, AppendLines):
        check_lines(command)


def check_lines(command: AppendLines) -> None:
    """Refuse texts with so many line ends that one update would fill the log.

    Raises:
        InvalidRequestError: They are more than `MAX_SPLIT_LINES` lines.
    """
    if split_count(command.lines) > MAX_SPLIT_LINES:
        raise InvalidRequestError(f"lines: have more than {MAX_SPLIT_LINES} line ends.")


def check_conclusion(command: Complete | Finish) -> None:
    """Refuse a success that was cancelled.

    Raises:
        InvalidRequestError: It is one.
    """
    if command.conclusion is not None and command.success:
        raise InvalidRequestError("conclusion: a success is not cancelled.")


def check_lease(start: Start) -> None:
    """Refuse the times of a lease that do not fit together.

    Raises:
        InvalidRequestError: One lacks the other or its attempt, or the worker would be lost before it is stalled.
    """
    if start.lease_ms is None and start.lost_after_ms is None:
        return
    if start.attempt_id is None:
        raise InvalidRequestError("lease_ms: needs an attempt_id.")
    if start.lease_ms is None:
        raise InvalidRequestError("lost_after_ms: needs a lease_ms.")
    if start.lost_after_ms is not None and start.lost_after_ms < start.lease_ms:
        raise InvalidRequestError("lost_after_ms: must not be less than lease_ms.")


def check_definitions(definitions: tuple[StepDefinition, ...], *, may_be_empty: bool = False) -> None:
    """Refuse step definitions that no session can have.

    Raises:
        InvalidRequestError: There is none, or one with a name or time that cannot be shown.
    """
    if not definitions and not may_be_empty:
        raise InvalidRequestError("definitions must be at least one step.")
    if not all(map(_is_definition, definitions)):
        raise InvalidRequestError(
            f"each definition must have a name that is {_TEXT[1]}, and times that are {_COUNT[1]}."
        )


def _is_definition(value: object) -> bool:
    return (
        isinstance(value, StepDefinition)
        and is_text(value.name)
        and _is_count(value.timeout_ms)
        and _is_count_or_none(value.estimated_ms)
        and _is_count(value.assumed_ms)
    )
