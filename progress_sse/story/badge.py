"""A session as a badge: a small picture in SVG, for a README or a wiki. Pure."""

import re
import unicodedata
from html import escape
from typing import Final

from progress_sse.story.headline import conclusion, title
from progress_sse.story.percentage import percentage
from progress_sse.story.plain_text import one_line
from progress_sse.story.session_state import SessionState

MAX_LABEL_CHARS: Final = 40
"""Characters of the title or id that a badge shows."""

_HEIGHT: Final = 20
_PADDING: Final = 6
_WIDTHS: Final = {**dict.fromkeys("fijlrtI.,:;'|![]()- ", 4.2), **dict.fromkeys("mwMW%@", 10.2)}
_USUAL: Final = 7.0
_WIDE: Final = 11.5
"""The widths of a character, in pixels; wide ones are those of East Asia. The picture's text is fitted to them."""

_GREY: Final = ("#525866", "#525866")
_RUNNING: Final = ("#312e81", "#4338ca")
_DONE: Final = ("#166534", "#166534")
_FAILED: Final = ("#b91c1c", "#b91c1c")
"""Colours of the right half: of the ground, and of the part that is done. White text stands out from each."""

_NO_XML: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""Characters that XML cannot have [XML 1.0 §2.2]."""


def badge(state: SessionState) -> str:
    """Return the picture. It has no style, script or address, and text of the session only as text."""
    label = _shortened(title(state) or one_line(state["session_id"]))
    return _drawn(label, *_right_half(state))


def _right_half(state: SessionState) -> tuple[str, tuple[str, str], int]:
    status, done = state["status"], percentage(state)
    if status == "completed":
        return "completed", _DONE, 100
    if status == "error":
        return conclusion(state) or "failed", _FAILED, 100
    if status == "running":
        return f"{done}%", _RUNNING, done
    return ("pending" if status == "pending" else "not found"), _GREY, 0


def _shortened(text: str) -> str:
    text = _NO_XML.sub("", text).strip()
    return text if len(text) <= MAX_LABEL_CHARS else f"{text[: MAX_LABEL_CHARS - 1].rstrip()}…"


def _width(text: str) -> int:
    return round(sum(_WIDTHS.get(each, _WIDE if _is_wide(each) else _USUAL) for each in text))


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF"


def _drawn(label: str, words: str, colours: tuple[str, str], done_part: int) -> str:
    left, right = _width(label) + 2 * _PADDING, _width(words) + 2 * _PADDING
    whole, ground, done = left + right, *colours
    name = escape(f"{label}: {words}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{whole}" height="{_HEIGHT}" role="img" aria-label="{name}">'
        f"<title>{name}</title>"
        f'<clipPath id="edge"><rect width="{whole}" height="{_HEIGHT}" rx="3"/></clipPath>'
        '<g clip-path="url(#edge)">'
        f'<rect width="{left}" height="{_HEIGHT}" fill="#374151"/>'
        f'<rect x="{left}" width="{right}" height="{_HEIGHT}" fill="{ground}"/>'
        f'<rect x="{left}" width="{right * done_part / 100:.1f}" height="{_HEIGHT}" fill="{done}"/></g>'
        f'<rect x="0.5" y="0.5" width="{whole - 1}" height="{_HEIGHT - 1}" rx="3" fill="none" stroke="#9ca3af"/>'
        '<g fill="#ffffff" font-family="Verdana,DejaVu Sans,Noto Sans CJK JP,sans-serif" font-size="11">'
        f"{_text(label, _PADDING)}{_text(words, left + _PADDING)}</g></svg>\n"
    )


def _text(text: str, x: int) -> str:
    return f'<text x="{x}" y="14" textLength="{_width(text)}" lengthAdjust="spacingAndGlyphs">{escape(text)}</text>'
