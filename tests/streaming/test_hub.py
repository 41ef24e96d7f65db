"""The hand-over from replay to live, and what happens to readers that fall behind."""

import asyncio
import json
import re
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from progress_sse.core.errors import StoreUnavailableError
from progress_sse.core.model import Position
from progress_sse.store.memory import MemoryBackend
from progress_sse.store.progress_store import ProgressStore
from progress_sse.store.types import Listener, LogEntry, Notification, Record, StorageLimits
from progress_sse.streaming import subscriber as subscriber_module
from progress_sse.streaming.hub import Hub
from progress_sse.streaming.resume_point import ResumePoint
from progress_sse.streaming.subscriber import QueuedBatch, Subscriber
from progress_sse.wire.frames import Frame, FrameBatch

DEADLINE_S = 5
ROOM_BYTES = 2**20
"""More than is ever waiting in these tests."""


class SlowBackend(MemoryBackend):
    """Memory whose looks at the store can be held up: what is found is fixed before, what is told comes after."""

    def __init__(self, limits: StorageLimits | None = None) -> None:
        super().__init__(limits or StorageLimits())
        self.gate = asyncio.Event()
        self.gate.set()
        self.held = asyncio.Event()
        self.held_up = ""
        self.is_away = False

    def hold_up(self, what: str) -> None:
        """Let every `load`, or every `replay`, wait for the gate."""
        self.held_up = what
        self.gate.clear()

    async def _pass(self, what: str) -> None:
        if self.is_away:
            raise StoreUnavailableError
        if what == self.held_up:
            self.held.set()
            await self.gate.wait()

    async def load(self, session_id: str) -> Record | None:
        found = await super().load(session_id)
        await self._pass("load")
        return found

    async def replay(self, session_id: str, after: Position) -> Any:
        found = await super().replay(session_id, after)
        await self._pass("replay")
        return found

    def listeners(self, session_id: str) -> list[Listener]:
        return list(self._listeners._listeners.get(session_id, []))  # noqa: SLF001  # who listens is nobody else's business


class Reader:
    """A subscription that remembers what it got."""

    def __init__(self, hub: Hub, *session_ids: str) -> None:
        self.hub = hub
        self.woken = asyncio.Event()
        self.subscriber = Subscriber(hub, len(session_ids), self.woken.set)
        self.seen: list[Frame] = []

    async def subscribe(self, session_id: str, resume_point: ResumePoint | None = None) -> None:
        await self.hub.subscribe(self.subscriber, session_id, resume_point)

    async def read(self) -> list[str]:
        """What has come by now; waits for at least one thing."""
        async with asyncio.timeout(DEADLINE_S):
            await self.woken.wait()
        self.woken.clear()
        return self.take()

    def take(self) -> list[str]:
        """What waits now."""
        received: list[QueuedBatch] = []
        while self.subscriber.has_waiting:
            received += self.subscriber.take(ROOM_BYTES)
        frames = [frame for _, batch in received for frame in batch.frames]
        self.seen += frames
        heartbeats = ["heartbeat" for _, batch in received if not batch.frames]
        return [label(frame) for frame in frames] + heartbeats


def label(frame: Frame) -> str:
    """`snapshot@0`, `step@3`: the event's name and its number."""
    match = re.search(rb"^event: (.*)$", frame.data, re.MULTILINE)
    assert match is not None
    return f"{match[1].decode()}@{frame.position.offset}"


def data_of(frame: Frame) -> Any:
    match = re.search(rb"^data: (.*)$", frame.data, re.MULTILINE)
    assert match is not None
    return json.loads(match[1])


def labels(name: str, numbers: Iterable[int]) -> list[str]:
    return [f"{name}@{n}" for n in numbers]


def at(position: Position) -> ResumePoint:
    return lambda _current: position


@pytest.fixture
def backend() -> SlowBackend:
    return SlowBackend()


@pytest.fixture
def store(backend: SlowBackend) -> ProgressStore:
    return ProgressStore(backend)


@pytest.fixture
def hub(backend: SlowBackend) -> Hub:
    return Hub(backend, retry_ms=2000)


async def position_of(store: ProgressStore, session_id: str) -> Position:
    record = await store.load(session_id)
    assert record is not None
    return record.position


