"""Wall clocks that jump, that differ, and that reach dates which are hard on programs."""

import asyncio
import itertools
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Serve
from tests.harness.faketime import WallClock
from tests.harness.oracle import Body, Oracle, fold_all
from tests.harness.rawsse import RawStream
from tests.harness.redis import Kind, RedisServer
from tests.harness.serving import Server, Worker, events_path, eventually, session_path
from tests.harness.tokens import KEY, bearer, make_token
from tests.live.asgi_hosts import serve_only
from tests.live.delivery_check import DeliveryCheck

pytestmark = serve_only  # The code that reads the clock is the same on every host.

HEARTBEAT_S = 0.1
HOUR = timedelta(hours=1)

TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00")

ServeBy = Callable[..., Server]


@pytest.fixture
def serve_by(serve: Serve) -> ServeBy:
    """Start `progress-sse serve` with a wall clock: `serve_by(clock, store="memory://")`."""

    def start(clock: WallClock, **settings: Any) -> Server:
        settings = {"heartbeat_s": HEARTBEAT_S, **settings}
        flags = [text for name, value in settings.items() for text in (f"--{name.replace('_', '-')}", str(value))]
        return serve(command=clock.command(sys.executable, "-m", "progress_sse", "serve", "--port", "{port}", *flags))

    return start


@pytest.fixture
def clock(tmp_path: Path) -> WallClock:
    return WallClock(tmp_path)


def assert_sane(state: Body) -> None:
    """Check that each time stamp of a session is in UTC with microseconds, and none is before its own beginning."""
    for step in state["steps"]:
        assert step["elapsed_ms"] >= 0
        stamps = [stamp for stamp in (step.get("started_at"), step.get("completed_at")) if stamp]
        assert stamps == sorted(stamps)
        assert all(map(TIMESTAMP.fullmatch, stamps)), stamps


def assert_beats_on(stream: RawStream, since: float) -> None:
    """Check that the heartbeats of a stream came regularly, whatever the wall clock showed."""
    times = [received.t for received in stream.comments if received.t >= since]
    assert len(times) > 2
    # Heartbeats by the wall clock would pause for minutes after a jump back.
    assert max(later - earlier for earlier, later in itertools.pairwise(times)) <= HEARTBEAT_S + 5


JUMPS = {
    "forward": 6 * HOUR,
    "back": -HOUR,
    "back a little": timedelta(minutes=-10),
    "forward again": 12 * HOUR,
    "right": timedelta(),
}


@pytest.mark.guarantee(55)
@pytest.mark.parametrize("store", ["sqlite", "memory", "redis"])
@pytest.mark.full
async def test_jumps_of_the_clock_cost_nothing(
    serve_by: ServeBy, clock: WallClock, redis_servers: dict[str, RedisServer], tmp_path: Path, store: str
) -> None:
    """FT-15: jumps of hours ahead and minutes back in a step: ids grow, nothing is lost or repeated, all is in UTC."""
    stores = {"sqlite": f"sqlite:///{tmp_path}/progress.db", "memory": "memory://", "redis": redis_servers["redis"].url}
    server = serve_by(clock, store=stores[store], cleanup_interval_s=0.2, redis_prefix=f"clocks-{tmp_path.name}")
    oracle, loop = Oracle(), asyncio.get_running_loop()
    async with Worker.at(server) as worker, await RawStream.open(server.port, events_path("s")) as stream:
        await stream.next_event()
        await worker.create("s")
        began = loop.time()
        await oracle.post(worker, "bystander", "start", 1)
        for step, offset in enumerate(JUMPS.values(), start=1):
            await oracle.post(worker, "s", "start", step)
            clock.shift(offset)
            beats = len(stream.comments)
            await oracle.post(worker, "s", "progress", step, current=step)
            await oracle.post(worker, "s", "complete", step)
            assert_sane(await worker.poll("s"))
            # A reader that returns after the jump gets what it missed, once.
            seen = stream.events[-1].id
            await oracle.post(worker, "s", "start", 6)
            async with await RawStream.open(server.port, events_path("s"), last_event_id=seen) as late:
                assert (await late.next_event()).event == "step"
            await stream.wait_until(lambda s, beats=beats: len(s.comments) > beats + 2)  # type: ignore[misc]
            assert (await worker.poll("bystander"))["status"] == "running"
        assert [post.outcome for post in oracle.posts] == ["ok"] * len(oracle.posts)
        final = await worker.poll("s")
        await stream.wait_until(lambda s: fold_all(s.events) == final)
        assert_beats_on(stream, began)
        positions = [event.position for event in stream.events[1:]]
        assert [position.offset for position in positions] == list(range(len(positions)))
        assert len({position.epoch for position in positions}) == 1
        view = oracle.view("s", "stream")
        for event in stream.events[1:]:
            view.saw(event)
            if event.event == "step":
                assert_sane({"steps": [event.json()["step"]]})
        verdict = oracle.check("s", final)
        assert verdict.is_clean(), verdict
        if store == "redis":
            with redis_servers["redis"].client() as client:
                lifetimes = {client.ttl(key) for key in client.scan_iter(f"clocks-{tmp_path.name}:*:s")}
            assert lifetimes
            assert all(24 * 3600 < lifetime < 26 * 3600 for lifetime in lifetimes)
    assert "Traceback" not in server.log()


