"""What is said of a session while nothing changes: that its worker is silent, and that it takes too long."""

from typing import Final, NamedTuple

from progress_sse.story.life_signs import LifeSign
from progress_sse.story.observed_session import ObservedSession, shown_percentage
from progress_sse.story.time_left import LATE, time_left

REMINDER: Final = 2
"""How many times as long as it was when it was last said a silence is said again."""


class Said(NamedTuple):
    """What was said last: for how many seconds the worker was silent, and whether the job took too long."""

    silent_s: float = 0.0
    is_late: bool = False


def reminders(said: Said, session: ObservedSession, sign: LifeSign | None, now_s: float) -> tuple[list[str], Said]:
    """Return the lines that are due after what was said, and what is said with them; a new silence begins anew."""
    lines, silent_s = list[str](), said.silent_s
    if sign is None or sign.kind == "stalled":  # A step that stalls is a change, and has a line.
        silent_s = 0
    elif sign.silent_s >= REMINDER * silent_s:
        lines.append(sign.text)
        silent_s = sign.silent_s
    left = time_left(session.state, now_s)
    is_late = left in LATE
    if is_late and not said.is_late:
        lines.append(f"{shown_percentage(session, now_s):3}%  {left}")
    return lines, Said(silent_s, is_late)
