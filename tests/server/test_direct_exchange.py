"""Requests on hot routes, which our own server answers without the application."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import pytest
from uvicorn.server import ServerState

from progress_sse import ProgressService, create_app
from progress_sse.api.hot_routes import HotRequest, HotRoutes
from progress_sse.api.routes import ROUTES
from progress_sse.server.uvicorn_server import make_config, own_protocol
from progress_sse.settings import Settings, load_settings
from tests.harness.http1 import Connection, request_bytes
from tests.harness.serving import eventually

DEADLINE_S = 10
HEAD_TIMEOUT_S = 1
JSON = [("Content-Type", "application/json")]
START = b'{"action":"start","step":1}'


class CountedRoutes(HotRoutes):
    """Counts the requests that it finds."""

    def __init__(self, service: ProgressService) -> None:
        super().__init__(service, ROUTES)
        self.found = 0

    def find(self, *args: Any) -> HotRequest | None:
        request = super().find(*args)
        self.found += request is not None
        return request


class Server(NamedTuple):
    """A server in this process: its service, its hot routes, and a way to connect."""

    service: ProgressService
    hot_routes: CountedRoutes
    connections: set[Any]
    connect: Callable[[], Any]


@asynccontextmanager
async def serving(*, is_direct: bool, **given: Any) -> AsyncIterator[Server]:
    """Serve with the direct way, or without."""
    settings: Settings = load_settings(store="memory://", **given)
    service = ProgressService(settings)
    hot_routes = CountedRoutes(service)
    http = own_protocol(service, hot_routes if is_direct else None)
    config = make_config(create_app(settings, service=service), service, http)
    config.load()
    state = ServerState()
    protocol_class: Any = config.http_protocol_class
    make_protocol = partial(protocol_class, config=config, server_state=state, app_state={})
    await service.start()
    listener = await asyncio.get_running_loop().create_server(make_protocol, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    try:
        yield Server(service, hot_routes, state.connections, partial(Connection.open, port))
    finally:
        listener.close()
        await service.aclose()


@asynccontextmanager
async def connected(**given: Any) -> AsyncIterator[tuple[Server, Any]]:
    async with serving(**given) as server, aclosing(await server.connect()) as connection:
        yield server, connection


def post(target: str, body: bytes, *headers: tuple[str, str]) -> bytes:
    return request_bytes("POST", target, [*JSON, *headers], body)


def get(target: str, *headers: tuple[str, str]) -> bytes:
    return request_bytes("GET", target, headers)


UPDATE = "/api/progress/a/update"
STRICT = ("Prefer", "handling=strict")
HOT = [
    post(UPDATE, START),
    post(UPDATE, b'{"action":"complete","step":1,"success":false,"error":"x"}'),
    post(UPDATE, START, ("If-Match", '"other"')),
    post(UPDATE, START, ("Idempotency-Key", "k")),
    post(UPDATE, START, ("Idempotency-Key", "\u00e9")),
    post(UPDATE, START, ("Idempotency-Key", "")),
    post(UPDATE, START, ("Idempotency-Key", "k"), ("Idempotency-Key", "k")),
    post(UPDATE, b'{"action":"beat","step":1}', ("Idempotency-Key", "")),
    post(UPDATE, START, ("If-None-Match", "*")),
    post(UPDATE, START, ("If-Match", '"other"'), ("If-Match", "*")),
    post(UPDATE, START, ("Progress-Run", "other")),
    post(UPDATE, START, ("Progress-Run", "other"), ("Progress-Run", "other")),
    post(UPDATE, START, ("Content-Type", "application/json")),
    post(UPDATE, START, ("Content-Encoding", "gzip")),
    post(UPDATE, START, ("Content-Encoding", "identity")),
    post(UPDATE, b'{"action":"start","step":1,"lines":["x"],"other":1}'),
    post(UPDATE, b'{"action":"start","step":1,"lines":null,"other":null}'),
    post(UPDATE, START, ("Connection", "close")),
    post(UPDATE, b'{"action":"start","step":9}'),
    post(UPDATE, b'{"action":"start"}'),
    post(UPDATE, b'{"action":'),
    post(UPDATE, b'{"step":1,"step":1}'),
    request_bytes("POST", UPDATE, [("Content-Type", "text/plain")], START),
    post("/api/progress/unknown/update", b'{"action":"complete","step":1}'),
    post(f"/api/progress/{'i' * 129}/update", START),
    post("/api/updates", b'{"updates":[{"session_id":"a","action":"start","step":1},{"action":"start"}]}'),
    post("/api/updates", b'{"updates":[]}'),
    post(UPDATE, START, STRICT),
    post(UPDATE, START, ("Prefer", "handling=lenient")),
    post(UPDATE, START, ("Prefer", "handling=lenient"), STRICT),
    post(UPDATE, START, ("Prefer", "wait=1"), STRICT),
    post(UPDATE, START, ("Prefer", "wait=1")),
    post(UPDATE, b'{"action":"start","step":1,"lines":["x"]}', STRICT),
    post(UPDATE, b'{"action":"complete","step":1,"error":"x"}', STRICT),
    post(UPDATE, b'{"action":"start","step":9}', STRICT),
    post(UPDATE, b'{"action":', STRICT),
    post("/api/updates", b'{"updates":[{"session_id":"a","action":"start","step":1,"other":1}]}'),
    post("/api/updates", b'{"updates":[{"session_id":"a","action":"start","step":1,"other":1}]}', STRICT),
    post("/api/updates", b'{"updates":[]}', STRICT),
    get("/api/progress/a"),
    get("/api/progress/a", ("If-None-Match", "*")),
    get("/api/progress/a", ("If-Match", '"other"')),
    get("/api/progress/a", ("If-Match", '"other"'), ("If-Match", "*")),
    get("/api/progress/a", ("Accept", "application/json;q=0.5"), ("Accept", "text/plain")),
    get("/api/progress/unknown"),
    get("/api/progress/done/events"),
    get("/api/progress/done/events?heartbeat=event"),
]
"""Requests that are answered directly."""

USUAL = [
    get("/api/progress/a", ("Origin", "http://a.example")),
    get("/api/progress/a", ("Cookie", "a=b")),
    request_bytes("GET", "/api/progress/a", host="a.example"),
    get("/api/progress/%61"),
    get("/api/progress/a?x=y"),
    get("/api/progress/done/events", ("Last-Event-ID", "x-1")),
    get("/api/progress/done/events?last_event_id=x-1"),
    get("/api/progress/done/events?ticket=x"),
    get("/api/progress/a", ("Prefer", "wait=1")),
    get("/api/progress/a", ("If-None-Match", "*"), ("Prefer", "wait=1")),
    get("/api/progress/a", STRICT),
    get("/api/progress/done/events", STRICT),
    get("/api/progress/a#x"),
    get("/api/progress/"),
    get("/api/progress//events"),
    post("/api/progress//update", START),
    post("/update", START),
    get("/events"),
    get("/api/progress"),
    get("/api/steps"),
    get("/livez"),
    get("/unknown"),
    request_bytes("HEAD", "/api/progress/a"),
    request_bytes("PUT", UPDATE, JSON, START),
    request_bytes("GET", "/api/progress/a", JSON, START),
    post(UPDATE, START, ("Expect", "100-continue")),
    post(UPDATE, b'{"action":"start","step":1,"message":"%s"}' % (b"x" * 70_000)),
    post(UPDATE, b'{"action":"start","step":1,"message":"%s"}' % (b"x" * 2_000_000)),
]
"""Requests that the application answers."""


async def answers(requests: Sequence[bytes], *, is_direct: bool) -> tuple[list[bytes], int]:
    """Return the bytes that come back for each request, and how many of them were answered directly."""
    async with serving(is_direct=is_direct) as server:
        store = server.service.store
        await store.create_session("a", 2)
        await store.create_session("done", 1)
        await store.start_step("done", 1)
        await store.complete_step("done", 1)
        return [await _answer(server, request) for request in requests], server.hot_routes.found


async def _answer(server: Server, request: bytes) -> bytes:
    async with aclosing(await server.connect()) as connection:
        connection.writer.write(request)
        return await _whole(connection.reader, request.partition(b" ")[0])


async def _whole(reader: asyncio.StreamReader, method: bytes) -> bytes:
    async with asyncio.timeout(DEADLINE_S):
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"HTTP/1.1 100"):
            head += await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"\ncontent-length: (\d+)", head)
        if b"chunked" in head and method != b"HEAD":
            return head + await reader.readuntil(b"\r\n0\r\n\r\n")
        return head + await reader.readexactly(int(length[1]) if length and method != b"HEAD" else 0)


VARIABLE = re.compile(rb"[0-9a-f]{16}(?=-\d)|\d{4}-\d\d-\d\dT[0-9:.]+|\"elapsed_ms\":\d+|\r\n[0-9a-f]+\r\n")
"""Epochs, times and the sizes of chunks with them differ from server to server."""


@pytest.mark.parametrize(("requests", "direct"), [(HOT, len(HOT)), (USUAL, 0)], ids=["hot", "usual"])
async def test_a_request_is_answered_alike_with_the_application_and_without(
    requests: Sequence[bytes], direct: int
) -> None:
    """To the byte; and only requests that no middleware would look at skip it."""
    by_application, none = await answers(requests, is_direct=False)
    directly, found = await answers(requests, is_direct=True)
    assert (none, found) == (0, direct)
    assert [VARIABLE.sub(b"*", each) for each in directly] == [VARIABLE.sub(b"*", each) for each in by_application]


@pytest.mark.parametrize(
    ("given", "status", "found"),
    [
        ({"read": "token", "token_key": "k" * 32, "publish_token": "p"}, 401, 2),
        ({"allow_origins": "http://a.example"}, 200, 0),
        ({"trusted_proxies": "127.0.0.1"}, 200, 2),
        ({"read_rate": "100/second"}, 200, 0),
        ({"max_streams_per_caller": 5}, 200, 0),
    ],
    ids=["tokens", "origins", "proxies", "rates", "callers"],
)
async def test_settings_hold_alike(given: dict[str, Any], status: int, found: int) -> None:
    """Where it counts, or allows other origins, the application answers."""
    requests = [get("/api/progress/a"), post(UPDATE, START)]
    async with serving(is_direct=False, **given) as server:
        by_application = [await _answer(server, each) for each in requests]
    async with serving(is_direct=True, **given) as server:
        directly = [await _answer(server, each) for each in requests]
        assert server.hot_routes.found == found
    assert [VARIABLE.sub(b"*", each) for each in directly] == [VARIABLE.sub(b"*", each) for each in by_application]
    assert [int(each[9:12]) for each in directly] == [status, status]


async def test_requests_in_one_packet_are_answered_in_order() -> None:
    """Those that are answered directly, and those that the application answers."""
    targets = ["/api/progress/a", "/api/steps", "/api/progress/b", "/livez", "/api/progress/c"]
    async with connected(is_direct=True) as (_, connection):
        connection.writer.write(b"".join(map(get, targets)))
        bodies = [(await _whole(connection.reader, b"GET")).partition(b"\r\n\r\n")[2] for _ in targets]
        assert [json.loads(body)["session_id"] for body in bodies[::2]] == ["a", "b", "c"]
        assert [list(json.loads(body)) for body in bodies[1::2]] == [["total_steps", "steps"], ["status"]]


async def test_an_answer_that_the_client_no_longer_awaits_is_dropped() -> None:
    """The update is applied all the same."""
    async with connected(is_direct=True) as (server, connection):
        connection.writer.write(post(UPDATE, START))
        await connection.writer.drain()
        connection.writer.transport.abort()

        await eventually(lambda: server.service.store.commands["start", "accepted"] == 1, DEADLINE_S)
        assert server.hot_routes.found == 1


MALFORMED = request_bytes("POST", UPDATE, [*JSON, ("Transfer-Encoding", "chunked")]) + b"ZZ\r\n"


@pytest.mark.parametrize(
    "packet",
    [
        get("/api/progress/a") * 30,
        post(UPDATE, START, ("Connection", "close")) + post(UPDATE, START),
        post(UPDATE, START) + b"malformed\r\n\r\n",
        post(UPDATE, START) + MALFORMED + post(UPDATE, START),
        b"GET /api/progress/\xff HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
    ids=["many", "closed", "no head", "no chunk", "no ASCII"],
)
async def test_a_packet_whose_connection_ends_is_answered_alike(packet: bytes) -> None:
    """Nothing behind the end is carried out, and as many requests wait as with the application."""
    outcomes = []
    for is_direct in (False, True):
        async with connected(is_direct=is_direct) as (server, connection):
            connection.writer.write(packet)
            received = VARIABLE.sub(b"*", await connection.rest(DEADLINE_S))
            received = received.replace(b"connection: close\r\n", b"")  # Old versions of uvicorn close without it.
            outcomes.append((received, server.service.store.commands, server.service.refusals, server.service.polls))
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("is_direct", [False, True])
async def test_a_field_that_is_one_too_many_behind_an_offer_is_not_lost(is_direct: bool) -> None:
    """Without the length of its body, what is in it would be taken for a request."""
    fields = [("Connection", "Upgrade"), ("Upgrade", "x"), *((f"X-{number}", "") for number in range(98))]
    async with connected(is_direct=is_direct) as (server, connection):
        connection.writer.write(request_bytes("POST", UPDATE, [*fields, *JSON], post(UPDATE, START)))
        received = await connection.rest(DEADLINE_S)
        assert received.startswith(b"HTTP/1.1 431 ")
        assert received.count(b"HTTP/1.1 ") == 1
        assert not server.service.store.commands


async def test_a_stream_behind_an_update_in_one_packet_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """The update's answer must not begin the idle time of the connection."""
    monkeypatch.setattr("progress_sse.server.uvicorn_server.KEEP_ALIVE_S", 0)
    async with connected(is_direct=True) as (server, connection):
        connection.writer.write(post(UPDATE, START) + get("/api/progress/a/events"))
        async with asyncio.timeout(DEADLINE_S):
            await connection.reader.readuntil(b"event: snapshot")
            await server.service.store.complete_step("a", 1)
            await connection.reader.readuntil(b"event: step")


