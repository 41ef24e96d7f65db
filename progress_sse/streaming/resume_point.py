"""The place in a session's history from which a returning subscriber goes on."""

from collections.abc import Callable
from typing import TypeAlias

from progress_sse.core.model import Position

Resume: TypeAlias = Callable[[Position], Position | None]
"""Given where a session is, tells where a returning reader was; `None` where it does not know."""


def standing_at(position: Position | None) -> Resume | None:
    """Return how a reader resumes that was at `position`, or, with `None`, that comes afresh."""
    return None if position is None else lambda _current: position
