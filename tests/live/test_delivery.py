"""Delivery: a reader gets each transition once and in order, and every way to read a session agrees."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import random
import re
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from fractions import Fraction
from typing import Any
from urllib.parse import quote

import pytest

from tests.conftest import Serve
from tests.harness.follower import Follower
from tests.harness.http1 import Connection
from tests.harness.oracle import PENDING_KEYS, POLL_KEYS, STEP_KEYS, Body, Oracle, fold, fold_all
from tests.harness.rawsse import Block, RawStream, split_id
from tests.harness.redis import KINDS, RedisServer
from tests.harness.serving import Server, Worker, events_path, publish, session_path

HEARTBEAT_S = 0.3


STORES = ["memory://", *(pytest.param(each, marks=pytest.mark.full) for each in ("sqlite", *KINDS))]


@pytest.fixture(scope="module", params=STORES)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, factory: str | None
) -> Iterator[Server]:
    """A server of each kind and store, shared by this module's tests; each test has sessions of its own."""
    folder = tmp_path_factory.mktemp("server")
    store: str = request.param
    settings: dict[str, Any] = {"heartbeat_s": HEARTBEAT_S, "retry_ms": 100}
    if store in KINDS:
        redis_servers: dict[str, RedisServer] = request.getfixturevalue("redis_servers")
        store, settings = redis_servers[store].url, settings | {"redis_prefix": folder.name}
    with Server(folder, store=store, factory=factory, **settings) as running:
        yield running


@pytest.fixture
async def worker(server: Server) -> AsyncIterator[Worker]:
    """A worker connected to the shared server."""
    async with Worker.at(server) as at_server:
        yield at_server


def progress(count: int, first: int = 0) -> list[Body]:
    """`count` reports of progress on step 1, each of which is one transition."""
    return [{"action": "progress", "step": 1, "current": n} for n in range(first, first + count)]


async def snapshot_of(server: Server, session_id: str) -> Block:
    """The snapshot that a new reader gets."""
    async with await RawStream.open(server.port, events_path(session_id)) as stream:
        block = await stream.next_event()
        assert block.event == "snapshot"
        return block


async def assert_nothing_more(stream: RawStream, worker: Worker, session_id: str) -> None:
    """Check that no event was on its way: the next one is the transition made now, one position further."""
    n = stream.events[-1].position.offset
    await worker.start(session_id, 1)
    event = await stream.next_event()
    assert (event.event, event.position.offset) == ("step", n + 1)


# DG-02


