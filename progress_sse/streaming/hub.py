"""Hands each change of a session to its subscribers in this process.

A session with subscribers has one `Channel`: its last known record, its newest transitions, and its subscriptions. A
`Subscriber` is a bounded queue over one session or several. The rules:

* **Replay and live meet in one place**, `Hub.subscribe`. The channel listens before it loads the session. The frames
  that a subscriber missed come from the channel and, further back, from the store. Nothing is awaited between that and
  the moment at which the subscription is added. So there is no gap and no repetition.
* **A channel goes by offsets, not by deliveries.** A notification that does not follow on the channel's position is a
  gap, and a snapshot bridges it. A transition that the channel already has is dropped.
* **A queue is bounded.** A subscriber that falls behind is *lagging*: its queue is dropped. When it is ready again, it
  gets one snapshot of the session's state at that moment.
* **A channel without users is closed**, with everything it held.
* **Subscribers are isolated.** One that cannot be written to is closed, and the others are not affected.

What must not go in here: how bytes get to a client (``body_writer``), rules (``core.state_machine``), storage
(``store``).
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

from progress_sse.store.backend import FullBackend
from progress_sse.store.types import Record
from progress_sse.streaming.channel import Channel, Watcher
from progress_sse.streaming.lists import Lists
from progress_sse.streaming.publisher import Delivery, DeliveryCounts, Publisher
from progress_sse.streaming.subscriber import Subscriber
from progress_sse.wire.cursor import ResumePoint
from progress_sse.wire.frames import FrameBatch


class Hub:
    """The channels of this process.

    Attributes:
        counts: The counts of its deliveries.
        lists: The lists of sessions that are followed in this process.
    """

    def __init__(self, backend: FullBackend, *, retry_ms: int) -> None:
        """Serve subscribers from `backend`; each snapshot makes clients wait `retry_ms` before they reconnect."""
        self.counts = DeliveryCounts()
        self._backend = backend
        self._delivery = Delivery(backend, self.counts, self._flush_soon, retry_ms)
        self._channels: dict[str, Channel] = {}
        self._to_flush: list[Publisher] = []
        self.lists = Lists(self._delivery)

    @property
    def channel_count(self) -> int:
        """How many sessions have subscribers in this process."""
        return len(self._channels)

    @property
    def subscription_count(self) -> int:
        """How many subscriptions there are: one per subscriber and session."""
        return sum(len(channel.subscriptions) for channel in self._channels.values())

    def _flush_soon(self, channel: Publisher) -> None:
        """Flush the channel at the end of this turn of the event loop, together with all others."""
        if not self._to_flush:
            asyncio.get_running_loop().call_soon(self._flush)
        self._to_flush.append(channel)

    def _flush(self) -> None:
        channels = self._to_flush
        self._to_flush = []
        for channel in channels:
            channel.flush()

    def new_subscriber(
        self, session_count: int, on_wake: Callable[[], None], *, reads_lines: bool = False
    ) -> Subscriber:
        """Return a subscriber of so many sessions, or of one list, without subscriptions; `subscribe` adds them."""
        return Subscriber(session_count, on_wake, self.counts, reads_lines=reads_lines)

    def subscribe_nowait(self, subscriber: Subscriber, session_id: str, resume_point: ResumePoint | None) -> bool:
        """Subscribe without a read of the store, and return whether that was possible; see `subscribe`."""
        channel = self._channels.get(session_id)
        missed = channel.missed(resume_point) if channel is not None and channel.is_open else None
        if channel is None or missed is None:
            return False
        channel.use_count += 1  # Counts for the subscription.
        self.counts.replays += resume_point is not None
        subscriber.add(channel, missed)
        return True

    async def subscribe(self, subscriber: Subscriber, session_id: str, resume_point: ResumePoint | None = None) -> None:
        """Subscribe to a session: first the missed frames or a snapshot, then every change, in order.

        Args:
            subscriber: The subscriber.
            session_id: The session; it need not exist.
            resume_point: Where the subscriber goes on; `None` for a new one.

        Raises:
            StoreUnavailableError: The store does not answer; nothing was changed, and the call may be repeated.
        """
        channel = self._acquire(session_id)
        try:
            await channel.open()
            missed = channel.missed(resume_point)
            if missed is None:
                assert resume_point is not None
                missed = await self._replay_or_snapshot(channel, resume_point)
            elif resume_point is not None:
                self.counts.replays += 1
        except BaseException:
            channel.release()
            raise
        subscriber.add(channel, missed)

    async def _replay_or_snapshot(self, channel: Channel, resume_point: ResumePoint) -> FrameBatch:
        position = resume_point(channel.position)
        if position is None or not channel.has_passed(position):
            # This process does not know the position yet; the store may.
            await channel.refresh()
            position = resume_point(channel.position)
        missed = None if position is None else await channel.replay(position)
        if missed is None:
            self.counts.resyncs["forgotten"] += 1
            return channel.snapshot()
        self.counts.replays += 1
        return FrameBatch(missed)

    @asynccontextmanager
    async def watching(self, session_id: str, watcher: Watcher) -> AsyncIterator[None]:
        """Call `watcher` with the session after each change, as this process receives it.

        Raises:
            StoreUnavailableError: The store does not answer.
        """
        channel = self._acquire(session_id)
        try:
            await channel.open()
            channel.watchers[watcher] = None
            yield
        finally:
            channel.watchers.pop(watcher, None)
            channel.release()

    async def load(self, session_id: str) -> Record | None:
        """Return the session as the store has it."""
        return await self._backend.load(session_id)

    def _acquire(self, session_id: str) -> Channel:
        channel = self._channels.get(session_id)
        if channel is None:
            on_unused = partial(self._channels.pop, session_id)
            channel = Channel(session_id, self._delivery, on_unused)
            self._channels[session_id] = channel
        channel.use_count += 1
        return channel