@pytest.mark.guarantee(56)
@pytest.mark.full
async def test_clean_up_spares_what_runs_and_goes_by_the_clock(
    serve_by: ServeBy, clock: WallClock, tmp_path: Path
) -> None:
    """FT-15: at a jump, a session created 30 h ago is removed, unless it is running and was updated since."""
    server = serve_by(clock, store="memory://", cleanup_interval_s=0.1)
    async with Worker.at(server) as worker:
        clock.shift(-30 * HOUR)
        for session_id in ("running", "idle"):
            await worker.start(session_id, 1)
        clock.shift(-10 * HOUR)
        await worker.progress("running", 1, 1)
        clock.shift(timedelta())
        async with await RawStream.open(server.port, events_path("idle")) as stream:
            await stream.wait_until(lambda s: bool(s.events) and s.events[-1].json()["status"] == "not_found")
        assert (await worker.poll("running"))["status"] == "running"


@pytest.mark.guarantee(57)
@pytest.mark.full
async def test_a_token_ends_by_the_clock_and_a_ticket_by_what_has_passed(serve_by: ServeBy, clock: WallClock) -> None:
    """FT-15: a jump past a token's end ends its stream, one back revives the token; tickets are not affected."""
    server = serve_by(clock, store="memory://", read="token", token_key=KEY)
    token = make_token(sessions=["s"], exp=int((clock.now() + HOUR).timestamp()))
    async with Worker.at(server) as worker:

        async def buy() -> str:
            ticket: str = (await worker.client.post("/api/tickets", headers=bearer(token))).json()["ticket"]
            return ticket

        async def poll() -> int:
            return (await worker.poll_raw("s", **bearer(token))).status_code

        async def opened(ticket: str) -> int:
            async with await RawStream.open(server.port, session_path("s", f"events?ticket={ticket}")) as stream:
                return (await stream.received_head()).status

        before = [await buy(), await buy()]
        async with await RawStream.open(server.port, events_path("s"), [*bearer(token).items()]) as stream:
            await stream.next_event()
            clock.shift(timedelta(minutes=50))
            assert await opened(before[0]) == 200
            clock.shift(-HOUR)
            assert await opened(before[1]) == 200
            assert await poll() == 200
            assert stream.ending is None
            clock.shift(2 * HOUR)
            assert await stream.closed() == "end"
            assert await poll() == 401
            clock.shift(timedelta())
            assert await poll() == 200


MOMENTS = {
    "spring": ("America/New_York", datetime(2026, 3, 8, 7, tzinfo=UTC)),
    "autumn": ("America/New_York", datetime(2026, 11, 1, 6, tzinfo=UTC)),
    "leap day": ("UTC", datetime(2028, 2, 29, tzinfo=UTC)),
    "after the leap day": ("Asia/Tokyo", datetime(2028, 3, 1, tzinfo=UTC)),
    "2038": ("UTC", datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC)),
}


@pytest.mark.guarantee(58)
@pytest.mark.full
@pytest.mark.parametrize(("zone", "moment"), MOMENTS.values(), ids=MOMENTS)
async def test_difficult_dates_have_no_effect(serve_by: ServeBy, tmp_path: Path, zone: str, moment: datetime) -> None:
    """FT-15: a step runs through a daylight saving change, a leap day or 2³¹ s since 1970 without effect."""
    clock = WallClock(tmp_path, zone=zone)
    clock.set(moment - HOUR)
    server = serve_by(clock, store=f"sqlite:///{tmp_path}/progress.db", cleanup_interval_s=0.2)
    path = session_path("s", "events?heartbeat=event")
    async with Worker.at(server) as worker, await RawStream.open(server.port, path) as stream:
        await worker.start("s", 1)
        clock.set(moment - timedelta(seconds=0.5))
        await eventually(lambda: clock.now() > moment, 10)
        await worker.complete("s", 1)
        final = await worker.poll("s")
        await stream.wait_until(lambda s: s.events[-1].event == "heartbeat" and fold_all(s.events) == final)
        assert_sane(final)
        [step] = [step for step in final["steps"] if step["status"] == "success"]
        started, completed = (datetime.fromisoformat(step[name]) for name in ("started_at", "completed_at"))
        assert moment - HOUR <= started < moment < completed < moment + timedelta(seconds=20)
        assert step["elapsed_ms"] == (completed - started) // timedelta(milliseconds=1)
        beats = [datetime.fromisoformat(e.json()["now"]) for e in stream.events if e.event == "heartbeat"]
        assert beats == sorted(beats)
        assert beats[-1] > moment
    await asyncio.to_thread(server.terminate)
    await asyncio.to_thread(server.start)
    async with Worker.at(server) as worker:
        assert await worker.poll("s") == final
    assert "Traceback" not in server.log()


@pytest.mark.guarantee(59)
@pytest.mark.full
async def test_servers_whose_clocks_differ_lose_nothing(
    serve_by: ServeBy, tmp_path: Path, kind: Kind, redis_servers: dict[str, RedisServer]
) -> None:
    """FT-15: one server is an hour ahead of their Redis, one an hour behind; followers use both in turn."""
    servers = []
    for name, offset in (("ahead", HOUR), ("behind", -HOUR)):
        (tmp_path / name).mkdir()
        clock = WallClock(tmp_path / name)
        clock.shift(offset)
        url = redis_servers[kind].url
        servers.append(serve_by(clock, store=url, redis_prefix=str(tmp_path), retry_ms=100, cleanup_interval_s=0.5))
    await DeliveryCheck(servers, sessions=4, followers=6).run(100)
    for server in servers:
        assert "Traceback" not in server.log()
