"""Notices that wait to be sent: written in the commit of their transition, and kept until delivered or dead.

A *queue* is a receiver, as a hook. In a *lane* of a queue notices are sent in the order of their commits. Times are
milliseconds since 1970: what waits must outlive the process, and the machine.
"""

import itertools
import math
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, Protocol, TypeAlias

from progress_sse._internal.timetable import Timetable

CLAIM_MS: Final = 60_000
"""For how long one server may send a notice, before another one tries it."""

OVERTAKE_MS: Final = 3_600_000
"""For how long a notice waits for the former ones of its lane, from its commit on."""

LIFETIME_MS: Final = 7 * 86_400_000
"""For how long a notice is kept, from its commit on."""

MAX_IN_LANE: Final = 20
"""Notices of one lane that may wait, by default."""

MAX_WAITING: Final = 10_000
MAX_WAITING_BYTES: Final = 32 * 2**20
"""Notices of one queue that may wait, and bytes of their bodies."""

MAX_DEAD: Final = 1000
"""Dead notices that are kept of one queue."""


class Notice(NamedTuple):
    """A notice as its commit writes it, at `made_ms`; with it, so many of its lane may wait."""

    notice_id: str
    queue: str
    lane: str
    made_ms: int
    body: bytes
    most_in_lane: int = MAX_IN_LANE


class Taken(NamedTuple):
    """A notice that this server may send now, under its `claim`, and how often it was tried: first at that time."""

    notice_id: str
    queue: str
    body: bytes
    tries: int
    first_try_ms: int | None
    claim: str


class Later(NamedTuple):
    """That a notice is to be tried again in `wait_ms`; also if the clock is set back meanwhile."""

    wait_ms: int
    tries: int
    first_try_ms: int | None


Ending: TypeAlias = Literal["delivered", "dead"]


class Outbox(Protocol):
    """The power to keep the `Change.notices` of commits. `now_ms` is always now, by the wall clock."""

    @property
    def lost(self) -> Counter[str]:
        """How many notices of each queue this process dropped unsent: there were too many, or they were too old."""

    @property
    def unsaved(self) -> int:
        """How many notices wait that end with this process."""

    async def take(self, queue: str, now_ms: int, most: int) -> Sequence[Taken]:
        """Claim the notices that are due longest, and return them.

        One waits until the former ones of its lane are delivered or dead, but no longer than `OVERTAKE_MS`.
        """

    async def settle(self, taken: Taken, result: Ending | Later, now_ms: int) -> bool:
        """Note what a try came to, and end its claim; `False`: it had another claim by then, and nothing changed."""

    async def wake_at_ms(self, queue: str, now_ms: int) -> float:
        """Return when a notice may be due; infinity if none waits. Those of other processes may be due before that."""

    async def counts(self, queue: str) -> tuple[int, int]:
        """Return how many notices of a queue wait, and how many are dead."""

    async def revive(self, queue: str, notice_id: str | None, now_ms: int) -> int:
        """Let dead notices of a queue wait again, all or one, from their first try on; return how many."""

    async def discard(self, queues: Iterable[str], now_ms: int) -> None:
        """Drop of these queues what is older than `LIFETIME_MS` and what is too much; of others the former at least.

        Too much is what exceeds `MAX_WAITING`, `MAX_WAITING_BYTES` and `MAX_DEAD`; the oldest go.
        """

    async def turn(self, queue: str, *, is_on: bool) -> None:
        """Turn a queue off for all servers, or on again."""

    async def turned_off(self) -> frozenset[str]:
        """Return the queues that are turned off."""

    async def keep(self, name: str, value: bytes) -> bytes:
        """Keep a value under a name, unless there is one already; return what is kept."""


@dataclass(slots=True)
class Entry:
    """A notice that waits, or is dead, and how often it was tried."""

    notice: Notice
    size: int
    due_ms: int
    wait_ms: int = 0
    tries: int = 0
    first_try_ms: int | None = None
    is_dead: bool = False
    claim: str = ""


