"""The log of one session, as its readers in this process get it.

Lines come in two ways: the backend notifies of those that are appended, and a read of the store brings those that are
not known, at the beginning and wherever the numbers show a gap. A reader gets the newest lines first, and then what
comes, in its place among the transitions: a feed and its channel hand over what they have before the other one goes on.

A flood is bounded. Lines that come soon after others wait a moment, so that one event has all of them. A reader that
does not take them gets the newest lines again (see ``subscriber``).
"""

import asyncio
import logging
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

from progress_sse._internal.backoff import Backoff
from progress_sse._internal.tasks import run_eagerly
from progress_sse.core.errors import StoreUnavailableError
from progress_sse.core.model import Position
from progress_sse.store.backend import FullBackend
from progress_sse.store.listeners import Unsubscribe, lines_of
from progress_sse.store.log_lines import StoredLines
from progress_sse.streaming.publisher import RETRY_S, DeliveryCounts, Publisher, Subscription
from progress_sse.wire import sse
from progress_sse.wire.frames import FrameBatch
from progress_sse.wire.log_lines_json import LinesShown, NumberedLine, encode_log_event

logger = logging.getLogger(__name__)


class LineBatch(FrameBatch):
    """A `log` event, encoded once for all readers. It has no id, so that a client comes back to the transitions alone.

    Attributes:
        shown: The lines.
    """

    __slots__ = ("shown",)

    def __init__(self, session_id: str, shown: LinesShown) -> None:
        super().__init__((), sse.encode_event("log", encode_log_event(session_id, shown)))
        self.shown = shown


MAX_TAIL_LINES: Final = 200
MAX_TAIL_BYTES: Final = 32_768
"""Lines, and bytes of them, that a reader gets first."""


class LineTail:
    """The newest lines, at most `MAX_TAIL_LINES` and `MAX_TAIL_BYTES` of them; a longer line still has its place."""

    def __init__(self, lines: Iterable[NumberedLine] = ()) -> None:
        self.lines: deque[NumberedLine] = deque()
        self._bytes = 0
        self.add(lines)

    def add(self, lines: Iterable[NumberedLine]) -> None:
        """Add lines that follow, and drop the oldest beyond the limits."""
        for line in lines:
            self.lines.append(line)
            self._bytes += len(line.data)
        while len(self.lines) > MAX_TAIL_LINES or (self._bytes > MAX_TAIL_BYTES and len(self.lines) > 1):
            self._bytes -= len(self.lines.popleft().data)


INTERVAL_S: Final = 0.05
"""Seconds between two events, at least, unless a transition comes between the lines."""

MAX_UNSENT_BYTES: Final = 65_536
"""Bytes of lines that wait for that time."""

MAX_READS: Final = 10
"""Attempts after which the end of a stream no longer waits for lines that cannot be read."""