async def test_a_snapshot_meets_the_first_step(server: Server, worker: Worker, sid: str) -> None:
    """DG-02: a reader subscribes while a worker reports flat out: the first step follows the snapshot's position."""
    await worker.create(sid, total_steps=1)
    await worker.start(sid, 1)
    count = 2000
    is_over = asyncio.Event()
    pairs: list[tuple[Block, Block]] = []

    async def connect() -> None:
        for _ in range(count // 10):
            await asyncio.sleep(random.random() / 500)
            async with await RawStream.open(server.port, events_path(sid)) as stream:
                first, second = await stream.next_events(2)
                pairs.append((first, second))

    def updates() -> Iterator[Body]:
        numbers = itertools.count()
        while not is_over.is_set():
            yield {"action": "progress", "step": 1, "current": next(numbers)}

    async with asyncio.TaskGroup() as group:
        publishing = group.create_task(publish(server.port, sid, updates()))
        async with asyncio.TaskGroup() as readers:
            for _ in range(10):
                readers.create_task(connect())
        is_over.set()
        await publishing
    assert len(pairs) == count
    for first, second in pairs:
        assert (first.event, second.event) == ("snapshot", "step")
        assert (second.position.epoch, second.position.offset) == (first.position.epoch, first.position.offset + 1)
        fold(first.json(), second.json())


# DG-03


async def test_a_client_reads_its_own_writes(server: Server, worker: Worker, sid: str) -> None:
    """DG-03: after each 200, a poll and a new stream show the change at once."""
    for step in range(1, 8):
        await worker.start(sid, step)
        await assert_read(server, worker, sid, step, "running", "")
        await worker.progress(sid, step, 1, total=2, message=f"half of {step}")
        await assert_read(server, worker, sid, step, "running", f"half of {step}")
        await worker.complete(sid, step, message=f"all of {step}")
        await assert_read(server, worker, sid, step, "success", f"all of {step}")


async def assert_read(server: Server, worker: Worker, sid: str, step: int, status: str, message: str) -> None:
    """Check that the poll and a fresh snapshot both show the step with this status and message."""
    poll, snapshot = await asyncio.gather(worker.poll(sid), snapshot_of(server, sid))
    for body in (poll, snapshot.json()):
        entry = body["steps"][step - 1]
        assert (entry["status"], entry["message"]) == (status, message)


# DG-04


async def test_the_same_completion_from_many_workers_is_one_transition(
    server: Server, worker: Worker, sid: str
) -> None:
    """DG-04: 32 workers report the same completion at once: all of them succeed, and one event is sent."""
    await worker.start(sid, 1)
    async with await RawStream.open(server.port, events_path(sid)) as stream:
        snapshot = await stream.next_event()
        await asyncio.gather(*(worker.complete(sid, 1, message="done") for _ in range(32)))
        step = await stream.next_event()
        assert step.position.offset == snapshot.position.offset + 1
        await assert_nothing_more(stream, worker, sid)


@pytest.mark.parametrize("rounds", [30, pytest.param(200, marks=pytest.mark.full)])
async def test_different_steps_at_once_lose_no_update(server: Server, sid: str, rounds: int) -> None:
    """DG-04: 32 workers start, then complete, one step each at once: 32 events, right counts, in each round."""
    async with contextlib.AsyncExitStack() as stack:
        connections = [await stack.enter_async_context(await Connection.open(server.port)) for _ in range(32)]
        for index in range(rounds):
            await run_all_at_once(server, connections, f"{sid}-{index}")


async def run_all_at_once(server: Server, connections: list[Connection], session_id: str) -> None:
    """Run one session with one step per connection, from its creation to its end."""
    total = len(connections)
    target = session_path(session_id, "update")
    await connections[0].request(
        "PUT", session_path(session_id), [("Content-Type", "application/json")], b'{"total_steps": %d}' % total
    )
    async with await RawStream.open(server.port, events_path(session_id)) as stream:
        await stream.next_event()
        for action, status in (("start", "running"), ("complete", "success")):
            bodies: list[Body] = [{"action": action, "step": step} for step in range(1, total + 1)]
            answers = await asyncio.gather(
                *(link.post_json(target, body) for link, body in zip(connections, bodies, strict=True))
            )
            assert {answer.status for answer in answers} == {200}
            events = [block.json() for block in await stream.next_events(total)]
            assert sorted(event["step"]["step"] for event in events) == list(range(1, total + 1))
            assert {event["step"]["status"] for event in events} == {status}
            poll = (await connections[0].request("GET", session_path(session_id))).json()
            assert poll == fold_all(stream.events)
            assert [entry["status"] for entry in poll["steps"]] == [status] * total
            if action == "start":
                assert poll["current_step"] == events[-1]["step"]["step"]
        assert (poll["status"], poll["percentage"]) == ("completed", 100)
        numbers = [block.position.offset for block in stream.events if block.event in ("snapshot", "step")]
        assert numbers == list(range(2 * total + 1))


# DG-05


async def test_a_key_makes_one_effect_of_many_requests(server: Server, worker: Worker, sid: str) -> None:
    """DG-05: ten concurrent requests with one key and body have one effect; each answer is the same one, or 409."""
    await worker.create(sid)
    async with await RawStream.open(server.port, events_path(sid)) as stream:
        await stream.next_event()
        answers = await asyncio.gather(*(worker.update(sid, key="k", action="start", step=1) for _ in range(10)))
        for answer in answers:
            assert answer.status_code in (200, 409)
            if answer.status_code == 409:
                assert answer.json()["type"].startswith("/problems/")
                assert int(answer.headers["Retry-After"]) >= 0
        assert 200 in {answer.status_code for answer in answers}
        later = await worker.update(sid, key="k", action="start", step=1)
        first = next(answer for answer in answers if answer.status_code == 200)
        assert (later.status_code, later.content) == (200, first.content)
        assert (await stream.next_event()).position.offset == 1
        await assert_nothing_more(stream, worker, sid)


async def test_a_key_is_for_one_body(server: Server, worker: Worker, sid: str) -> None:
    """DG-05: a key with another body gets 422 and changes nothing; other JSON for the same body counts as the same."""
    assert (await worker.update(sid, key="k", action="start", step=1)).status_code == 200
    before = await worker.poll_raw(sid)
    conflict = await worker.update(sid, key="k", action="start", step=2)
    assert (conflict.status_code, conflict.headers["Content-Type"]) == (422, "application/problem+json")
    rewritten = b'{ "step":1,"unknown":7,\n"action":"start" }'
    async with await Connection.open(server.port) as connection:
        headers = [("Content-Type", "application/json"), ("Idempotency-Key", "k")]
        answer = await connection.request("POST", session_path(sid, "update"), headers, rewritten)
        assert answer.status == 200
    assert (await worker.poll_raw(sid)).content == before.content


async def test_a_repeated_completion_without_a_key_changes_nothing(server: Server, worker: Worker, sid: str) -> None:
    """DG-05: a repeated completion gets 200, sends no event, and leaves the ETag as it was."""
    await worker.start(sid, 1)
    await worker.complete(sid, 1, message="done")
    async with await RawStream.open(server.port, events_path(sid)) as stream:
        await stream.next_event()
        etag = (await worker.poll_raw(sid)).headers["ETag"]
        await worker.complete(sid, 1, message="done")
        assert (await worker.poll_raw(sid)).headers["ETag"] == etag
        await assert_nothing_more(stream, worker, sid)


async def test_a_key_is_remembered_over_a_restart(serve: Serve) -> None:
    """DG-05: after a kill and a start, the same key gets the same answer and is not applied a second time."""
    server = serve(store="sqlite")
    async with Worker.at(server) as worker:
        first = await worker.update("s", key="k", action="start", step=1)
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        etag = (await worker.poll_raw("s")).headers["ETag"]
        again = await worker.update("s", key="k", action="start", step=1)
        assert (again.status_code, again.content) == (200, first.content)
        assert (await worker.update("s", key="k", action="start", step=2)).status_code == 422
        assert (await worker.poll_raw("s")).headers["ETag"] == etag
        assert (await snapshot_of(server, "s")).position.offset == 1


# DG-06


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


# DG-07


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
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)
            poll = await worker.poll_raw("s")
            async with await RawStream.open(server.port, events_path("s"), last_event_id=start) as stream:
                snapshot = await stream.next_event()
                assert (snapshot.event, (snapshot.data or "").encode()) == ("snapshot", poll.content)
                assert snapshot.position == (split_id(start).epoch, 21)
                await worker.poll("s")
                await stream.wait_until(lambda s: len(s.comments) >= 1)
                assert len(stream.events) == 1


