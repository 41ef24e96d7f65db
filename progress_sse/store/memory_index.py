"""How sessions in memory are found by what a list asks for, at a cost that grows with what it finds."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TypeAlias

from progress_sse.core.model import SessionProgress, SessionStatus
from progress_sse.core.session_filter import Label, SessionFilter, end_of_prefix
from progress_sse.store.sorted_keys import SortedKeys
from progress_sse.store.types import PageCursor, Record, SessionSummary
from progress_sse.wire import session_json

_Creation: TypeAlias = tuple[str, str]
"""A session's `created_at` and its id: lists are in the descending order of this."""


class MemoryIndex:
    """The sessions in the order of their creation, of their ids, and those of each status and label."""

    forgets_silently = False

    def __init__(self, load: Callable[[str], Record | None]) -> None:
        self._load = load
        self._by_creation = SortedKeys[_Creation]()
        self._by_id = SortedKeys[tuple[str, ...]]()
        self._by_status: dict[SessionStatus, SortedKeys[_Creation]] = {}
        self._by_label: dict[Label, SortedKeys[_Creation]] = {}

    def update(self, before: SessionProgress | None, after: SessionProgress | None) -> None:
        """Replace a session by its next state; `None`: it was not there, or is gone."""
        if before is not None and after is not None and before.created_at == after.created_at:
            if before.status != after.status:
                self._move_status(before, after)
            if before.details.labels is not after.details.labels:
                creation = _creation(after)
                self._remove_labels(creation, before.details.labels.items())
                self._add_labels(creation, after.details.labels.items())
            return
        if before is not None:
            self._remove(before)
        if after is not None:
            self._add(after)

    def _add(self, progress: SessionProgress) -> None:
        creation = _creation(progress)
        self._by_creation.add(creation)
        self._by_id.add((progress.session_id, progress.created_at))
        self._by_status.setdefault(progress.status, SortedKeys()).add(creation)
        self._add_labels(creation, progress.details.labels.items())

    def _remove(self, progress: SessionProgress) -> None:
        creation = _creation(progress)
        self._by_creation.remove(creation)
        self._by_id.remove((progress.session_id, progress.created_at))
        self._by_status[progress.status].remove(creation)
        self._remove_labels(creation, progress.details.labels.items())

    def _move_status(self, before: SessionProgress, after: SessionProgress) -> None:
        creation = _creation(after)
        self._by_status[before.status].remove(creation)
        self._by_status.setdefault(after.status, SortedKeys()).add(creation)

    def _add_labels(self, creation: _Creation, labels: Iterable[Label]) -> None:
        for label in labels:
            self._by_label.setdefault(label, SortedKeys()).add(creation)

    def _remove_labels(self, creation: _Creation, labels: Iterable[Label]) -> None:
        for label in labels:
            labelled = self._by_label[label]
            labelled.remove(creation)
            if not labelled:
                del self._by_label[label]

    def created_before(self, created_before: str) -> Iterator[str]:
        """Yield the ids of the sessions that were created before the time stamp."""
        return (session_id for _, session_id in self._by_creation.between(("", ""), (created_before, "")))

    async def list_summaries(
        self, wanted: SessionFilter, limit: int, after: PageCursor | None
    ) -> Sequence[SessionSummary]:
        """Return a page of sessions, newest first; see `Lists.list_summaries`."""
        found = filter(None, map(self._load, self._find(wanted, limit, after)))
        return [summary_of(each) for each in islice((each for each in found if _is_of(wanted, each)), limit)]

    async def load_summaries(self, session_ids: Collection[str]) -> Mapping[str, SessionSummary]:
        """Return the sessions that there are; see `Lists.load_summaries`."""
        return {each: summary_of(record) for each in session_ids if (record := self._load(each)) is not None}

    async def count_by_status(self) -> Mapping[SessionStatus, int]:
        """Return how many sessions there are."""
        return {status: len(keys) for status, keys in self._by_status.items() if keys}

    def _find(self, wanted: SessionFilter, limit: int, after: PageCursor | None) -> Iterator[str]:
        """Yield the ids of all sessions of a list that follow on `after`, in its order, and perhaps those of others.

        The caller needs `limit` of them.
        """
        end = None if after is None else (after.created_at, after.session_id)
        fewest = min(self._sets_of(wanted), key=len)
        start, stop = (wanted.prefix,), end_of_prefix(wanted.prefix)
        before_stop = None if stop is None else (stop,)
        count = self._by_id.count_between(start, before_stop)
        if count * count > limit * len(fewest):  # So many that the caller soon finds enough of them among the others.
            return (session_id for _, session_id in fewest.below(end))
        found = ((created_at, session_id) for session_id, created_at in self._by_id.between(start, before_stop))
        page = sorted((each for each in found if end is None or each < end), reverse=True)
        return (session_id for _, session_id in page)

    def _sets_of(self, wanted: SessionFilter) -> Iterator[SortedKeys[_Creation]]:
        yield self._by_creation
        for label in wanted.labels:
            yield self._by_label.get(label, SortedKeys())
        if wanted.status is not None:
            yield self._by_status.get(wanted.status, SortedKeys())


def summary_of(record: Record) -> SessionSummary:
    """Return a session as lists show it."""
    progress = record.session.progress
    listed = session_json.encode_listed(record.session)
    return SessionSummary(progress.session_id, progress.status, progress.created_at, progress.updated_at, listed)


def _is_of(wanted: SessionFilter, record: Record) -> bool:
    progress = record.session.progress
    return wanted.matches(progress.session_id, progress.status, progress.details.labels)


def _creation(progress: SessionProgress) -> _Creation:
    return progress.created_at, progress.session_id
