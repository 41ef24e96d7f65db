"""Conditional requests: whether a session is in the state that a client names [RFC 9110 §13].

A session that does not exist has a tag of its own. With it a client can wait for the session, or create it only if it
still does not exist; `*` stands for every session that exists.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeAlias

from progress_sse.core.model import Position

TagOf: TypeAlias = Callable[[Position | None], str]
"""Returns the ETag of a session at a position; `None` stands for one that does not exist."""

ABSENT_TAG: Final = '"absent"'
"""The ETag of every session that does not exist, and did not within the last day."""

GONE: Final = Position("gone", 0)
"""Stands in tags for a session that existed within the last day."""

_MISSING: Final = (None, GONE)


def entity_tag(position: Position | None) -> str:
    """Return the ETag; equal tags mean equal bodies, since each change of a session moves it to another position."""
    return f'"{position}"' if position is not None else ABSENT_TAG


def text_tag(position: Position | None) -> str:
    """Return the ETag of the session as text, a weak one: the text also has how long its steps have been running."""
    return f'W/{entity_tag(position)[:-1]}-text"'


def badge_tag(position: Position | None) -> str:
    """Return the ETag of the session's badge."""
    return f'{entity_tag(position)[:-1]}-badge"'


class Preconditions(NamedTuple):
    """The conditions of a request.

    Attributes:
        if_match: The values of `If-Match`; empty without the header.
        if_none_match: The values of `If-None-Match`, likewise.
    """

    if_match: Sequence[bytes]
    if_none_match: Sequence[bytes]

    def is_expected(self, position: Position | None) -> bool:
        """Return whether the session is in the state that `If-Match` requires.

        Tags compare strongly [RFC 9110 §13.1.1]: a weak one matches nothing. The tag of a session that does not exist
        matches whether or not it existed within the last day.
        """
        same = _MISSING if position in _MISSING else (position,)
        return not self.if_match or any(_is_listed(each, self.if_match) for each in same)

    def is_known(self, position: Position | None, tag_of: TagOf = entity_tag) -> bool:
        """Return whether the client has the session in its present state, by `If-None-Match`.

        Tags compare weakly [RFC 9110 §13.1.2]: a proxy that compresses weakens ours.
        """
        return _is_listed(position, self.if_none_match, tag_of, is_weak=True)

    def allow_change(self, position: Position | None) -> bool:
        """Return whether the request may change a session at this position [RFC 9110 §13.2.2]."""
        return self.is_expected(position) and not self.is_known(position)


UNCONDITIONAL: Final = Preconditions((), ())
"""The conditions of a request that has none."""


def _is_listed(
    position: Position | None, values: Sequence[bytes], tag_of: TagOf = entity_tag, *, is_weak: bool = False
) -> bool:
    """Return whether values of a header list the session's tag, or are `*`; our tags have no comma to split at."""
    if not values:
        return False
    if tuple(values) == (b"*",):
        return position not in _MISSING
    tag = tag_of(position).removeprefix("W/").encode()
    if tag in values:  # The usual case, which is fast.
        return True
    listed = (each.strip() for each in b",".join(values).split(b","))
    return tag in ({each.removeprefix(b"W/") for each in listed} if is_weak else listed)
