"""The hand-over from replay to live, and the frames of each subscriber."""

import asyncio
from collections.abc import Callable

import pytest

from progress_sse.core.errors import StoreUnavailableError
from progress_sse.core.model import Position
from progress_sse.store.memory import MemoryBackend
from progress_sse.store.progress_store import ProgressStore
from progress_sse.store.types import LogEntry, Notification, Record, StorageLimits
from progress_sse.streaming.hub import Hub
from tests.harness.presence import present
from tests.streaming.recorder import Reader, SlowBackend, at, data_of, following, label, labels, position_of, restart


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
    reader = await following(hub)
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
    await restart(store, 100)
    other = Reader(hub, "a")
    await other.subscribe("a")
    await restart(store, 200)
    here = await position_of(store, "a")
    reader = Reader(hub, "a")
    await reader.subscribe("a", at(Position(here.epoch, here.offset - away)))
    await store.start_step("a", 2)
    assert await reader.read() == labels("step", range(here.offset - away + 1, here.offset + 2))


async def test_transitions_during_a_replay_come_once_and_in_order(
    backend: SlowBackend, store: ProgressStore, hub: Hub
) -> None:
    """The store's entries are older than the frames published meanwhile; the two are merged."""
    await restart(store, 200)
    here = await position_of(store, "a")
    other = Reader(hub, "a")
    await other.subscribe("a")
    reader = Reader(hub, "a")
    backend.hold_up("replay")
    subscribing = asyncio.create_task(reader.subscribe("a", at(Position(here.epoch, 10))))
    await backend.held.wait()
    await restart(store, 7)
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
    older = present(await backend.load("a"))
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
    """A subscriber may come from another process before the notification of the transitions that it got there.

    Present subscribers then get the transitions, too, and no snapshot in place of entries that the store keeps.
    """
    await store.start_step("a", 1)
    other = await following(hub)
    backend.lose_listeners("a")
    for step in (2, 3):
        await store.start_step("a", step)
    here = await position_of(store, "a")
    for n, expected in ((2, ["step@3"]), (3, [])):
        reader = Reader(hub, "a")
        await reader.subscribe("a", at(Position(here.epoch, n)))
        assert await reader.read() == expected
    assert await other.read() == ["step@2", "step@3"]


@pytest.mark.protocol("P-5.3")
async def test_each_snapshot_has_a_retry_field(store: ProgressStore, hub: Hub) -> None:
    """No other event has one."""
    reader = await following(hub)
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
    await restart(store, 50)
    here = await position_of(store, "a")
    for away, expected in ((10, labels("step", range(41, 51))), (11, ["snapshot@50"])):
        reader = Reader(hub, "a")
        await reader.subscribe("a", at(Position(here.epoch, here.offset - away)))
        assert await reader.read() == expected


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
    reader = await following(hub)
    record = present(await backend.load("a"))
    ahead = Record(record.session, Position(record.position.epoch, 9))
    for listener in backend.listeners("a"):
        listener(Notification("a", ahead, entries=(LogEntry(9, 1, b"{}"),)))
        listener(Notification("a", ahead, entries=(LogEntry(9, 1, b"{}"),)))
    assert await reader.read() == ["snapshot@9"]


async def test_replacing_a_session_sends_its_subscribers_a_snapshot(store: ProgressStore, hub: Hub) -> None:
    """The new session has a new epoch."""
    await store.start_step("a", 1)
    reader = await following(hub)
    await store.create_session("a", 3)
    assert await reader.read() == ["snapshot@0"]
    first, second = (frame.position for frame in reader.seen)
    assert first is not None
    assert second is not None
    assert first.epoch != second.epoch
