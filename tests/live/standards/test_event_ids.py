"""The ids of events, and streams that resume at one."""

import asyncio
import re
from collections.abc import Callable, Sequence

import pytest
from playwright.async_api import Browser

from tests.conftest import Serve
from tests.harness.chaos import ChaosProxy, Cut
from tests.harness.oracle import fold_all
from tests.harness.rawsse import RawStream
from tests.harness.serving import Server, Worker, events_path, publish
from tests.live.browsing import BrowserStream, as_fired


@pytest.mark.guarantee("E")
@pytest.mark.protocol("P-6.1", "P-6.2", "P-6.4")
@pytest.mark.parametrize("store", ["memory://", pytest.param("sqlite", marks=pytest.mark.full)])
async def test_ids_grow_and_never_come_back(serve: Serve, store: str) -> None:
    """SC-04: ids have the documented form, grow by one within an epoch, and are never reused in a later one."""
    server = serve(store=store)
    runs: list[dict[str, list[str]]] = []
    sessions = [f"session-{n}" for n in range(10)]
    async with Worker.at(server) as worker:
        for _ in range(2):
            runs.append(await run_once(server, worker, sessions, 50))
            for session_id in sessions:
                await worker.delete(session_id)
        runs.append(await run_once(server, worker, sessions, 5))
        await asyncio.to_thread(server.terminate)
        await asyncio.to_thread(server.start)
        after_restart = await resume_once(server, worker, sessions, runs[-1], survives=store == "sqlite")
    for run in runs:
        for ids in run.values():
            assert_ids_grow(ids)
    for session_id in sessions:
        epochs = [run[session_id][0].rpartition("-")[0] for run in runs]
        assert len(set(epochs)) == len(runs)
        if store == "sqlite":
            assert_ids_grow(runs[-1][session_id] + after_restart[session_id])
        else:
            assert after_restart[session_id][0].rpartition("-")[0] not in epochs


async def run_once(server: Server, worker: Worker, sessions: list[str], count: int) -> dict[str, list[str]]:
    """Create the sessions, report to all of them at once, and return the ids that each stream carried."""
    for session_id in sessions:
        await worker.create(session_id)
    streams = {s: await RawStream.open(server.port, events_path(s, "?heartbeat=event")) for s in sessions}
    updates = [{"action": "start", "step": 1}]
    updates += [{"action": "progress", "step": 1, "current": n} for n in range(count - 1)]
    for stream in streams.values():
        await stream.wait_until(lambda s: any(event.event == "snapshot" for event in s.events))
    await asyncio.gather(*(publish(server.port, session_id, updates) for session_id in sessions))
    ids = {}
    for session_id, stream in streams.items():
        await stream.wait_until(lambda s: sum(event.event == "step" for event in s.events) >= count)
        await stream.aclose()
        heartbeats = [event for event in stream.events if event.event == "heartbeat"]
        assert heartbeats
        assert all(event.id is None for event in heartbeats)
        ids[session_id] = [event.id or "" for event in stream.events if event.event != "heartbeat"]
    return ids


async def resume_once(
    server: Server, worker: Worker, sessions: list[str], run: dict[str, list[str]], *, survives: bool
) -> dict[str, list[str]]:
    """Resume with the last id after a restart, read one more step, and return the ids."""
    ids = {}
    for session_id in sessions:
        async with await RawStream.open(
            server.port, events_path(session_id), last_event_id=run[session_id][-1]
        ) as stream:
            if survives:
                await stream.received_head()
            else:
                assert (await stream.next_event()).json()["status"] == "not_found"
            await worker.start(session_id, 2)
            await stream.wait_until(lambda s: any(event.event == "step" for event in s.events))
            assert [e.event for e in stream.events] == ["step"] if survives else ["snapshot", "snapshot", "step"]
            ids[session_id] = [event.id or "" for event in stream.events if event.json().get("status") != "not_found"]
    return ids


