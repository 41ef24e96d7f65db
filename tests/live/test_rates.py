"""Callers who want too much: they are told so, nobody else notices, and none of them waits for ever."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest

from progress_sse.auth.authorizer import COOKIE
from tests.conftest import RunRedis, Serve
from tests.harness.http1 import Connection
from tests.harness.load_clients import allow_descriptors
from tests.harness.rawsse import RawStream
from tests.harness.redis import Kind, RedisCluster, RedisServer
from tests.harness.serving import Server, Worker, session_path
from tests.harness.tokens import CLOSED, bearer, make_token
from tests.live.asgi_hosts import serve_only

pytestmark = serve_only  # Who a caller is, the server tells; what becomes of that is the same on all of them.

START = {"action": "start", "step": 1}
EVENTS = session_path("s", "events")
PROXIES = "127.0.0.0/8"


def assert_too_often(status: int, retry_after: str | None, problem: dict[str, object]) -> int:
    """It is a 429; returns after how many seconds to come back."""
    assert (status, problem["type"], problem["success"]) == (429, "/problems/rate-exceeded", False)
    assert retry_after is not None
    return int(retry_after)


async def report_often(worker: Worker, session_id: str, count: int) -> list[int]:
    """Report so many things at once, each again as soon as the server says; gives how long each refusal asked for."""
    asked: list[int] = []

    async def report(n: int) -> None:
        while (response := await worker.update(session_id, action="progress", step=1, current=n)).status_code != 200:
            retry_after = response.headers.get("retry-after")
            asked.append(assert_too_often(response.status_code, retry_after, response.json()))
            await asyncio.sleep(asked[-1])

    await asyncio.gather(*(report(n) for n in range(count)))
    return asked


async def test_who_reports_too_often_is_told_when_to_come_back(serve: Serve) -> None:
    """LD-05: one and a half times the rate; another worker is not held up, and in the end everything is reported."""
    server = serve(publish_rate="20/second", publish_token="eager,other")
    async with Worker.at(server, "eager") as eager, Worker.at(server, "other") as other:
        await eager.start("s", 1)
        await other.start("t", 1)
        asked, _ = await asyncio.gather(report_often(eager, "s", 30), report_often(other, "t", 10))
        assert asked
        assert set(asked) == {1}
        assert (await eager.poll("s"))["steps"][0]["progress"]
        assert await report_often(other, "t", 10) == []


async def test_many_updates_are_not_counted_as_reading(serve: Serve) -> None:
    """Who may report often, and read seldom, may report many things at once."""
    server = serve(read_rate="1/hour", publish_rate="1000/second", publish_token="hush")
    async with Worker.at(server, "hush") as worker:
        for _ in range(4):
            answer = await worker.client.post("/api/updates", json={"updates": [{"session_id": "s", **START}]})
            assert answer.json() == {"results": [{"status": 200}]}


async def test_strangers_are_counted_however_many_updates_they_bring(serve: Serve) -> None:
    """Whoever tries tokens is held to the rate, although nothing of what he brings is read."""
    server = serve(publish_rate="3/hour", publish_token="hush")
    async with Worker.at(server, "wrong") as stranger:
        answers = [await stranger.client.post("/api/updates", json={"updates": []}) for _ in range(6)]
    assert {answer.status_code for answer in answers[:3]} == {403}
    assert answers[-1].status_code == 429


async def test_polls_are_counted_apart_from_reports(serve: Serve) -> None:
    """LD-05: a poll too many is a 429 as well, and a stream too many ends as if there were no room."""
    server = serve(read_rate="10/minute")
    async with Worker.at(server) as worker, await Connection.open(server.port) as connection:
        answers = [await connection.request("GET", session_path("s")) for _ in range(15)]
        assert [answer.status for answer in answers[:10]] == [200] * 10
        for answer in answers[10:]:
            assert 1 <= assert_too_often(answer.status, answer.head.get("retry-after"), answer.json()) <= 60
        await worker.start("s", 1)
        async with await RawStream.open(server.port, EVENTS) as refused:
            assert await refused.closed() == "end"
            assert (refused.status, refused.retries, refused.events) == (200, [30_000], [])
        assert (await connection.request("GET", "/livez")).status == 200


async def poll_from(connection: Connection, forwarded_for: str) -> int:
    """The status of a poll that a proxy has passed on."""
    return (await connection.request("GET", session_path("s"), [("X-Forwarded-For", forwarded_for)])).status


async def test_behind_a_trusted_proxy_each_client_is_a_caller(serve: Serve) -> None:
    """By what the proxy has added: what a client has written there itself makes no difference."""
    server = serve(read_rate="2/hour", trusted_proxies=PROXIES)
    async with await Connection.open(server.port) as proxy:
        assert [await poll_from(proxy, "192.0.2.1") for _ in range(3)] == [200, 200, 429]
        assert await poll_from(proxy, "192.0.2.2") == 200
        assert await poll_from(proxy, "198.51.100.7, 192.0.2.1") == 429
        assert [await poll_from(proxy, f"2001:db8::{n}") for n in range(3)] == [200, 200, 429]
        assert await poll_from(proxy, "2001:db8:0:1::1") == 200


async def test_without_a_trusted_proxy_nobody_is_believed(serve: Serve) -> None:
    """Else each request would be somebody else's."""
    server = serve(read_rate="2/hour")
    async with await Connection.open(server.port) as connection:
        assert [await poll_from(connection, f"192.0.2.{n}") for n in range(3)] == [200, 200, 429]


