"""The lists of sessions that are followed in this process, each kept up to date from the changes of all sessions.

A change names its session and little more; the session is read when it is due (`DueChanges`), at most four times a
second, once for all lists that it may belong to. So what is published is never older than the change. A process in
which no list is followed receives no changes.
"""

import asyncio
import logging
import math
from collections import OrderedDict
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import Final, Literal, NamedTuple, TypeAlias

from progress_sse._internal.backoff import Backoff
from progress_sse._internal.tasks import has_failed
from progress_sse._internal.timetable import Timetable
from progress_sse.core.errors import ProblemError
from progress_sse.core.model import SessionStatus
from progress_sse.core.session_filter import SessionFilter
from progress_sse.store.listeners import ALL_CHANGES, Unsubscribe
from progress_sse.store.types import ChangedSession
from progress_sse.streaming.list_channel import ListChannel
from progress_sse.streaming.list_index import ListIndex
from progress_sse.streaming.publisher import RETRY_S, Delivery
from progress_sse.streaming.subscriber import Subscriber

INTERVAL_S: Final = 0.25
"""Seconds between two list updates of one session."""

_PublishedStatus: TypeAlias = SessionStatus | Literal["unread"] | None
"""The status of a session when it was published; `unread` while it is being read."""

_ENDED: Final[frozenset[SessionStatus | None]] = frozenset({None, "completed", "error"})


class _Published(NamedTuple):
    at: float
    status: _PublishedStatus


class DueChanges:
    """Limits list updates to four a second for each session; an end or a removal goes at once. Pure."""

    def __init__(self) -> None:
        self._at_once: dict[str, None] = {}
        self._later = Timetable[str]()
        self._published: OrderedDict[str, _Published] = OrderedDict()

    def add(self, change: ChangedSession, now: float) -> None:
        """Add a change."""
        session_id, status = change
        self._forget_published(now)
        published = self._published.get(session_id)
        is_end = status in _ENDED and (published is None or published.status != status)
        if published is None or is_end:
            self.add_now([session_id])
        elif session_id not in self._at_once and self._later.at(session_id) == math.inf:
            self._later.plan(session_id, published.at + INTERVAL_S)

    def add_now(self, session_ids: Iterable[str]) -> None:
        """Let sessions be due at once, as changes of them may have been missed."""
        for session_id in session_ids:
            self._later.plan(session_id, math.inf)
            self._at_once[session_id] = None

    def take(self, now: float, most: int) -> Sequence[str]:
        """Return sessions that are due, and count them as published: further changes wait for the interval."""
        self.add_now(self._later.take_due(now))
        taken = list(islice(self._at_once, most))
        for session_id in taken:
            del self._at_once[session_id]
            self.add_published(session_id, "unread", now)
        return taken

    def add_published(self, session_id: str, status: _PublishedStatus, now: float) -> None:
        """Record that a session was published with a status."""
        self._published.pop(session_id, None)
        self._published[session_id] = _Published(now, status)

    def wait_s(self, now: float) -> float | None:
        """Return the seconds until the next session is due; `None` if there is none."""
        due_at = now if self._at_once else self._later.wake_at()
        return None if due_at == math.inf else max(0.0, due_at - now)

    def _forget_published(self, now: float) -> None:
        while self._published and next(iter(self._published.values())).at <= now - INTERVAL_S:
            self._published.popitem(last=False)


logger = logging.getLogger(__name__)

READ_AT_ONCE: Final = 200
"""Sessions that are read together."""

CHECK_INTERVAL_S: Final = 2.0
"""Seconds between two looks at lists of a store that may forget sessions without a word."""

CHECKED_AT_ONCE: Final = 20
"""Lists that are looked at in turn."""


