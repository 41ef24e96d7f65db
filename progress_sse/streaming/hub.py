"""Hands each change of a session to whoever reads it here.

A session with readers has one `Channel`: the session as last heard of, the newest transitions, and its readers. A
reader is a `Subscription`: a bounded queue over one session or several. The rules:

* **Replay and live meet in one place**, `Hub.join`. The channel listens before it looks. What a reader missed is
  worked out from the channel and, further back, from the store; and between that and the reader's place among the
  readers nothing is awaited. So there is no gap and no repeat, by construction.
* **A channel trusts numbers, not deliveries.** A notice that does not follow on what it has is a gap, and a gap is
  bridged by a snapshot. A transition that it already has is dropped.
* **A queue has a bound, and overflow has a name.** A reader that falls behind is *lagging*: its queue is dropped, and
  what it gets next is one snapshot of how things are when it is ready for it.
* **A channel without readers is gone**, with everything it held.
* **No reader is another one's trouble.** One that cannot be written to is let go, and the others hear nothing of it.

What must not go in here: how bytes get to a client (``body_writer``), rules (``machine``), storage (``backends``).
"""

import asyncio
from collections import Counter

from progress_sse._internal.histogram import Histogram
from progress_sse.store.backend import Backend
from progress_sse.streaming.channel import Channel, Resync
from progress_sse.streaming.resume_point import Resume
from progress_sse.streaming.subscriber import Member, Subscription
from progress_sse.wire.frames import FrameBatch


class Hub:
    """The channels of this process.

    Attributes:
        deliveries: How many events were handed to readers, each to each of them.
        delivery_seconds: From the news of a change to when it was written to the last of the readers that keep up.
        replays: How many readers came back and got exactly what they had missed.
        resyncs: How many got a snapshot in place of transitions, by the reason.
    """

    def __init__(self, backend: Backend, *, retry_ms: int) -> None:
        """Serve readers from `backend`; each snapshot tells them to wait `retry_ms` before they reconnect."""
        self.deliveries = 0
        self.delivery_seconds = Histogram()
        self.replays = 0
        self.resyncs: Counter[Resync] = Counter()
        self._backend = backend
        self._retry_ms = retry_ms
        self._channels: dict[str, Channel] = {}
        self._to_flush: list[Channel] = []

    @property
    def channel_count(self) -> int:
        """How many sessions have readers here."""
        return len(self._channels)

    @property
    def reader_count(self) -> int:
        """How many readers there are, each counted once for each of its sessions."""
        return sum(len(channel.members) for channel in self._channels.values())

    def flush_soon(self, channel: Channel) -> None:
        """Flush the channel at the end of this turn of the event loop, together with all others."""
        if not self._to_flush:
            asyncio.get_running_loop().call_soon(self._flush)
        self._to_flush.append(channel)

    def _flush(self) -> None:
        channels, self._to_flush = self._to_flush, []
        for channel in channels:
            channel.flush()

    def join_nowait(self, subscription: Subscription, session_id: str, resume: Resume | None) -> bool:
        """Seat a reader without asking the store, and return whether that was possible; see `join`."""
        channel = self._channels.get(session_id)
        missed = channel.missed(resume) if channel is not None and channel.is_open else None
        if channel is None or missed is None:
            return False
        channel.users += 1  # The seat's, from here on.
        self.replays += resume is not None
        subscription.attach(Member(subscription, channel), missed)
        return True

    async def join(self, subscription: Subscription, session_id: str, resume: Resume | None = None) -> None:
        """Seat a reader at a session: first what it missed or a snapshot, then every change, in order.

        Args:
            subscription: The reader.
            session_id: The session; it need not exist.
            resume: Tells where the reader was; `None` for one that comes afresh.

        Raises:
            StoreUnavailableError: The store does not answer; nothing was changed, and joining may be tried again.
        """
        channel = self._acquire(session_id)
        try:
            await channel.open()
            missed = channel.missed(resume)
            if missed is None:
                assert resume is not None
                missed = await self._looked_up(channel, resume)
            elif resume is not None:
                self.replays += 1
        except BaseException:
            self.release(channel)
            raise
        if subscription.is_closed:
            self.release(channel)
        else:
            subscription.attach(Member(subscription, channel), missed)

    async def _looked_up(self, channel: Channel, resume: Resume) -> FrameBatch:
        position = resume(channel.position)
        if position is None or not channel.has_passed(position):
            # The id is news to this process: the store may know more.
            await channel.refresh()
            position = resume(channel.position)
        missed = None if position is None else await channel.recall(position)
        if missed is None:
            self.resyncs["forgotten"] += 1
            return channel.snapshot()
        self.replays += 1
        return FrameBatch(missed)

    def _acquire(self, session_id: str) -> Channel:
        channel = self._channels.get(session_id)
        if channel is None:
            channel = self._channels[session_id] = Channel(session_id, self, self._backend, self._retry_ms)
        channel.users += 1
        return channel

    def release(self, channel: Channel) -> None:
        """Give up one use of a channel; the last one closes it."""
        channel.users -= 1
        if channel.users == 0:
            del self._channels[channel.session_id]
            channel.close()