@pytest.mark.parametrize(("path", "success"), [("/api/tickets", 201), ("/api/cookie", 204)])
async def test_an_exchange_of_a_token_is_counted_as_reading(serve: Serve, path: str, success: int) -> None:
    """SE-07: a ticket is kept for half a minute, and any answer but 401 tells that a token was guessed."""
    server = serve(**CLOSED, read_rate="3/hour")
    good, bad = list(bearer(make_token(sessions=["s"])).items()), list(bearer("guessed").items())
    async with await Connection.open(server.port) as connection:

        async def statuses(headers: list[tuple[str, str]]) -> list[int]:
            return [(await connection.request("POST", path, headers)).status for _ in range(5)]

        assert await statuses(good) == [success] * 3 + [429] * 2
        assert await statuses(bad) == [401] * 3 + [429] * 2


async def test_a_wrong_token_counts_for_the_address(serve: Serve) -> None:
    """SE-07: whoever guesses at tokens has one rate for all guesses, and whoever has one is not held up by that."""
    server = serve(publish_rate="5/minute", publish_token="right")
    async with await Connection.open(server.port) as connection:

        async def status(token: str) -> int:
            path = session_path("s", "update")
            return (await connection.post_json(path, START, [("Authorization", f"Bearer {token}")])).status

        assert [await status(f"wrong-{n}") for n in range(7)] == [403] * 5 + [429] * 2
        assert await status("right") == 200


async def test_a_token_is_one_caller_in_a_header_and_in_a_cookie(serve: Serve) -> None:
    """SE-07: visitors of one address have a rate each, however their browsers bring what lets them in."""
    server = serve(**CLOSED, read_rate="2/hour")
    async with await Connection.open(server.port) as connection:

        async def polls(user: str, count: int, *, by_cookie: bool) -> list[int]:
            token = make_token(sub=user, sessions=["s"])
            headers = [("Cookie", f"{COOKIE}={token}")] if by_cookie else list(bearer(token).items())
            return [(await connection.request("GET", session_path("s"), headers)).status for _ in range(count)]

        assert await polls("alice", 3, by_cookie=True) == [200, 200, 429]
        assert await polls("bob", 2, by_cookie=True) == [200, 200]
        assert await polls("bob", 1, by_cookie=False) == [429]


@pytest.mark.parametrize("kind", ["redis", pytest.param("valkey", marks=pytest.mark.full)])
async def test_servers_on_one_redis_count_together(
    serve: Serve, redis_servers: dict[str, RedisServer], kind: Kind, tmp_path: Path
) -> None:
    """Wherever a worker reports, its rate is one."""
    settings = {"store": redis_servers[kind].url, "redis_prefix": str(tmp_path), "publish_rate": "20/hour"}
    async with Worker.at(serve(**settings)) as here, Worker.at(serve(**settings)) as there:
        answers = [await worker.update("s", action="start", step=1) for worker in [here, there] * 15]
        assert [answer.status_code for answer in answers] == [200] * 20 + [429] * 10


