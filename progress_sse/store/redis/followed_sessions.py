"""The sessions that somebody in this process follows, and who is to be told what.

News of a session comes in two ways that know nothing of each other's order: from the server, of whatever anybody
committed, and from our own commits, whose listeners hear of them before the worker is answered. Revisions put them in
order: what is not newer than the last thing told is an echo. And each notice follows on the one before; where
something is missing in between, the session is read, with the transitions that are missing.

A server that forgets, or is put back to an earlier time, publishes nothing. So each process looks at some of its
sessions now and then, in turn; where it finds one gone or begun anew without a message, it looks at all of them.
"""

import asyncio
import itertools
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from progress_sse._internal.cancel_tasks import cancel
from progress_sse.core.errors import ProblemError
from progress_sse.core.model import Position
from progress_sse.store.redis.codec import NOTHING, Known, Reading
from progress_sse.store.redis.messages import Bulletin, decode_bulletin, folded
from progress_sse.store.types import Change, Listener, LogEntry, Notification, Record

CATCHING_UP_AT_ONCE: Final = 100
"""Sessions that are read at the same time after a gap; more would only wait for each other."""

CATCHING_UP_PAUSE_S: Final = 1.0
"""Seconds until a session that could not be read after a gap is tried again."""

ROUND_INTERVAL_S: Final = 5.0
"""Seconds between two looks at some of the sessions."""

LOOKED_AT_AT_ONCE: Final = 100
"""How many these are: enough to notice at once what befalls all, and few enough to cost nothing."""

logger = logging.getLogger(__name__)

_FORMER_LIVES: Final = 8

Read: TypeAlias = Callable[[str, Position], Awaitable[Reading]]
"""Reads a session, and its transitions after the position."""


@dataclass(eq=False, slots=True)
class Followed:
    """One session that has listeners here.

    Attributes:
        session_id: The session.
        listeners: Who is told.
        shown: How the session was when its listeners were last told of it, or when it was first read after they came;
            `None` before that.
        told: The revision of the last thing that they were told.
        read: What was read of it last, for whatever reason.
        former: Epochs that are over.
    """

    session_id: str
    listeners: list[Listener] = field(default_factory=list)
    shown: Known | None = None
    told: int = 0
    read: Known = NOTHING
    former: deque[str] = field(default_factory=lambda: deque(maxlen=_FORMER_LIVES))

    @property
    def record(self) -> Record | None:
        """The session as its listeners know it."""
        return self.shown.record if self.shown is not None else None

    @property
    def newest(self) -> Known:
        """How the session was at last, whether its listeners were told of it or not."""
        return self.read if self.shown is None or self.shown.revision < self.read.revision else self.shown

    def note_read(self, reading: Reading) -> None:
        """Take notice of what somebody read."""
        if reading.revision >= self.read.revision:
            self.read = Known(reading.record, reading.revision)
        if self.shown is None:
            self.shown = self.read

    def is_in_another_life(self, reading: Reading) -> bool:
        """Whether what was read does not go on from what the listeners know."""
        known = _epoch(self.record)
        return known is not None and known != _epoch(reading.record)

    def is_outdated(self, news: Bulletin) -> bool:
        """Whether the news is an echo, or of a life that is known to be over."""
        epoch = news.position.epoch if news.position is not None else None
        if epoch in self.former:
            return True
        if news.revision <= self.told:
            return epoch is None or epoch == _epoch(self.record)
        if self.shown is not None and news.revision < self.shown.revision:
            return True
        return news.revision < self.read.revision and epoch != _epoch(self.read.record)

    def tell(self, notification: Notification, revision: int) -> None:
        """Tell the listeners, and remember that they were."""
        before = _epoch(self.record)
        if before is not None and before != _epoch(notification.record):
            self.former.append(before)
        self.shown, self.told = Known(notification.record, revision), revision
        for listener in tuple(self.listeners):
            listener(notification)