class Lists:
    """The lists that have subscribers in this process."""

    def __init__(self, delivery: Delivery) -> None:
        self._backend = delivery.backend
        self._delivery = delivery
        self._channels: dict[SessionFilter, ListChannel] = {}
        self._index = ListIndex()
        self._due = DueChanges()
        self._reading: Collection[str] = ()
        """Sessions that are being read, and may be found as they were before a change that arrives now."""
        self._is_woken = asyncio.Event()
        self._listening: asyncio.Task[Unsubscribe] | None = None
        self._running: list[asyncio.Task[None]] = []

    @property
    def count(self) -> int:
        """How many lists are followed."""
        return len(self._channels)

    @property
    def subscription_count(self) -> int:
        """How many subscribers they have together."""
        return sum(len(channel.subscriptions) for channel in self._channels.values())

    async def subscribe(self, subscriber: Subscriber, wanted: SessionFilter) -> None:
        """Subscribe to a list: first a `list` event, then every change.

        Raises:
            StoreUnavailableError: The store does not answer; nothing was changed, and the call may be repeated.
        """
        channel = self._acquire(wanted)
        try:
            await self._listen()
            await channel.open()
        except BaseException:
            channel.release()
            raise
        subscriber.add(channel, channel.snapshot())

    def _acquire(self, wanted: SessionFilter) -> ListChannel:
        channel = self._channels.get(wanted)
        if channel is None:
            channel = ListChannel(
                wanted, self._delivery, partial(self._drop, wanted), self._read_soon, self._on_change, self._index
            )
            self._channels[wanted] = channel
            self._index.add(wanted)
        channel.use_count += 1
        return channel

    def _drop(self, wanted: SessionFilter) -> None:
        self._index.remove(wanted)
        del self._channels[wanted]
        if not self._channels:
            self._stop()

    async def _listen(self) -> None:
        """Receive all changes from now on. Concurrent calls wait for the same attempt."""
        if self._listening is None or has_failed(self._listening):
            subscribing = self._backend.subscribe(ALL_CHANGES, self._on_change)
            self._listening = asyncio.get_running_loop().create_task(subscribing)
        await asyncio.shield(self._listening)
        if not self._running:
            runs = [self._run()] + ([self._check_in_turn()] if self._backend.lists.forgets_silently else [])
            self._running = [asyncio.get_running_loop().create_task(run) for run in runs]

    def _stop(self) -> None:
        if self._listening is not None and not self._listening.cancel() and not has_failed(self._listening):
            self._listening.result()()
        for task in self._running:
            task.cancel()
        self._listening = None
        self._running = []
        self._due = DueChanges()
        self._is_woken = asyncio.Event()

    def _on_change(self, change: ChangedSession | None) -> None:
        if change is None:
            for channel in self._channels.values():
                channel.on_gap()
        elif change.session_id in self._reading or self._index.concerns(change):
            self._due.add(change, _now())
            self._is_woken.set()

    def _read_soon(self, session_ids: Iterable[str]) -> None:
        self._due.add_now(session_ids)
        self._is_woken.set()

    async def _run(self) -> None:
        """Read the sessions that are due, and report each to the lists that it may concern."""
        backoff = Backoff(*RETRY_S)
        while True:
            wait_s = self._due.wait_s(_now())
            if wait_s != 0:
                await self._sleep(wait_s)
                continue
            session_ids = self._due.take(_now(), READ_AT_ONCE)
            try:
                await self._read(session_ids)
                backoff.reset()
            except Exception as error:
                if not isinstance(error, ProblemError):
                    logger.exception("sessions of lists could not be read")
                self._due.add_now(session_ids)
                await asyncio.sleep(backoff.next_s())

    async def _sleep(self, wait_s: float | None) -> None:
        self._is_woken.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._is_woken.wait()

    async def _read(self, session_ids: Iterable[str]) -> None:
        ids = list(session_ids)
        self._reading = ids
        try:
            summaries = await self._backend.lists.load_summaries(ids)
        finally:
            self._reading = ()
        now = _now()
        for session_id in ids:
            summary = summaries.get(session_id)
            self._due.add_published(session_id, None if summary is None else summary.status, now)
            for wanted in self._index.find(session_id, summary):
                self._channels[wanted].apply(session_id, summary)

    async def _check_in_turn(self) -> None:
        while True:
            await asyncio.sleep(CHECK_INTERVAL_S)
            for wanted, channel in list(islice(self._channels.items(), CHECKED_AT_ONCE)):
                self._channels[wanted] = self._channels.pop(wanted)  # To the end: the next ones are others.
                channel.reload_soon()


def _now() -> float:
    return asyncio.get_running_loop().time()
