"""A reader that returns with an event id gets what it missed, or a snapshot."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable
from urllib.parse import quote

import pytest

from tests.conftest import Serve
from tests.harness.event_stream import split_id
from tests.harness.oracle import Body
from tests.harness.rawsse import RawStream
from tests.harness.serving import Server, Worker, events_path, publish
from tests.live.delivery.reading import HEARTBEAT_S, assert_nothing_more, snapshot_of


def progress(count: int) -> list[Body]:
    """`count` reports of progress on step 1, each of which is one transition."""
    return [{"action": "progress", "step": 1, "current": n} for n in range(count)]


@pytest.mark.guarantee("D")
@pytest.mark.protocol("P-6.7")
async def test_a_replay_is_exact_and_moves_the_cursor(server: Server, worker: Worker, sid: str) -> None:
    """DG-06: a reader that missed 500 events gets these 500, each with its id; when it returns again, it gets none."""
    await worker.start(sid, 1)
    last = (await snapshot_of(server, sid)).id or ""
    await publish(server.port, sid, progress(500))
    async with await RawStream.open(server.port, events_path(sid), last_event_id=last) as stream:
        events = await stream.next_events(500)
        assert [(event.event, event.position.offset) for event in events] == [("step", n) for n in range(2, 502)]
        assert {event.position.epoch for event in events} == {split_id(last).epoch}
        assert [event.json()["step"]["progress"]["current"] for event in events] == list(range(500))
        last = stream.last_event_id
    for _ in range(2):
        async with await RawStream.open(server.port, events_path(sid), last_event_id=last) as stream:
            # Two heartbeats show that the stream is live and that nothing was replayed.
            await stream.wait_until(lambda s: len(s.comments) >= 2)
            assert stream.events == []
    async with await RawStream.open(server.port, events_path(sid), last_event_id=last) as stream:
        await stream.received_head()
        await worker.start(sid, 1)
        assert (await stream.next_event()).position.offset == 502
        await assert_nothing_more(stream, worker, sid)


@pytest.mark.guarantee(38)
@pytest.mark.protocol("P-6.9")
@pytest.mark.parametrize("store", ["memory://", pytest.param("sqlite", marks=pytest.mark.full)])
@pytest.mark.parametrize("limit", [{"history": 100}, {"history_bytes": 16384}], ids=["count", "bytes"])
async def test_a_reader_past_the_retention_gets_one_snapshot(serve: Serve, store: str, limit: dict[str, int]) -> None:
    """DG-07: past the retention a reader gets one snapshot, within it exactly what it missed, and never a hole."""
    server = serve(store=store, heartbeat_s=HEARTBEAT_S, **limit)
    async with Worker.at(server) as worker:
        await worker.create("s", total_steps=2)
        await worker.start("s", 1)
        start = (await snapshot_of(server, "s")).id or ""
        epoch = split_id(start).epoch
        await publish(server.port, "s", progress(1000))
        poll = await worker.poll_raw("s")
        async with await RawStream.open(server.port, events_path("s"), last_event_id=start) as stream:
            snapshot = await stream.next_event()
            assert (snapshot.event, snapshot.position.offset) == ("snapshot", 1001)
            assert (snapshot.data or "").encode() == poll.content
            await assert_nothing_more(stream, worker, "s")
        if "history" in limit:
            for missed, kind in ((100, "step"), (99, "step"), (101, "snapshot")):
                at = f"{epoch}-{1002 - missed}"
                async with await RawStream.open(server.port, events_path("s"), last_event_id=at) as stream:
                    events = await stream.next_events(missed if kind == "step" else 1)
                    assert {event.event for event in events} == {kind}
                    assert [event.position.offset for event in events] == list(range(1003 - len(events), 1003))


@pytest.mark.guarantee(38)
async def test_rows_deleted_by_another_program_leave_no_hole(serve: Serve) -> None:
    """DG-07: a reader gets a snapshot where rows are missing from the log, never the rows that are left."""
    server = serve(store="sqlite", heartbeat_s=HEARTBEAT_S)
    async with Worker.at(server) as worker:
        await worker.start("s", 1)
        start = (await snapshot_of(server, "s")).id or ""
        await publish(server.port, "s", progress(20))
        for condition in ("n = 10", "n >= 15"):
            # Changed while no server has it open, the file would count as another one, and get new epochs.
            delete_transitions(server, condition)
            await asyncio.to_thread(server.restart)
            poll = await worker.poll_raw("s")
            async with await RawStream.open(server.port, events_path("s"), last_event_id=start) as stream:
                snapshot = await stream.next_event()
                assert (snapshot.event, (snapshot.data or "").encode()) == ("snapshot", poll.content)
                assert snapshot.position == (split_id(start).epoch, 21)
                await worker.poll("s")
                await stream.wait_until(lambda s: len(s.comments) >= 1)
                assert len(stream.events) == 1


def delete_transitions(server: Server, condition: str) -> None:
    with contextlib.closing(sqlite3.connect(server.database)) as database:
        deleted = database.execute(f"DELETE FROM log WHERE {condition}").rowcount  # noqa: S608 - our own texts
        assert deleted > 0
        database.commit()


HOSTILE: dict[str, Callable[[str, str, str], str]] = {
    # Each is made from an id of this session (`<epoch>-<n>`), one of another session, and one of an earlier epoch.
    "from the future": lambda own, *_: f"{own.rpartition('-')[0]}-9999",
    "of another session": lambda _, other, __: other,
    "of an earlier epoch": lambda _, __, earlier: earlier,
    "of an old epoch": lambda own, *_: "0ld" + own,
    "no number": lambda own, *_: own.rpartition("-")[0],
    "no epoch": lambda own, *_: own.rpartition("-")[2],
    "an empty number": lambda own, *_: own.rpartition("-")[0] + "-",
    "an empty epoch": lambda own, *_: "-" + own.rpartition("-")[2],
    "a negative number": lambda own, *_: own.rpartition("-")[0] + "--1",
    "a padded number": lambda own, *_: own.rpartition("-")[0] + "-01",
    "a signed number": lambda own, *_: own.rpartition("-")[0] + "-+1",
    "a number with an underscore": lambda own, *_: own.rpartition("-")[0] + "-1_0",
    "a fraction": lambda own, *_: own + ".0",
    "Arabic digits": lambda own, *_: own.rpartition("-")[0] + "-١",  # noqa: RUF001
    "10²⁰": lambda own, *_: own.rpartition("-")[0] + "-100000000000000000000",
    "4400 digits": lambda own, *_: own.rpartition("-")[0] + "-" + "9" * 4400,
    "upper case": lambda own, *_: own.swapcase(),
    "twice": lambda own, *_: own + own,
    "$": lambda *_: "$",
    "+": lambda *_: "+",
    "*": lambda *_: "*",
    "0-0": lambda *_: "0-0",
    "-1": lambda *_: "-1",
    "0": lambda *_: "0",
    "8 KiB": lambda *_: "x" * 8192,
    "8 KiB of dashes": lambda *_: "-" * 8192,
    "UTF-8": lambda *_: "日本語-1",
    "SQL": lambda *_: "'; DROP TABLE sessions; --",
    "quotes": lambda own, *_: f'"{own}"',
    "JSON": lambda *_: '{"epoch": 1}',
    "null": lambda *_: "null",
    "NUL": lambda own, *_: own + "\0",
    "line feed": lambda own, *_: own + "\nevent: x",
}


@pytest.fixture
async def past(server: Server, worker: Worker) -> tuple[str, list[str]]:
    """A session that was deleted and recreated, and ids: its own, another session's, and one of its earlier epoch."""
    sid, other = "dg-08", "dg-08-secret"
    ids = []
    for session_id in (sid, other):
        await worker.create(session_id, replace=True)
        await worker.start(session_id, 1)
        ids.append((await snapshot_of(server, session_id)).id or "")
    await worker.delete(sid)
    await worker.create(sid)
    await worker.start(sid, 1)
    await worker.start(sid, 2)
    return sid, [(await snapshot_of(server, sid)).id or "", ids[1], ids[0]]


