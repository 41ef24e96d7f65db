"""`progress-sse serve` without configuration, and its trust in claims of a request: as little as possible."""

import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.http1 import HOST, Connection, Response, request_bytes
from tests.harness.rawsse import RawStream
from tests.harness.serving import Server, children

ANSWERS = {
    "the page": ("GET", "/", None),
    "a session's page": ("GET", "/s/s", None),
    "a browser file": ("GET", "/web/tracker.js", None),
    "a poll": ("GET", "/api/progress/s", None),
    "the list": ("GET", "/api/progress", None),
    "the definitions": ("GET", "/api/steps", None),
    "health": ("GET", "/livez", None),
    "a creation": ("POST", "/api/progress", b"{}"),
    "an update": ("POST", "/api/progress/s/update", b'{"action":"start","step":1}'),
    "many updates": ("POST", "/api/updates", b'{"updates":[{}]}'),
    "the description": ("GET", "/openapi.json", None),
    "a refusal": ("POST", "/api/progress/s/update", b"{"),
    "a cookie": ("DELETE", "/api/cookie", None),
    "an unknown path": ("GET", "/nothing/", None),
    "a wrong method": ("TRACE", "/api/steps", None),
    "a preflight": ("OPTIONS", "/api/progress/s", None),
    "a stream's head": ("HEAD", "/api/progress/s/events", None),
}
"""One of each kind of response: method, target, body."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The command with no option but the port."""
    command = [sys.executable, "-m", "progress_sse", "serve", "--port", "{port}"]
    with Server(tmp_path_factory.mktemp("server"), command=command) as running:
        yield running


async def ask(server: Server, name: str, headers: list[tuple[str, str]], host: str = HOST) -> Response:
    """The response of that kind to a request with further headers."""
    method, target, body = ANSWERS[name]
    typed = [("Content-Type", "application/json")] if body is not None else []
    async with await Connection.open(server.port) as connection:
        return await connection.exchange(request_bytes(method, target, [*typed, *headers], body, host=host), method)


# SE-10


def test_it_listens_on_loopback_alone(server: Server) -> None:
    """SE-10: other machines cannot reach it."""
    rows = [line.split() for family in ("tcp", "tcp6") for line in Path(f"/proc/net/{family}").read_text().splitlines()]
    listening = [row[1] for row in rows if row[3] == "0A" and row[1].endswith(f":{server.port:04X}")]
    assert listening == [f"0100007F:{server.port:04X}"]
    assert children(server.pid) == []


@pytest.mark.parametrize(
    "host",
    ["0.0.0.0", *(pytest.param(each, marks=pytest.mark.full) for each in ("::", "192.0.2.1", "progress.example"))],  # noqa: S104
)
def test_it_does_not_serve_other_machines_without_a_token(host: str, tmp_path: Path) -> None:
    """SE-10: it prints one line on how to make a secret, and does not start."""
    command = [sys.executable, "-m", "progress_sse", "serve", "--port", "0", "--host", host]
    refused = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=30, check=False)
    assert refused.returncode == 1
    assert re.fullmatch(r"Error: .*`progress-sse token secret`.*\n", refused.stderr)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ANSWERS)
async def test_pages_of_other_origins_get_no_access(server: Server, name: str) -> None:
    """SE-10: no origin is allowed, whatever its page requests."""
    preflight = [("Access-Control-Request-Method", "PUT"), ("Access-Control-Request-Headers", "content-type")]
    for origin in ("https://evil.example", "null", f"http://{HOST}"):
        response = await ask(server, name, [("Origin", origin), *preflight])
        assert [header for header, _ in response.head.headers if header.startswith("access-control")] == []


@pytest.mark.parametrize("name", ANSWERS)
async def test_no_response_reveals_the_software(server: Server, name: str) -> None:
    """SE-10: no response contains a server's name, a version, or a debugger's page."""
    response = await ask(server, name, [])
    assert {"server", "x-powered-by", "via"}.isdisjoint(header for header, _ in response.head.headers)
    everything = repr(response).lower()
    for word in ("uvicorn", "starlette", "python", "traceback", "debugger", 'file "'):
        assert word not in everything


async def test_no_refusal_below_http_reveals_the_software(server: Server) -> None:
    """SE-10: the same holds for responses that the application does not make."""
    async with await Connection.open(server.port) as connection:
        response = await connection.exchange(b"\0\r\n\r\n")
    assert response.status == 400
    assert "server" not in dict(response.head.headers)


