"""Leases between servers on one Redis: one clock, told once, by another server where the first is gone."""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest
from redis import Redis

from progress_sse.core.errors import AttemptSupersededError
from progress_sse.core.updates import Beat, Start
from progress_sse.store.lease_watcher import LeaseWatcher
from progress_sse.store.progress_store import ProgressStore
from progress_sse.store.redis.backend import RedisBackend
from tests.clock import ManualClock
from tests.core.samples import sent
from tests.harness.redis import KeyDump, RedisServer
from tests.store.observed import state
from tests.store.redis.conftest import Open
from tests.store.redis.follower import Follower

LEASE_S, LOST_S = 10, 30
START = sent(Start(1), attempt_id="A", lease_ms=LEASE_S * 1000, lost_after_ms=LOST_S * 1000)


class Server:
    """A server with a clock of its own, which runs as fast as the others and shows another time."""

    def __init__(self, backend: RedisBackend, ahead_s: float) -> None:
        self.backend = backend
        self.clock = ManualClock()
        self.clock.advance(ahead_s)
        self.store = ProgressStore(backend, clock=self.clock)
        self.watcher = LeaseWatcher(self.store, self.clock)

    async def state(self) -> str:
        """The state of the first step in a word."""
        record = await state(self.store)
        step = record.session.progress.steps[1]
        return step.conclusion or (step.liveness.state if step.liveness is not None else step.status)


Begin = Callable[[float], Awaitable[Server]]


async def watch(alive: Sequence[Server], quarters: int, away: Sequence[Server] = ()) -> None:
    """Let quarters of a second pass for all of them; those that are away check nothing."""
    for _ in range(quarters):
        for server in (*alive, *away):
            server.clock.advance(0.25)
        for server in alive:
            await server.watcher.check()


async def watch_it_stall(alive: Sequence[Server], within: int, away: Sequence[Server] = ()) -> None:
    """The worker is live until a second before its lease is over, and stalled so many quarters of a second later."""
    await watch(alive, 4 * LEASE_S - 4, away)
    assert await alive[0].state() == "live"
    await watch(alive, within, away)
    assert await alive[0].state() == "stalled"


@pytest.fixture
def begin(server: RedisServer, connect: Open) -> Begin:
    """Start a server whose clock is so many seconds ahead."""

    async def begin_one(ahead_s: float) -> Server:
        return Server(await connect(server), ahead_s)

    return begin_one


@pytest.fixture
async def servers(begin: Begin) -> list[Server]:
    """Three servers on one Redis; the first one moves the lease clock."""
    servers = [await begin(ahead_s) for ahead_s in (0, 5000, 77)]
    await watch(servers, 8)
    await servers[1].store.create_session("s", 1)
    await servers[1].store.apply("s", START)
    return servers


