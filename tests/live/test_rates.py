"""Rate limits: a caller over its rate learns when to retry, waits for a bounded time, and delays no other."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest

from progress_sse.auth.cookies import COOKIE
from tests.conftest import RunRedis, Serve
from tests.harness.http1 import Connection
from tests.harness.load_clients import allow_descriptors
from tests.harness.rawsse import RawStream
from tests.harness.redis import KINDS, Kind, RedisCluster, RedisServer
from tests.harness.serving import Server, Worker, events_path, session_path
from tests.harness.tokens import CLOSED, bearer, make_token
from tests.live.asgi_hosts import serve_only

pytestmark = serve_only  # The server determines the caller; the limits themselves are the same on every host.

START = {"action": "start", "step": 1}
EVENTS = events_path("s")
PROXIES = "127.0.0.0/8"


def assert_too_often(status: int, retry_after: str | None, problem: dict[str, object]) -> int:
    """Check that this is a 429, and return the seconds after which the caller may come back."""
    assert (status, problem["type"], problem["success"]) == (429, "/problems/rate-exceeded", False)
    assert retry_after is not None
    return int(retry_after)


async def report_often(worker: Worker, session_id: str, count: int) -> list[int]:
    """Report `count` times at once, each again after its refusal; return the wait that each refusal asked for."""
    asked: list[int] = []

    async def report(n: int) -> None:
        while (response := await worker.update(session_id, action="progress", step=1, current=n)).status_code != 200:
            retry_after = response.headers.get("retry-after")
            asked.append(assert_too_often(response.status_code, retry_after, response.json()))
            await asyncio.sleep(asked[-1])

    await asyncio.gather(*(report(n) for n in range(count)))
    return asked


@pytest.mark.protocol("P-4.5", "P-16.3")
@pytest.mark.full
async def test_a_worker_over_its_rate_is_told_when_to_retry(serve: Serve) -> None:
    """LD-05: at 1.5 times its rate a worker gets everything reported in the end, and another worker is not delayed."""
    server = serve(publish_rate="20/second", publish_token="eager,other")
    async with Worker.at(server, "eager") as eager, Worker.at(server, "other") as other:
        await eager.start("s", 1)
        await other.start("t", 1)
        asked, _ = await asyncio.gather(report_often(eager, "s", 30), report_often(other, "t", 10))
        assert asked
        assert set(asked) == {1}
        assert (await eager.poll("s"))["steps"][0]["progress"]
        assert await report_often(other, "t", 10) == []


async def test_a_batch_is_not_counted_as_reading(serve: Serve) -> None:
    """A batch counts as reporting: a caller with a high publish rate may send many, whatever its read rate."""
    server = serve(read_rate="1/hour", publish_rate="1000/second", publish_token="hush")
    async with Worker.at(server, "hush") as worker:
        for _ in range(4):
            answer = await worker.client.post("/api/updates", json={"updates": [{"session_id": "s", **START}]})
            assert answer.json() == {"results": [{"status": 200}]}


@pytest.mark.full
async def test_batches_with_a_wrong_token_are_counted(serve: Serve) -> None:
    """Requests with a wrong token count against the rate, although the server reads none of their updates."""
    server = serve(publish_rate="3/hour", publish_token="hush")
    async with Worker.at(server, "wrong") as stranger:
        answers = [await stranger.client.post("/api/updates", json={"updates": []}) for _ in range(6)]
    assert {answer.status_code for answer in answers[:3]} == {403}
    assert answers[-1].status_code == 429


@pytest.mark.full
async def test_polls_are_counted_apart_from_reports(serve: Serve) -> None:
    """LD-05: a poll over the rate gets 429; a stream over it ends as if all places were taken."""
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
    return (await connection.request("GET", session_path("s"), [("X-Forwarded-For", forwarded_for)])).status


async def test_behind_a_trusted_proxy_each_client_is_a_caller(serve: Serve) -> None:
    """The address that the proxy added counts; addresses that the client wrote into the header do not."""
    server = serve(read_rate="2/hour", trusted_proxies=PROXIES)
    async with await Connection.open(server.port) as proxy:
        assert [await poll_from(proxy, "192.0.2.1") for _ in range(3)] == [200, 200, 429]
        assert await poll_from(proxy, "192.0.2.2") == 200
        assert await poll_from(proxy, "198.51.100.7, 192.0.2.1") == 429
        assert [await poll_from(proxy, f"2001:db8::{n}") for n in range(3)] == [200, 200, 429]
        assert await poll_from(proxy, "2001:db8:0:1::1") == 200


async def test_without_a_trusted_proxy_forwarded_addresses_are_ignored(serve: Serve) -> None:
    """A caller cannot pretend to be another one with each request."""
    server = serve(read_rate="2/hour")
    async with await Connection.open(server.port) as connection:
        assert [await poll_from(connection, f"192.0.2.{n}") for n in range(3)] == [200, 200, 429]


@pytest.mark.parametrize(("path", "success"), [("/api/tickets", 201), ("/api/cookie", 204)])
async def test_an_exchange_of_a_token_is_counted_as_reading(serve: Serve, path: str, success: int) -> None:
    """SE-07: a ticket occupies memory for half a minute, and any answer but 401 confirms a guessed token."""
    server = serve(**CLOSED, read_rate="3/hour")
    good, bad = list(bearer(make_token(sessions=["s"])).items()), list(bearer("guessed").items())
    async with await Connection.open(server.port) as connection:

        async def statuses(headers: list[tuple[str, str]]) -> list[int]:
            return [(await connection.request("POST", path, headers)).status for _ in range(5)]

        assert await statuses(good) == [success] * 3 + [429] * 2
        assert await statuses(bad) == [401] * 3 + [429] * 2


async def test_a_wrong_token_counts_for_the_address(serve: Serve) -> None:
    """SE-07: all wrong tokens of an address share one rate, and do not slow down callers with a valid one."""
    server = serve(publish_rate="5/minute", publish_token="right")
    async with await Connection.open(server.port) as connection:

        async def status(token: str) -> int:
            path = session_path("s", "update")
            return (await connection.post_json(path, START, [("Authorization", f"Bearer {token}")])).status

        assert [await status(f"wrong-{n}") for n in range(7)] == [403] * 5 + [429] * 2
        assert await status("right") == 200


async def test_a_token_is_one_caller_in_a_header_and_in_a_cookie(serve: Serve) -> None:
    """SE-07: users behind one address have a rate each, whether the token comes by header or by cookie."""
    server = serve(**CLOSED, read_rate="2/hour")
    async with await Connection.open(server.port) as connection:

        async def polls(token: str, count: int, *, by_cookie: bool) -> list[int]:
            headers = [("Cookie", f"{COOKIE}={token}")] if by_cookie else list(bearer(token).items())
            return [(await connection.request("GET", session_path("s"), headers)).status for _ in range(count)]

        alice, bob = (make_token(sub=user, sessions=["s"]) for user in ("alice", "bob"))
        assert await polls(alice, 3, by_cookie=True) == [200, 200, 429]
        assert await polls(bob, 2, by_cookie=True) == [200, 200]
        assert await polls(bob, 1, by_cookie=False) == [429]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.full
async def test_servers_on_one_redis_count_together(
    serve: Serve, redis_servers: dict[str, RedisServer], kind: Kind, tmp_path: Path
) -> None:
    """A worker has one rate over all servers that share a Redis."""
    settings = {"store": redis_servers[kind].url, "redis_prefix": str(tmp_path), "publish_rate": "20/hour"}
    async with Worker.at(serve(**settings)) as here, Worker.at(serve(**settings)) as there:
        answers = [await worker.update("s", action="start", step=1) for worker in [here, there] * 15]
        assert [answer.status_code for answer in answers] == [200] * 20 + [429] * 10


@pytest.mark.full
async def test_many_connections_at_once_do_not_get_past_the_rate(
    serve: Serve, redis_servers: dict[str, RedisServer], tmp_path: Path
) -> None:
    """SE-07: many connections that wait at the same time to be counted do not get a caller past its rate."""
    callers, rate = 3000, 10
    server = serve(store=redis_servers["redis"].url, redis_prefix=str(tmp_path), read_rate=f"{rate}/hour")
    allow_descriptors(callers)
    connections = [await Connection.open(server.port) for _ in range(callers)]
    answers = await asyncio.gather(*(each.request("GET", session_path("s")) for each in connections))
    for each in connections:
        await each.aclose()
    statuses = Counter(answer.status for answer in answers)
    assert statuses.keys() <= {200, 429, 503}
    # The requests counted in Redis together, and those counted in this process; a slow Redis answers some with 503.
    assert statuses[200] + statuses[503] <= 2 * rate


@pytest.mark.full
async def test_while_redis_is_away_the_store_refuses(serve: Serve, run_redis: RunRedis) -> None:
    """The rate limiter does not refuse in place of the store, and resumes counting by itself."""
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
    """Try to open `count` streams; return each with its snapshot read, or at its end."""
    streams = [await RawStream.open(server.port, EVENTS, headers) for _ in range(count)]
    for stream in streams:
        await stream.wait_until(lambda s: bool(s.events) or s.ending is not None)
    return streams


@pytest.fixture
async def streams() -> AsyncIterator[list[RawStream]]:
    """The streams that a test has opened; all are closed at its end."""
    opened: list[RawStream] = []
    yield opened
    for stream in opened:
        await stream.abort()


async def test_one_caller_cannot_take_all_streams(serve: Serve, streams: list[RawStream]) -> None:
    """SE-07: past its share a caller is refused softly, and a place it frees is reused; other callers have theirs."""
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
    """The count is shared whichever node holds it."""
    settings = {"store": redis_clusters(kind).url, "redis_prefix": tmp_path.name, "read_rate": "2/hour"}
    async with Worker.at(serve(**settings, trusted_proxies=PROXIES)) as worker:
        for n in range(20):
            headers = {"X-Forwarded-For": f"192.0.2.{n}"}
            answers = [await worker.client.get(session_path("s"), headers=headers) for _ in range(3)]
            assert [answer.status_code for answer in answers] == [200, 200, 429]


async def test_a_ticket_counts_for_the_token_that_bought_it(serve: Serve) -> None:
    """SE-07: two tickets of one token are one caller, whatever cookie comes along; tickets of two tokens are two."""
    server = serve(**CLOSED, max_streams_per_caller=1)
    mine, yours = (list(bearer(make_token(sessions=["s"], sub=name)).items()) for name in ("me", "you"))
    async with await Connection.open(server.port) as connection:
        bought = [(await connection.request("POST", "/api/tickets", headers)).json() for headers in (mine, mine, yours)]
    first, second, other = (f"{EVENTS}?ticket={each['ticket']}" for each in bought)
    async with (
        await RawStream.open(server.port, first, headers=[("Cookie", "progress_sse=a")]),
        await RawStream.open(server.port, second, headers=[("Cookie", "progress_sse=b")]) as refused,
        await RawStream.open(server.port, other) as admitted,
    ):
        assert await refused.closed() == "end"
        assert refused.events == []
        assert (await admitted.next_event()).event == "snapshot"
