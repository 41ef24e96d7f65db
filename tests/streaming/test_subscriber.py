"""The bounded queue of a subscriber: overflow, counts, heartbeats and the end."""

import asyncio

import pytest

from progress_sse.store.listeners import changes_of
from progress_sse.store.progress_store import ProgressStore
from progress_sse.store.types import Notification
from progress_sse.streaming import subscriber as subscriber_module
from progress_sse.streaming.hub import Hub
from progress_sse.wire.frames import FrameBatch
from tests.streaming.recorder import Reader, SlowBackend, at, following, label, labels, position_of, restart


@pytest.mark.protocol("P-5.18")
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
    assert hub.counts.resyncs == {"behind": 1}
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
    await restart(store, 5)
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
    reader = await following(hub, "s")
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
    reader = await following(hub)
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


async def test_no_heartbeat_is_sent_while_frames_wait(store: ProgressStore, hub: Hub) -> None:
    """The frames show life as well, and the queue of a slow subscriber must not fill with heartbeats."""
    beat = FrameBatch((), b": \n")
    reader = await following(hub)
    reader.subscriber.send_heartbeat(beat)
    reader.subscriber.send_heartbeat(beat)
    assert await reader.read() == ["heartbeat"]
    await store.create_session("a")
    reader.subscriber.send_heartbeat(beat)
    assert await reader.read() == ["snapshot@0"]


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
    await backend.subscribe(
        changes_of("a"), lambda _notification: finished_when_notified.append(reader.subscriber.is_finished)
    )
    await store.complete_step("a", 1)
    assert await reader.read() == ["step@2"]
    assert finished_when_notified == [False]
    assert reader.subscriber.is_finished


async def test_a_snapshot_for_a_lagging_subscriber_is_not_followed_by_changes_that_it_contains(
    backend: SlowBackend, store: ProgressStore, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This also holds where it is taken between a change and the end of that turn."""
    monkeypatch.setattr(subscriber_module, "MAX_QUEUED_BYTES", 1000)
    reader = await following(hub)
    await restart(store, 10)
    assert hub.counts.resyncs == {"behind": 1}
    taken: list[str] = []

    def take(_notification: Notification) -> None:
        taken.extend(reader.take())

    leave = await backend.subscribe(changes_of("a"), take)
    await store.start_step("a", 1)
    assert taken == ["snapshot@11"]
    leave()
    await store.start_step("a", 1)
    assert await reader.read() == ["step@12"]
