"""Streams of a session that is created, replaced, deleted or cleaned up."""

import itertools
import json

import pytest

from tests.conftest import Serve
from tests.harness.oracle import fold_all
from tests.harness.rawsse import RawStream
from tests.harness.serving import Server, Worker, events_path
from tests.live.delivery.reading import snapshot_of


@pytest.mark.protocol("P-6.10")
async def test_a_reader_that_knows_of_the_absence_gets_nothing(server: Server, worker: Worker, sid: str) -> None:
    """DG-10: a reader with the id of `not_found` gets nothing while the session is absent, and else a snapshot."""
    absent = (await snapshot_of(server, sid)).id or ""
    async with await RawStream.open(server.port, events_path(sid), last_event_id=absent) as stream:
        await stream.wait_until(lambda s: len(s.comments) >= 2)
        assert stream.events == []
        await worker.create(sid)
        assert (await stream.next_event()).json()["status"] == "pending"
    async with await RawStream.open(server.port, events_path(sid), last_event_id=absent) as stream:
        assert (await stream.next_event()).json()["status"] == "pending"


@pytest.mark.protocol("P-5.8", "P-5.10", "P-6.3")
async def test_deletion_and_recreation_reach_open_streams(server: Server, worker: Worker, sid: str) -> None:
    """DG-10: each creation, deletion and replacement reaches open streams as a snapshot, and old ids become invalid."""
    async with (
        await RawStream.open(server.port, events_path(sid)) as one,
        await RawStream.open(server.port, f"/api/events?session_id={sid}&session_id={sid}-other") as several,
    ):
        await one.next_event()
        await several.next_events(2)
        expected = []
        for change in (
            worker.create(sid, total_steps=2),
            worker.start(sid, 1),
            worker.delete(sid),
            worker.create(sid, total_steps=3),
            worker.create(sid, replace=True, total_steps=4),
        ):
            await change
            expected.append((await worker.poll_raw(sid)).content.decode())
        seen = await one.next_events(5)
        assert [event.event for event in seen] == ["snapshot", "step", "snapshot", "snapshot", "snapshot"]
        seen_in_several = await several.next_events(5)
        for events in (seen, seen_in_several):
            assert [event.data for event in events if event.event == "snapshot"] == expected[:1] + expected[2:]
            assert fold_all(events[:2]) == json.loads(expected[1])
        epochs = [event.position.epoch for event in seen]
        assert epochs[0] == epochs[1]
        assert len(set(epochs)) == 4
    for old in (seen[0], seen[1], seen[2], seen[3]):
        async with await RawStream.open(server.port, events_path(sid), last_event_id=old.id) as stream:
            again = await stream.next_event()
            assert (again.event, again.data, again.id) == ("snapshot", expected[-1], seen[-1].id)


@pytest.mark.protocol("P-5.8", "P-13.13")
@pytest.mark.parametrize("store", ["memory://", pytest.param("sqlite", marks=pytest.mark.full)])
async def test_cleanup_reaches_open_streams(serve: Serve, store: str) -> None:
    """DG-10: open streams of a session that is cleaned up get `not_found`; a running session is spared."""
    server = serve(store=store, max_age_hours=2 / 3600, cleanup_interval_s=0.2)
    async with Worker.at(server) as worker:
        await worker.create("idle")
        await worker.start("busy", 1)
        async with (
            await RawStream.open(server.port, events_path("idle")) as idle,
            await RawStream.open(server.port, events_path("busy")) as busy,
        ):
            before = await idle.next_event()
            updates = itertools.count()
            while len(idle.events) < 2:
                await worker.progress("busy", 1, next(updates))
                assert idle.ending is None
            gone = await idle.next_event()
            assert (gone.event, gone.json()["status"]) == ("snapshot", "not_found")
            assert gone.position.epoch != before.position.epoch
            await worker.progress("busy", 1, next(updates))
            assert (await worker.poll("busy"))["status"] == "running"
            assert "not_found" not in {event.json().get("status") for event in busy.events}
        async with await RawStream.open(server.port, events_path("idle"), last_event_id=before.id) as stream:
            assert (await stream.next_event()).json()["status"] == "not_found"