@pytest.mark.guarantee("E")
@pytest.mark.protocol("P-6.8")
@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_position_gets_a_snapshot(
    server: Server, worker: Worker, past: tuple[str, list[str]], name: str
) -> None:
    """DG-08: an id that is not of this session gets 200 and a snapshot, by header and by query."""
    sid, ids = past
    position = HOSTILE[name](*ids)
    poll = (await worker.poll_raw(sid)).content
    query = f"last_event_id={quote(position, safe='')}"
    streams = [
        await RawStream.open(server.port, events_path(sid, f"?{query}")),
        await RawStream.open(server.port, f"/api/events?session_id={sid}&{query}"),
    ]
    if not {"\0", "\n"} & set(position):  # These cannot be put into a header.
        streams.append(await RawStream.open(server.port, events_path(sid), last_event_id=position))
        streams.append(await RawStream.open(server.port, f"/api/events?session_id={sid}", last_event_id=position))
    for stream in streams:
        snapshot = await stream.next_event()
        assert stream.status == 200
        assert (snapshot.event, (snapshot.data or "").encode()) == ("snapshot", poll)
        assert b"secret" not in stream.wire
    for stream in streams:
        await stream.aclose()


async def test_a_hostile_position_among_several_gets_a_snapshot(
    server: Server, worker: Worker, past: tuple[str, list[str]], sid: str
) -> None:
    """DG-08: an id that a stream of several got for another list, or in an earlier epoch, gets snapshots."""
    target_of = "/api/events?session_id={}&session_id={}".format
    other, replaced = f"{sid}-other", f"{sid}-replaced"
    await worker.create(other)
    await worker.create(replaced)
    foreign = await last_id_of(server, target_of(other, f"{sid}-absent"), 2)
    earlier = await last_id_of(server, target_of(replaced, past[0]), 2)
    await worker.create(replaced, replace=True)
    await worker.create(past[0], replace=True)
    positions = [
        foreign,
        earlier,
        foreign[:2],
        foreign[:4],
        foreign[::-1],
        foreign.swapcase(),
        foreign[:2] + "A" * 8000,
    ]
    target = target_of(replaced, past[0])
    for position in positions:
        expected = {(await worker.poll_raw(session_id)).text for session_id in (replaced, past[0])}
        async with await RawStream.open(server.port, target, last_event_id=position) as stream:
            events = await stream.next_events(2)
            assert {event.data for event in events} == expected
        async with await RawStream.open(server.port, events_path(replaced), last_event_id=position) as stream:
            assert (await stream.next_event()).event == "snapshot"


async def last_id_of(server: Server, target: str, count: int) -> str:
    """The id of a reader that has read `count` events of a stream."""
    async with await RawStream.open(server.port, target) as stream:
        await stream.next_events(count)
        return stream.last_event_id
