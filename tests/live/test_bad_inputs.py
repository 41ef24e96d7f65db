"""Invalid requests at a real server: each is refused, and other clients do not notice."""

from __future__ import annotations

import asyncio
import gzip
import random
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from tests.api.refusals import BEFORE, CANARY, REFUSALS, USED, Refusal
from tests.harness.http1 import Connection, Response, request_bytes
from tests.harness.rawsse import RawStream
from tests.harness.serving import Server, Worker, events_path, session_path
from tests.live.asgi_hosts import serve_only


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, factory: str | None) -> Iterator[Server]:
    """A server shared by the tests of this module; each test has sessions of its own."""
    with Server(tmp_path_factory.mktemp("server"), store="sqlite", factory=factory, heartbeat_s=1) as running:
        yield running


@asynccontextmanager
async def unaffected_reader(server: Server, session_id: str) -> AsyncIterator[None]:
    """Follow the session during the block, and check that only a worker's updates before and after it show."""
    async with (
        Worker.at(server) as worker,
        await RawStream.open(server.port, events_path(session_id)) as stream,
    ):
        await stream.next_event()
        await worker.create(session_id, replace=True)
        for body in BEFORE:
            await worker.update(session_id, **body)
        await worker.update(session_id, key=USED[0], **USED[1])
        *_, last = await stream.next_events(4)
        before = await worker.poll_raw(session_id)
        yield
        after = await worker.poll_raw(session_id)
        assert (after.content, after.headers["etag"]) == (before.content, before.headers["etag"])
        await worker.complete(session_id, 1)
        completed = await stream.next_event()
        assert completed.position == last.position._replace(offset=last.position.offset + 1)
        assert stream.ending is None
    assert "Traceback" not in server.log()


# The table


@pytest.mark.parametrize("part", REFUSALS)
async def test_each_bad_request_is_refused_with_its_problem(
    server: Server, record_property: Callable[[str, object], None], part: str
) -> None:
    """SE-05: the server refuses each row without a traceback, and a reader of the session sees no event."""
    took: dict[str, float] = {}
    async with unaffected_reader(server, "s"), Worker.at(server) as worker:
        sessions = (await worker.client.get("/api/progress")).content
        for name, row in REFUSALS[part].items():
            async with await Connection.open(server.port) as connection:
                started = time.perf_counter()
                response = await connection.exchange(bytes_of(row), row.method, timeout_s=5)
                took[name] = time.perf_counter() - started
            assert_refused(name, row, response)
        assert (await worker.client.get("/api/progress")).content == sessions
    slowest = max(took, key=lambda name: took[name])
    record_property("slowest", f"{slowest}: {1000 * took[slowest]:.1f} ms")
    assert {path.name.removesuffix("-wal").removesuffix("-shm") for path in server.folder.iterdir()} <= FILES


FILES = {"progress.db", "progress.db.lock", "server.log"}
"""Every file that a server writes, whatever ids it gets."""


