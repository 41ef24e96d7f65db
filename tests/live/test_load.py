"""Many readers, many reports, and the simultaneous return of all readers.

The tests record speeds as properties and assert none: they assert that everything arrives. The short forms run
always, the full ones under `make test-full`.
"""

import asyncio
import itertools
from collections.abc import Callable, Iterable, Sequence

import pytest

from tests.conftest import Serve
from tests.harness.event_stream import Block
from tests.harness.http1 import Connection
from tests.harness.load_clients import LoadClients, p99_ms
from tests.harness.oracle import fold_all, tag_of
from tests.harness.serving import Server, Worker, events_path, session_path
from tests.live.polling import polled

Record = Callable[[str, object], None]

FULL = [pytest.mark.full, pytest.mark.alone, pytest.mark.timeout(300)]


def now() -> float:
    """The time on the clock that readers use for their events."""
    return asyncio.get_running_loop().time()


async def report(connection: Connection, session_id: str, tag: str) -> None:
    body = {"action": "progress", "step": 1, "current": 1, "message": tag}
    response = await connection.post_json(session_path(session_id, "update"), body)
    assert response.status == 200, response.body


def assert_in_order(events: Sequence[Block], tags: Sequence[str]) -> None:
    """Check that there is one snapshot, then these transitions, each once and in this order."""
    assert [event.event for event in events] == ["snapshot", *["step"] * len(tags)]
    first = events[0].position
    assert [event.position for event in events] == [(first.epoch, first.offset + n) for n in range(len(tags) + 1)]
    assert [tag_of(event.json()) for event in events[1:]] == list(tags)


# LD-01


