"""How sessions in memory are found by what a list asks for, at a cost that grows with what it finds."""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import chain, islice
from operator import attrgetter
from typing import Any, Final, Generic, TypeAlias, TypeVar

from progress_sse.core.model import SessionProgress, SessionStatus
from progress_sse.core.session_filter import STATES, SessionFilter, end_of_prefix, state_of
from progress_sse.store.types import PageCursor, Record, SessionSummary
from progress_sse.wire import session_json

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
            self._chunks = [[key]]
            self._lasts = [key]
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


_Key: TypeAlias = tuple[str, ...]
"""A session's `created_at` and its id: lists are in the descending order of this. Among the ids, the id comes first."""

_Place: TypeAlias = tuple[str, ...]
"""A set of sessions: all of them, the same by their ids, those in a state, or those with a label."""

_ALL: Final[_Place] = ("all",)
_IDS: Final[_Place] = ("ids",)


class MemoryIndex:
    """The sessions in the order of their creation, of their ids, and those of each state and label."""

    forgets_silently = False

    def __init__(self, load: Callable[[str], Record | None]) -> None:
        """Begin empty; `load` returns a session."""
        self._load = load
        self._sets: dict[_Place, SortedKeys[_Key]] = {}

    def update(self, before: SessionProgress | None, after: SessionProgress | None) -> None:
        """Replace a session by its next state; `None`: it was not there, or is gone."""
        if before is not None and after is not None:
            has_same_details = before.details is after.details and not after.details.claims  # So no step is stalled.
            if has_same_details and before.status == after.status and before.created_at == after.created_at:
                return  # As nearly all changes leave it.
            if _is_alike(before, after):
                return
        former = _entries_of(before)
        latter = _entries_of(after)
        for place, key in former - latter:
            keys = self._sets[place]
            keys.remove(key)
            if not keys:
                del self._sets[place]
        for place, key in latter - former:
            self._sets.setdefault(place, SortedKeys()).add(key)

    def _set(self, place: _Place) -> SortedKeys[_Key]:
        return self._sets.get(place) or SortedKeys()

    def created_before(self, created_before: str) -> Iterator[str]:
        """Yield the ids of the sessions that were created before the time stamp."""
        return (session_id for _, session_id in self._set(_ALL).between(("",), (created_before,)))

    async def list_summaries(
        self, wanted: SessionFilter, limit: int, after: PageCursor | None
    ) -> Sequence[SessionSummary]:
        """Return a page of sessions, newest first; see `Lists.list_summaries`."""
        found = chain.from_iterable(self._in_state(wanted, state, limit, after) for state in wanted.states or (None,))
        return sorted(found, key=attrgetter("order"), reverse=True)[:limit]

    def _in_state(
        self, wanted: SessionFilter, state: str | None, limit: int, after: PageCursor | None
    ) -> Iterator[SessionSummary]:
        """Yield the first sessions of a list that are in a state (`None`: in any)."""
        found = filter(None, map(self._load, self._find(wanted, state, limit, after)))
        return map(summary_of, islice((each for each in found if _is_of(wanted, state, each)), limit))

    async def load_summaries(self, session_ids: Collection[str]) -> Mapping[str, SessionSummary]:
        """Return the sessions that there are; see `Lists.load_summaries`."""
        return {each: summary_of(record) for each in session_ids if (record := self._load(each)) is not None}

    async def count_by_status(self) -> Mapping[SessionStatus, int]:
        """Return how many sessions there are."""
        counts = Counter[SessionStatus]()
        for state, (status, _) in STATES.items():
            counts[status] += len(self._set(("state", state)))
        return +counts

    def _find(self, wanted: SessionFilter, state: str | None, limit: int, after: PageCursor | None) -> Iterator[str]:
        """Yield the ids of all sessions of a list that follow on `after`, in its order, and perhaps those of others.

        Args:
            wanted: The list.
            state: The state that its sessions are in; `None`: any.
            limit: How many sessions of it the caller needs.
            after: The end of the page before.
        """
        end = None if after is None else (after.created_at, after.session_id)
        places = [_ALL, *(("label", *label) for label in wanted.labels)]
        if state is not None:
            places.append(("state", state))
        fewest = min(map(self._set, places), key=len)
        ids = self._set(_IDS)
        start = (wanted.prefix,)
        stop = end_of_prefix(wanted.prefix)
        before_stop = None if stop is None else (stop,)
        count = ids.count_between(start, before_stop)
        if count * count > limit * len(fewest):  # So many that the caller soon finds enough of them among the others.
            return (session_id for _, session_id in fewest.below(end))
        found = ((created_at, session_id) for session_id, created_at in ids.between(start, before_stop))
        page = sorted((each for each in found if end is None or each < end), reverse=True)
        return (session_id for _, session_id in page)


def summary_of(record: Record) -> SessionSummary:
    """Return a session as lists show it."""
    progress = record.session.progress
    listed = session_json.encode_listed(record.session)
    return SessionSummary(progress.session_id, state_of(progress), progress.created_at, progress.updated_at, listed)


def _is_of(wanted: SessionFilter, state: str | None, record: Record) -> bool:
    progress = record.session.progress
    own = state_of(progress)
    return state in (None, own) and wanted.matches(progress.session_id, own, progress.details.labels)


def _is_alike(before: SessionProgress, after: SessionProgress) -> bool:
    """Return whether a session is in the same sets as before."""
    if before.created_at != after.created_at or state_of(before) != state_of(after):
        return False
    return before.details.labels is after.details.labels


def _entries_of(progress: SessionProgress | None) -> set[tuple[_Place, _Key]]:
    if progress is None:
        return set()
    created_at = progress.created_at
    session_id = progress.session_id
    labels = (("label", *label) for label in progress.details.labels.items())
    places: Iterator[_Place] = chain((_ALL, ("state", state_of(progress))), labels)
    return {(_IDS, (session_id, created_at)), *((place, (created_at, session_id)) for place in places)}
