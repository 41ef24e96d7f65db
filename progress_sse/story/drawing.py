"""A session drawn: in plain text, in the tab of a terminal, and as a badge for a README or a wiki. Pure."""

import re
from collections.abc import Iterator
from datetime import tzinfo
from html import escape
from typing import Final, Literal, NamedTuple
from unicodedata import east_asian_width

from progress_sse.story.headline import absence, conclusion, failures, links, status_line, title
from progress_sse.story.observed_session import ObservedSession, observed, shown_percentage
from progress_sse.story.plain_text import one_line
from progress_sse.story.session_state import SessionState, has_ended
from progress_sse.story.step_words import all_failed_parts, counted_steps, details, spent, state_of
from progress_sse.story.steps import Step, is_idle, is_stalled, steps_in
from progress_sse.story.time_left import has_percentage, percentage
from progress_sse.story.worker_words import life_sign, request_sentence

BAR_WIDTH: Final = 40
STATE_WIDTH: Final = 9
TIME_WIDTH: Final = 11
MAX_FAILED_PARTS: Final = 20


def drawn(state: SessionState, now_s: float, server_url: str, zone: tzinfo | None = None) -> str:
    """Return the lines of a session; times are those of a `zone`, or else of this machine."""
    return "\n".join(_lines(state, now_s, server_url, zone)) + "\n"


def _lines(state: SessionState, now_s: float, server_url: str, zone: tzinfo | None) -> Iterator[str]:
    yield title(state) or one_line(state["session_id"])
    session = observed(None, state, now_s)
    yield status_line(state, now_s, zone, is_deleted=session.is_deleted)
    if state["status"] == "not_found":
        yield absence(is_deleted=session.is_deleted)
        return
    if has_percentage(state):
        percentage = shown_percentage(session, now_s)
        yield f"[{('#' * (BAR_WIDTH * percentage // 100)).ljust(BAR_WIDTH, '-')}] {percentage:3}%"
    width = len(str(len(state["steps"])))
    yield from (_step_line(step, width, now_s) for step in state["steps"])
    yield from (f"  {line}" for line in all_failed_parts(state, MAX_FAILED_PARTS))
    if sign := life_sign(state, session.reported_s, now_s, zone):
        yield sign.text
    if asked := request_sentence(state):
        yield asked
    if has_ended(state):
        for failure in failures(state):
            yield from failure.lines()
        yield from links(state, server_url)


def _step_line(step: Step, width: int, now_s: float) -> str:
    words = (*details(step, now_s), one_line(step.get("message", "")))
    state = f"{state_of(step):{STATE_WIDTH}} {spent(step, now_s):>{TIME_WIDTH}}"
    head = f"{step['step']:{width}}  {state}  {one_line(step['name'])}"
    return "  ".join((head, ", ".join(filter(None, words)))).rstrip()


class TabState(NamedTuple):
    """What the tab of a terminal shows: 0 nothing, 1 progress, 2 a failure, 3 work of unknown length, 4 a pause."""

    kind: Literal[0, 1, 2, 3, 4]
    percentage: int | None = None


HIDDEN: Final = TabState(0)


def tab_state(session: ObservedSession, now_s: float) -> TabState:
    """Return what the tab shows of a session; a pause where the worker may be dead, or runs no step."""
    state = session.state
    sign = life_sign(state, session.reported_s, now_s)
    if state["status"] in ("completed", "not_found"):
        return HIDDEN
    known = shown_percentage(session, now_s) if has_percentage(state) else None
    if state["status"] == "error" or steps_in(state, "error"):
        return TabState(2, known)
    if is_idle(state, now_s) or (sign is not None and sign.kind != "quiet"):
        return TabState(4, known)
    return TabState(3) if known is None else TabState(1, known)


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
_STALLED: Final = ("#78350f", "#92400e")
"""Colours of the right half: of the ground, and of the part that is done. White text stands out from each."""

_NO_XML: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""Characters that XML cannot have [XML 1.0 §2.2]."""


def badge(state: SessionState) -> str:
    """Return the picture. It has no style, script or address, and text of the session only as text."""
    label = _NO_XML.sub("", title(state) or one_line(state["session_id"])).strip()
    if len(label) > MAX_LABEL_CHARS:
        label = f"{label[: MAX_LABEL_CHARS - 1].rstrip()}…"
    words, (ground, done), done_part = _right_half(state)
    left = _width(label) + 2 * _PADDING
    right = _width(words) + 2 * _PADDING
    whole = left + right
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
        f"{_svg_text(label, _PADDING)}{_svg_text(words, left + _PADDING)}</g></svg>\n"
    )


def _right_half(state: SessionState) -> tuple[str, tuple[str, str], int]:
    status = state["status"]
    done = percentage(state)
    if status == "completed":
        return "completed", _DONE, 100
    if status == "error":
        return conclusion(state) or "failed", _FAILED, 100
    if status == "running":
        words, part = (f"{done}%", done) if has_percentage(state) else (counted_steps(state), 0)
        if any(map(is_stalled, state["steps"])):
            return f"{words}, stalled", _STALLED, part
        return words, _RUNNING, part
    absent = "deleted" if state.get("gone") else "not found"
    return ("pending" if status == "pending" else absent), _GREY, 0


def _width(text: str) -> int:
    return round(sum(_WIDTHS.get(each, _WIDE if east_asian_width(each) in "WF" else _USUAL) for each in text))


def _svg_text(text: str, x: int) -> str:
    return f'<text x="{x}" y="14" textLength="{_width(text)}" lengthAdjust="spacingAndGlyphs">{escape(text)}</text>'
