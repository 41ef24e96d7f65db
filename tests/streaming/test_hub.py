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
"""More bytes than ever wait in these tests."""


class SlowBackend(MemoryBackend):
    """A memory backend whose reads can be held up: the result is fixed before the wait, and returned after it."""

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
        return list(self._listeners._listeners.get(session_id, []))  # noqa: SLF001  # only this test needs the listeners


class Reader:
    """A subscriber that records the frames it got."""

    def __init__(self, hub: Hub, *session_ids: str) -> None:
        self.hub = hub
        self.woken = asyncio.Event()
        self.subscriber = Subscriber(hub, len(session_ids), self.woken.set)
        self.seen: list[Frame] = []

    async def subscribe(self, session_id: str, resume_point: ResumePoint | None = None) -> None:
        await self.hub.subscribe(self.subscriber, session_id, resume_point)

    async def read(self) -> list[str]:
        """Wait until it is woken, and return the labels of the frames that wait then."""
        async with asyncio.timeout(DEADLINE_S):
            await self.woken.wait()
        self.woken.clear()
        return self.take()

    def take(self) -> list[str]:
        """Take the waiting frames, and return their labels."""
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


async def test_a_new_subscriber_gets_a_snapshot_then_every_transition(store: ProgressStore, hub: Hub) -> None:
    """The offsets have no gap."""
    await store.start_step("a", 1)
    reader = Reader(hub, "a")
    await reader.subscribe("a")
    assert await reader.read() == ["snapshot@1"]
    await store.complete_step("a", 1)
    await store.start_step("a", 2)
    assert await reader.read() == ["step@2", "step@3"]


async def test_a_subscriber_of_an_absent_session_sees_it_created_pending_and_deleted(
    store: ProgressStore, hub: Hub
) -> None:
    """A browser often comes before the worker: not_found, pending, step, and not_found again after a deletion."""
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
async def test_a_returning_subscriber_gets_each_missed_transition_once(
    store: ProgressStore, hub: Hub, away: int
) -> None:
    """The channel is open for another subscriber, so that its tail and the store's log meet."""
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
    """The store's entries are older than the frames published meanwhile; the two are merged."""
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


async def test_a_notification_while_a_channel_opens_is_newer_than_the_loaded_record(
    backend: SlowBackend, store: ProgressStore, hub: Hub
) -> None:
    """A loaded record that is out of date must not bring an earlier epoch back."""
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
async def test_a_position_that_cannot_be_resumed_gets_a_snapshot(
    store: ProgressStore, hub: Hub, position: Position | Callable[[Position], Position]
) -> None:
    """The subscriber always gets an explicit answer."""
    await store.start_step("a", 1)
    here = await position_of(store, "a")
    reader = Reader(hub, "a")
    await reader.subscribe("a", at(position(here) if callable(position) else position))
    assert await reader.read() == ["snapshot@1"]


async def test_a_position_ahead_of_the_channel_refreshes_it_from_the_store(
    store: ProgressStore, hub: Hub, backend: SlowBackend
) -> None:
    """A subscriber may come from another process before the notification of what it has seen there.

    Present subscribers then get the transitions, too, and no snapshot in place of entries that the store keeps.
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


async def test_each_snapshot_has_a_retry_field(store: ProgressStore, hub: Hub) -> None:
    """No other event has one."""
    reader = Reader(hub, "a")
    await reader.subscribe("a")
    await reader.read()
    await store.start_step("a", 1)
    await store.create_session("a")
    assert await reader.read() == ["snapshot@0", "step@1", "snapshot@0"]
    assert [frame.data.count(b"\nretry: 2000\n") for frame in reader.seen] == [1, 1, 0, 1]


async def test_a_subscriber_back_from_absence_gets_nothing_while_the_session_is_absent(
    store: ProgressStore, hub: Hub
) -> None:
    """It has missed nothing. Its next event is the creation of the session."""
    reader = Reader(hub, "a")
    await reader.subscribe("a", at(Position.absent("a", "earlier")))
    assert await reader.read() == []
    await store.create_session("a")
    assert await reader.read() == ["snapshot@0"]


async def test_trimmed_history_is_bridged_by_a_snapshot() -> None:
    """One snapshot replaces transitions that the log no longer has."""
    backend = MemoryBackend(StorageLimits(history=10))
    store, hub = ProgressStore(backend), Hub(backend, retry_ms=2000)
    for _ in range(50):
        await store.start_step("a", 1)
    here = await position_of(store, "a")
    for away, expected in ((10, labels("step", range(41, 51))), (11, ["snapshot@50"])):
        reader = Reader(hub, "a")
        await reader.subscribe("a", at(Position(here.epoch, here.offset - away)))
        assert await reader.read() == expected


async def test_a_subscriber_that_falls_behind_gets_one_snapshot_and_then_transitions(
    store: ProgressStore, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Overflow drops the queue and is counted; the snapshot has the current state."""
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