def bytes_of(row: Refusal) -> bytes:
    """The request of a row; header values may contain bytes that are not ASCII."""
    headers = [*row.headers, *([("Content-Length", str(len(row.body)))] if row.body is not None else [])]
    lines = [f"{row.method} {row.target} HTTP/1.1", "Host: x", *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + (row.body or b"")


def assert_refused(name: str, row: Refusal, response: Response) -> None:
    """Check the common form of all errors, and that the response contains nothing of what was sent."""
    assert response.status == row.status, (name, response)
    assert response.head.get("content-type") == "application/problem+json", (name, response)
    problem = response.json()
    assert set(problem) == {"type", "title", "status", "detail", "success"}, (name, problem)
    assert (problem["type"], problem["status"]) == (f"/problems/{row.problem}", row.status), (name, problem)
    assert problem["success"] is False, (name, problem)
    assert CANARY not in repr(response), (name, response)
    assert response.head.get("set-cookie") is None, (name, response)


# Size

LIMIT = 262_144
"""The default of `max_body_bytes`."""

BOMB = gzip.compress(bytes(10 * 2**20))
UPDATE_HEADERS = [("Content-Type", "application/json")]


def padded(size: int) -> bytes:
    """A valid update of `size` bytes."""
    return b'{"action":"complete","step":1}'.ljust(size)


def in_chunks(size: int) -> bytes:
    """The same update in chunks of 4 KB."""
    body = padded(size)
    parts = [body[at : at + 4096] for at in range(0, size, 4096)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


TOO_LARGE: dict[str, tuple[list[tuple[str, str]], bytes, int]] = {
    "one byte over": ([("Content-Length", str(LIMIT + 1))], padded(LIMIT + 1), 413),
    "one byte over, in chunks": ([("Transfer-Encoding", "chunked")], in_chunks(LIMIT + 1), 413),
    "ten times over, in chunks": ([("Transfer-Encoding", "chunked")], in_chunks(10 * LIMIT), 413),
    "10 GB announced": ([("Content-Length", str(10**10))], b"", 413),
    "10 GB announced and begun": ([("Content-Length", str(10**10))], padded(4 * LIMIT), 413),
    "a bomb": ([("Content-Encoding", "gzip"), ("Content-Length", str(len(BOMB)))], BOMB, 415),
    "a bomb in chunks": ([("Transfer-Encoding", "gzip, chunked")], b"%x\r\n%b\r\n0\r\n\r\n" % (len(BOMB), BOMB), 400),
}
"""Bodies that are too large, with headers that say so or not, and the status of the refusal."""


@serve_only  # Other servers refuse large bodies in ways of their own.
@pytest.mark.parametrize("name", TOO_LARGE)
async def test_a_body_that_is_too_large_is_refused_and_not_kept(server: Server, sid: str, name: str) -> None:
    """SE-03: 30 at once leave no memory behind; each gets an answer, and is closed if it keeps sending."""
    headers, body, status = TOO_LARGE[name]
    request = request_bytes("POST", session_path(sid, "update"), [*UPDATE_HEADERS, *headers]) + body

    async def send() -> bytes:
        async with await Connection.open(server.port) as connection, asyncio.timeout(10):
            connection.writer.write(request)
            if status == 415:  # The connection stays usable.
                return await connection.reader.readuntil(b"\r\n\r\n")
            return await all_that_comes(connection)

    async def send_many() -> list[bytes]:
        return await asyncio.gather(*(send() for _ in range(30)))

    async with unaffected_reader(server, sid):
        await send_many()  # The allocator keeps room for as many; later requests fit into it unless something is kept.
        memory_bytes = server.memory_bytes()
        answers = await send_many()
        assert server.memory_bytes() - memory_bytes <= 5 * 2**20
    for answer in answers:
        assert answer == b"" or answer.startswith(b"HTTP/1.1 %d " % status)
    assert any(answers)


@serve_only  # The server reads them.
@pytest.mark.parametrize("method", ["POST", "GET"], ids=["update", "stream"])
async def test_trailers_take_no_memory(server: Server, sid: str, method: str) -> None:
    """SE-03: trailers take no memory on a reused connection, nor during the stream that their request opened."""
    path = session_path(sid, "update" if method == "POST" else "events")
    body = b'{"action":"start","step":1}' if method == "POST" else b"{}"
    headers = [("Content-Type", "application/json"), ("Transfer-Encoding", "chunked")]
    request = request_bytes(method, path, headers) + b"%x\r\n%b\r\n0\r\n" % (len(body), body) + b"ab:\r\n" * 90_000
    async with AsyncExitStack() as connections:
        opened = [await connections.enter_async_context(await Connection.open(server.port)) for _ in range(10)]
        memory_bytes = server.memory_bytes()
        for connection in opened:
            connection.writer.write(request + b"\r\n")
            await connection.writer.drain()
        for connection in opened:
            assert (await connection.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
            for _ in range(2 if method == "GET" else 0):  # By the second heartbeat all of it has been read.
                await connection.reader.readuntil(b"\n:")
        assert server.memory_bytes() - memory_bytes <= 5 * 2**20


async def test_the_largest_body_fits(server: Server, sid: str) -> None:
    """SE-03: a body of exactly the maximum size is accepted, as one piece and in chunks."""
    async with Worker.at(server) as worker:
        await worker.start(sid, 1)
    lengths = ([("Content-Length", str(LIMIT))], padded(LIMIT)), ([("Transfer-Encoding", "chunked")], in_chunks(LIMIT))
    for headers, body in lengths:
        request = request_bytes("POST", session_path(sid, "update"), [*UPDATE_HEADERS, *headers]) + body
        async with await Connection.open(server.port) as connection:
            assert (await connection.exchange(request, "POST")).status == 200


async def test_unknown_query_parameters_are_ignored(server: Server, sid: str) -> None:
    """SE-03: 200 unknown parameters change nothing, nor does one that is repeated 200 times."""
    query = "&".join(f"p{n}={n}" for n in range(200)) + "&last_event_id=x" * 200 + "&limit=1" * 200
    async with unaffected_reader(server, sid), Worker.at(server) as worker:
        plain = (await worker.client.get(session_path(sid))).content
        assert (await worker.client.get(f"{session_path(sid)}?{query}")).content == plain
        assert (await worker.client.get(f"/api/progress?{query}")).status_code == 200
        for target in (session_path(sid, f"events?{query}"), f"/api/events?{query}" + f"&session_id={sid}" * 200):
            async with await RawStream.open(server.port, target) as stream:
                assert (await stream.next_event()).data == plain.decode()


# Below HTTP

BODY = b'{"action":"complete","step":1}'
START_LINE = "POST /api/progress/SID/update HTTP/1.1\r\n"
POST = START_LINE + "Host: x\r\nContent-Type: application/json\r\n"
GET = "GET /api/progress/SID HTTP/1.1\r\nHost: x\r\n"
LENGTH = f"Content-Length: {len(BODY)}\r\n"
CHUNKED = "Transfer-Encoding: chunked\r\n"
IN_CHUNKS = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)


def post(headers: str, body: bytes = BODY) -> bytes:
    """An update that is valid but for its framing."""
    return (POST + headers + "\r\n").encode("latin-1") + body


def chunks(size: str, end: str = "\r\n", last: str = "0\r\n\r\n") -> bytes:
    """An update in one chunk, with the given size line."""
    return post(CHUNKED, size.encode() + b"\r\n" + BODY + end.encode() + last.encode())


def get(line: str = "") -> bytes:
    """A poll with one more header line, valid or not."""
    return (GET + (f"{line}\r\n" if line else "") + "\r\n").encode("latin-1")


SIZE = f"{len(BODY):x}"

MALFORMED = {
    # Where two servers disagree on the end of a body, a request can be smuggled past one of them.
    "Content-Length and Transfer-Encoding": post(LENGTH + CHUNKED, IN_CHUNKS),
    "Transfer-Encoding and Content-Length": post(CHUNKED + LENGTH, IN_CHUNKS),
    "a smuggled request": post(
        "Content-Length: 4\r\n" + CHUNKED, b"5c\r\nDELETE /api/progress/SID HTTP/1.1\r\n\r\n0\r\n\r\n"
    ),
    "two lengths": post(LENGTH + "Content-Length: 3\r\n"),
    "the same length twice": post(LENGTH * 2),
    "a list of lengths": post(f"Content-Length: {len(BODY)}, {len(BODY)}\r\n"),
    "a length with a sign": post(f"Content-Length: +{len(BODY)}\r\n"),
    "a negative length": post("Content-Length: -1\r\n"),
    "a length in hex": post("Content-Length: 0x1e\r\n"),
    "an empty length": post("Content-Length:\r\n"),
    "a length past 64 bits": post(f"Content-Length: {10**30}\r\n"),
    "a length with a space": post("Content-Length: 3 0\r\n"),
    "an unknown coding": post("Transfer-Encoding: xchunked\r\n", IN_CHUNKS),
    "no coding": post("Transfer-Encoding: identity\r\n", IN_CHUNKS),
    "a coding behind the chunks": post("Transfer-Encoding: chunked, gzip\r\n", IN_CHUNKS),
    "a coding inside the chunks": post("Transfer-Encoding: gzip, chunked\r\n", IN_CHUNKS),
    "a coding on a line of its own": post("Transfer-Encoding: gzip\r\n" + CHUNKED, IN_CHUNKS),
    "chunks of chunks": post(CHUNKED * 2, IN_CHUNKS),
    "a coding behind a vertical tab": post("Transfer-Encoding: \x0bchunked\r\n", IN_CHUNKS),
    "a coding whose name ends in a space": post("Transfer-Encoding : chunked\r\n", IN_CHUNKS),
    # Chunks.
    "a chunk size that is none": chunks("zz"),
    "no chunk size": chunks(""),
    "a negative chunk size": chunks("-1"),
    "a chunk size with a prefix": chunks(f"0x{SIZE}"),
    "a chunk size past 64 bits": chunks("F" * 17),
    "a chunk size with a space": chunks(f"{SIZE} "),
    "a chunk longer than its size": chunks("3"),
    "a chunk that ends in LF": chunks(SIZE, "\n"),
    "a chunk size that ends in LF": post(CHUNKED, IN_CHUNKS.replace(b"\r\n", b"\n", 1)),
    "a CR in a chunk extension": chunks(f"{SIZE};a\rb"),
    # Lines.
    "bare LF": (GET + "\r\n").replace("\r\n", "\n").encode(),
    "bare LF behind a header": get("X: a\nY: b"),
    "bare LF at the end": (GET + "\n").encode(),
    "bare CR": get("X: a\rY: b"),
    "a folded header": get("X: a\r\n b"),
    "a header folded by a tab": get("X: a\r\n\tb"),
    "a folded first line": GET.replace("Host", " Host").encode() + b"\r\n",
    "a header without a colon": get("X"),
    "a header without a name": get(": a"),
    "a space before the colon": get("X : a"),
    "NUL in a header": get("X: a\0b"),
    "NUL in the name of a header": get("X\0: a"),
    "a control character in a header": get("X: a\x01b"),
    "DEL in a header": get("X: a\x7fb"),
    # The first line.
    "HTTP/0.9": b"GET /api/progress/SID\r\n\r\n",
    "HTTP/0.9 by name": GET.replace("HTTP/1.1", "HTTP/0.9").encode() + b"\r\n",
    "HTTP/1.2": GET.replace("HTTP/1.1", "HTTP/1.2").encode() + b"\r\n",
    "HTTP/2": GET.replace("HTTP/1.1", "HTTP/2.0").encode() + b"\r\n",
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "NUL in the target": get().replace(b"SID", b"SID\0"),
    "bytes that are not ASCII in the target": get().replace(b"SID", b"\xff"),
    "a space in the target": get().replace(b"SID", b"SID b"),
    "tabs in the first line": get().replace(b" ", b"\t", 2),
    "a target without a slash": get().replace(b" /", b" "),
    "a target without a host": get().replace(b" /", b" http:///"),
    "an address without its end": get().replace(b" /", b" http://[::1/"),
    "an unknown method": get().replace(b"GET", b"FOO"),
    "a method in lower case": get().replace(b"GET", b"get"),
    "CONNECT": b"CONNECT progress.example:80 HTTP/1.1\r\nHost: x\r\n\r\n",
    # The host [RFC 9112 §3.2].
    "no host": get().replace(b"Host", b"Toast"),
    "two hosts": get("Host: y"),
    "a host with a path": get().replace(b": x", b": a/b?c"),
    "a host with a user": get().replace(b": x", b": a@b"),
    # Something else.
    "TLS": bytes.fromhex("16030100f8010000f40303") + bytes(240),
    "SSL 2": bytes.fromhex("802e0100020015000000100100800200800600400400800700c008"),
    "NULs": bytes(1000),
}


@serve_only  # The server parses the bytes before there is a request.
@pytest.mark.parametrize("sent", MALFORMED.values(), ids=MALFORMED.keys())
async def test_malformed_http_gets_400_and_the_connection_closes(server: Server, sid: str, sent: bytes) -> None:
    """SE-05: the answer and the end come at once, and nothing behind the request counts as another one."""
    async with unaffected_reader(server, sid), await Connection.open(server.port) as connection:
        connection.writer.write(sent.replace(b"SID", sid.encode()) + request_bytes("DELETE", session_path(sid)))
        async with asyncio.timeout(5):
            answer = await all_that_comes(connection)
    assert re.findall(rb"HTTP/1\.1 \d+ ", answer) == [b"HTTP/1.1 400 "], answer
    assert b"connection: close" in answer
    assert b'"type":"/problems/malformed-request"' in answer
    assert b'"success":false' in answer
    assert sid.encode() not in answer


@serve_only  # As above.
async def test_a_request_is_answered_though_malformed_bytes_follow(server: Server, sid: str) -> None:
    """The request was applied, and its client must learn that. A body without a length is the usual mistake."""
    update = session_path(sid, "update")
    applied = request_bytes("POST", update, UPDATE_HEADERS, b'{"action":"start","step":1}')
    unmeasured = request_bytes("POST", update, UPDATE_HEADERS) + BODY
    for sent, statuses in ((applied + b"?" + applied, [200]), (applied * 2 + b"\0", [200, 200]), (unmeasured, [400])):
        async with await Connection.open(server.port) as connection, asyncio.timeout(5):
            connection.writer.write(sent)
            answer = await all_that_comes(connection)
        assert [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+) ", answer)] == statuses
    async with Worker.at(server) as worker:
        assert (await worker.poll(sid))["current_step"] == 1
    assert "Traceback" not in server.log()


@serve_only  # As above.
async def test_a_stream_is_not_spoilt_by_malformed_bytes_behind_its_request(server: Server, sid: str) -> None:
    """The stream ends, without a refusal among its events."""
    async with await RawStream.open(server.port, events_path(sid)) as stream:
        await stream.next_event()
        stream.send(b"?\r\n\r\n")
        assert await stream.closed() == "eof"
        assert b"/problems/" not in stream.wire


async def all_that_comes(connection: Connection) -> bytes:
    """What the server sends until it closes; a reset, which follows bytes that it has not read, is an end too."""
    received = b""
    try:
        while data := await connection.reader.read(65536):
            received += data
    except ConnectionError:
        pass
    return received


SEEDS = [
    request_bytes("GET", "/api/progress/SID?x=%41", [("If-None-Match", '"a-1", W/"b-2"'), ("Accept-Encoding", "gzip")]),
    request_bytes("POST", "/api/progress/SID/update", [*UPDATE_HEADERS, ("Idempotency-Key", "k")], BODY),
    post(CHUNKED, IN_CHUNKS),
    request_bytes("PUT", "/api/progress/SID", UPDATE_HEADERS, b'{"steps":[{"name":"\\ud83d\\ude80","timeout_ms":1}]}'),
    request_bytes(
        "HEAD", "/api/events?session_id=SID&session_id=b", [("Last-Event-ID", "a-1"), ("Cookie", "a=b; c=d")]
    ),
    request_bytes(
        "GET", "/web/tracker.js", [("Range", "bytes=0-9,20-"), ("If-Modified-Since", "Wed, 25 Nov 2026 10:00:00 GMT")]
    ),
    request_bytes(
        "OPTIONS",
        "http://a.example/api/progress",
        [("Origin", "http://b"), ("Upgrade", "h2c"), ("Connection", "upgrade")],
    ),
]
SPLINTERS = [
    b"",
    b"\0",
    b"\r",
    b"\n",
    b"\r\n",
    b"\r\n\r\n",
    b" ",
    b":",
    b"%",
    b"%ff",
    b",",
    b";",
    b'"',
    b"{",
    b"\xff",
    b"9" * 20,
    b"A" * 300,
]


def spoilt(rng: random.Random) -> bytes:
    """One or two requests, each with a few bytes removed, doubled or replaced."""
    requests = bytearray(b"".join(rng.choices(SEEDS, k=rng.choice([1, 1, 2]))))
    for _ in range(rng.randint(1, 3)):
        start = rng.randrange(len(requests))
        end = min(len(requests), start + rng.choice([0, 1, 1, 2, 20]))
        requests[start:end] = rng.choice([rng.choice(SPLINTERS), rng.randbytes(1), bytes(requests[start:end]) * 2])
    return bytes(requests)


@serve_only  # As above.
@pytest.mark.parametrize("count", [1000, pytest.param(20_000, marks=pytest.mark.full)])
async def test_mutated_requests_are_answered_or_closed(server: Server, sid: str, count: int) -> None:
    """SE-05: requests with a few changed bytes cause no server error, none waits, and other clients are served."""
    rng = random.Random(count)

    async def send(sent: bytes) -> None:
        async with await Connection.open(server.port) as connection, asyncio.timeout(10):
            connection.writer.write(sent.replace(b"SID", sid.encode()))
            connection.writer.write_eof()
            answer = await all_that_comes(connection)
        statuses = [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+) ", answer)]
        assert all(status < 500 for status in statuses), (sent, answer)

    async with Worker.at(server) as worker:
        await worker.create("other", total_steps=1, replace=True)
        for _ in range(count // 20):
            async with asyncio.TaskGroup() as group:
                for _ in range(20):
                    group.create_task(send(spoilt(rng)))
        assert (await worker.poll("other"))["status"] == "pending"
    assert "Traceback" not in server.log()


OFFERS: dict[str, list[tuple[str, str]]] = {
    "HTTP/2": [("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABkAAQCAAAAAA")],
    "WebSocket": [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")],
}


@serve_only  # A plain uvicorn drops the body of such a request (https://github.com/Kludex/uvicorn/issues/2722).
@pytest.mark.parametrize("offer", OFFERS.values(), ids=OFFERS.keys())
async def test_an_upgrade_offer_is_ignored(server: Server, sid: str, offer: list[tuple[str, str]]) -> None:
    """Java's HttpClient sends an offer with its first request; that body counts, and so does the request behind it."""
    update = session_path(sid, "update")
    headers = [("Content-Type", "application/json"), *offer]
    async with await Connection.open(server.port) as connection:
        assert (await connection.request("POST", update, headers, b'{"action":"start","step":1}')).status == 200
        assert (await connection.request("GET", session_path(sid), offer)).json()["status"] == "running"
        assert (await connection.request("POST", update, headers, BODY)).status == 200
        in_chunks = request_bytes("POST", update, [*headers, ("Transfer-Encoding", "chunked")])
        connection.writer.write(in_chunks)
        assert (await connection.exchange(IN_CHUNKS)).status == 200
        assert (await connection.request("GET", session_path(sid))).json()["percentage"] == 14
    async with await RawStream.open(server.port, events_path(sid), offer) as stream:
        assert (await stream.next_event()).event == "snapshot"
    assert "Unsupported upgrade" not in server.log()


@serve_only  # As above.
@pytest.mark.parametrize(("version", "connection"), [("HTTP/1.1", "close, Upgrade"), ("HTTP/1.0", "Upgrade")])
async def test_an_upgrade_offer_is_ignored_on_a_closing_connection(
    server: Server, sid: str, version: str, connection: str
) -> None:
    """An nginx that is set up for WebSocket forwards curl's offer of HTTP/2 like this."""
    headers = [*UPDATE_HEADERS, ("Connection", connection), ("Upgrade", "h2c")]
    body = b'{"action":"start","step":1}'
    sent = request_bytes("POST", session_path(sid, "update"), headers, body, version=version)
    for step, pieces in enumerate(([sent], [sent[:-20], sent[-20:]], [sent[: -len(body)], body]), start=1):
        async with await Connection.open(server.port) as opened:
            for piece in pieces[:-1]:
                opened.writer.write(piece)
                await opened.writer.drain()
            response = await opened.exchange(pieces[-1], "POST")
            assert (response.status, response.json()["success"]) == (200, True)
            assert await opened.reader.read(1) == b""
        async with Worker.at(server) as worker:
            assert (await worker.poll_raw(sid)).headers["etag"].endswith(f'-{step}"')


@serve_only  # The server delivers headers and trailers.
async def test_a_trailer_is_not_taken_for_a_header(server: Server, sid: str) -> None:
    """A proxy that removes headers does not see trailers [RFC 9110 §6.5.1]."""
    trailers = b"0\r\nIdempotency-Key: \x80\r\nAuthorization: x\r\n\r\n"
    head = request_bytes(
        "POST",
        session_path(sid, "update"),
        [("Content-Type", "application/json"), ("Transfer-Encoding", "chunked")],
    )
    body = b'{"action":"start","step":1}'
    async with await Connection.open(server.port) as connection:
        response = await connection.exchange(head + b"%x\r\n%b\r\n" % (len(body), body) + trailers)
        assert response.status == 200
        assert (await connection.request("GET", session_path(sid))).json()["status"] == "running"


def spaced(request: bytes) -> bytes:
    """The same request, with white space on both sides of each field value."""
    head, end, body = request.partition(b"\r\n\r\n")
    first, *fields = head.split(b"\r\n")
    return b"\r\n".join([first, *(field.replace(b": ", b":\t ", 1) + b" \t" for field in fields)]) + end + body


async def test_white_space_around_a_value_is_ignored(server: Server, sid: str) -> None:
    """A padded header names the same key, tag and event, and frames the same body [RFC 9112 §5.1]."""
    headers = [*UPDATE_HEADERS, ("Content-Encoding", "identity"), ("Idempotency-Key", "k")]
    start = request_bytes("POST", session_path(sid, "update"), headers, b'{"action":"start","step":1}')
    poll = request_bytes("GET", session_path(sid))
    async with await Connection.open(server.port) as connection:
        for request in (start, spaced(start)):
            assert (await connection.exchange(request, "POST")).status == 200
        tag = (await connection.exchange(poll)).head.get("etag")
        assert tag is not None
        assert tag.endswith('-1"')  # It was applied once.
        known = request_bytes("GET", session_path(sid), [("If-None-Match", tag)])
        assert (await connection.exchange(spaced(known))).status == 304
        chunked = [*UPDATE_HEADERS, ("Transfer-Encoding", "chunked ")]  # llhttp takes no tab there.
        in_chunks = request_bytes("POST", session_path(sid, "update"), chunked) + IN_CHUNKS
        assert (await connection.exchange(in_chunks, "POST")).status == 200
        last = request_bytes("GET", session_path(sid), [("Connection", "close")])
        assert (await connection.exchange(spaced(last))).json()["percentage"] == 14
        assert await connection.reader.read(1) == b""
    resumed = [("Last-Event-ID", f"{tag.strip(chr(34))} \t")]
    async with await RawStream.open(server.port, events_path(sid), resumed) as stream:
        assert (await stream.next_event()).event == "step"