class _Queue:
    """The notices of one receiver, in the order of their commits."""

    def __init__(self) -> None:
        self.waiting: OrderedDict[str, Entry] = OrderedDict()
        self.dead: OrderedDict[str, Entry] = OrderedDict()
        self.lanes: dict[str, deque[str]] = {}
        self.due = Timetable[str]()
        self.bytes = 0

    def add(self, entry: Entry) -> None:
        self.waiting[entry.notice.notice_id] = entry
        self.bytes += entry.size
        self.lanes.setdefault(entry.notice.lane, deque()).append(entry.notice.notice_id)
        self.plan(entry)

    def remove(self, notice_id: str) -> None:
        """Let a notice wait no more, and the next of its lane come first."""
        entry = self.waiting.pop(notice_id)
        self.bytes -= entry.size
        self.due.plan(notice_id, math.inf)
        lane = self.lanes[entry.notice.lane]
        lane.remove(notice_id)
        if not lane:
            del self.lanes[entry.notice.lane]
        elif not (first := self.waiting[lane[0]]).claim:
            self.plan(first)

    def plan(self, entry: Entry) -> None:
        is_first = self.lanes[entry.notice.lane][0] == entry.notice.notice_id
        at = entry.due_ms if is_first else max(entry.due_ms, entry.notice.made_ms + OVERTAKE_MS)
        self.due.plan(entry.notice.notice_id, at)

    def surplus(self, lane: str, most_in_lane: int) -> Iterator[str]:
        """Yield the oldest notices as long as too many wait; each is to be removed."""
        while len(self.lanes[lane]) > most_in_lane:
            yield self.lanes[lane][0]
        while len(self.waiting) > MAX_WAITING or self.bytes > MAX_WAITING_BYTES:
            yield next(iter(self.waiting))