async def test_a_crowd_does_not_get_past_the_count(
    serve: Serve, redis_servers: dict[str, RedisServer], tmp_path: Path
) -> None:
    """SE-07: one who asks on so many connections that they wait for each other to be counted is held to his rate."""
    callers, rate = 3000, 10
    server = serve(store=redis_servers["redis"].url, redis_prefix=str(tmp_path), read_rate=f"{rate}/hour")
    allow_descriptors(callers)
    connections = [await Connection.open(server.port) for _ in range(callers)]
    answers = await asyncio.gather(*(each.request("GET", session_path("s")) for each in connections))
    for each in connections:
        await each.aclose()
    statuses = Counter(answer.status for answer in answers)
    assert set(statuses) == {200, 429}
    assert statuses[200] <= 2 * rate  # Those that were counted together, and those that were counted here.


@pytest.mark.full
async def test_while_redis_is_away_the_store_says_so(serve: Serve, run_redis: RunRedis) -> None:
    """It is not for the count to refuse what the store cannot take; and the count goes on by itself."""
    redis = run_redis()
    server = serve(store=redis.url, publish_rate="3/hour")
    async with Worker.at(server) as worker:
        await worker.start("s", 1)
        redis.kill()
        assert (await worker.update("s", action="start", step=1)).status_code == 503
        redis.start()
        async with asyncio.timeout(30):
            while (await worker.update("s", action="start", step=1)).status_code != 429:
                pass
    assert "Traceback" not in server.log()


async def opened(server: Server, count: int, headers: Sequence[tuple[str, str]] = ()) -> list[RawStream]:
    """So many attempts at a stream, each with its snapshot or at its end."""
    streams = [await RawStream.open(server.port, EVENTS, headers) for _ in range(count)]
    for stream in streams:
        await stream.wait_until(lambda s: bool(s.events) or s.ending is not None)
    return streams


@pytest.fixture
async def streams() -> AsyncIterator[list[RawStream]]:
    """What a test has opened; closed at its end."""
    opened: list[RawStream] = []
    yield opened
    for stream in opened:
        await stream.abort()


async def test_one_caller_cannot_take_all_streams(serve: Serve, streams: list[RawStream]) -> None:
    """SE-07: he is refused softly beyond his share, and gets a place again that he gives back; others have theirs."""
    server = serve(max_streams_per_caller=5, trusted_proxies=PROXIES)
    mine, theirs = [("X-Forwarded-For", "192.0.2.1")], [("X-Forwarded-For", "192.0.2.2")]
    streams += await opened(server, 50, mine)
    assert [bool(stream.events) for stream in streams] == [True] * 5 + [False] * 45
    assert {(*stream.retries,) for stream in streams[5:]} == {(30_000,)}
    others = await opened(server, 5, theirs)
    streams += others
    assert all(stream.events for stream in others)
    await streams[0].aclose()
    async with asyncio.timeout(10):
        while not streams[-1].events or streams[-1] is others[-1]:
            streams += await opened(server, 1, mine)
    streams += await opened(server, 1, mine)
    assert not streams[-1].events


@pytest.mark.full
async def test_servers_on_a_cluster_count_together(
    serve: Serve, redis_clusters: Callable[[Kind], RedisCluster], kind: Kind, tmp_path: Path
) -> None:
    """On whichever node a caller is counted."""
    settings = {"store": redis_clusters(kind).url, "redis_prefix": tmp_path.name, "read_rate": "2/hour"}
    async with Worker.at(serve(**settings, trusted_proxies=PROXIES)) as worker:
        for n in range(20):
            headers = {"X-Forwarded-For": f"192.0.2.{n}"}
            answers = [await worker.client.get(session_path("s"), headers=headers) for _ in range(3)]
            assert [answer.status_code for answer in answers] == [200, 200, 429]


async def test_who_brings_a_ticket_is_known_by_the_token_that_bought_it(serve: Serve) -> None:
    """SE-07: two tickets make nobody two callers, whatever cookie is beside them; and of two tokens, two."""
    server = serve(**CLOSED, max_streams_per_caller=1)
    mine, yours = (list(bearer(make_token(sessions=["s"], sub=name)).items()) for name in ("me", "you"))
    async with await Connection.open(server.port) as connection:
        bought = [(await connection.request("POST", "/api/tickets", headers)).json() for headers in (mine, mine, yours)]
    first, second, other = (f"{EVENTS}?ticket={each['ticket']}" for each in bought)
    async with (
        await RawStream.open(server.port, first, headers=[("Cookie", "progress_sse=a")]),
        await RawStream.open(server.port, second, headers=[("Cookie", "progress_sse=b")]) as refused,
        await RawStream.open(server.port, other) as let_in,
    ):
        assert await refused.closed() == "end"
        assert refused.events == []
        assert (await let_in.next_event()).event == "snapshot"