@pytest.mark.parametrize("is_direct", [False, True])
async def test_a_body_in_parts_is_refused_before_its_end(is_direct: bool) -> None:
    """The client need not send the rest."""
    async with connected(is_direct=is_direct, publish_token="t") as (_, connection):
        connection.writer.write(post(UPDATE, START)[:-3])
        assert (await _whole(connection.reader, b"POST")).startswith(b"HTTP/1.1 401 ")


async def test_a_request_in_parts_is_answered() -> None:
    """Directly if its body comes at once, and else by the application."""
    request = post(UPDATE, START)
    async with serving(is_direct=True) as server:
        for cuts in ([20], [len(request) - len(START)], [len(request) - 9], [9, -20, -9, -1], [-1]):
            async with aclosing(await server.connect()) as connection:
                for begin, end in pairwise([None, *cuts, None]):
                    connection.writer.write(request[begin:end])
                    await _answer(server, get("/api/progress/other"))  # By then the server has read the part.
                assert (await _whole(connection.reader, b"POST")).startswith(b"HTTP/1.1 200 ")
        assert server.service.store.commands["start", "accepted"] == 5


async def test_each_request_has_the_whole_time_for_its_head() -> None:
    """A connection in use stays open, however long."""
    loop = asyncio.get_running_loop()
    async with connected(is_direct=True, head_timeout_s=HEAD_TIMEOUT_S) as (_, connection):
        ends_at = loop.time() + 1.5 * HEAD_TIMEOUT_S
        while loop.time() < ends_at:
            assert (await connection.request("GET", "/api/progress/a")).status == 200