async def test_falling_behind_gives_a_snapshot_only_of_sessions_that_lost_frames(
    store: ProgressStore, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that lost none keeps its transitions."""
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


async def test_the_event_count_has_the_events_that_were_taken(
    store: ProgressStore, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It includes replayed events and snapshots, and excludes dropped events and those that wait at the close."""
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


async def test_queued_bytes_count_what_is_left_of_a_partial_take(store: ProgressStore, hub: Hub) -> None:
    """A batch counts until it has been taken."""
    reader = Reader(hub, "s")
    await reader.subscribe("s")
    await reader.read()
    await store.create_session("s", 3)
    for step in (1, 2, 3):
        await store.start_step("s", step)
        await asyncio.sleep(0)  # Flushes each transition by itself.
    waiting = [reader.subscriber.queued_bytes]
    while taken := reader.subscriber.take(1):
        waiting.append(waiting[-1] - sum(len(batch.data) for _, batch in taken))
        assert reader.subscriber.queued_bytes == waiting[-1]
    assert len(waiting) > 3
    assert waiting[-1] == 0


async def test_a_frame_larger_than_the_limit_still_passes(
    store: ProgressStore, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a limit below the size of a frame would produce snapshots without end."""
    monkeypatch.setattr(subscriber_module, "MAX_QUEUED_BYTES", 10)
    reader = Reader(hub, "a")
    await reader.subscribe("a")
    await reader.read()
    await store.create_session("a")
    assert await reader.read() == ["snapshot@0"]


async def test_a_subscriber_is_finished_once_all_its_sessions_are_completed_and_taken(
    store: ProgressStore, hub: Hub
) -> None:
    """It is not finished while events wait, nor after a session is reopened."""
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


async def test_a_subscriber_with_a_session_still_to_subscribe_to_is_not_finished(
    store: ProgressStore, hub: Hub
) -> None:
    """The stream stays open while the store is unavailable for one session."""
    await store.create_session("a", 1)
    await store.start_step("a", 1)
    await store.complete_step("a", 1)
    reader = Reader(hub, "a", "b")
    await reader.subscribe("a")
    await reader.read()
    assert not reader.subscriber.is_finished


async def test_the_last_subscriber_closes_the_channel(backend: SlowBackend, store: ProgressStore, hub: Hub) -> None:
    """Its listener is removed, and a later change wakes no closed subscriber."""
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


async def test_subscribing_fails_cleanly_while_the_store_is_unavailable(
    backend: SlowBackend, store: ProgressStore, hub: Hub
) -> None:
    """No channel or listener is left, and the next attempt works."""
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


async def test_a_cancelled_subscribe_leaves_nothing_behind(backend: SlowBackend, hub: Hub) -> None:
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


async def test_a_gap_in_the_notifications_is_bridged_by_a_snapshot(
    backend: SlowBackend, store: ProgressStore, hub: Hub
) -> None:
    """A notification that does not follow on the last one must not skip offsets."""
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


async def test_no_heartbeat_is_sent_while_frames_wait(store: ProgressStore, hub: Hub) -> None:
    """The frames show life as well, and the queue of a slow subscriber must not fill with heartbeats."""
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


async def test_replacing_a_session_sends_its_subscribers_a_snapshot(store: ProgressStore, hub: Hub) -> None:
    """The new session has a new epoch."""
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


async def test_a_subscriber_is_not_finished_before_the_last_frames_are_flushed(
    backend: SlowBackend, store: ProgressStore, hub: Hub
) -> None:
    """The channel learns of the completion first; its subscribers get it later in the same turn."""
    reader = Reader(hub, "a")
    await store.create_session("a", 1)
    await store.start_step("a", 1)
    await reader.subscribe("a")
    await reader.read()
    finished_when_notified: list[bool] = []
    await backend.listen("a", lambda _notification: finished_when_notified.append(reader.subscriber.is_finished))
    await store.complete_step("a", 1)
    assert await reader.read() == ["step@2"]
    assert finished_when_notified == [False]
    assert reader.subscriber.is_finished


async def test_a_snapshot_for_a_lagging_subscriber_is_not_followed_by_changes_that_it_contains(
    backend: SlowBackend, store: ProgressStore, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This also holds where it is taken between a change and the end of that turn."""
    monkeypatch.setattr(subscriber_module, "MAX_QUEUED_BYTES", 1000)
    reader = Reader(hub, "a")
    await reader.subscribe("a")
    await reader.read()
    for _ in range(10):
        await store.start_step("a", 1)
    assert hub.resyncs == {"behind": 1}
    taken: list[str] = []

    def take(_notification: Notification) -> None:
        taken.extend(reader.take())

    await backend.listen("a", take)
    await store.start_step("a", 1)
    assert taken == ["snapshot@11"]
    backend.unlisten("a", take)
    await store.start_step("a", 1)
    assert await reader.read() == ["step@12"]
