"""One try to deliver a notice, to receivers that behave as receivers do, and to hostile ones."""

import asyncio
import logging
import socket
import ssl
import subprocess
import threading
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from email.utils import formatdate
from hashlib import sha256
from hmac import digest
from pathlib import Path
from socket import AF_INET, SOCK_STREAM
from typing import Any

import pytest

from progress_sse._internal.http_library import httpx
from progress_sse._internal.tasks import cancel
from progress_sse.notices import answers, delivery
from progress_sse.notices.delivery import Deliverer
from progress_sse.notices.hooks_file import Hook
from progress_sse.notices.schedule import Try
from tests.harness.http1 import HOST, free_port

KEYS = (b"k" * 24, b"o" * 32)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Stub:
    """A receiver that answers with given bytes, in its own time, and keeps the requests."""

    def __init__(self, *pieces: bytes | float) -> None:
        self.pieces = pieces
        self.requests: list[bytes] = []
        self.port = 0
        self.tasks: set[asyncio.Task[Any]] = set()
        self.was_left = asyncio.Event()
        self.sent = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:  # The client has found that it cannot send the request.
            writer.close()
            await writer.wait_closed()
            self.was_left.set()
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        self.requests.append(head + await reader.readexactly(length))
        try:
            for piece in self.pieces:
                if isinstance(piece, bytes):
                    writer.write(piece)
                    self.sent += len(piece)
                    await writer.drain()
                else:
                    await asyncio.sleep(piece)
        except (ConnectionError, asyncio.CancelledError):
            self.was_left.set()
        finally:
            writer.close()

    @property
    def head(self) -> dict[str, str]:
        lines = self.requests[0].partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
        return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}


@asynccontextmanager
async def receiving(*pieces: bytes | float, tls: ssl.SSLContext | None = None) -> AsyncIterator[Stub]:
    stub = Stub(*pieces)
    server = await asyncio.start_server(stub.serve, HOST, 0, ssl=tls)
    stub.port = server.sockets[0].getsockname()[1]
    async with server:
        yield stub
        await cancel(*stub.tasks)


Send = Callable[..., Awaitable[Try]]


@pytest.fixture
def send() -> Send:
    """Send a notice to a URL by a hook with these properties."""

    async def send(url: str, *, reads_body: bool = False, **properties: Any) -> Try:
        deliverer = Deliverer(Hook("a", httpx.URL(url), KEYS, **properties))
        try:
            return await deliverer.send("msg_1", b'{"type":"session.completed"}', reads_body=reads_body)
        finally:
            await deliverer.aclose()

    return send