def delete_transitions(server: Server, condition: str) -> None:
    """Delete rows of the log of transitions."""
    with contextlib.closing(sqlite3.connect(server.database)) as database:
        deleted = database.execute(f"DELETE FROM log WHERE {condition}").rowcount  # noqa: S608 - our own texts
        assert deleted > 0
        database.commit()


# DG-08

HOSTILE: dict[str, Callable[[str, str, str], str]] = {
    # Each is made from an id of this session (`<epoch>-<n>`), one of another session, and one of an earlier epoch.
    "from the future": lambda own, *_: f"{own.rpartition('-')[0]}-9999",
    "of another session": lambda _, other, __: other,
    "of an earlier life": lambda _, __, earlier: earlier,
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


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_position_gets_a_snapshot(
    server: Server, worker: Worker, past: tuple[str, list[str]], name: str
) -> None:
    """DG-08: an id that is not of this session gets 200 and a snapshot within 300 ms, by header and by query."""
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
    other, life = f"{sid}-other", f"{sid}-life"
    await worker.create(other)
    await worker.create(life)
    foreign = await last_id_of(server, target_of(other, f"{sid}-absent"), 2)
    earlier = await last_id_of(server, target_of(life, past[0]), 2)
    await worker.create(life, replace=True)
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
    target = target_of(life, past[0])
    for position in positions:
        expected = {(await worker.poll_raw(session_id)).text for session_id in (life, past[0])}
        async with await RawStream.open(server.port, target, last_event_id=position) as stream:
            events = await stream.next_events(2)
            assert {event.data for event in events} == expected
        async with await RawStream.open(server.port, events_path(life), last_event_id=position) as stream:
            assert (await stream.next_event()).event == "snapshot"


async def last_id_of(server: Server, target: str, count: int) -> str:
    """The id of a reader that has read `count` events of a stream."""
    async with await RawStream.open(server.port, target) as stream:
        await stream.next_events(count)
        return stream.last_event_id


# DG-09


async def test_snapshot_poll_and_fold_agree_at_each_id(server: Server, worker: Worker, sid: str) -> None:
    """DG-09: at each id, snapshot, poll and fold are equal byte for byte; ETag, formulas and keys are right."""
    estimates = [random.Random(sid).randint(0, 90_000) for _ in range(6)]
    steps = [{"name": f"段階 {n}", "timeout_ms": 1000 + n, "estimated_ms": ms} for n, ms in enumerate(estimates)]
    await worker.create(sid, steps=steps)
    bodies: dict[str, bytes] = {}
    async with await RawStream.open(server.port, events_path(sid)) as stream:
        event = await stream.next_event()
        state = event.json()
        for update in script(random.Random(9), len(steps)):
            answer = await worker.update(sid, **update)
            assert answer.status_code == 200, (update, answer.text)
            poll = await worker.poll_raw(sid)
            snapshot = await snapshot_of(server, sid)
            assert (snapshot.data or "").encode() == poll.content
            while event.id != snapshot.id:
                event = await stream.next_event()
                state = fold(state, event.json())
            assert state == poll.json()
            assert_shape(poll.json(), estimates)
            assert bodies.setdefault(poll.headers["ETag"], poll.content) == poll.content
            await assert_not_modified(worker, sid, poll.headers["ETag"])
    assert len(bodies) > 30


def script(rng: random.Random, total: int) -> Iterator[Body]:
    """A run with every kind of update, retries and repeats included; it stops before the session is completed."""
    for step in [*range(1, total), *(rng.randint(1, total - 1) for _ in range(8))]:
        yield {"action": "start", "step": step, "timeout_ms": rng.choice([None, 0, 5000])}
        for current in range(rng.randint(0, 3)):
            total_units = rng.choice([None, 7, current])
            report = {"action": "progress", "step": step, "current": current, "message": rng.choice(["", "読み込み"])}
            yield {**report, "total": total_units}
            yield {**report, "total": total_units}
        is_success = rng.random() < 0.7
        yield {
            "action": "complete",
            "step": step,
            "success": is_success,
            "message": "m",
            "error": "" if is_success else "e",
        }
        if rng.random() < 0.3:
            yield {"action": "complete", "step": step, "success": not is_success}


def assert_shape(poll: Body, estimates: list[int]) -> None:
    """Check the documented order of the keys, and compute the two formulas of the protocol anew."""
    assert tuple(poll) == POLL_KEYS
    total = poll["total_steps"]
    assert (total, [entry["step"] for entry in poll["steps"]]) == (len(estimates), list(range(1, total + 1)))
    parts = Fraction(0)
    for entry in poll["steps"]:
        keys = tuple(entry)
        assert keys in (STEP_KEYS, PENDING_KEYS, (*STEP_KEYS, "progress"))
        if "progress" in entry:
            assert entry["status"] == "running"
            current, units = entry["progress"]["current"], entry["progress"]["total"]
            parts += Fraction(current, units) if units else 0
        parts += entry["status"] in ("success", "error")
    assert poll["percentage"] == 100 * parts // total
    assert poll["estimated_remaining_ms"] == sum(estimates[poll["current_step"] :])
    statuses = {entry["status"] for entry in poll["steps"]}
    if poll["status"] == "error":
        assert "error" in statuses


async def assert_not_modified(worker: Worker, sid: str, etag: str) -> None:
    """A client that has the ETag gets 304 without a body; lists of ETags and `*` work, another ETag gets 200."""
    for value in (etag, f'"other", {etag}', "*", f"W/{etag}" if not etag.startswith("W/") else etag):
        answer = await worker.poll_raw(sid, **{"If-None-Match": value})
        assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", etag), value
    assert (await worker.poll_raw(sid, **{"If-None-Match": '"other"'})).status_code == 200


async def test_the_percentage_is_the_exact_floor(worker: Worker, sid: str) -> None:
    """DG-09: 29 of 50 is 58 percent, where floating point gives 57."""
    await worker.create(sid, total_steps=50)
    for step in range(1, 30):
        await worker.start(sid, step)
        await worker.complete(sid, step)
    assert (await worker.poll(sid))["percentage"] == 58


# DG-10


async def test_a_reader_may_come_before_the_session(server: Server, worker: Worker, sid: str) -> None:
    """DG-10: the reader gets `not_found`, then the session as its first start creates it, then the step."""
    async with await RawStream.open(server.port, events_path(sid)) as stream:
        absent = await stream.next_event()
        poll = await worker.poll_raw(sid)
        assert (absent.event, (absent.data or "").encode()) == ("snapshot", poll.content)
        zeros = dict.fromkeys(("current_step", "total_steps", "percentage", "estimated_remaining_ms"), 0)
        assert poll.json() == {"session_id": sid, "status": "not_found", "steps": [], **zeros}
        await worker.start(sid, 3)
        created, step = await stream.next_events(2)
        assert (created.event, created.position.offset, created.json()["status"]) == ("snapshot", 0, "pending")
        assert (step.event, step.position.offset, step.json()["step"]["step"]) == ("step", 1, 3)
        assert created.position.epoch == step.position.epoch != absent.position.epoch
        assert fold(created.json(), step.json()) == await worker.poll(sid)


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


# DG-12


@pytest.mark.timeout(180)
async def test_several_sessions_on_one_stream_keep_every_promise(server: Server, worker: Worker) -> None:
    """DG-12: 20 sessions on one stream, cut at random, with changing lists: none lost, twice or out of order."""
    oracle, rng = Oracle(), random.Random(12)
    sessions = [f"dg-12-{server.store[:6].strip(':/')}-{n}" for n in range(20)]
    controls = [Follower(oracle, "control", server.port, [session_id]) for session_id in sessions]
    control_streams = [await follower.connect() for follower in controls]
    for stream in control_streams:
        await stream.next_event()
    followers = [Follower(oracle, f"several-{n}", server.port, sessions) for n in range(4)]
    changing = followers[0]
    work = asyncio.gather(
        *(run_session(oracle, worker, session_id, random.Random(session_id)) for session_id in sessions)
    )
    while not work.done():
        await asyncio.gather(*(follower.read(rng.randint(1, 60), at_most_s=0.5) for follower in followers))
        for follower in followers:
            assert len(follower.last_event_id or "") <= 128
        changing.session_ids = rng.sample(sessions, rng.randint(2, 20))
    await work
    changing.session_ids = sessions
    finals = {session_id: await worker.poll(session_id) for session_id in sessions}
    await asyncio.gather(*(follower.read_until(finals) for follower in followers))
    for follower, stream in zip(controls, control_streams, strict=True):
        await stream.wait_until(lambda s, f=follower: fold_all(s.events) == finals[f.session_ids[0]])  # type: ignore[misc]
        await stream.aclose()
        follower.take(stream)
    for session_id, final in finals.items():
        verdict = oracle.check(session_id, final)
        assert verdict.is_clean(), (session_id, verdict)
    assert all(follower.connections > 3 for follower in followers)


async def run_session(oracle: Oracle, worker: Worker, session_id: str, rng: random.Random) -> None:
    """Report one worker's job, with retries, up to the last step but one."""
    for step in range(1, 7):
        for is_success in (False, True) if rng.random() < 0.3 else (True,):
            await oracle.post(worker, session_id, "start", step)
            for current in range(rng.randint(0, 4)):
                await oracle.post(worker, session_id, "progress", step, current=current)
            await oracle.post(worker, session_id, "complete", step, success=is_success)


async def test_a_stream_of_several_resumes_each_session_it_can(server: Server, worker: Worker, sid: str) -> None:
    """DG-12: after a changed list, kept sessions get the missed steps, new ones a snapshot, removed ones nothing."""
    stay, leave, new = (f"{sid}-{n}" for n in ("stay", "leave", "new"))
    for session_id in (stay, leave, new):
        await worker.create(session_id)
    async with await RawStream.open(server.port, f"/api/events?session_id={stay}&session_id={leave}") as stream:
        await stream.next_events(2)
        last = stream.last_event_id
    for session_id in (stay, leave, new):
        await worker.start(session_id, 1)
    target = f"/api/events?session_id={new}&session_id={stay}"
    async with await RawStream.open(server.port, target, last_event_id=last) as stream:
        events = await stream.next_events(2)
        seen = {(e.event, e.json().get("session_id") or e.json()["session"]["session_id"]) for e in events}
        assert seen == {("step", stay), ("snapshot", new)}
        await worker.start(leave, 2)
        await worker.start(stay, 2)
        following = await stream.next_event()
        assert (following.event, following.json()["session"]["session_id"]) == ("step", stay)
        assert all(len(event.id or "") in range(1, 129) for event in stream.events)


async def test_a_stream_of_several_ends_with_the_last_of_them(server: Server, worker: Worker, sid: str) -> None:
    """DG-12: `end` comes when all sessions are completed and delivered; a reader with its id then gets 204."""
    sessions = [f"{sid}-{n}" for n in range(2)]
    target = "/api/events?" + "&".join(f"session_id={session_id}" for session_id in sessions)
    for session_id in sessions:
        await worker.create(session_id, total_steps=1)
        await worker.start(session_id, 1)
    async with await RawStream.open(server.port, target) as stream:
        await stream.next_events(2)
        await worker.complete(sessions[0], 1)
        await stream.next_event()
        await stream.wait_until(lambda s: len(s.comments) >= 1)
        assert stream.ending is None
        await worker.complete(sessions[1], 1)
        step, end = await stream.next_events(2)
        assert (step.event, end.event) == ("step", "end")
        assert re.fullmatch(r"[A-Za-z0-9._~-]{1,128}", end.id or "")
        assert sorted(end.json()["session_ids"]) == sessions
        assert await stream.closed() == "end"
        last = stream.last_event_id
    async with await RawStream.open(server.port, target, last_event_id=last) as stream:
        assert (await stream.received_head()).status == 204
    async with await RawStream.open(server.port, target) as stream:
        assert await stream.closed() == "end"
        assert [event.event for event in stream.events] == ["snapshot", "snapshot", "end"]
