"""One list of sessions that has subscribers in this process."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from progress_sse._internal.backoff import Backoff
from progress_sse._internal.cancel_tasks import has_failed
from progress_sse.core.errors import ProblemError
from progress_sse.core.model import Position
from progress_sse.core.session_filter import SessionFilter
from progress_sse.store.backend import FullBackend
from progress_sse.store.types import ChangedSession, SessionSummary
from progress_sse.streaming.delivery_counts import DeliveryCounts
from progress_sse.streaming.list_index import ListIndex
from progress_sse.streaming.list_window import WINDOW, ListEvent, ListWindow
from progress_sse.streaming.publisher import Publisher
from progress_sse.wire import sse
from progress_sse.wire.frames import Frame, FrameBatch

logger = logging.getLogger(__name__)

RELOAD_PAUSES_S: Final = (0.25, 2.0)
"""Seconds, at most, between two readings of a list: after the first, and after any."""

OLDER_AT_ONCE: Final = 20
"""Older sessions that are looked at each time a list is read; after a gap, all are."""

_NOWHERE: Final = Position("", 0)
"""The position of all events of a list, which have no ids."""


class ListChannel(Publisher):
    """A list, as the subscribers in this process see it."""

    is_completed = False

    def __init__(
        self,
        wanted: SessionFilter,
        backend: FullBackend,
        counts: DeliveryCounts,
        flush_soon: Callable[[Publisher], None],
        retry_ms: int,
        read_soon: Callable[[Iterable[str]], None],
        on_change: Callable[[ChangedSession], None],
        index: "ListIndex[ListChannel]",
    ) -> None:
        """Begin with an empty list; `open` reads it.

        Args:
            wanted: The list.
            backend: Where it is read.
            counts: Counts its deliveries.
            flush_soon: Sees to it that `flush` is called.
            retry_ms: Milliseconds after which a client comes back.
            read_soon: Sees to it that sessions are read, and `apply` is called for each of them.
            on_change: Does the same, as soon as one more change of a session may be told.
            index: Finds it by what it loads and shows.
        """
        super().__init__("", _NOWHERE, counts, flush_soon)
        self.wanted = wanted
        self._backend = backend
        self._retry_ms = retry_ms
        self._read_soon = read_soon
        self._on_change = on_change
        self._index = index
        self._window = ListWindow(wanted, partial(index.note_shown, self))
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
        self._opening = self._reloading = None
        self._window.reset(())

    def on_gap(self) -> None:
        """Take note that changes of any session may have been missed."""
        self._may_miss_any = True
        self.reload_soon()

    def reload_soon(self) -> None:
        """Read the list again, and some of the older sessions that were told."""
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
            may_miss_any, self._may_miss_any = self._may_miss_any, False
            meanwhile = self._changed_meanwhile = {}
            self._index.loading[self] = None
            try:
                summaries = await self._backend.lists.list_summaries(self.wanted, WINDOW + 1, None)
            except BaseException:
                self._may_miss_any |= may_miss_any
                raise
            finally:
                self._changed_meanwhile = None
                self._index.loading.pop(self, None)
        news, self._snapshot = self._window.reset(summaries, meanwhile), None
        for event in news.events:
            self._tell(event)
        for summary in news.changed:
            self._on_change(ChangedSession(summary.session_id, summary.status))
        older = self._window.older if may_miss_any else self._window.next_older(OLDER_AT_ONCE)
        self._read_soon((*meanwhile, *older))
        self._fill_soon()

    def apply(self, session_id: str, summary: SessionSummary | None) -> None:
        """Take a session as it was read just now; `None` if there is none."""
        if self._changed_meanwhile is not None:
            self._changed_meanwhile[session_id] = None
        event = self._window.apply(session_id, summary)
        if event is not None:
            self._tell(event)
        self._fill_soon()

    def _fill_soon(self) -> None:
        if self._window.is_short:
            self.reload_soon()

    def _tell(self, event: ListEvent) -> None:
        self._snapshot = None
        self._publish(Frame(_NOWHERE, sse.encode_event(event.name, event.data), 0))

    def snapshot(self) -> FrameBatch:
        """Return the list as an event."""
        if self._snapshot is None:
            event = sse.encode_event("list", self._window.encode(), retry_ms=self._retry_ms)
            self._snapshot = FrameBatch([Frame(_NOWHERE, event, 0)])
        return self._snapshot