def assert_ids_grow(ids: list[str]) -> None:
    """Check the documented form, one epoch, and offsets that grow by one."""
    for event_id in ids:
        assert re.fullmatch(r"[A-Za-z0-9._~-]{1,128}", event_id)
    epochs, numbers = zip(*(event_id.rpartition("-")[::2] for event_id in ids), strict=True)
    assert len(set(epochs)) == 1
    assert [int(number) for number in numbers] == list(range(int(numbers[0]), int(numbers[0]) + len(ids)))


@pytest.mark.guarantee(36)
@pytest.mark.parametrize("every", [37, pytest.param(1, marks=[pytest.mark.full, pytest.mark.timeout(180)])])
async def test_a_stream_cut_at_any_byte_resumes_without_loss_or_repeat(serve: Serve, every: int) -> None:
    """SC-07: a stream of a snapshot and five steps, cut after each number of bytes, resumes exactly where it was."""
    server = serve(heartbeat_s=30)
    length = await cut_each(server, "cuts-measure", [])
    offsets = range(0, length + 1, every)
    for start in range(0, len(offsets), 400):
        await cut_each(server, f"cuts-{start:07d}", offsets[start : start + 400])


async def cut_each(server: Server, session_id: str, offsets: Sequence[int]) -> int:
    """Cut one stream of the same session at each offset, and resume each; return the length of an uncut stream."""
    async with Worker.at(server) as worker, ChaosProxy(server.port, map(Cut, offsets)) as proxy:
        await worker.create(session_id, total_steps=6)
        # The first reader's snapshot may take longer and come in a chunk of its own; later readers get the same bytes.
        first = await RawStream.open(server.port, events_path(session_id))
        await first.next_event()
        control = await RawStream.open(server.port, events_path(session_id))
        await control.next_event()
        cut = [await RawStream.open(proxy.port, events_path(session_id)) for _ in offsets]
        # All readers are connected before the first step, but for those that are cut inside the head.
        for stream in cut:
            await stream.wait_until(lambda s: bool(s.events) or s.ending is not None)
        for step in range(1, 6):
            await worker.start(session_id, step)
        await control.wait_until(lambda s: len(s.events) == 6)
        length = len(control.wire)
        resumed = []
        for stream in cut:
            await stream.closed()
            last_event_id = stream.last_event_id or None
            resumed.append(await RawStream.open(server.port, events_path(session_id), last_event_id=last_event_id))
        for stream in resumed:
            await stream.received_head()
        await worker.start(session_id, 6)
        await control.wait_until(lambda s: len(s.events) == 7)
        for before, after in zip(cut, resumed, strict=True):
            await after.wait_until(lambda s: bool(s.events) and s.events[-1].json() == control.events[-1].json())
            assert_whole(before, after, control)
        for stream in [first, control, *resumed]:
            await stream.aclose()
        return length


def assert_whole(before: RawStream, after: RawStream, control: RawStream) -> None:
    """Check that both parts together are each event exactly once, in order."""
    union = [(event.id, event.event, event.data) for event in before.events + after.events]
    uncut = [(event.id, event.event, event.data) for event in control.events]
    if before.events:
        assert union == uncut
    else:  # Cut before the first event: the reader has no id yet, and starts with a snapshot of all five steps.
        assert [event.event for event in after.events] == ["snapshot", "step"]
        assert (after.events[0].id, after.events[1].id) == (control.events[-2].id, control.events[-1].id)
        assert fold_all(after.events) == fold_all(control.events)


LastEventId = Callable[[str, str], tuple[list[tuple[str, str]], str]]

