"""`Accept` and `Accept-Language`: what a client likes best [RFC 9110 §12.5.1, §12.5.4]."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from progress_sse.wire.field_list import list_elements

_TOKEN: Final = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_RANGE: Final = re.compile(rb"[ \t]*(%b/%b)[ \t]*(?:;(.*))?" % (_TOKEN, _TOKEN), re.DOTALL)
_WEIGHT: Final = re.compile(rb"(?:^|;)[ \t]*[qQ]=([^;]*)")
_NUMBER: Final = re.compile(rb"(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)[ \t]*")

_LANGUAGE: Final = re.compile(rb"[ \t]*([A-Za-z]{1,8}|\*)(?:-[A-Za-z0-9-]*)?[ \t]*(?:;(.*))?", re.DOTALL)

_HTML: Final = (b"text/html", b"text/*", b"*/*")
_TEXT: Final = (b"text/plain", b"text/*", b"*/*")
_JSON: Final = (b"application/json", b"application/*", b"*/*")
_EVENTS: Final = (b"text/event-stream", b"text/*", b"*/*")
"""The ranges that a type is in, the most specific one first."""


def prefers_text(values: Sequence[bytes], *, to_events: bool = False) -> bool:
    """Return whether a client takes plain text, and likes it better than JSON; it gets JSON if it takes neither.

    Args:
        values: The values of `Accept`.
        to_events: Whether it must like it better than events, too.
    """
    return bool(values) and _prefers_text(tuple(values), to_events)


@lru_cache(maxsize=64)  # A client that polls sends the same values each time.
def _prefers_text(values: Sequence[bytes], to_events: bool) -> bool:
    weights = dict(filter(None, map(_weight, list_elements(values))))
    text = _of(_TEXT, weights)
    return text > _of(_JSON, weights) and not (to_events and text <= _of(_EVENTS, weights))


def prefers_html(values: Sequence[bytes]) -> bool:
    """Return whether a client takes HTML, and likes it better than JSON, as a browser does that looks for a page."""
    weights = dict(filter(None, map(_weight, list_elements(values))))
    return _of(_HTML, weights) > _of(_JSON, weights)


def preferred_language(values: Sequence[bytes], languages: Sequence[str]) -> str:
    """Return the language that a client likes best; the first one if it takes none, or as much as another.

    Args:
        values: The values of `Accept-Language`.
        languages: The languages that there are, without regions.
    """
    weights: dict[bytes, float] = {}
    for name, weight in filter(None, (_weight(each, _LANGUAGE) for each in list_elements(values))):
        weights[name] = max(weight, weights.get(name, 0.0))
    return max(languages, key=lambda language: _of((language.encode(), b"*"), weights))


def _weight(element: bytes, form: re.Pattern[bytes] = _RANGE) -> tuple[bytes, float] | None:
    """Return a range and its weight; `None` for an element that cannot be read."""
    matched = form.fullmatch(element)
    if matched is None:
        return None
    weight = _WEIGHT.search(matched[2] or b"")
    number = _NUMBER.fullmatch(weight[1] if weight else b"1")
    return (matched[1].lower(), float(number[1])) if number else None


def _of(ranges: Sequence[bytes], weights: dict[bytes, float]) -> float:
    return next((weights[each] for each in ranges if each in weights), 0.0)