@pytest.mark.protocol("P-19.13")
class TestServers:
    """Several servers on one Redis."""

    async def test_it_is_said_once(self, servers: list[Server]) -> None:
        """By any of them, to the listeners of all."""
        followers = [await Follower.of(server.backend) for server in servers]
        await watch(servers, 4 * LOST_S + 8)
        for follower in followers:
            record = await servers[0].store.load("s")
            await follower.until_at(record)
            assert [len(each.entries) for each in follower.notifications[1:]] == [1, 1]
        assert await servers[0].state() == "lost"
        verdicts = [dict(server.watcher.verdicts) for server in servers]
        assert [sum(each.get(name, 0) for each in verdicts) for name in ("stalled", "lost")] == [1, 1]

    async def test_a_sign_at_any_server_counts(self, servers: list[Server]) -> None:
        """Beats reach them in turn."""
        for number in range(9):
            await watch(servers, 4 * LEASE_S - 4)
            await servers[number % 3].store.apply("s", sent(Beat(1), attempt_id="A"))
        assert await servers[0].state() == "live"

    @pytest.mark.parametrize("gone", [0, 1, 2])
    async def test_another_server_says_it(self, servers: list[Server], gone: int) -> None:
        """Within two seconds of its time, whichever one is gone."""
        await watch_it_stall(servers, 4 * 3, [servers.pop(gone)])

    async def test_a_sign_while_the_clock_stands_still_counts_from_its_time(self, servers: list[Server]) -> None:
        """The server that moved it is gone, and no other one has taken it over yet."""
        away = servers.pop(0)
        await watch(servers, 2, [away])
        await servers[0].store.apply("s", sent(Beat(1), attempt_id="A"))
        await watch(servers, 4 * LEASE_S - 1, [away])
        assert await servers[0].state() == "live"
        await watch(servers, 9, [away])
        assert await servers[0].state() == "stalled"

    async def test_a_server_that_stops_for_a_while_does_not_set_the_clock(self, servers: list[Server]) -> None:
        """The one that moved it finds another one in its place."""
        await watch(servers[1:], 4 * LEASE_S - 8, servers[:1])
        await watch(servers, 2)
        assert await servers[0].state() == "live"
        await watch(servers, 14)
        assert await servers[0].state() == "stalled"

    async def test_time_without_any_server_does_not_count(self, servers: list[Server]) -> None:
        """As when Redis is away: after it each lease counts anew."""
        await watch(servers, 4 * LEASE_S - 4)
        await watch([], 4 * 100, servers)
        await watch_it_stall(servers, 4 * 3)

    async def test_new_servers_alone_raise_no_alarm(self, servers: list[Server], begin: Begin) -> None:
        """They cannot know for how long there was none."""
        await watch(servers, 4 * LEASE_S - 4)
        await watch_it_stall([await begin(ahead_s) for ahead_s in (1, 2)], 4 * 4)

    async def test_one_by_one_they_can_be_replaced(self, servers: list[Server], begin: Begin) -> None:
        """A rolling restart delays nothing by more than two seconds."""
        for _ in range(3):
            servers.append(await begin(9))
            await watch(servers, 8)
            servers.pop(0)
        await watch(servers, 4 * (LEASE_S - 6) - 4)
        assert await servers[0].state() == "live"
        await watch(servers, 4 * 3)
        assert await servers[0].state() == "stalled"

    async def test_a_superseded_worker_gives_no_sign_at_another_server(self, servers: list[Server]) -> None:
        """Though that server knows the session as it was before."""
        first, _, third = servers
        await Follower.of(third.backend)
        await first.store.apply("s", sent(START, attempt_id="B"))
        await watch(servers, 4 * LEASE_S - 4)
        with pytest.raises(AttemptSupersededError):
            await third.store.apply("s", sent(Beat(1), attempt_id="A"))
        await watch(servers, 8)
        assert await first.state() == "stalled"

    async def test_a_server_that_has_just_begun_takes_reports(self, servers: list[Server], begin: Begin) -> None:
        """Before its first look at the clock; the worker is not called silent for that."""
        await watch(servers, 100)
        new = await begin(3)
        await new.store.apply("s", sent(START, attempt_id="B"))
        await watch([*servers, new], 4 * LEASE_S - 4)
        assert await servers[0].state() == "live"
        newer = await begin(3)
        await newer.store.apply("s", sent(Beat(1), attempt_id="B"))
        await watch([*servers, newer], 4 * LEASE_S - 4)
        assert await servers[0].state() == "live"

    async def test_a_check_that_was_lost_is_entered_again(
        self, servers: list[Server], client: Redis, tmp_path: Path
    ) -> None:
        """By the beats of about a minute."""
        assert client.delete(f"{tmp_path}:{{leases}}:d") == 1
        for _ in range(20):
            await watch(servers, 12)
            await servers[0].store.apply("s", sent(Beat(1), attempt_id="A"))
        await watch(servers, 4 * LOST_S + 8)
        assert await servers[0].state() == "lost"

    async def test_a_clock_that_was_lost_begins_again(
        self, servers: list[Server], client: Redis, tmp_path: Path
    ) -> None:
        """And raises no alarm. It begins some seconds earlier; signs of a later time than it shows do not count."""
        await watch(servers, 40)
        await servers[0].store.apply("s", sent(Beat(1), attempt_id="A"))
        assert client.delete(f"{tmp_path}:{{leases}}:c") == 1
        await watch_it_stall(servers, 4 * 15)

    @pytest.mark.parametrize("gone", [None, 0, 1])
    async def test_a_clock_that_went_back_raises_no_alarm(
        self, servers: list[Server], take_dump: Callable[[], KeyDump], gone: int | None
    ) -> None:
        """The signs since then are lost with it, so each lease counts anew; whichever server is gone by then."""
        await watch(servers, 4)
        moment = take_dump()
        for number in range(4):
            await watch(servers, 4 * LEASE_S - 8)
            await servers[number % 3].store.apply("s", sent(Beat(1), attempt_id="A"))
        moment.restore()
        await watch_it_stall(servers, 4 * 3, [] if gone is None else [servers.pop(gone)])

    async def test_a_sign_after_the_clock_went_back_counts(
        self, servers: list[Server], take_dump: Callable[[], KeyDump]
    ) -> None:
        """Also at a server that has not looked at the clock since then."""
        await watch(servers, 4)
        moment = take_dump()
        await watch(servers, 4 * LEASE_S - 8)
        moment.restore()
        await servers[2].store.apply("s", sent(Beat(1), attempt_id="A"))
        await watch(servers, 4 * LEASE_S - 4)
        assert await servers[0].state() == "live"

    async def test_a_server_that_has_just_begun_says_nothing_of_the_time_before(
        self, servers: list[Server], begin: Begin
    ) -> None:
        """Not even what a server that is gone was about to say: the worker may have tried to report since then."""
        await servers[1].store.apply("s", sent(START, attempt_id="B", lost_after_ms=LEASE_S * 1000))
        await watch(servers[:1], 4 * LEASE_S)
        assert await servers[0].state() == "stalled"
        new = await begin(100)
        await watch([new], 4 * LEASE_S)
        assert await new.state() == "stalled"
        await watch([new], 4 * 3)
        assert await new.state() == "lost"
