"""One list of sessions that has subscribers in this process, and what they have received of it."""

import asyncio
import logging
from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from operator import attrgetter
from typing import Final, NamedTuple

from progress_sse._internal.backoff import Backoff
from progress_sse._internal.tasks import has_failed
from progress_sse.core.errors import ProblemError
from progress_sse.core.model import Position
from progress_sse.core.session_filter import SessionFilter
from progress_sse.store.types import ChangedSession, SessionSummary
from progress_sse.streaming.list_index import ListIndex
from progress_sse.streaming.publisher import Delivery, Publisher
from progress_sse.wire import session_json, sse
from progress_sse.wire.frames import Frame, FrameBatch

WINDOW: Final = 100
"""Sessions that a `list` event has."""

MAX_OLDER: Final = 1000
"""Older sessions that are remembered."""

_ORDER: Final = attrgetter("order")


class ListEvent(NamedTuple):
    """An event of a list: its name and data."""

    name: str
    data: bytes


class Reset(NamedTuple):
    """What is new in a list that was read.

    Attributes:
        events: The events of the sessions that have come and gone.
        changed: Those that changed; they stay as they were published, until `apply`.
    """

    events: Sequence[ListEvent]
    changed: Sequence[SessionSummary]


class ListWindow:
    """What the followers of a list have received: its newest sessions, and which older ones. Pure.

    Changes of older sessions are published too. The latest of those are remembered, so that their end is published.

    Attributes:
        wanted: The list.
        has_more: Whether there are older sessions than those of the window.
        is_short: Whether a session of the window has gone, so that the next older one belongs there.
    """

    def __init__(self, wanted: SessionFilter, note_shown: Callable[[str, bool], None]) -> None:
        """Begin with no sessions; `note_shown` is called as one comes (`True`) or goes, the older ones included."""
        self.wanted = wanted
        self._note_shown = note_shown
        self.has_more = False
        self.is_short = False
        self._newest: list[SessionSummary] = []
        """Oldest first."""
        self._entries: dict[str, SessionSummary] = {}
        self._older: OrderedDict[str, int] = OrderedDict()
        """The hash of each as it was published: that takes less memory, and shows a change."""
        self._next_older = 0

    @property
    def older(self) -> Sequence[str]:
        """The sessions beyond the window that were published."""
        return tuple(self._older)

    def next_older(self, most: int) -> Sequence[str]:
        """Return some of the sessions beyond the window, the next ones each time."""
        older = self.older
        begin = self._next_older if self._next_older < len(older) else 0
        self._next_older = begin + most
        return older[begin : begin + most]

    def encode(self) -> bytes:
        """Return the data of a `list` event."""
        return session_json.encode_list([each.listed for each in reversed(self._newest)], has_more=self.has_more)

    def apply(self, session_id: str, summary: SessionSummary | None) -> ListEvent | None:
        """Take a session as it was read (`None`: there is none), and return the event of its change, if any."""
        if summary is None or not summary.is_of(self.wanted):
            return self._remove(session_id)
        if self._is_as_published(summary):
            return None
        self._put(summary)
        return _session_event(summary)

    def _is_as_published(self, summary: SessionSummary) -> bool:
        """Return whether a session was published as it is, and is still within the window, or still beyond it."""
        published = self._entries.get(summary.session_id)
        if published is not None:
            return published == summary
        return self._older.get(summary.session_id) == hash(summary) and self._is_beyond(summary)

    def _is_beyond(self, summary: SessionSummary) -> bool:
        return self.has_more and (not self._newest or summary.order < self._newest[0].order)

    def reset(self, summaries: Sequence[SessionSummary], unsure: Collection[str] = ()) -> Reset:
        """Take the newest sessions as they were read.

        Args:
            summaries: One more than the window has, or all of the list.
            unsure: Sessions that were read on their own meanwhile, and so perhaps later. They stay as they were
                published, until `apply`.
        """
        former = self._entries
        self._newest = []
        self._entries = {}
        self.has_more = len(summaries) > WINDOW
        self.is_short = False
        changed: list[SessionSummary] = []
        events: list[ListEvent] = []
        for each in summaries[:WINDOW]:
            was = former.get(each.session_id)
            if was is not None and (was.order == each.order or each.session_id in unsure):
                self._insert(was)
                changed += [each] if was != each else []
            elif each.session_id in unsure and each.session_id not in self._older:
                self.is_short |= self.has_more  # It was gone when it was read.
            else:
                self._older.pop(each.session_id, None)
                self._insert(each)
                events.append(_session_event(each))
        gone = self._take_out_gone(former, summaries, unsure)
        for session_id in gone:
            self._note_shown(session_id, False)
        for session_id in unsure:
            if session_id in former and session_id not in self._entries:
                self._put(former[session_id])
        return Reset(events + [_gone_event(each) for each in gone], changed)

    def _take_out_gone(
        self, former: dict[str, SessionSummary], summaries: Sequence[SessionSummary], unsure: Collection[str]
    ) -> list[str]:
        """Return which of the published sessions have gone, and remember those that are beyond the window now."""
        gone = [each for each in former if each not in self._entries and each not in unsure]
        if not self.has_more:
            lost = [each for each in self._older if each not in unsure]
            for session_id in lost:
                del self._older[session_id]
            return gone + lost
        older = [each for each in gone if former[each].order < summaries[WINDOW - 1].order]
        for session_id in older:
            self._remember_older(former[session_id])
        return [each for each in gone if each not in self._older]

    def _remove(self, session_id: str) -> ListEvent | None:
        if session_id in self._entries:
            self._take_out(session_id)
            self.is_short |= self.has_more
        elif session_id in self._older:
            del self._older[session_id]
        else:
            return None
        self._note_shown(session_id, False)
        return _gone_event(session_id)

    def _put(self, summary: SessionSummary) -> None:
        if summary.session_id in self._entries:
            was = self._entries[summary.session_id]
            self._take_out(summary.session_id)
            self.is_short |= self.has_more and summary.order < was.order
        self._older.pop(summary.session_id, None)
        if self._is_beyond(summary):
            self._remember_older(summary)
            return
        self._insert(summary)
        if len(self._newest) > WINDOW:
            self.has_more = True
            oldest = self._newest[0]
            self._take_out(oldest.session_id)
            self._remember_older(oldest)

    def _insert(self, summary: SessionSummary) -> None:
        insort(self._newest, summary, key=_ORDER)
        self._entries[summary.session_id] = summary
        self._note_shown(summary.session_id, True)

    def _take_out(self, session_id: str) -> None:
        order = self._entries.pop(session_id).order
        del self._newest[bisect_left(self._newest, order, key=_ORDER)]

    def _remember_older(self, published: SessionSummary) -> None:
        self._older[published.session_id] = hash(published)
        self._note_shown(published.session_id, True)
        if len(self._older) > MAX_OLDER:
            self._note_shown(self._older.popitem(last=False)[0], False)


