"""The places for clients that the server keeps waiting: streams, and requests that wait for a change."""

from collections import Counter
from typing import Literal, TypeAlias

Shortage: TypeAlias = Literal["streams-full", "streams-of-caller-full"]
"""Why there is no place: none at all, or none for this caller."""


class Places:
    """The places of this process."""

    def __init__(self, most: int, most_per_caller: int | None) -> None:
        """Have `most` places, of which a caller whose identity is known takes at most `most_per_caller`."""
        self._most = most
        self._most_per_caller = most_per_caller or most
        self._taken = 0
        self._taken_by: Counter[str] = Counter()

    def shortage(self, caller: str | None) -> Shortage | None:
        """Return why there is no place for a caller; `None` if there is one."""
        if self._taken >= self._most:
            return "streams-full"
        if caller is not None and self._taken_by[caller] >= self._most_per_caller:
            return "streams-of-caller-full"
        return None

    def take(self, caller: str | None) -> None:
        """Take a place."""
        self._taken += 1
        if caller is not None:
            self._taken_by[caller] += 1

    def give_back(self, caller: str | None) -> None:
        """Give a place back that was taken."""
        self._taken -= 1
        if caller is not None:
            self._taken_by[caller] -= 1
            if not self._taken_by[caller]:
                del self._taken_by[caller]