def resolve_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """Let every name have these addresses; return the names that are looked up."""
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, **_: object) -> list[tuple[Any, ...]]:
        asked.append(host)
        return [(AF_INET, SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(delivery, "getaddrinfo", getaddrinfo)
    return asked


async def test_a_notice_is_signed(send: Send) -> None:
    """Under the operator's path, with his headers, by each secret."""
    async with receiving(OK) as stub:
        tried = await send(f"http://{HOST}:{stub.port}/in?x=1", headers=(("Authorization", "Bearer t"),))
    assert (tried.status, tried.error, tried.has_succeeded) == (200, "", True)
    head, _, body = stub.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /in?x=1 HTTP/1.1\r\n")
    assert body == b'{"type":"session.completed"}'
    assert (stub.head["authorization"], stub.head["content-type"]) == ("Bearer t", "application/json")
    assert stub.head["host"] == f"{HOST}:{stub.port}"
    signed = f"msg_1.{stub.head['webhook-timestamp']}.".encode() + body
    expected = [f"v1,{b64encode(digest(key, signed, sha256)).decode()}" for key in KEYS]
    assert stub.head["webhook-signature"].split(" ") == expected
    assert stub.head["webhook-id"] == "msg_1"


async def test_the_head_decides(send: Send) -> None:
    """However long the body is, of which no more is read than comes with the head."""
    gigabytes = (b"x" * 65_536,) * 65_536
    async with receiving(b"HTTP/1.1 200 OK\r\nContent-Length: 4294967296\r\n\r\n", *gigabytes) as stub:
        assert (await send(f"http://{HOST}:{stub.port}/")).has_succeeded
        await stub.was_left.wait()
    assert stub.sent < 32_000_000  # What the kernel holds of a connection.


@pytest.mark.parametrize("is_date", [False, True])
async def test_when_to_try_again(send: Send, is_date: bool) -> None:
    """In seconds, or as a date by the receiver's own clock."""
    fields = f"Date: {formatdate(3600, usegmt=True)}\r\nRetry-After: {formatdate(3620, usegmt=True) if is_date else 20}"
    async with receiving(f"HTTP/1.1 503 No\r\n{fields}\r\nContent-Length: 0\r\n\r\n".encode()) as stub:
        assert (await send(f"http://{HOST}:{stub.port}/")).retry_after_s == 20


async def test_a_test_reads_the_beginning_of_the_body(send: Send) -> None:
    """As it is, and no more of it."""
    head = b"HTTP/1.1 500 No\r\nContent-Encoding: gzip\r\nContent-Length: 4000000000\r\n\r\n"
    async with receiving(head, b"x" * 100_000, 60.0) as stub:
        tried = await send(f"http://{HOST}:{stub.port}/", reads_body=True)
    assert (tried.status, tried.body) == (500, b"x" * answers.MAX_BODY_BYTES)


@pytest.mark.guarantee(82)
async def test_no_redirect_is_followed(send: Send) -> None:
    async with receiving(OK) as inside:
        target = f"http://{HOST}:{inside.port}/"
        async with receiving(f"HTTP/1.1 307 Go\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode()) as stub:
            tried = await send(f"http://{HOST}:{stub.port}/")
        assert (tried.status, tried.has_succeeded, inside.requests) == (307, False, [])


@pytest.mark.guarantee(82)
@pytest.mark.parametrize("pieces", [(60.0,), tuple(each for _ in range(1000) for each in (b"x", 0.05))])
async def test_a_receiver_that_hangs_or_drips(
    send: Send, monkeypatch: pytest.MonkeyPatch, pieces: tuple[bytes | float, ...]
) -> None:
    monkeypatch.setattr(delivery, "TRY_S", 0.3)
    async with receiving(*pieces) as stub:
        tried = await send(f"http://{HOST}:{stub.port}/")
    assert (tried.status, tried.error) == (0, "no answer within 0.3 s")


@pytest.mark.guarantee(82)
@pytest.mark.parametrize("answer", [b"", b"\x00\xff\n\n", b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1_000_000])
async def test_answers_that_are_none(send: Send, answer: bytes) -> None:
    async with receiving(answer) as stub:
        tried = await send(f"http://{HOST}:{stub.port}/")
    assert (tried.status, tried.has_succeeded, tried.is_outage) == (0, False, True)
    assert tried.error


async def test_a_receiver_does_not_write_into_our_memory(send: Send) -> None:
    """Its answer may be in the error of a try."""
    async with receiving(b"HTTP/1.1 200 OK\r\nX: " + b"\0" * 90_000 + b"\r\n\r\n") as stub:
        assert 0 < len((await send(f"http://{HOST}:{stub.port}/")).error) <= 200


@pytest.mark.guarantee(82)
@pytest.mark.parametrize("scheme", ["http", "proxy"])
@pytest.mark.parametrize(
    "pieces",
    [
        (b"HTTP/1.1 103 X\r\nLink: x\r\n\r\n",),
        (b"HTTP/1.1 103 X\r\n\r\n" * 3000,),
        (b"HTTP/1.1 200 OK\r\n", b"X: x\r\n"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"x" * 1000),
        (b"HTTP/1.1 103 X\r\n", b"X: x\r\n"),
        (b"H", 0.0),
    ],
    ids=["heads", "heads at once", "fields", "a field", "fields of a 1xx", "drip"],
)
async def test_the_head_of_an_answer_has_an_end(
    send: Send, monkeypatch: pytest.MonkeyPatch, scheme: str, pieces: tuple[bytes | float, ...]
) -> None:
    """However much comes: what is read of it is bounded in heads, lines, bytes and reads."""
    first, *again = pieces
    drip = (b"HTTP/1.1 200 OK\r\nX: ", *(each for _ in range(400) for each in (b"x", 0.01)))
    sent = drip if first == b"H" else (first, *(again or [first]) * 100_000)
    async with receiving(*sent) as stub:
        if scheme == "proxy":
            monkeypatch.setenv("http_proxy", f"http://{HOST}:{stub.port}")
            tried = await send("http://hook.example/", uses_proxy=True)
        else:
            tried = await send(f"http://{HOST}:{stub.port}/")
    assert (tried.status, tried.error) == (0, "the answer is too long, or comes in too many pieces")


async def test_an_answer_may_have_heads_before_it(send: Send) -> None:
    async with receiving(*[b"HTTP/1.1 103 X\r\nLink: x\r\n\r\n"] * answers.MAX_HEADS, OK) as stub:
        assert (await send(f"http://{HOST}:{stub.port}/")).status == 200


@pytest.mark.parametrize("piece", [b"1;" + b"x" * 1000, b"1\r\nx\r\n", b"0\r\n" + b"X: x\r\n" * 200])
async def test_the_body_of_an_answer_has_an_end(send: Send, piece: bytes) -> None:
    """Extensions of chunks, small chunks and trailers are bounded, too."""
    head = b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with receiving(head, *[piece] * 100_000) as stub:
        tried = await send(f"http://{HOST}:{stub.port}/", reads_body=True)
        assert (tried.status, stub.sent < 16_000_000) == (500, True)


@pytest.mark.parametrize(
    "echo",
    [
        *("/T0/canary?token=bird", "token=bird", "Bearer feather", "feather", "canary", "%63anary", "\\/T0\\/canary"),
        *("/T0/canary?token&#61;bird", b64encode(KEYS[0]).decode(), "CANARY"),
    ],
)
@pytest.mark.parametrize("head", ["", "HTTP/1.1 500 No\r\nContent-Length: 100\r\n\r\n", "HTTP/1.1 200 OK\r\n"])
async def test_nothing_that_repeats_the_request_is_shown(send: Send, echo: str, head: str) -> None:
    """Neither as a body nor in the text of an error: receivers echo what they get."""
    async with receiving(f"{head}{echo}\r\n\r\n".encode().ljust(1000)) as stub:
        url = f"http://{HOST}:{stub.port}/T0/canary?token=bird"
        tried = await send(url, reads_body=True, headers=(("Authorization", "Bearer feather"),))
    assert (tried.error, tried.body) in [("RemoteProtocolError", b""), ("", delivery.NOT_SHOWN)]


async def test_a_name_server_that_hangs_holds_up_no_other_hook(send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    lookup, waiting = socket.getaddrinfo, threading.Event()

    def getaddrinfo(host: str, port: int, **options: Any) -> Any:
        if host == "hangs.example":
            waiting.wait(60)
            raise OSError("no name")
        return lookup(host, port, **options)

    monkeypatch.setattr(delivery, "getaddrinfo", getaddrinfo)
    stuck = [asyncio.ensure_future(send("http://hangs.example/")) for _ in range(20)]
    async with receiving(b"HTTP/1.1 204 X\r\n\r\n") as stub:
        assert (await send(f"http://{HOST}:{stub.port}/")).status == 204
    waiting.set()
    assert {tried.error for tried in await asyncio.gather(*stuck)} == {"no name"}


async def test_a_receiver_that_is_away(send: Send) -> None:
    tried = await send(f"http://{HOST}:{free_port()}/")
    assert (tried.status, tried.is_outage) == (0, True)


async def test_a_receiver_that_accepts_nothing(send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has five seconds for the connection, shortened here, of the fifteen for a try; then the next address has."""
    assert (delivery.CONNECT_S, delivery.TRY_S) == (5, 15)
    monkeypatch.setattr(delivery, "CONNECT_S", 0.2)
    async with receiving(OK) as stub:
        with ExitStack() as sockets:
            full = sockets.enter_context(socket.create_server(("127.0.0.9", stub.port), backlog=0))
            waiting = sockets.enter_context(socket.create_connection(full.getsockname()))
            assert waiting.getpeername() == full.getsockname()
            resolve_to(monkeypatch, "127.0.0.9")
            assert (await send(f"http://hook.example:{stub.port}/", is_private=True)).error == "ConnectTimeout"
            resolve_to(monkeypatch, "127.0.0.9", HOST)
            assert (await send(f"http://hook.example:{stub.port}/", is_private=True)).status == 200


@pytest.mark.parametrize("address", ["169.254.169.254", "127.0.0.1", "10.0.0.1", "::ffff:127.0.0.1"])
async def test_a_name_that_leads_inside(send: Send, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """Nothing is connected to, also if the name was another address before."""
    async with receiving(OK) as stub:
        resolve_to(monkeypatch, address)
        tried = await send(f"http://hook.example:{stub.port}/")
    assert tried.error == "hook.example has no address that a hook may reach"
    assert stub.requests == []


async def test_private_addresses_with_leave(send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name is looked up once, the next address is tried where one is away; the name stays in the request."""
    async with receiving(OK) as stub:
        asked = resolve_to(monkeypatch, "127.0.0.9", "169.254.169.254", HOST)
        tried = await send(f"http://hook.example:{stub.port}/", is_private=True)
    assert (tried.status, tried.error) == (200, "")
    assert asked == ["hook.example"]
    assert stub.head["host"] == f"hook.example:{stub.port}"


async def test_a_name_that_leads_elsewhere_the_second_time(send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    """A try connects to what its own look-up found, and the next one looks anew."""
    connected: list[str] = []

    async def connect(_: object, request: httpx.Request) -> httpx.Response:
        connected.append(request.url.host)
        resolve_to(monkeypatch, HOST)
        return httpx.Response(200, stream=httpx.ByteStream(b""))

    asked = resolve_to(monkeypatch, "8.8.8.8")
    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", connect)
    assert (await send("https://hook.example/")).status == 200
    assert (await send("https://hook.example/")).error == "hook.example has no address that a hook may reach"
    assert (asked, connected) == (["hook.example"], ["8.8.8.8"])


async def test_a_certificate_is_of_the_name(send: Send, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By an authority that the hook names, if it is not one of the usual ones."""
    certificate, key = tmp_path / "hook.pem", tmp_path / "hook.key"
    request = (
        "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=hook.example -days 2"
        f" -addext subjectAltName=DNS:hook.example -keyout {key} -out {certificate}"
    )
    await asyncio.to_thread(subprocess.run, request.split(), check=True, capture_output=True)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, key)
    own: dict[str, Any] = {"is_private": True, "ca": certificate.read_text()}
    resolve_to(monkeypatch, HOST)
    async with receiving(OK, tls=tls) as stub:
        for name, properties in (("hook.example", {"is_private": True}), ("other.example", own), (HOST, own)):
            tried = await send(f"https://{name}:{stub.port}/", **properties)
            assert (tried.status, stub.requests) == (0, [])
            assert "certificate verify failed" in tried.error
        assert (await send(f"https://hook.example:{stub.port}/", **own)).status == 200
    assert stub.head["host"] == f"hook.example:{stub.port}"


async def test_no_proxy_of_the_environment(send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless the hook uses it: then the proxy gets the request, for a name that is not even looked up."""
    async with receiving(OK) as proxy, receiving(OK) as stub:
        monkeypatch.setenv("http_proxy", f"http://{HOST}:{proxy.port}")
        monkeypatch.delenv("no_proxy", raising=False)
        assert (await send(f"http://localhost:{stub.port}/")).status == 200
        assert proxy.requests == []
        assert (await send("http://hook.example/in", uses_proxy=True)).status == 200
    assert proxy.requests[0].startswith(b"POST http://hook.example/in HTTP/1.1\r\n")


async def test_a_name_that_the_proxy_is_not_for(send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rules for addresses hold then."""
    async with receiving(OK) as proxy:
        monkeypatch.setenv("http_proxy", f"http://{HOST}:{proxy.port}")
        monkeypatch.setenv("no_proxy", "hook.example")
        resolve_to(monkeypatch, HOST)
        tried = await send(f"http://hook.example:{proxy.port}/", uses_proxy=True)
    assert (tried.error, proxy.requests) == ("hook.example has no address that a hook may reach", [])


async def test_no_log_has_what_is_secret(send: Send, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with receiving(OK) as stub:
        await send(f"http://{HOST}:{stub.port}/secret-path?token=t")
    assert "secret-path" not in caplog.text


async def test_a_header_that_cannot_be_sent_is_not_shown(send: Send) -> None:
    """Its value may be a secret, and the errors of libraries repeat it."""
    async with receiving(OK) as stub:
        for value in (" canary ", "canary \u20ac"):
            tried = await send(f"http://{HOST}:{stub.port}/", headers=(("X-Key", value),))
            assert tried.status == 0
            assert "Error" in tried.error
            assert "canary" not in tried.error
        await stub.was_left.wait()
        assert stub.requests == []


async def test_a_header_may_have_characters_of_latin_1(send: Send) -> None:
    async with receiving(OK) as stub:
        assert (await send(f"http://{HOST}:{stub.port}/", headers=(("X-Key", "caf\u00e9"),))).status == 200
        assert stub.head["x-key"] == "caf\u00e9"