async def test_a_fresh_reader_gets_a_snapshot_then_every_transition(store: ProgressStore, hub: Hub) -> None:
    """First the state, then what changes it, numbered without a hole."""
    await store.start_step("a", 1)
    reader = Reader(hub, "a")
    await reader.subscribe("a")
    assert await reader.read() == ["snapshot@1"]
    await store.complete_step("a", 1)
    await store.start_step("a", 2)
    assert await reader.read() == ["step@2", "step@3"]


async def test_a_reader_of_an_absent_session_sees_it_come_pending_first_and_go(store: ProgressStore, hub: Hub) -> None:
    """The browser often comes before the worker: not_found, pending, step, and not_found again after a deletion."""
    reader = Reader(hub, "a")
    await reader.subscribe("a")
    await reader.read()
    await store.start_step("a", 1)
    assert await reader.read() == ["snapshot@0", "step@1"]
    await store.delete_session("a")
    await reader.read()
    states = [data_of(frame)["status"] for frame in reader.seen if b"event: snapshot" in frame.data]
    assert states == ["not_found", "pending", "not_found"]
    first, last = reader.seen[0].position, reader.seen[-1].position
    assert first is not None
    assert last is not None
    assert first.is_absence_of("a")
    assert last.is_absence_of("a")
    assert first != last


@pytest.mark.parametrize("away", [0, 1, 5, 127, 128, 129, 250])
async def test_what_a_returning_reader_missed_is_neither_short_nor_repeated(
    store: ProgressStore, hub: Hub, away: int
) -> None:
    """However far back, with the channel open for another reader, so that its tail and the store's log meet."""
    for _ in range(100):
        await store.start_step("a", 1)
    other = Reader(hub, "a")
    await other.subscribe("a")
    for _ in range(200):
        await store.start_step("a", 1)
    here = await position_of(store, "a")
    reader = Reader(hub, "a")
    await reader.subscribe("a", at(Position(here.epoch, here.offset - away)))
    await store.start_step("a", 2)
    assert await reader.read() == labels("step", range(here.offset - away + 1, here.offset + 2))


async def test_transitions_during_a_replay_come_once_and_in_order(
    backend: SlowBackend, store: ProgressStore, hub: Hub
) -> None:
    """The store's answer is older than what was published meanwhile; the two are stitched."""
    for _ in range(200):
        await store.start_step("a", 1)
    here = await position_of(store, "a")
    other = Reader(hub, "a")
    await other.subscribe("a")
    reader = Reader(hub, "a")
    backend.hold_up("replay")
    subscribing = asyncio.create_task(reader.subscribe("a", at(Position(here.epoch, 10))))
    await backend.held.wait()
    for _ in range(7):
        await store.start_step("a", 1)
    assert not subscribing.done()
    backend.gate.set()
    await subscribing
    while not reader.seen or reader.seen[-1].position != Position(here.epoch, 207):
        await reader.read()
    assert [label(frame) for frame in reader.seen] == labels("step", range(11, 208))


async def test_what_is_heard_while_a_channel_opens_is_newer_than_what_is_found(
    backend: SlowBackend, store: ProgressStore, hub: Hub
) -> None:
    """An answer of the store that was overtaken must not bring a former life back."""
    await store.start_step("a", 1)
    older = await backend.load("a")
    assert older is not None
    backend.hold_up("load")
    reader = Reader(hub, "a")
    subscribing = asyncio.create_task(reader.subscribe("a"))
    await backend.held.wait()
    replaced = Record(older.session, Position("another", 1))
    for listener in backend.listeners("a"):
        listener(Notification("a", replaced, is_fresh=True, entries=(LogEntry(1, 1, b"{}"),)))
    backend.gate.set()
    await subscribing
    await reader.read()
    assert [frame.position for frame in reader.seen] == [replaced.position]


@pytest.mark.parametrize(
    "position",
    [Position("another", 1), Position.absent("b", "then"), lambda here: Position(here.epoch, here.offset + 1)],
    ids=["another epoch", "absent", "ahead"],
)
async def test_a_position_that_cannot_be_honoured_gets_a_snapshot(
    store: ProgressStore, hub: Hub, position: Position | Callable[[Position], Position]
) -> None:
    """An explicit answer, never a guess and never silence."""
    await store.start_step("a", 1)
    here = await position_of(store, "a")
    reader = Reader(hub, "a")
    await reader.subscribe("a", at(position(here) if callable(position) else position))
    assert await reader.read() == ["snapshot@1"]