def _session_event(summary: SessionSummary) -> ListEvent:
    return ListEvent("session", session_json.encode_listed_session(summary.listed))


def _gone_event(session_id: str) -> ListEvent:
    return ListEvent("removed", session_json.encode_removed(session_id))


logger = logging.getLogger(__name__)

RELOAD_PAUSES_S: Final = (0.25, 2.0)
"""Upper bounds of the random pause between two readings of a list, in seconds: after the first, after later ones."""

OLDER_AT_ONCE: Final = 20
"""Older sessions that are looked at each time a list is read; after a gap, all are."""

_NOWHERE: Final = Position("", 0)  # The position of all events of a list, which have no ids.


class ListChannel(Publisher):
    """A list, as the subscribers in this process see it."""

    is_completed = False

    def __init__(
        self,
        wanted: SessionFilter,
        delivery: Delivery,
        on_unused: Callable[[], object],
        read_soon: Callable[[Iterable[str]], None],
        on_change: Callable[[ChangedSession], None],
        index: ListIndex,
    ) -> None:
        """Begin with an empty list; `open` reads it.

        Args:
            wanted: The list.
            delivery: What all channels of the process share.
            on_unused: Called once the last use has ended and the channel is closed.
            read_soon: Sees to it that sessions are read, and `apply` is called for each of them.
            on_change: Does the same, as soon as one more change of a session may be published.
            index: Finds the list by what it loads and shows.
        """
        super().__init__("", _NOWHERE, delivery, on_unused)
        self.wanted = wanted
        self._read_soon = read_soon
        self._on_change = on_change
        self._index = index
        self._window = ListWindow(wanted, partial(index.note_shown, wanted))
        self._snapshot: FrameBatch | None = None
        self._opening: asyncio.Task[None] | None = None
        self._reloading: asyncio.Task[None] | None = None
        self._reloads_again = False
        self._may_miss_any = False
        self._loading = asyncio.Lock()
        self._changed_meanwhile: dict[str, None] | None = None

    async def open(self) -> None:
        """Read the list. Concurrent calls wait for the same reading, and the next one repeats a failed one."""
        if self._opening is None or has_failed(self._opening):
            self._opening = asyncio.get_running_loop().create_task(self._load())
        await asyncio.shield(self._opening)

    def close(self) -> None:
        """Stop reading, and show nothing."""
        for task in (self._opening, self._reloading):
            if task is not None:
                task.cancel()
        self._opening = None
        self._reloading = None
        self._window.reset(())

    def on_gap(self) -> None:
        """Read the list again: changes of any session may have been missed."""
        self._may_miss_any = True
        self.reload_soon()

    def reload_soon(self) -> None:
        """Read the list again, and some of the older sessions that were published."""
        self._reloads_again = True
        if self._reloading is None or self._reloading.done():
            self._reloading = asyncio.get_running_loop().create_task(self._reload())

    async def _reload(self) -> None:
        backoff = Backoff(*RELOAD_PAUSES_S)
        while self._reloads_again:
            self._reloads_again = False
            try:
                await self._load()
            except Exception as error:
                if not isinstance(error, ProblemError):
                    logger.exception("a list could not be read")
                self._reloads_again = True
            await asyncio.sleep(backoff.next_s())

    async def _load(self) -> None:
        """Read the list. What changes meanwhile is read once more: it may be older or newer than the list."""
        async with self._loading:
            may_miss_any = self._may_miss_any
            self._may_miss_any = False
            meanwhile: dict[str, None] = {}
            self._changed_meanwhile = meanwhile
            self._index.loading[self.wanted] = None
            try:
                summaries = await self._backend.lists.list_summaries(self.wanted, WINDOW + 1, None)
            except BaseException:
                self._may_miss_any |= may_miss_any
                raise
            finally:
                self._changed_meanwhile = None
                self._index.loading.pop(self.wanted, None)
        changes = self._window.reset(summaries, meanwhile)
        self._snapshot = None
        for event in changes.events:
            self._send(event)
        for summary in changes.changed:
            self._on_change(ChangedSession(summary.session_id, summary.status))
        older = self._window.older if may_miss_any else self._window.next_older(OLDER_AT_ONCE)
        self._read_soon((*meanwhile, *older))
        self._fill_soon()

    def apply(self, session_id: str, summary: SessionSummary | None) -> None:
        """Publish the change of a session, as it was read just now; `None` if there is none."""
        if self._changed_meanwhile is not None:
            self._changed_meanwhile[session_id] = None
        event = self._window.apply(session_id, summary)
        if event is not None:
            self._send(event)
        self._fill_soon()

    def _fill_soon(self) -> None:
        if self._window.is_short:
            self.reload_soon()

    def _send(self, event: ListEvent) -> None:
        self._snapshot = None
        self._publish(Frame(_NOWHERE, sse.encode_event(event.name, event.data), 0))

    def snapshot(self) -> FrameBatch:
        """Return the list as an event."""
        if self._snapshot is None:
            event = sse.encode_event("list", self._window.encode(), retry_ms=self._retry_ms)
            self._snapshot = FrameBatch([Frame(_NOWHERE, event, 0)])
        return self._snapshot