@pytest.mark.full
@pytest.mark.parametrize(("streams", "beats"), [(1000, 1), pytest.param(10_000, 3, marks=FULL)])
async def test_idle_streams_stay_open(serve: Serve, record_property: Record, streams: int, beats: int) -> None:
    """LD-01: all streams stay open, get heartbeats, and get the final event; polls are answered throughout."""
    server = serve(heartbeat_s=3, max_streams=streams, is_forked=False)
    sessions = [f"idle-{n}" for n in range(100)]
    async with Worker.at(server) as worker:
        for session_id in sessions:
            await worker.start(session_id, 1)
        memory_bytes, began = server.memory_bytes(), now()
        async with (
            polled(server, sessions[0]) as polls,
            LoadClients(server.port, [events_path(sessions[n % 100]) for n in range(streams)]) as load_clients,
        ):
            await load_clients.wait_for_events(1, timeout_s=60)
            record_property("opened_s", round(now() - began, 1))
            cpu_s, began = server.cpu_s(), now()
            comments = {reader: reader.comments for reader in load_clients.readers}
            await load_clients.wait_until(lambda reader: reader.comments >= comments[reader] + beats, timeout_s=60)
            record_property("idle_cpu_percent", round(100 * (server.cpu_s() - cpu_s) / (now() - began), 1))
            record_property("bytes_per_stream", (server.memory_bytes() - memory_bytes) // streams)
            async with await Connection.open(server.port) as connection:
                for session_id in sessions:
                    await report(connection, session_id, "the first since long")
            await load_clients.wait_for_events(2, timeout_s=60)
            record_property("poll_p99_ms", p99_ms(polls))
            assert polls
        assert {reader.ending for reader in load_clients.readers} == {"cut"}
        for reader in load_clients.readers:
            assert_in_order(reader.events, ["the first since long"])
    assert "Traceback" not in server.log()


# LD-02


async def report_steadily(server: Server, session_id: str, tags: Iterable[str]) -> list[float]:
    """Report ten transitions a second; return the time of each."""
    began, sent = now(), list[float]()
    async with await Connection.open(server.port) as connection:
        for tag in tags:
            await asyncio.sleep(began + len(sent) / 10 - now())  # The pace of this worker; it waits for nothing.
            sent.append(now())
            await report(connection, session_id, tag)
    return sent


@pytest.mark.parametrize(("readers", "seconds"), [(100, 1), pytest.param(1000, 60, marks=FULL)])
async def test_every_reader_gets_every_event(serve: Serve, record_property: Record, readers: int, seconds: int) -> None:
    """LD-02: with many readers of one session and ten events a second, no reader misses an event."""
    server = serve()
    tags = [f"event-{n}" for n in range(10 * seconds)]
    async with Worker.at(server) as worker:
        await worker.start("s", 1)
        async with LoadClients(server.port, [events_path("s")] * readers) as load_clients:
            await load_clients.wait_for_events(1, timeout_s=30)
            sent = await report_steadily(server, "s", tags)
            await load_clients.wait_for_events(1 + len(tags), timeout_s=30)
            events = load_clients.readers[0].events
            assert_in_order(events, tags)
            assert load_clients.differing(events) == []
            assert fold_all(events) == await worker.poll("s")
            record_property("p99_ms", p99_ms(load_clients.delays(sent)))
    assert "Traceback" not in server.log()


# LD-03


@pytest.mark.parametrize("store", ["memory://", pytest.param("sqlite", marks=pytest.mark.full)])
@pytest.mark.parametrize("seconds", [1, pytest.param(20, marks=FULL)])
async def test_every_accepted_report_reaches_every_reader(
    serve: Serve, record_property: Record, store: str, seconds: int
) -> None:
    """LD-03: eight workers report one after the other; each report reaches 100 readers once, in the worker's order."""
    server = serve(store=store)
    sent: dict[str, float] = {}

    async def work(number: int, until: float) -> list[str]:
        tags: list[str] = []
        async with await Connection.open(server.port) as connection:
            while now() < until:
                tags.append(f"{number}-{len(tags)}")
                sent[tags[-1]] = now()
                await report(connection, "s", tags[-1])
        return tags

    async with Worker.at(server) as worker:
        await worker.start("s", 1)
        async with LoadClients(server.port, [events_path("s")] * 100) as load_clients:
            await load_clients.wait_for_events(1, timeout_s=30)
            reported = await asyncio.gather(*(work(number, now() + seconds) for number in range(8)))
            record_property("accepted_per_s", round(len(sent) / seconds))
            await load_clients.wait_for_events(1 + len(sent), timeout_s=60)
            events = load_clients.readers[0].events
            seen = [tag_of(event.json()) for event in events[1:]]
            assert_in_order(events, seen)
            for number, tags in enumerate(reported):
                assert [tag for tag in seen if tag.startswith(f"{number}-")] == tags
            assert len(seen) == len(sent)
            assert load_clients.differing(events) == []
            assert fold_all(events) == await worker.poll("s")
            record_property("p99_ms", p99_ms(load_clients.delays([sent[tag] for tag in seen])))
    assert "Traceback" not in server.log()


# LD-04


class Reporter:
    """A worker with several sessions that remembers its reports to each."""

    def __init__(self, connection: Connection, sessions: Iterable[str]) -> None:
        self.tags: dict[str, list[str]] = {session_id: [] for session_id in sessions}
        self.is_over = False
        self._connection = connection

    async def report(self, session_id: str) -> None:
        tags = self.tags[session_id]
        tags.append(f"{session_id}, number {len(tags)}")
        await report(self._connection, session_id, tags[-1])

    async def report_to_all(self) -> None:
        for session_id in self.tags:
            await self.report(session_id)

    async def go_on(self) -> None:
        for session_id in itertools.cycle(self.tags):
            if self.is_over:
                return
            await self.report(session_id)
            await asyncio.sleep(0.02)  # The pace of this worker; it waits for nothing.


@pytest.mark.guarantee(41)
@pytest.mark.parametrize(("streams", "sessions"), [(100, 10), pytest.param(5000, 50, marks=FULL)])
async def test_readers_cut_off_at_once_resume_where_they_were(
    serve: Serve, record_property: Record, streams: int, sessions: int
) -> None:
    """LD-04: all streams are cut and all readers return at once while workers report: nothing is lost or refused."""
    server = serve()
    paths = {f"storm-{n}": events_path(f"storm-{n}") for n in range(sessions)}
    async with Worker.at(server) as worker:
        for session_id in paths:
            await worker.start(session_id, 1)
    async with (
        LoadClients(server.port, [*paths.values()] * (streams // sessions)) as load_clients,
        await Connection.open(server.port) as connection,
    ):
        reporter = Reporter(connection, paths)
        await reporter.report_to_all()
        await load_clients.wait_for_events(2, timeout_s=30)
        async with polled(server, next(iter(paths))) as polls:
            began = now()
            await load_clients.cut()
            record_property("cut_s", round(now() - began, 2))
            for _ in range(3):
                await reporter.report_to_all()
            began = now()
            async with asyncio.timeout(15), asyncio.TaskGroup() as group:
                group.create_task(reporter.go_on())
                await load_clients.connect(at_once=streams)
                await load_clients.wait_for_events(5, timeout_s=15)
                reporter.is_over = True
            record_property("back_s", round(now() - began, 2))
        record_property("poll_p99_ms", p99_ms(polls))
        await reporter.report_to_all()
        counts = {paths[session_id]: 1 + len(tags) for session_id, tags in reporter.tags.items()}
        await load_clients.wait_until(lambda reader: len(reader.events) >= counts[reader.target], timeout_s=30)
    assert {tuple(reader.statuses) for reader in load_clients.readers} == {(200, 200)}
    for session_id, tags in reporter.tags.items():
        readers = [reader for reader in load_clients.readers if reader.target == paths[session_id]]
        assert_in_order(readers[0].events, tags)
        assert [str(reader) for reader in readers if reader.events != readers[0].events] == []
    assert "Traceback" not in server.log()
