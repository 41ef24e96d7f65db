"""A sorted set of keys in memory, of any size."""

from bisect import bisect_left, insort
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final, Generic, TypeVar

K = TypeVar("K", bound=tuple[Any, ...])

MAX_CHUNK: Final = 1000
"""Keys that are moved, at most, to add or remove one."""


class SortedKeys(Generic[K]):
    """Keys in their order, in chunks of a bounded size; a shorter tuple stands before all that begin with it."""

    __slots__ = ("_chunks", "_lasts", "_length")

    def __init__(self) -> None:
        self._chunks: list[list[K]] = []
        self._lasts: list[K] = []
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def add(self, key: K) -> None:
        """Add a key that is not there."""
        self._length += 1
        if not self._chunks:
            self._chunks, self._lasts = [[key]], [key]
            return
        at = min(bisect_left(self._lasts, key), len(self._chunks) - 1)
        chunk = self._chunks[at]
        insort(chunk, key)
        if len(chunk) > MAX_CHUNK:
            half = len(chunk) // 2
            self._chunks[at : at + 1] = [chunk[:half], chunk[half:]]
            self._lasts[at : at + 1] = [chunk[half - 1], chunk[-1]]
        else:
            self._lasts[at] = chunk[-1]

    def remove(self, key: K) -> None:
        """Remove a key; one that is not there is no error."""
        at = bisect_left(self._lasts, key)
        if at == len(self._chunks):
            return
        chunk = self._chunks[at]
        place = bisect_left(chunk, key)
        if chunk[place] != key:
            return
        self._length -= 1
        del chunk[place]
        if chunk:
            self._lasts[at] = chunk[-1]
        else:
            del self._chunks[at], self._lasts[at]

    def below(self, end: K | None) -> Iterator[K]:
        """Yield the keys before `end`, the greatest first; all where it is `None`."""
        at = len(self._chunks) if end is None else bisect_left(self._lasts, end)
        if end is not None and at < len(self._chunks):
            chunk = self._chunks[at]
            yield from reversed(chunk[: bisect_left(chunk, end)])
        for chunk in reversed(self._chunks[:at]):
            yield from reversed(chunk)

    def between(self, start: K, end: K | None) -> Iterator[K]:
        """Yield the keys from `start` on, and before `end`, the least first."""
        at = bisect_left(self._lasts, start)
        place = bisect_left(self._chunks[at], start) if at < len(self._chunks) else 0
        for chunk in self._chunks[at:]:
            for key in islice(chunk, place, None):
                if end is not None and key >= end:
                    return
                yield key
            place = 0

    def count_between(self, start: K, end: K | None) -> int:
        """Return how many keys `between` yields."""
        return (self._length if end is None else self._rank(end)) - self._rank(start)

    def _rank(self, key: K) -> int:
        at = bisect_left(self._lasts, key)
        before = sum(map(len, self._chunks[:at]))
        return before + (bisect_left(self._chunks[at], key) if at < len(self._chunks) else 0)