# Each returns headers and query for the id to resume at and another id, and lists what arrives: numbers of steps, or
# `None` for a snapshot.
TRANSPORTS: dict[str, tuple[LastEventId, list[int] | None]] = {
    "header": (lambda at, _: ([("Last-Event-ID", at)], ""), [2, 3, 4]),
    "header in lower case": (lambda at, _: ([("last-event-id", at)], ""), [2, 3, 4]),
    "query": (lambda at, _: ([], f"?last_event_id={at}"), [2, 3, 4]),
    "both, the header wins": (lambda at, other: ([("Last-Event-ID", at)], f"?last_event_id={other}"), [2, 3, 4]),
    "empty header, the query counts": (lambda at, _: ([("Last-Event-ID", "")], f"?last_event_id={at}"), [2, 3, 4]),
    "empty header": (lambda *_: ([("Last-Event-ID", "")], ""), None),
    "empty query": (lambda *_: ([], "?last_event_id="), None),
    "neither": (lambda *_: ([], ""), None),
    "unknown header, the query does not count": (
        lambda at, _: ([("Last-Event-ID", "nonsense")], f"?last_event_id={at}"),
        None,
    ),
    "the same header twice": (lambda at, _: ([("Last-Event-ID", at)] * 2, ""), [2, 3, 4]),
}


@pytest.mark.protocol("P-6.6")
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_the_last_event_id_is_taken_where_the_protocol_says(server: Server, sid: str, transport: str) -> None:
    """SC-08: header, query, both, empty, twice: the id counts that the protocol names."""
    transported, expected = TRANSPORTS[transport]
    async with Worker.at(server) as worker:
        await worker.create(sid)
        async with await RawStream.open(server.port, events_path(sid)) as first:
            ids = [(await first.next_event()).id or ""]
            for step in range(1, 5):
                await worker.start(sid, step)
            ids += [event.id or "" for event in await first.next_events(4)]
        headers, query = transported(ids[1], ids[3])
        async with await RawStream.open(server.port, events_path(sid, query), headers) as resumed:
            count = len(expected) if expected is not None else 1
            events = await resumed.next_events(count)
            await worker.start(sid, 5)
            following = await resumed.next_event()
    if expected is None:
        assert [(event.event, event.id) for event in events] == [("snapshot", ids[4])]
    else:
        assert [(event.event, event.position.offset) for event in events] == [("step", n) for n in expected]
    assert following.position.offset == 5


async def test_two_different_last_event_ids_do_no_harm(server: Server, sid: str) -> None:
    """SC-08: a header sent twice with different ids gets 200 and the true state."""
    async with Worker.at(server) as worker:
        await worker.create(sid)
        async with await RawStream.open(server.port, events_path(sid)) as first:
            events = [await first.next_event()]
            for step in (1, 2, 3):
                await worker.start(sid, step)
            events += await first.next_events(3)
        headers = [("Last-Event-ID", events[1].id or ""), ("Last-Event-ID", events[2].id or "")]
        async with await RawStream.open(server.port, events_path(sid), headers) as resumed:
            await resumed.wait_until(lambda s: bool(s.events) and s.events[-1].id == events[-1].id)
            assert resumed.status == 200
            before = {"snapshot": 0, "step": resumed.events[0].position.offset}[resumed.events[0].event]
            assert fold_all([*events[:before], *resumed.events]) == await worker.poll(sid)


async def test_a_browser_resumes_by_itself(server: Server, chromium: Browser, sid: str) -> None:
    """SC-08: Chromium's own reconnect sends the last id, and the page gets every event exactly once."""
    async with Worker.at(server) as worker, ChaosProxy(server.port) as proxy:
        await worker.create(sid)
        async with (
            await RawStream.open(server.port, events_path(sid)) as control,
            await BrowserStream.open(chromium, proxy.port, events_path(sid)) as browser,
        ):
            expected = [await control.next_event()]
            await browser.wait_for(1)
            await worker.start(sid, 1)
            fired = await browser.wait_for(2)
            proxy.refuse()
            for link in proxy.links:
                link.reset()
            for step in (2, 3):
                await worker.start(sid, step)
            await proxy.listen()
            await browser.wait_for(4)
            await worker.start(sid, 4)
            expected += await control.next_events(4)
            assert await browser.wait_for(5) == as_fired(expected)
            resumed = proxy.links[-1].requests.decode().lower()
            assert f"last-event-id: {fired[-1][2]}".lower() in resumed
