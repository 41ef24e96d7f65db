"""What a client likes best: `Accept`, `Accept-Language` [RFC 9110 §12.5.1, §12.5.4] and `Prefer` [RFC 7240]."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

_ELEMENT: Final = re.compile(rb'(?:[^",]|"(?:[^"\\]|\\.)*"?)+', re.DOTALL)


def list_elements(values: Sequence[bytes]) -> Sequence[bytes]:
    """Return the elements of all values of a header; a comma inside of quotation marks separates none."""
    return _ELEMENT.findall(b",".join(values)) if values else ()


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
    """Return whether a client takes plain text, and prefers it to JSON; it gets JSON if it takes neither.

    Args:
        values: The values of `Accept`.
        to_events: Whether it must prefer it to events, too.
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


def preferred_language(values: Sequence[bytes], languages: Iterable[str]) -> str:
    """Return the language that a client prefers; the first one if it takes none, or as much as another.

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


MAX_WAIT_S: Final = 30
"""Seconds that a request waits at most, whatever it prefers: proxies end connections that are silent for long."""

_WORD: Final = rb'(?P<token>%b)|"(?P<quoted>(?:[^"\\]|\\.)*)"' % _TOKEN
_PREFERENCE: Final = re.compile(
    rb"[ \t]*(?P<name>%b)[ \t]*(?:=[ \t]*(?:%b)[ \t]*)?(?:;.*)?" % (_TOKEN, _WORD), re.DOTALL
)

_PAIR: Final = re.compile(rb"\\(.)", re.DOTALL)

_MAX_DIGITS: Final = 4


def preferred_wait_s(values: Sequence[bytes]) -> int:
    """Return for how many seconds a client is ready to wait by its `Prefer`, at most `MAX_WAIT_S`; 0 if it does not.

    Of several values the first one counts [§2], and one that is no number of seconds counts as none.
    """
    text = _preferred(b"wait", values)
    if not text.isdigit():
        return 0
    digits = text.lstrip(b"0")
    return MAX_WAIT_S if len(digits) > _MAX_DIGITS else min(MAX_WAIT_S, int(digits or b"0"))


def prefers_strict(values: Sequence[bytes]) -> bool:
    """Return whether a client wants a request with a mistake refused, by its `Prefer` [§4.4]."""
    return bool(values) and _preferred(b"handling", values) == b"strict"


def _preferred(name: bytes, values: Sequence[bytes]) -> bytes:
    """Return the value of a preference; empty if it has none."""
    for element in list_elements(values):  # Of several values the first one counts [§2].
        preference = _PREFERENCE.fullmatch(element)
        if preference is not None and preference["name"].lower() == name:
            return preference["token"] or _PAIR.sub(rb"\1", preference["quoted"] or b"")
    return b""