async def test_a_position_that_is_news_here_is_asked_about(
    store: ProgressStore, hub: Hub, backend: SlowBackend
) -> None:
    """A reader may come from another process before the word of what it has seen there does.

    Those that are here already then get the transitions, too, and no snapshot in place of what the store keeps.
    """
    await store.start_step("a", 1)
    other = Reader(hub, "a")
    await other.subscribe("a")
    await other.read()
    for listener in backend.listeners("a"):
        backend.unlisten("a", listener)
    for step in (2, 3):
        await store.start_step("a", step)
    here = await position_of(store, "a")
    for n, expected in ((2, ["step@3"]), (3, [])):
        reader = Reader(hub, "a")
        await reader.subscribe("a", at(Position(here.epoch, n)))
        assert await reader.read() == expected
    assert await other.read() == ["step@2", "step@3"]


async def test_each_snapshot_says_when_to_come_back(store: ProgressStore, hub: Hub) -> None:
    """And nothing else on the way does."""
    reader = Reader(hub, "a")
    await reader.subscribe("a")
    await reader.read()
    await store.start_step("a", 1)
    await store.create_session("a")
    assert await reader.read() == ["snapshot@0", "step@1", "snapshot@0"]
    assert [frame.data.count(b"\nretry: 2000\n") for frame in reader.seen] == [1, 1, 0, 1]


async def test_a_reader_back_from_absence_hears_nothing_while_the_session_is_absent(
    store: ProgressStore, hub: Hub
) -> None:
    """Who saw that there is none has missed nothing; the session's coming is the next thing to see."""
    reader = Reader(hub, "a")
    await reader.subscribe("a", at(Position.absent("a", "earlier")))
    assert await reader.read() == []
    await store.create_session("a")
    assert await reader.read() == ["snapshot@0"]


async def test_trimmed_history_is_bridged_by_a_snapshot() -> None:
    """Where the log no longer reaches back, one snapshot stands for it."""
    backend = MemoryBackend(StorageLimits(history=10))
    store, hub = ProgressStore(backend), Hub(backend, retry_ms=2000)
    for _ in range(50):
        await store.start_step("a", 1)
    here = await position_of(store, "a")
    for away, expected in ((10, labels("step", range(41, 51))), (11, ["snapshot@50"])):
        reader = Reader(hub, "a")
        await reader.subscribe("a", at(Position(here.epoch, here.offset - away)))
        assert await reader.read() == expected


