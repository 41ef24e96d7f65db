"""Several servers on one Redis or Valkey: readers at each of them get the updates that another one accepts."""

import asyncio
import random
from collections.abc import Callable

import pytest

from progress_sse.store.redis.followed_sessions import POLL_INTERVAL_S
from tests.harness.load_clients import p99_ms
from tests.harness.oracle import fold_all
from tests.harness.rawsse import RawStream
from tests.harness.serving import Server, Worker, events_path, session_path
from tests.live.asgi_hosts import serve_only
from tests.live.delivery_check import DeliveryCheck, workers_at

# The number of processes that share a store does not depend on the host that serves in each.
pytestmark = serve_only


async def test_readers_at_one_server_get_updates_sent_to_another(
    pair: list[Server], record_property: Callable[..., None]
) -> None:
    """DG-11: updates that one server accepts reach a reader at the other in order, without a wait for a poll."""
    count, awaited = 200, range(0, 200, 5)
    here, there = pair
    async with Worker.at(here) as worker, await RawStream.open(there.port, events_path("s")) as stream:
        await stream.next_event()
        await worker.start("s", 1)
        await stream.wait_until(lambda s: len(s.events) == 3)  # Absent, pending, started.
        sent: list[float] = []
        async with asyncio.timeout(len(awaited) * POLL_INTERVAL_S / 4):  # A quarter of the time of as many polls.
            for current in range(count):
                sent.append(asyncio.get_running_loop().time())
                await worker.progress("s", 1, current)
                if current in awaited:
                    await stream.wait_until(lambda s: len(s.events) == 3 + len(sent))
            await stream.wait_until(lambda s: len(s.events) == 3 + count)
        assert [event.position.offset for event in stream.events[1:]] == list(range(count + 2))
        seen = [logged.t for logged in stream.log if logged.block.event == "step"][1:]
        delays = [there_t - here_t for there_t, here_t in zip(seen, sent, strict=True)]
        record_property("p99_ms", p99_ms(delays))
        assert fold_all(stream.events) == await worker.poll("s")


@pytest.mark.protocol("P-9.2")
@pytest.mark.full
async def test_a_client_reads_at_one_server_what_it_wrote_at_another(pair: list[Server]) -> None:
    """DG-03: after each 200, the poll and a new stream of the other server include the change."""
    async with workers_at(pair) as (here, there):
        for step in range(1, 8):
            await here.run("s", step, message=f"m{step}")
            polled = await there.poll("s")
            assert (polled["steps"][step - 1]["message"], polled) == (f"m{step}", await here.poll("s"))
            async with await RawStream.open(pair[1].port, events_path("s")) as stream:
                assert (await stream.next_event()).json() == polled


@pytest.mark.parametrize("rounds", [2, pytest.param(200, marks=[pytest.mark.full, pytest.mark.timeout(600)])])
async def test_concurrent_updates_at_two_servers_lose_nothing(pair: list[Server], rounds: int) -> None:
    """DG-04: one completion sent by all is one transition; 32 different steps sent at once are 32."""
    async with workers_at(pair) as workers:
        for number in range(rounds):
            session_id = f"s{number}"
            await workers[0].create(session_id, total_steps=32)
            async with await RawStream.open(pair[number % 2].port, events_path(session_id)) as stream:
                await stream.next_event()
                await asyncio.gather(*(workers[n % 2].start(session_id, n) for n in range(1, 33)))
                await asyncio.gather(*(workers[n % 2].complete(session_id, n) for n in range(1, 32)))
                await asyncio.gather(*(workers[n % 2].complete(session_id, 32) for n in range(32)))
                final = await workers[0].poll(session_id)
                assert (final["percentage"], final["status"]) == (100, "completed")
                await stream.wait_until(lambda s: s.events[-1].event == "end")
                assert [event.event for event in stream.events] == ["snapshot", *["step"] * 64, "end"]
                assert [event.position.offset for event in stream.events[:-1]] == list(range(65))
                assert fold_all(stream.events) == final


@pytest.mark.full
@pytest.mark.guarantee(37)
@pytest.mark.protocol("P-6.14")
@pytest.mark.parametrize(
    ("sessions", "transitions", "followers"),
    [(6, 60, 12), pytest.param(50, 200, 40, marks=[pytest.mark.full, pytest.mark.timeout(900)])],
)
async def test_followers_of_two_servers_miss_nothing(
    pair: list[Server], sessions: int, transitions: int, followers: int
) -> None:
    """DG-01, DG-12: followers drop and resume at the other server: nothing lost, twice, out of order or diverged."""
    await DeliveryCheck(pair, sessions=sessions, followers=followers).run(transitions)


@pytest.mark.parametrize(("readers", "rounds"), [(8, 10), pytest.param(200, 500, marks=pytest.mark.timeout(1200))])
@pytest.mark.full
async def test_each_client_gets_the_response_to_its_own_request(pair: list[Server], readers: int, rounds: int) -> None:
    """SE-12: while other clients abort at random, each answer is that of the session that was asked for."""
    is_over = asyncio.Event()
    sessions = [f"s{n}" for n in range(20)]

    async def check(number: int) -> None:
        session_id = sessions[number % len(sessions)]
        async with Worker.at(pair[number % 2]) as worker:
            for _ in range(rounds):
                polled = await worker.poll(session_id)
                assert (polled["session_id"], polled["steps"][0]["message"]) == (session_id, session_id)
            async with await RawStream.open(pair[number % 2].port, events_path(session_id)) as stream:
                assert (await stream.next_event()).json()["session_id"] == session_id

    async def abort(number: int) -> None:
        rng = random.Random(number)
        while not is_over.is_set():
            session_id = rng.choice(sessions)
            path = rng.choice([session_path(session_id), events_path(session_id)])
            stream = await RawStream.open(rng.choice(pair).port, path)
            await asyncio.sleep(rng.random() / 200)  # The abort comes at a random moment of the response.
            await stream.abort()

    async with workers_at(pair) as workers:
        for number, session_id in enumerate(sessions):
            await workers[number % 2].start(session_id, 1)
            await workers[number % 2].progress(session_id, 1, 1, message=session_id)
    async with asyncio.TaskGroup() as group:
        aborting = [group.create_task(abort(number)) for number in range(readers)]
        async with asyncio.TaskGroup() as checking:
            for number in range(readers):
                checking.create_task(check(number))
        is_over.set()
        await asyncio.gather(*aborting)
    for server in pair:
        assert "Traceback" not in server.log()
