"""Bytes that are no HTTP/1.1: each gets 400, and the connection closes."""

import asyncio
import random
import re

import pytest

from tests.harness.http1 import Connection, request_bytes
from tests.harness.rawsse import RawStream
from tests.harness.serving import Server, Worker, events_path, session_path
from tests.live.asgi_hosts import serve_only
from tests.live.bad_inputs.requests import BODY, CHUNKED, IN_CHUNKS, UPDATE_HEADERS, post, unaffected_reader

GET = "GET /api/progress/SID HTTP/1.1\r\nHost: x\r\n"
LENGTH = f"Content-Length: {len(BODY)}\r\n"


def chunks(size: str, end: str = "\r\n", last: str = "0\r\n\r\n") -> bytes:
    return post(CHUNKED, size.encode() + b"\r\n" + BODY + end.encode() + last.encode())


def get(line: str = "") -> bytes:
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
            answer = await connection.rest()
    assert re.findall(rb"HTTP/1\.1 \d+ ", answer) == [b"HTTP/1.1 400 "], answer
    assert b"connection: close" in answer
    assert b'"type":"/problems/malformed-request"' in answer
    assert b'"success":false' in answer
    assert sid.encode() not in answer


@serve_only  # The server parses the bytes before there is a request.
async def test_a_request_is_answered_though_malformed_bytes_follow(server: Server, sid: str) -> None:
    """The request was applied, and its client must learn that. A body without a length is the usual mistake."""
    update = session_path(sid, "update")
    applied = request_bytes("POST", update, UPDATE_HEADERS, b'{"action":"start","step":1}')
    unmeasured = request_bytes("POST", update, UPDATE_HEADERS) + BODY
    for sent, statuses in ((applied + b"?" + applied, [200]), (applied * 2 + b"\0", [200, 200]), (unmeasured, [400])):
        async with await Connection.open(server.port) as connection, asyncio.timeout(5):
            connection.writer.write(sent)
            answer = await connection.rest()
        assert [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+) ", answer)] == statuses
    async with Worker.at(server) as worker:
        assert (await worker.poll(sid))["current_step"] == 1
    assert "Traceback" not in server.log()


@serve_only  # The server parses the bytes before there is a request.
async def test_a_stream_is_not_spoilt_by_malformed_bytes_behind_its_request(server: Server, sid: str) -> None:
    """The stream ends, without a refusal among its events."""
    async with await RawStream.open(server.port, events_path(sid)) as stream:
        await stream.next_event()
        stream.send(b"?\r\n\r\n")
        assert await stream.closed() == "eof"
        assert b"/problems/" not in stream.wire


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
    *(b"", b"\0", b"\r", b"\n", b"\r\n", b"\r\n\r\n", b" ", b":", b"%", b"%ff", b",", b";", b'"', b"{", b"\xff"),
    *(b"9" * 20, b"A" * 300),
]


def spoilt(rng: random.Random) -> bytes:
    """One or two requests, each with a few bytes removed, doubled or replaced."""
    requests = bytearray(b"".join(rng.choices(SEEDS, k=rng.choice([1, 1, 2]))))
    for _ in range(rng.randint(1, 3)):
        start = rng.randrange(len(requests))
        end = min(len(requests), start + rng.choice([0, 1, 1, 2, 20]))
        requests[start:end] = rng.choice([rng.choice(SPLINTERS), rng.randbytes(1), bytes(requests[start:end]) * 2])
    return bytes(requests)


@serve_only  # The server parses the bytes before there is a request.
@pytest.mark.parametrize("count", [1000, pytest.param(20_000, marks=pytest.mark.full)])
async def test_mutated_requests_are_answered_or_closed(server: Server, sid: str, count: int) -> None:
    """SE-05: requests with a few changed bytes cause no server error, none waits, and other clients are served."""
    rng = random.Random(count)

    async def send(sent: bytes) -> None:
        async with await Connection.open(server.port) as connection, asyncio.timeout(10):
            connection.writer.write(sent.replace(b"SID", sid.encode()))
            connection.writer.write_eof()
            answer = await connection.rest()
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