async def test_a_reader_that_falls_behind_gets_one_snapshot_and_then_goes_on(
    store: ProgressStore, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Overflow drops the queue, is counted, and ends in the true state."""
    monkeypatch.setattr(subscriber_module, "MAX_QUEUED_BYTES", 2000)
    slow, quick = Reader(hub, "a"), Reader(hub, "a")
    for reader in (slow, quick):
        await reader.subscribe("a")
        await reader.read()
    for _ in range(50):
        await store.start_step("a", 1)
        await quick.read()
    assert hub.resyncs == {"behind": 1}
    assert await slow.read() == ["snapshot@50"]
    assert [label(frame) for frame in quick.seen[1:]] == ["snapshot@0", *labels("step", range(1, 51))]
    await store.complete_step("a", 1)
    assert await slow.read() == ["step@51"]


async def test_falling_behind_in_one_session_spares_the_others_their_steps(
    store: ProgressStore, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each session that lost frames gets its snapshot; one that lost none gets none."""
    reader = Reader(hub, "a", "b", "c")
    for session_id in ("a", "b", "c"):
        await store.create_session(session_id)
        await reader.subscribe(session_id)
    await reader.read()
    monkeypatch.setattr(subscriber_module, "MAX_QUEUED_BYTES", 1000)
    await store.start_step("b", 1)
    for _ in range(5):
        await store.start_step("a", 1)
    await store.start_step("c", 1)
    received = await reader.read()
    assert sorted(received) == ["snapshot@1", "snapshot@5", "step@1"]


async def test_what_a_reader_took_is_counted(store: ProgressStore, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it missed, fell behind by or came back to; what still waits when it goes does not count."""
    await store.start_step("a", 1)
    before = await position_of(store, "a")
    await store.start_step("a", 1)
    reader = Reader(hub, "a", "b")
    await reader.subscribe("a", at(before))
    await reader.subscribe("b")
    await reader.read()
    monkeypatch.setattr(subscriber_module, "MAX_QUEUED_BYTES", 1000)
    await store.start_step("b", 1)
    assert reader.subscriber.queued_bytes > 0
    for _ in range(9):
        await store.start_step("a", 1)
        await store.start_step("b", 1)
    assert await reader.read() == ["snapshot@10", "snapshot@11"]
    await store.start_step("a", 1)
    await reader.read()
    await store.start_step("b", 1)
    reader.subscriber.close()
    assert reader.subscriber.event_count == len(reader.seen) == 5


async def test_what_is_left_of_what_waits_is_known(store: ProgressStore, hub: Hub) -> None:
    """Also while it is taken piece by piece: it waits until it has been handed over."""
    reader = Reader(hub, "s")
    await reader.subscribe("s")
    await reader.read()
    await store.create_session("s", 3)
    for step in (1, 2, 3):
        await store.start_step("s", step)
        await asyncio.sleep(0)  # Each is flushed by itself.
    waiting = [reader.subscriber.queued_bytes]
    while taken := reader.subscriber.take(1):
        waiting.append(waiting[-1] - sum(len(batch.data) for _, batch in taken))
        assert reader.subscriber.queued_bytes == waiting[-1]
    assert len(waiting) > 3
    assert waiting[-1] == 0


async def test_a_message_larger_than_the_bound_still_passes(
    store: ProgressStore, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bound that no frame fits under would end in snapshots for ever."""
    monkeypatch.setattr(subscriber_module, "MAX_QUEUED_BYTES", 10)
    reader = Reader(hub, "a")
    await reader.subscribe("a")
    await reader.read()
    await store.create_session("a")
    assert await reader.read() == ["snapshot@0"]


async def test_a_reader_is_finished_once_all_its_sessions_are_completed_and_read(
    store: ProgressStore, hub: Hub
) -> None:
    """Completed but unread is not finished, and a session opened again is not either."""
    reader = Reader(hub, "a", "b")
    for session_id in ("a", "b"):
        await store.create_session(session_id, 1)
        await store.start_step(session_id, 1)
        await reader.subscribe(session_id)
    await reader.read()
    await store.complete_step("a", 1)
    await reader.read()
    assert not reader.subscriber.is_finished
    await store.complete_step("b", 1)
    assert not reader.subscriber.is_finished
    await reader.read()
    assert reader.subscriber.is_finished
    await store.start_step("b", 1)
    assert not reader.subscriber.is_finished


async def test_a_reader_with_a_session_still_to_join_is_not_finished(store: ProgressStore, hub: Hub) -> None:
    """While the store is away for one of them, the stream stays open."""
    await store.create_session("a", 1)
    await store.start_step("a", 1)
    await store.complete_step("a", 1)
    reader = Reader(hub, "a", "b")
    await reader.subscribe("a")
    await reader.read()
    assert not reader.subscriber.is_finished


async def test_a_subscription_costs_nothing_once_closed(backend: SlowBackend, store: ProgressStore, hub: Hub) -> None:
    """The last reader takes the channel and its listener along."""
    readers = [Reader(hub, "a") for _ in range(3)]
    for reader in readers:
        await reader.subscribe("a")
    assert hub.channel_count == 1
    assert len(backend.listeners("a")) == 1
    for reader in readers:
        reader.subscriber.close()
        reader.subscriber.close()
    assert hub.channel_count == 0
    assert backend.listeners("a") == []
    await store.start_step("a", 1)
    assert not any(reader.subscriber.has_waiting for reader in readers)


async def test_joining_fails_cleanly_while_the_store_is_away(
    backend: SlowBackend, store: ProgressStore, hub: Hub
) -> None:
    """Nothing is left behind, and the next attempt works."""
    backend.is_away = True
    reader = Reader(hub, "a")
    with pytest.raises(StoreUnavailableError):
        await reader.subscribe("a")
    assert hub.channel_count == 0
    assert backend.listeners("a") == []
    backend.is_away = False
    await store.create_session("a")
    await reader.subscribe("a")
    assert await reader.read() == ["snapshot@0"]


async def test_a_join_that_is_cancelled_leaves_nothing_behind(backend: SlowBackend, hub: Hub) -> None:
    """A client that goes while the store is slow must not keep a channel open."""
    backend.hold_up("load")
    reader = Reader(hub, "a")
    subscribing = asyncio.create_task(reader.subscribe("a"))
    await backend.held.wait()
    subscribing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await subscribing
    assert hub.channel_count == 0
    assert backend.listeners("a") == []


async def test_a_gap_in_what_is_heard_is_bridged_by_a_snapshot(
    backend: SlowBackend, store: ProgressStore, hub: Hub
) -> None:
    """A notice that does not follow on the last one is no reason to skip numbers."""
    await store.start_step("a", 1)
    reader = Reader(hub, "a")
    await reader.subscribe("a")
    await reader.read()
    record = await backend.load("a")
    assert record is not None
    ahead = Record(record.session, Position(record.position.epoch, 9))
    for listener in backend.listeners("a"):
        listener(Notification("a", ahead, entries=(LogEntry(9, 1, b"{}"),)))
        listener(Notification("a", ahead, entries=(LogEntry(9, 1, b"{}"),)))
    assert await reader.read() == ["snapshot@9"]


async def test_a_heartbeat_is_left_out_while_something_waits(store: ProgressStore, hub: Hub) -> None:
    """What waits says as much, and a reader that takes nothing must not fill up with heartbeats."""
    beat = FrameBatch((), b": \n")
    reader = Reader(hub, "a")
    await reader.subscribe("a")
    await reader.read()
    reader.subscriber.send_heartbeat(beat)
    reader.subscriber.send_heartbeat(beat)
    assert await reader.read() == ["heartbeat"]
    await store.create_session("a")
    reader.subscriber.send_heartbeat(beat)
    assert await reader.read() == ["snapshot@0"]


async def test_replacing_a_session_reaches_its_readers_as_a_snapshot(store: ProgressStore, hub: Hub) -> None:
    """A new life has ids of its own."""
    await store.start_step("a", 1)
    reader = Reader(hub, "a")
    await reader.subscribe("a")
    await reader.read()
    await store.create_session("a", 3)
    assert await reader.read() == ["snapshot@0"]
    first, second = (frame.position for frame in reader.seen)
    assert first is not None
    assert second is not None
    assert first.epoch != second.epoch


async def test_a_reader_is_not_finished_before_it_has_what_is_still_to_be_flushed(
    backend: SlowBackend, store: ProgressStore, hub: Hub
) -> None:
    """The session is completed from the moment that the channel hears of it; its readers hear later in the turn."""
    reader = Reader(hub, "a")
    await store.create_session("a", 1)
    await store.start_step("a", 1)
    await reader.subscribe("a")
    await reader.read()
    finished_when_heard: list[bool] = []
    await backend.listen("a", lambda _notice: finished_when_heard.append(reader.subscriber.is_finished))
    await store.complete_step("a", 1)
    assert await reader.read() == ["step@2"]
    assert finished_when_heard == [False]
    assert reader.subscriber.is_finished


async def test_a_snapshot_for_a_reader_that_fell_behind_is_not_followed_by_what_it_contains(
    backend: SlowBackend, store: ProgressStore, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it is taken between a change and the end of that turn."""
    monkeypatch.setattr(subscriber_module, "MAX_QUEUED_BYTES", 1000)
    reader = Reader(hub, "a")
    await reader.subscribe("a")
    await reader.read()
    for _ in range(10):
        await store.start_step("a", 1)
    assert hub.resyncs == {"behind": 1}
    taken: list[str] = []

    def take(_notice: Notification) -> None:
        taken.extend(reader.take())

    await backend.listen("a", take)
    await store.start_step("a", 1)
    assert taken == ["snapshot@11"]
    backend.unlisten("a", take)
    await store.start_step("a", 1)
    assert await reader.read() == ["step@12"]