async def test_requests_wait_while_the_client_takes_no_answers() -> None:
    """Else each would add its answer to the buffer, without a limit."""
    async with connected(is_direct=True) as (server, connection):
        store = server.service.store
        connection.writer.transport.pause_reading()
        await store.create_session("big", 100)
        async with asyncio.timeout(DEADLINE_S):
            while not any(each.flow.write_paused for each in server.connections):
                answered = server.service.polls["200"]
                connection.writer.write(get("/api/progress/big"))
                while server.service.polls["200"] == answered:  # noqa: ASYNC110 - there is no event to wait for
                    await asyncio.sleep(0)
        found = server.hot_routes.found
        for _ in range(5):
            connection.writer.write(post(UPDATE, START))
            await _answer(server, get("/api/progress/other"))
        assert store.commands["start", "accepted"] <= 1
        assert server.hot_routes.found == found + 5

        connection.writer.transport.resume_reading()
        async with asyncio.timeout(DEADLINE_S):
            while store.commands["start", "accepted"] < 5:
                assert await connection.reader.read(65_536)


@pytest.mark.parametrize("is_direct", [False, True])
async def test_a_stream_that_fails_ends_with_its_connection(
    is_direct: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its client must not wait for more."""

    def fail(*_: object) -> None:
        raise RuntimeError("no heartbeat")

    async with connected(is_direct=is_direct) as (server, connection):
        monkeypatch.setattr(server.service.streams.heartbeat, "add", fail)
        connection.writer.write(get("/api/progress/a/events"))
        assert (await connection.rest(DEADLINE_S)).count(b"HTTP/1.1 ") == 1
    assert "RuntimeError: no heartbeat" in caplog.text


WAITING = get("/api/progress/new", ("If-None-Match", '"absent"'), ("Prefer", "wait=30"))


@pytest.mark.parametrize("is_direct", [False, True])
async def test_a_poll_that_waits_lets_others_pass_and_ends_with_its_client(is_direct: bool) -> None:
    """Polls of other connections are answered meanwhile; a request behind it in its own is answered after it."""
    async with connected(is_direct=is_direct) as (server, staying):
        waits, leaving = server.service.streams.waits, await server.connect()
        leaving.writer.write(WAITING)
        staying.writer.write(WAITING + get("/livez"))
        await eventually(lambda: len(waits) == 2, DEADLINE_S)
        assert (await _answer(server, get("/api/progress/new"))).startswith(b"HTTP/1.1 200 ")
        leaving.writer.transport.abort()
        await eventually(lambda: waits.ended["gone"] == 1, DEADLINE_S)
        await server.service.store.create_session("new", 1)
        async with asyncio.timeout(DEADLINE_S):
            assert b"preference-applied: wait=30" in await _whole(staying.reader, b"GET")
            assert (await _whole(staying.reader, b"GET")).startswith(b"HTTP/1.1 200 ")
        assert len(waits) == server.service.streams.hub.channel_count == 0


@pytest.mark.parametrize("is_direct", [False, True])
async def test_a_poll_that_waits_is_answered_when_the_server_stops(is_direct: bool) -> None:
    """Before its connection is closed."""
    async with connected(is_direct=is_direct) as (server, connection):
        connection.writer.write(WAITING)
        await eventually(lambda: len(server.service.streams.waits) == 1, DEADLINE_S)
        await server.service.aclose()
        assert (await _whole(connection.reader, b"GET")).startswith(b"HTTP/1.1 304 ")