class LocalOutbox:
    """The outbox of a store that one process uses, in memory; with the process end its claims, or after `CLAIM_MS`.

    A store that keeps notices elsewhere too overrides what begins with an underscore.
    """

    def __init__(self, waiting: Iterable[Entry] = (), dead: Iterable[Entry] = (), off: Iterable[str] = ()) -> None:
        """Begin with what was stored, in the order of the commits."""
        self.lost = Counter[str]()
        self._queues = defaultdict[str, _Queue](_Queue)
        self._off = set(off)
        self._values: dict[str, bytes] = {}
        self._claims = itertools.count(1)
        self._seen_ms = math.inf  # What is loaded may have been planned by a clock that was ahead.
        for entry in waiting:
            self._queues[entry.notice.queue].add(entry)
        for entry in dead:
            self._queues[entry.notice.queue].dead[entry.notice.notice_id] = entry

    @property
    def unsaved(self) -> int:
        """The number; see `Outbox.unsaved`."""
        return sum(len(queue.waiting) for queue in self._queues.values())

    async def _store(self, entries: Sequence[Entry]) -> None:
        """Store when and how often notices were tried, and which are dead."""

    async def _delete(self, notice_ids: Sequence[str]) -> None:
        """Delete what is stored of notices."""

    def on_commit(self, committed: Iterable[Notice]) -> Sequence[str]:
        """Add the notices of a commit; return the ids of those that go for them."""
        gone: list[str] = []
        for notice in committed:
            queue = self._queues[notice.queue]
            queue.add(Entry(self._kept(notice), len(notice.body), notice.made_ms))
            for notice_id in queue.surplus(notice.lane, notice.most_in_lane):
                queue.remove(notice_id)
                self.lost[notice.queue] += 1
                gone.append(notice_id)
        return gone

    def _kept(self, notice: Notice) -> Notice:
        """Return what memory keeps of a notice."""
        return notice

    async def take(self, queue: str, now_ms: int, most: int) -> Sequence[Taken]:
        """Claim notices; see `Outbox.take`."""
        self._notice_time(now_ms)
        entries = self._queues[queue]
        taken = []
        for notice_id in entries.due.take_due(now_ms, most):
            entry = entries.waiting[notice_id]
            entry.claim = str(next(self._claims))
            entries.due.plan(notice_id, now_ms + CLAIM_MS)
            taken.append(Taken(notice_id, queue, entry.notice.body, entry.tries, entry.first_try_ms, entry.claim))
        return taken

    def _notice_time(self, now_ms: int) -> None:
        """Where the clock was set back, let nothing wait longer than it had to."""
        if now_ms < self._seen_ms:
            for queue in self._queues.values():
                for entry in queue.waiting.values():
                    entry.notice = entry.notice._replace(made_ms=min(entry.notice.made_ms, now_ms))
                    entry.due_ms = min(entry.due_ms, now_ms + entry.wait_ms)
                    if entry.claim:
                        queue.due.plan(entry.notice.notice_id, now_ms + CLAIM_MS)
                    else:
                        queue.plan(entry)
        self._seen_ms = now_ms

    async def settle(self, taken: Taken, result: Ending | Later, now_ms: int) -> bool:
        """Note the result; see `Outbox.settle`."""
        queue = self._queues[taken.queue]
        entry = queue.waiting.get(taken.notice_id)
        if entry is None or entry.claim != taken.claim:
            return False
        entry.claim = ""
        if isinstance(result, Later):
            entry.due_ms = now_ms + result.wait_ms
            entry.wait_ms = result.wait_ms
            entry.tries = result.tries
            entry.first_try_ms = result.first_try_ms
            queue.plan(entry)
        else:
            queue.remove(taken.notice_id)
            if result == "delivered":
                await self._delete([taken.notice_id])
                return True
            entry.is_dead = True
            queue.dead[taken.notice_id] = entry
        await self._store([entry])
        return True

    async def wake_at_ms(self, queue: str, now_ms: int) -> float:
        """Return when a notice may be due; see `Outbox.wake_at_ms`."""
        self._notice_time(now_ms)
        return self._queues[queue].due.wake_at()

    async def counts(self, queue: str) -> tuple[int, int]:
        """Return the numbers; see `Outbox.counts`."""
        return len(self._queues[queue].waiting), len(self._queues[queue].dead)

    async def revive(self, queue: str, notice_id: str | None, now_ms: int) -> int:
        """Let dead notices wait again; see `Outbox.revive`."""
        dead = self._queues[queue].dead
        former = [dead.pop(each) for each in list(dead) if notice_id in (None, each)]
        revived = [Entry(entry.notice, entry.size, now_ms) for entry in former]
        for entry in revived:
            self._queues[queue].add(entry)
        await self._store(revived)
        return len(revived)

    async def discard(self, _queues: Iterable[str], now_ms: int) -> None:
        """Drop what is old; see `Outbox.discard`."""
        oldest_ms = now_ms - LIFETIME_MS
        gone: list[str] = []
        for name, queue in self._queues.items():
            old = [key for key, entry in queue.waiting.items() if entry.notice.made_ms < oldest_ms]
            for key in old:
                queue.remove(key)
            self.lost[name] += len(old)
            surplus = len(queue.dead) - MAX_DEAD
            aged = [
                key
                for number, (key, entry) in enumerate(queue.dead.items())
                if number < surplus or entry.notice.made_ms < oldest_ms
            ]
            for key in aged:
                del queue.dead[key]
            gone += old + aged
        await self._delete(gone)

    async def turn(self, queue: str, *, is_on: bool) -> None:
        """Turn a queue off or on; see `Outbox.turn`."""
        (self._off.discard if is_on else self._off.add)(queue)

    async def turned_off(self) -> frozenset[str]:
        """Return the queues that are off; see `Outbox.turned_off`."""
        return frozenset(self._off)

    async def keep(self, name: str, value: bytes) -> bytes:
        """Keep a value; see `Outbox.keep`."""
        return self._values.setdefault(name, value)
