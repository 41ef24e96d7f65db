"""The sessions that have listeners in this process, and how they are kept up to date; see ``followed_session``.

Where a message is missing before another one, the session is read, together with the missing transitions.

A server that loses data, or goes back to an earlier time, publishes nothing. So each process reads a rotating sample of
its sessions at intervals. If one of them is gone or has a new epoch without a message, all sessions are read.
"""

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias

from progress_sse._internal.tasks import cancel
from progress_sse.core.errors import ProblemError
from progress_sse.core.model import Position
from progress_sse.store.redis.codec import ReadResult
from progress_sse.store.redis.followed_session import FollowedSession
from progress_sse.store.redis.messages import decode_message
from progress_sse.store.types import Change, Notification, to_notification

logger = logging.getLogger(__name__)

CATCH_UP_BATCH: Final = 100
"""Sessions that are read at the same time after a gap; more would only wait for each other."""

CATCH_UP_RETRY_S: Final = 1.0
"""Seconds until a session that could not be read after a gap is tried again."""

POLL_INTERVAL_S: Final = 5.0
"""Seconds between two reads of a sample of the sessions."""

POLL_SAMPLE: Final = 100
"""Sessions in a sample: enough to notice a loss of all sessions at once, and few enough to cost nothing."""

Read: TypeAlias = Callable[[str, Position], Awaitable[ReadResult]]
"""Reads a session, and its transitions after the position."""


class FollowedSessions:
    """All followed sessions, by their channels."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._sessions: dict[str, FollowedSession] = {}
        self._to_catch_up: dict[str, None] = {}
        self._catching_up: asyncio.Task[None] | None = None
        self._polling: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin to poll for lost sessions."""
        self._polling = asyncio.get_running_loop().create_task(self._poll_rotating_sample())

    def get(self, channel: str) -> FollowedSession | None:
        """Return the session of a channel, if it has listeners."""
        return self._sessions.get(channel)

    def follow(self, channel: str, session_id: str, notify: Callable[[Notification], None]) -> None:
        """Call `notify` with the changes of a session; see `Follower`."""
        self._sessions[channel] = FollowedSession(session_id, notify)

    def leave(self, channel: str) -> None:
        """End that."""
        del self._sessions[channel]

    async def aclose(self) -> None:
        """Leave all sessions."""
        self._sessions.clear()
        for task in filter(None, (self._polling, self._catching_up)):
            await cancel(task)

    def on_message(self, channel: str, payload: bytes) -> None:
        """Notify the listeners of a commit that a process has published."""
        session, message = self._sessions[channel], decode_message(payload)
        if session.is_outdated(message):
            return
        if message.position is None:
            session.notify(Notification(session.session_id, None), message.revision)
        elif (record := session.next_record(message)) is not None:
            notification = Notification(session.session_id, record, message.is_fresh, message.entries)
            session.notify(notification, message.revision)
        else:
            session.awaits_snapshot |= message.is_told_whole
            self.on_gap(channel)

    def on_read(self, channel: str, result: ReadResult) -> None:
        """Remember a state that was read; notify the listeners if there was no message of what led to it."""
        session = self._sessions.get(channel)
        if session is not None:
            session.on_read(result)
            if session.is_in_another_epoch(result):  # A server that loses data sends no message.
                self.on_gap(channel)

    async def on_commit(self, channel: str, change: Change, revision: int | None) -> None:
        """Notify the listeners of a session of our own commit, and of all changes before it.

        `revision` is `None` if other processes may have changed the session since.
        """
        session = self._sessions.get(channel)
        if session is None:
            return
        if change.expected is not None and change.is_fresh:
            session.ended_epochs.append(change.expected.epoch)
        if revision is None or not session.is_next(change):
            if revision is None or revision > session.notified_revision:
                await self._catch_up_or_retry(channel)
        elif revision > session.notified_revision:
            session.notify(to_notification(change), revision)

    def on_gap(self, channel: str) -> None:
        """Read a session of which something was missed, and notify its listeners."""
        self._to_catch_up[channel] = None
        if self._catching_up is None or self._catching_up.done():
            self._catching_up = asyncio.get_running_loop().create_task(self._catch_up_all())

    async def _catch_up_all(self) -> None:
        while self._to_catch_up:
            batch = list(itertools.islice(self._to_catch_up, CATCH_UP_BATCH))
            for channel in batch:
                del self._to_catch_up[channel]
            if failed := await self._catch_up_batch(batch):
                self._to_catch_up.update(dict.fromkeys(failed))
                await asyncio.sleep(CATCH_UP_RETRY_S)

    async def _catch_up_batch(self, channels: Sequence[str]) -> Sequence[str]:
        """Return the channels whose session could not be read."""
        outcomes = await asyncio.gather(*map(self._catch_up, channels), return_exceptions=True)
        for unexpected in (each for each in outcomes if each is not None and not isinstance(each, ProblemError)):
            logger.error("A session could not be read after a gap", exc_info=unexpected)
        return [channel for channel, outcome in zip(channels, outcomes, strict=True) if outcome is not None]

    async def _poll_rotating_sample(self) -> None:
        while True:
            await asyncio.sleep(POLL_INTERVAL_S)
            sample = list(itertools.islice(self._sessions, POLL_SAMPLE))
            for channel in sample:
                self._sessions[channel] = self._sessions.pop(channel)  # To the end: the next sample is of others.
            epochs = {channel: epoch for channel in sample if (epoch := self._epoch_of(channel)) is not None}
            await self._catch_up_batch(sample)
            if any(channel in self._sessions and self._epoch_of(channel) != epochs[channel] for channel in epochs):
                for channel in self._sessions:
                    self.on_gap(channel)

    def _epoch_of(self, channel: str) -> str | None:
        session = self._sessions.get(channel)
        return session.epoch if session is not None else None

    async def _catch_up_or_retry(self, channel: str) -> None:
        try:
            await self._catch_up(channel)
        except ProblemError:
            self.on_gap(channel)

    async def _catch_up(self, channel: str) -> None:
        session = self._sessions.get(channel)
        if session is None:
            return
        notified_before, record = session.notified_revision, session.record
        result = await self._read(session.session_id, record.position if record else Position("", 0))
        if session.notified_revision == notified_before or result.revision > session.notified_revision:
            session.catch_up(result)
