"""How sessions in memory are found by what a list asks for, at a cost that grows with what it finds."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import chain, islice
from operator import attrgetter
from typing import Final, TypeAlias

from progress_sse.core.model import SessionProgress, SessionStatus
from progress_sse.core.session_filter import STATES, SessionFilter, end_of_prefix, state_of
from progress_sse.store.sorted_keys import SortedKeys
from progress_sse.store.types import PageCursor, Record, SessionSummary
from progress_sse.wire import session_json

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
        self._load = load
        self._sets: dict[_Place, SortedKeys[_Key]] = {}

    def update(self, before: SessionProgress | None, after: SessionProgress | None) -> None:
        """Replace a session by its next state; `None`: it was not there, or is gone."""
        if before is not None and after is not None and _is_alike(before, after):
            return
        former, latter = _entries_of(before), _entries_of(after)
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
        """Yield the ids of the sessions of a list after `after`, in its order, and of others; `limit` are needed."""
        end = None if after is None else (after.created_at, after.session_id)
        places = [_ALL, *(("label", *label) for label in wanted.labels)]
        if state is not None:
            places.append(("state", state))
        fewest, ids = min(map(self._set, places), key=len), self._set(_IDS)
        start, stop = (wanted.prefix,), end_of_prefix(wanted.prefix)
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
    """Return whether a session is in the same sets as before, as nearly all changes leave it."""
    if before.created_at != after.created_at or state_of(before) != state_of(after):
        return False
    return before.details.labels is after.details.labels


def _entries_of(progress: SessionProgress | None) -> set[tuple[_Place, _Key]]:
    """Return the sets that a session belongs to, with its key in each."""
    if progress is None:
        return set()
    created_at, session_id = progress.created_at, progress.session_id
    labels = (("label", *label) for label in progress.details.labels.items())
    places: Iterator[_Place] = chain((_ALL, ("state", state_of(progress))), labels)
    return {(_IDS, (session_id, created_at)), *((place, (created_at, session_id)) for place in places)}