class Following:
    """All followed sessions, by their channels."""

    def __init__(self, read: Read) -> None:
        """Follow nothing yet; `read` asks the store."""
        self._read = read
        self._followed: dict[str, Followed] = {}
        self._behind: dict[str, None] = {}
        self._catching_up: asyncio.Task[None] | None = None
        self._rounds: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin to look whether anything was forgotten."""
        self._rounds = asyncio.get_running_loop().create_task(self._look_round())

    def get(self, channel: str) -> Followed | None:
        """Return the session of a channel, if somebody follows it."""
        return self._followed.get(channel)

    def add(self, channel: str, session_id: str, listener: Listener) -> None:
        """Tell `listener` of the session's changes from now on."""
        followed = self._followed.setdefault(channel, Followed(session_id))
        followed.listeners.append(listener)

    def remove(self, channel: str, listener: Listener) -> bool:
        """Tell `listener` no more, and return whether nobody is left; one that was not added is no error."""
        followed = self._followed.get(channel)
        if followed is None or listener not in followed.listeners:
            return False
        followed.listeners.remove(listener)
        if followed.listeners:
            return False
        del self._followed[channel]
        return True

    async def aclose(self) -> None:
        """Follow nothing any more."""
        self._followed.clear()
        for task in filter(None, (self._rounds, self._catching_up)):
            await cancel(task)

    def hear(self, channel: str, payload: bytes) -> None:
        """Take in what some process has committed."""
        followed = self._followed.get(channel)
        if followed is None:
            return
        try:
            self._take_in(channel, followed, decode_bulletin(payload))
        except Exception:  # Anybody may publish anything.
            logger.exception("a message could not be taken in")
            self.catch_up_soon(channel)

    def _take_in(self, channel: str, followed: Followed, news: Bulletin) -> None:
        if followed.is_outdated(news):
            return
        if news.position is None:
            followed.tell(Notification(followed.session_id, None), news.revision)
        elif (record := _following_record(followed, news)) is not None:
            followed.tell(Notification(followed.session_id, record, news.is_fresh, news.entries), news.revision)
        else:
            self.catch_up_soon(channel)

    async def settle(self, channel: str, change: Change, revision: int | None) -> None:
        """Tell whoever follows a session of our own commit, and all that led to it.

        Args:
            channel: Its channel.
            change: What was committed.
            revision: What it has since; `None` if others may have moved it on meanwhile.
        """
        followed = self._followed.get(channel)
        if followed is None:
            return
        if change.expected is not None and change.is_fresh:
            followed.former.append(change.expected.epoch)
        if revision is None or not _follows(followed, change):
            if revision is None or revision > followed.told:
                await self._catch_up_or_try_again(channel)
        elif revision > followed.told:
            followed.tell(Notification(change.session_id, change.record, change.is_fresh, change.entries), revision)

    def catch_up_soon(self, channel: str) -> None:
        """Look what has become of a session of which something was missed."""
        self._behind[channel] = None
        if self._catching_up is None or self._catching_up.done():
            self._catching_up = asyncio.get_running_loop().create_task(self._catch_up_all())

    async def _catch_up_all(self) -> None:
        while self._behind:
            some = [channel for channel, _ in zip(tuple(self._behind), range(CATCHING_UP_AT_ONCE), strict=False)]
            for channel in some:
                del self._behind[channel]
            if failed := await self._catch_up_some(some):
                self._behind.update(dict.fromkeys(failed))
                await asyncio.sleep(CATCHING_UP_PAUSE_S)

    async def _catch_up_some(self, channels: Sequence[str]) -> Sequence[str]:
        """Return the channels of which nothing could be learnt."""
        outcomes = await asyncio.gather(*map(self._catch_up, channels), return_exceptions=True)
        for unforeseen in (each for each in outcomes if each is not None and not isinstance(each, ProblemError)):
            logger.error("a session could not be read after a gap", exc_info=unforeseen)
        return [channel for channel, outcome in zip(channels, outcomes, strict=True) if outcome is not None]

    async def _look_round(self) -> None:
        while True:
            await asyncio.sleep(ROUND_INTERVAL_S)
            some = list(itertools.islice(self._followed, LOOKED_AT_AT_ONCE))
            for channel in some:
                self._followed[channel] = self._followed.pop(channel)  # To the end: next time it is others' turn.
            lives = {channel: epoch for channel in some if (epoch := self._epoch_of(channel)) is not None}
            await self._catch_up_some(some)
            if any(channel in self._followed and self._epoch_of(channel) != lives[channel] for channel in lives):
                for channel in self._followed:
                    self.catch_up_soon(channel)

    def _epoch_of(self, channel: str) -> str | None:
        followed = self._followed.get(channel)
        return _epoch(followed.record) if followed is not None else None

    async def _catch_up_or_try_again(self, channel: str) -> None:
        try:
            await self._catch_up(channel)
        except ProblemError:
            self.catch_up_soon(channel)

    async def _catch_up(self, channel: str) -> None:
        followed = self._followed.get(channel)
        if followed is None:
            return
        told, record = followed.told, followed.record
        reading = await self._read(followed.session_id, record.position if record else Position("", 0))
        if followed.told == told or reading.revision > followed.told:
            _bring_up_to_date(followed, reading)


def _epoch(record: Record | None) -> str | None:
    return record.position.epoch if record is not None else None


def _following_record(followed: Followed, news: Bulletin) -> Record | None:
    """Return the session as the news leave it, if that follows from what its listeners know."""
    shown = followed.shown
    if shown is None or shown.record is None:
        return None
    if news.revision == shown.revision and news.position == shown.record.position:
        return shown.record
    return folded(shown.record, news) if news.previous == shown.revision else None


def _follows(followed: Followed, change: Change) -> bool:
    """Whether nothing is missing between what the listeners know and the change."""
    if followed.shown is None:
        return True
    known = followed.record
    return (known.position if known else None) == change.expected


def _bring_up_to_date(followed: Followed, reading: Reading) -> None:
    known, record = followed.record, reading.record
    if record is None:
        if known is not None or followed.shown is None:
            followed.tell(Notification(followed.session_id, None), reading.revision)
        return
    is_same_life = known is not None and known.position.epoch == record.position.epoch
    if known is not None and is_same_life and record.position.offset <= known.position.offset:
        return
    # Of a life whose beginning nobody here has heard of, that is part of the news, if it is known.
    start = known.position.offset if known is not None and is_same_life else 0
    entries: tuple[LogEntry, ...] = tuple(entry for entry in reading.entries if entry.offset > start)
    is_whole = followed.shown is not None and len(entries) == record.position.offset - start
    is_fresh = is_whole and not is_same_life
    followed.tell(Notification(followed.session_id, record, is_fresh, entries if is_whole else ()), reading.revision)
