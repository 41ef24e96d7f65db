"""A reader gets each transition once and in order, also when many workers report at the same time."""

import asyncio
import contextlib
import itertools
import random
from collections.abc import Iterator

import pytest

from tests.harness.event_stream import Block
from tests.harness.http1 import Connection
from tests.harness.oracle import Body, fold, fold_all
from tests.harness.rawsse import RawStream
from tests.harness.serving import Server, Worker, events_path, publish, session_path
from tests.live.delivery.reading import assert_nothing_more, snapshot_of


@pytest.mark.parametrize("count", [400, pytest.param(2000, marks=pytest.mark.full)])
async def test_a_snapshot_meets_the_first_step(server: Server, worker: Worker, sid: str, count: int) -> None:
    """DG-02: a reader subscribes while a worker reports flat out: the first step follows the snapshot's position."""
    await worker.create(sid, total_steps=1)
    await worker.start(sid, 1)
    is_over = asyncio.Event()
    pairs: list[tuple[Block, Block]] = []

    async def connect() -> None:
        for _ in range(count // 10):
            await asyncio.sleep(random.random() / 500)  # The reader comes at a random moment.
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


@pytest.mark.guarantee("A")
@pytest.mark.protocol("P-9.2")
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


@pytest.mark.guarantee("A")
@pytest.mark.protocol("P-9.3")
@pytest.mark.parametrize("rounds", [8, pytest.param(200, marks=pytest.mark.full)])
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
