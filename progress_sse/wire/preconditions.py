"""Conditional requests: what a client says of the session as it has seen it [RFC 9110 §13].

A session that does not exist has a tag of its own, so that a client can wait for it, or create it only if there still
is none; `*` stands for every session that exists.

What must not go in here: requests, and what is answered.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from progress_sse.core.model import Position

ABSENT_TAG: Final = '"absent"'
"""The ETag of a session that does not exist: there is only one way not to exist."""


def entity_tag(position: Position | None) -> str:
    """Return the ETag: equal ones mean equal bodies, since a session changes only by moving to another position."""
    return f'"{position}"' if position is not None else ABSENT_TAG


class Preconditions(NamedTuple):
    """What a request is conditional on.

    Attributes:
        if_match: The values of `If-Match`; there are none where the header did not come.
        if_none_match: Those of `If-None-Match`, likewise.
    """

    if_match: Sequence[bytes]
    if_none_match: Sequence[bytes]

    def is_expected(self, position: Position | None) -> bool:
        """Return whether the session is as `If-Match` demands.

        Tags compare strongly [RFC 9110 §13.1.1]: a weak one matches nothing.
        """
        return not self.if_match or _name(self.if_match, position)

    def is_known(self, position: Position | None) -> bool:
        """Return whether the client has the session as it is, by `If-None-Match`.

        Tags compare weakly [RFC 9110 §13.1.2]: a proxy that compresses weakens ours.
        """
        return _name(self.if_none_match, position, is_weak=True)

    def allow_change(self, position: Position | None) -> bool:
        """Return whether a session at this position may be changed [RFC 9110 §13.2.2]."""
        return self.is_expected(position) and not self.is_known(position)


def _name(values: Sequence[bytes], position: Position | None, *, is_weak: bool = False) -> bool:
    """Return whether the values of a header name the session; ours are the only tags without a comma to be split at."""
    if not values:
        return False
    if values == [b"*"]:
        return position is not None
    tag = entity_tag(position).encode()
    listed = (each.strip() for each in b",".join(values).split(b","))
    return tag in ({each.removeprefix(b"W/") for each in listed} if is_weak else listed)
