"""Clients that send or read too slowly, or not at all: they are cut off in time, and other clients are served."""

import asyncio
import contextlib

import pytest

from tests.conftest import Serve
from tests.harness.http1 import ResponseDecoder, request_bytes
from tests.harness.load_clients import allow_descriptors
from tests.harness.serving import Worker, events_path, eventually, session_path
from tests.live.asgi_hosts import serve_only
from tests.live.connections.raw_requests import HEAD, POST, UPDATE, assert_refused, raw_connection, unread_responses
from tests.live.polling import polled

pytestmark = serve_only  # All limits here are those of our own server.


FULL = [pytest.mark.full, pytest.mark.alone, pytest.mark.timeout(180)]


async def test_an_unfinished_head_times_out(serve: Serve) -> None:
    """SE-06: a head has one deadline as a whole, whether it stalls or arrives bit by bit."""
    server = serve(head_timeout_s=0.5)
    async with raw_connection(server.port, HEAD) as stuck, raw_connection(server.port, HEAD) as slow:
        sending = slow.trickle([b"X-A: b\r\n"] * 100)
        assert_refused(await stuck.rest(), 408)
        assert_refused(await slow.rest(), 408)
        assert not sending.done()
        sending.cancel()


@pytest.mark.parametrize(
    "framing",
    [
        pytest.param(b"Content-Length: 1000\r\n\r\n", id="length"),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\n", id="chunked", marks=pytest.mark.full),
    ],
)
async def test_an_unfinished_body_times_out(serve: Serve, framing: bytes) -> None:
    """SE-06: a body has one deadline too, and none of it is applied."""
    server = serve(body_timeout_s=0.5, head_timeout_s=60)
    part = b"1\r\n \r\n" if b"chunked" in framing else b" "
    async with (
        raw_connection(server.port, POST + framing) as stuck,
        raw_connection(server.port, POST + framing) as slow,
    ):
        sending = slow.trickle([part] * 100)
        assert_refused(await stuck.rest(), 408)
        assert_refused(await slow.rest(), 408)
        sending.cancel()
        async with Worker.at(server) as worker:
            assert (await worker.poll("s"))["status"] == "not_found"


async def test_an_unfinished_body_of_a_refused_request_times_out(serve: Serve) -> None:
    """SE-06: the refusal was sent long before, so the connection just closes."""
    server = serve(body_timeout_s=0.5, publish_token="t")
    async with raw_connection(server.port, POST + b"Content-Length: 1000\r\n\r\n") as refused:
        sending = refused.trickle([b" "] * 100)
        received = await refused.rest()
        assert received.startswith(b"HTTP/1.1 401 ")
        assert received.count(b"HTTP/1.1") == 1
        sending.cancel()


@pytest.mark.parametrize(
    ("connections", "settings", "within_s"),
    [(50, {"head_timeout_s": 1}, 15), pytest.param(2000, {}, 30, marks=FULL)],
)
async def test_silent_connections_are_closed_and_polls_answered_meanwhile(
    serve: Serve, connections: int, settings: dict[str, float], within_s: float
) -> None:
    """SE-06: connections on which nothing is sent, as browsers open them in advance, free their descriptors."""
    server = serve(**settings)
    allow_descriptors(connections)
    base = server.descriptors()
    async with polled(server, "s") as polls, contextlib.AsyncExitStack() as stack:
        silent = [await stack.enter_async_context(raw_connection(server.port)) for _ in range(connections)]
        polled_before = len(polls)
        assert {await each.rest(within_s) for each in silent} == {b""}
        assert len(polls) > polled_before
    await eventually(lambda: server.descriptors() <= base, 10)
    assert "Traceback" not in server.log()


async def test_a_response_that_is_not_read_times_out(serve: Serve) -> None:
    """SE-06: a client that reads nothing, or a byte now and then, is cut off."""
    server = serve(send_timeout_s=1)
    async with unread_responses(server, 20) as slow, Worker.at(server) as worker:
        ports = {each.port for each in slow}
        await eventually(lambda: server.client_ports() >= ports, 10)
        async with asyncio.timeout(30):
            while server.client_ports() & ports:
                for each in slow[:10]:
                    with contextlib.suppress(ConnectionError):
                        await each.reader.read(10)
                assert len((await worker.poll("s"))["steps"]) == 10
                await asyncio.sleep(0.1)  # The pace of these readers.


@pytest.mark.full
async def test_a_response_that_is_read_slowly_and_steadily_arrives(serve: Serve) -> None:
    """SE-06, the other side: the response takes longer than any timeout, and is complete."""
    server = serve(send_timeout_s=0.5, head_timeout_s=0.5)
    async with unread_responses(server, 1) as (steady,):
        decoder = ResponseDecoder()
        while not decoder.complete:
            decoder.feed(await steady.reader.readexactly(1) + await steady.reader.read(8000))
            await asyncio.sleep(0.02)  # The pace of this reader.


PROBES = 5
"""Connections by which this test and the tool see whether the server answers."""

SLOW_READ = "-X -w 512 -y 1024 -n 5 -z 32 -k 3"


@pytest.mark.full
@pytest.mark.alone
@pytest.mark.parametrize(
    ("attack", "target", "granted_s"),
    [
        pytest.param("-H -i 5", "/", 10, id="slow heads"),
        pytest.param("-B -i 5 -s 8192 -t POST -f application/json", UPDATE, 30, id="slow bodies"),
        pytest.param(SLOW_READ, session_path("s"), 30, id="slow reads"),
    ],
)
async def test_slowhttptest_finds_the_service_available(serve: Serve, attack: str, target: str, granted_s: int) -> None:
    """SE-06: a thousand connections of an independent tool are closed within the time they are granted."""
    server, connections = serve(), 1000
    async with unread_responses(server, 0), polled(server, "other") as polls:
        arguments = [*attack.split(), "-c", str(connections), "-r", "500", "-l", str(granted_s + 20)]
        process = await asyncio.create_subprocess_exec(
            "slowhttptest", *arguments, "-u", server.url + target, stdout=asyncio.subprocess.DEVNULL
        )
        try:
            await eventually(lambda: len(server.client_ports()) >= connections, 10)
            await eventually(lambda: len(server.client_ports()) <= PROBES, granted_s + 10)
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        assert len(polls) >= 10
    assert "Traceback" not in server.log()


async def test_the_disconnect_of_a_reader_whose_request_had_a_body_is_noticed(serve: Serve) -> None:
    """FT-11: the server reads and discards the rest of a body, so it notices at once, not at the second heartbeat."""
    server = serve(heartbeat_s=600)
    async with raw_connection(server.port, request_bytes("GET", events_path("s"), body=b"x" * 200_000)) as gone:
        await gone.reader.readuntil(b"event: snapshot")
        port = gone.port
    await eventually(lambda: port not in server.client_ports(), 10)
