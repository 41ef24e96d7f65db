"""Which lists a change of a session may concern. What it costs grows with those, not with all that are followed."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeVar

from progress_sse.core.model import SessionStatus
from progress_sse.core.session_filter import Label, SessionFilter
from progress_sse.store.types import ChangedSession, SessionSummary


class _Key(NamedTuple):
    """What the sessions of a list have in common, as far as it is looked up: of its labels and states, one each."""

    prefix: str
    label: Label | None
    state: str | None


class ListIndex:
    """Lists by a prefix, one label and each state, and by the sessions that they show.

    Attributes:
        loading: Lists that are being read: each change may concern them.
    """

    def __init__(self) -> None:
        self.loading: dict[SessionFilter, None] = {}
        self._keys: dict[SessionFilter, Sequence[_Key]] = {}
        self._by_key: defaultdict[_Key, dict[SessionFilter, None]] = defaultdict(dict)
        self._shown: defaultdict[str, dict[SessionFilter, None]] = defaultdict(dict)
        self._labels: Counter[Label | None] = Counter()
        """How many lists are under each label."""
        self._prefixes: Counter[tuple[str, SessionStatus | None]] = Counter()
        self._lengths: Counter[int] = Counter()
        """How many lists have a prefix of each length: there are few lengths, and there may be many prefixes."""

    def add(self, added: SessionFilter) -> None:
        """Add a list, under that of its labels that the fewest lists are under."""
        label = min(sorted(added.labels), key=self._labels.__getitem__, default=None)
        keys = [_Key(added.prefix, label, state) for state in added.states or (None,)]
        self._keys[added] = keys
        for key in keys:
            self._by_key[key][added] = None
        self._count(added, label, 1)

    def remove(self, removed: SessionFilter) -> None:
        """Forget a list that shows nothing any more."""
        keys = self._keys.pop(removed)
        for key in keys:
            _take_out(self._by_key, key, removed)
        self._count(removed, keys[0].label, -1)
        self.loading.pop(removed, None)

    def _count(self, followed: SessionFilter, label: Label | None, by: int) -> None:
        _add(self._labels, label, by)
        _add(self._lengths, len(followed.prefix), by)
        for status in followed.statuses:
            _add(self._prefixes, (followed.prefix, status), by)

    def note_shown(self, by: SessionFilter, session_id: str, is_shown: bool) -> None:
        """Note that a list shows a session, or no longer: it has to be found when the session stops matching."""
        if by.labels or by.states:
            if is_shown:
                self._shown[session_id][by] = None
            else:
                _take_out(self._shown, session_id, by)

    def concerns(self, change: ChangedSession) -> bool:
        """Return whether a change may concern a list, as far as it can be seen before the session is read."""
        if self.loading or change.session_id in self._shown:
            return True
        statuses = {None, change.status}
        return any(
            (prefix, status) in self._prefixes for prefix in self._beginnings(change.session_id) for status in statuses
        )

    def find(self, session_id: str, summary: SessionSummary | None) -> Sequence[SessionFilter]:
        """Return the lists that have to take a session as it was read, `None` if there is none.

        Raises:
            ValueError: Its entry is damaged.
        """
        found = {each: None for each in self.loading if session_id.startswith(each.prefix)}
        found.update(self._shown.get(session_id, {}))
        labels = () if summary is None or self._labels.keys() <= {None} else summary.labels.items()
        known = [None, *(label for label in labels if label in self._labels)]
        states = {None, None if summary is None else summary.state}
        for prefix in self._beginnings(session_id):
            for label in known:
                for state in states:
                    found.update(self._by_key.get(_Key(prefix, label, state), {}))
        return tuple(found)

    def _beginnings(self, session_id: str) -> Iterator[str]:
        return (session_id[:length] for length in self._lengths if length <= len(session_id))


Name = TypeVar("Name")


def _add(counter: Counter[Name], name: Name, by: int) -> None:
    counter[name] += by
    if not counter[name]:
        del counter[name]


def _take_out(groups: defaultdict[Name, dict[SessionFilter, None]], name: Name, each: SessionFilter) -> None:
    groups[name].pop(each, None)
    if not groups[name]:
        del groups[name]