@pytest.mark.parametrize("target", ["/docs", "/redoc", "/debug", "/console", "/__debug__/", "/admin", "/.env", "/web/"])
async def test_undocumented_paths_are_not_found(server: Server, target: str) -> None:
    """SE-10: there is no page of a framework's, and no list of files."""
    async with await Connection.open(server.port) as connection:
        assert (await connection.request("GET", target)).status == 404


@pytest.mark.parametrize("target", ["/", "/s/s"])
async def test_pages_carry_every_security_header(server: Server, target: str) -> None:
    """SE-10: the headers say which scripts run and who may frame it, and forbid type sniffing."""
    async with await Connection.open(server.port) as connection:
        head = (await connection.request("GET", target)).head
    policy = (head.get("content-security-policy") or "").split("; ")
    assert {"default-src 'self'", "object-src 'none'", "frame-ancestors 'self'", "form-action 'none'"} <= set(policy)
    assert "unsafe" not in "".join(policy)
    assert (head.get("x-content-type-options"), head.get("referrer-policy")) == ("nosniff", "no-referrer")


# SE-09

EVIL = "evil.example"
FORWARDED = [
    ("X-Forwarded-For", EVIL),
    ("X-Forwarded-Host", EVIL),
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Port", "666"),
    ("X-Forwarded-Prefix", f"/{EVIL}"),
    ("X-Forwarded-Server", EVIL),
    ("X-Real-IP", "192.0.2.66"),
    ("X-Original-URL", f"/{EVIL}"),
    ("X-Rewrite-URL", f"/{EVIL}"),
    ("X-HTTP-Method-Override", "DELETE"),
    ("X-Script-Name", f"/{EVIL}"),
    ("Forwarded", f"for=192.0.2.66;host={EVIL};proto=https"),
    ("Via", f"1.1 {EVIL}"),
    ("Referer", f"http://{EVIL}/"),
    ("User-Agent", EVIL),
]


TRACES = r"evil|192\.0\.2\.66"


@pytest.mark.parametrize("name", ANSWERS)
async def test_claimed_hosts_and_addresses_are_not_trusted(server: Server, name: str) -> None:
    """SE-09: each of our own hosts gets the same response, and headers of proxies are ignored."""
    plain = await ask(server, name, [])
    forwarded = await ask(server, name, FORWARDED)
    assert forwarded.head.get("set-cookie") == plain.head.get("set-cookie")  # It may be sent without TLS.
    for host in ("evil", "evil:666", "192.0.2.66", ""):
        response = await ask(server, name, FORWARDED, host)
        assert response.status == plain.status
        assert [header for header, _ in response.head.headers] == [header for header, _ in plain.head.headers]
        assert (response.head.get("location") or "/").startswith("/")
        assert not re.search(TRACES, repr(response))
    assert not re.search(TRACES, server.log())


@pytest.mark.protocol("P-15.10")
@pytest.mark.parametrize("name", ANSWERS)
async def test_requests_by_a_foreign_host_name_are_refused(server: Server, name: str) -> None:
    """SE-09: a foreign host name may be made to resolve to this machine; its pages get no access."""
    for host in (EVIL, f"{EVIL}:666"):
        response = await ask(server, name, [("Origin", f"http://{host}")], host)
        assert response.status == 421
        assert response.head.get("content-type") == "application/problem+json"
        assert not re.search(TRACES, repr(response))


async def test_a_stream_does_not_trust_claimed_hosts_and_addresses(server: Server) -> None:
    """SE-09: its first bytes are those of any other stream."""
    async with (
        await RawStream.open(server.port, "/api/progress/s/events") as plain,
        await RawStream.open(server.port, f"http://{EVIL}/api/progress/s/events", FORWARDED) as stream,
    ):
        assert (await stream.next_event()).raw == (await plain.next_event()).raw
        assert EVIL.encode() not in stream.wire


@pytest.mark.parametrize(
    "host", ["a/b?c", f"{EVIL}/", f"user@{EVIL}", f"{EVIL}\t{EVIL}", f"{EVIL}#", "[evil", f'"{EVIL}"']
)
async def test_an_invalid_host_is_refused(server: Server, host: str) -> None:
    """SE-09: two hosts are refused too, and the response repeats none of them."""
    for request in (
        request_bytes("POST", "/api/progress", [("Content-Type", "application/json")], b"{}", host=host),
        request_bytes("GET", "/", [("Host", EVIL)]),
    ):
        async with await Connection.open(server.port) as connection:
            response = await connection.exchange(request)
            assert response.status == 400
            assert EVIL not in repr(response)
            async with asyncio.timeout(5):
                assert await connection.reader.read() == b""
    assert EVIL not in server.log()
