"""The place in a session's history from which a returning subscriber goes on."""

from collections.abc import Callable
from typing import TypeAlias

from progress_sse.core.model import Position

ResumePoint: TypeAlias = Callable[[Position], Position | None]
"""Returns the position that a returning subscriber has reached, given the session's; `None` if it is unknown."""


def resume_from(position: Position | None) -> ResumePoint | None:
    """Return the resume point of a subscriber that has reached `position`; `None` for a new subscriber."""
    return None if position is None else lambda _current: position