class LineFeed:
    """The lines of one session, for the readers that asked for them."""

    def __init__(self, channel: Publisher, backend: FullBackend, counts: DeliveryCounts) -> None:
        """Know no line yet.

        Args:
            channel: The session.
            backend: Where the lines are.
            counts: Counts the lines that are delivered.
        """
        self._channel = channel
        self._backend = backend
        self._counts = counts
        self._readers: dict[Subscription, bool] = {}
        """Each with whether it has got the newest lines."""
        self._epoch = ""
        self._first = 1
        self._last = 0
        self._tail = LineTail()
        self._tail_batch: LineBatch | None = None
        self._unsent: list[NumberedLine] = []
        self._unsent_bytes = 0
        self._sent_at = -INTERVAL_S
        self._timer: asyncio.TimerHandle | None = None
        self._unsubscribe: Unsubscribe | None = None
        self._has_read = False
        self._must_read = False
        self._is_reading = False
        self._reading: asyncio.Task[None] | None = None
        self._settled_at: Position | None = None

    @property
    def is_settled(self) -> bool:
        """Whether the readers of a session that is over were handed all lines that came before that."""
        return self._settled_at == self._channel.position

    def add(self, reader: Subscription) -> None:
        """Add a reader, which gets the newest lines first."""
        self.flush()
        self._readers[reader] = self._has_read
        if self._has_read:
            self._offer([reader], self.tail())
        elif not self._is_reading:
            self._read_soon()

    def remove(self, reader: Subscription) -> bool:
        """Remove a reader, if it is one; return whether none is left, and so the feed has ended."""
        self._readers.pop(reader, None)
        if not self._readers:
            self._close()
        return not self._readers

    def _close(self) -> None:
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    def tail(self) -> LineBatch | None:
        """Return the newest lines as an event; `None` if none is known. Readers share the bytes."""
        self.flush()  # Lines that are part of it must not follow it.
        if not self._has_read:
            return None
        if self._tail_batch is None and self._tail.lines:
            self._tail_batch = self._batch(tuple(self._tail.lines))
        return self._tail_batch

    def on_change(self, *, is_new_epoch: bool) -> None:
        """Read what is not known, if the session is in another epoch, or over."""
        if is_new_epoch:  # A reader that comes or catches up meanwhile gets no line of the life before.
            self._has_read = False
            self._readers = dict.fromkeys(self._readers, False)
        if is_new_epoch or (self._channel.is_over and not self.is_settled):
            self._read_soon()

    def _on_lines(self, stored: StoredLines | None) -> None:
        if stored is None or stored.epoch != self._epoch or self._has_gap_before(stored):
            self._read_soon()
        else:
            self._take(stored)

    def _has_gap_before(self, stored: StoredLines) -> bool:
        return stored.last > self._last and not (stored.lines and stored.lines[0].n <= self._last + 1)

    def _take(self, stored: StoredLines) -> None:
        """Publish the lines that are new: at once, or after a moment if others were just sent."""
        lines = [line for line in stored.lines if line.n > self._last]
        if not lines:
            return
        self._channel.flush()
        self._first = stored.first
        self._last = lines[-1].n
        self._tail.add(lines)
        self._tail_batch = None
        self._unsent += lines
        self._unsent_bytes += sum(len(line.data) for line in lines)
        loop = asyncio.get_running_loop()
        wait_s = self._sent_at + INTERVAL_S - loop.time()
        if wait_s <= 0 or self._unsent_bytes > MAX_UNSENT_BYTES or self._channel.is_over:
            self.flush()
        elif self._timer is None:
            self._timer = loop.call_later(wait_s, self.flush)

    def flush(self) -> None:
        """Hand the lines that wait to the readers, as one event."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._unsent:
            return
        lines = self._unsent
        self._unsent = []
        self._unsent_bytes = 0
        self._sent_at = asyncio.get_running_loop().time()
        self._offer([reader for reader, has_tail in self._readers.items() if has_tail], self._batch(lines))

    def _batch(self, lines: Sequence[NumberedLine]) -> LineBatch:
        return LineBatch(self._channel.session_id, LinesShown(self._epoch, lines, self._first, lines[-1].n))

    def _offer(self, readers: Sequence[Subscription], batch: LineBatch | None) -> None:
        if batch is None:
            return
        self._counts.lines += len(batch.shown.lines) * len(readers)
        for reader in readers:
            try:
                reader.subscriber.offer_lines(reader, batch)
            except Exception:  # noqa: BLE001  # an error of one reader must not affect the others
                reader.subscriber.fail()

    def _read_soon(self) -> None:
        self._must_read = True
        if not self._is_reading:
            self._is_reading = True
            self._reading = run_eagerly(self._read())

    async def _read(self) -> None:
        """Read until nothing is missing."""
        try:
            backoff = Backoff(*RETRY_S)
            failures = 0
            while self._must_read:
                self._must_read = False
                position = self._channel.position
                try:
                    self._on_read(await self._read_once())
                except StoreUnavailableError:
                    self._must_read = True
                    failures += 1
                    if failures >= MAX_READS:
                        self._settle(position)  # The end of a stream does not wait for ever.
                    await asyncio.sleep(backoff.next_s())
                else:
                    self._settle(position)
        except Exception:
            logger.exception("the log of a session could not be read")
            self._settle(self._channel.position)
        finally:
            self._is_reading = False
            self._reading = None

    async def _read_once(self) -> StoredLines | None:
        session_id = self._channel.session_id
        if self._unsubscribe is None:
            self._unsubscribe = await self._backend.subscribe(lines_of(session_id), self._on_lines)
        read = self._backend.lines.read_lines
        newest = -MAX_TAIL_LINES
        stored = await read(session_id, self._last if self._epoch else newest)
        if self._epoch and stored is not None and stored.epoch != self._epoch:
            stored = await read(session_id, newest)
        return stored

    def _on_read(self, stored: StoredLines | None) -> None:
        self._has_read = True
        self._channel.flush()
        if stored is None or stored.epoch != self._epoch:
            self.flush()
            self._begin(stored)
        else:
            self._take(stored)
            self.flush()
        late = [reader for reader, has_tail in self._readers.items() if not has_tail]
        self._readers = dict.fromkeys(self._readers, True)
        self._offer(late, self.tail())

    def _begin(self, stored: StoredLines | None) -> None:
        """Begin with the lines of another life; `None` stands for a session that does not exist."""
        self._epoch, self._first, self._last = (stored.epoch, stored.first, stored.last) if stored else ("", 1, 0)
        self._tail = LineTail(stored.lines if stored else ())
        self._tail_batch = None
        self._readers = dict.fromkeys(self._readers, False)

    def _settle(self, position: Position) -> None:
        self._settled_at = position
        for reader in tuple(self._readers):
            try:
                reader.subscriber.wake()
            except Exception:  # noqa: BLE001  # an error of one reader must not affect the others
                reader.subscriber.fail()
