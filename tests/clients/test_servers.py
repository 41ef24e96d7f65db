"""`progress-sse doctor` at event streams of other servers, alone and behind proxies. `make clients` installs them."""

import itertools
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from progress_sse.cli.doctor import checks, examined
from progress_sse.cli.doctor.findings import Finding
from tests.bench.peers.base import Peer, running
from tests.bench.peers.nchan import Nchan
from tests.bench.peers.roster import BARE_ASGI, NAIVE, SIXTY_LINES
from tests.bench.plan import Request
from tests.harness.http1 import HOST
from tests.harness.nginx import BUFFERING, NginxServer

pytestmark = [pytest.mark.full, pytest.mark.processes]

FOLDER = Path(__file__).parent / "servers"
LISTEN_S = 3

SILENT = {"heartbeats": "warning"}  # No comment keeps the stream open.
FORGETFUL = {"resume": "warning"}  # A client that comes back misses events, or gets all again.
STORABLE = {"caching": "warning"}  # Nothing keeps caches from storing the stream.
ONE_AT_A_TIME = {"server": "fault"}
PLAIN = SILENT | FORGETFUL

FOUND: dict[str, Mapping[str, str]] = {
    "http.server": PLAIN | STORABLE | ONE_AT_A_TIME,
    "http.server with threads": PLAIN | STORABLE,
    "unfinished events": {"content type": "fault"} | SILENT | STORABLE,
    "a refusing proxy": {"incremental": "fault"},
    "wsgiref": PLAIN | ONE_AT_A_TIME,
    "gunicorn": PLAIN | ONE_AT_A_TIME,
    "gunicorn with threads": PLAIN,
    "gunicorn with gevent": PLAIN,
    "starlette": PLAIN,
    "a silent stream": PLAIN,
    "sse-starlette": FORGETFUL,
    "sse-starlette without pings": PLAIN,
    "fastapi.sse": PLAIN,
    "Flask": PLAIN | STORABLE,
    "Flask on gunicorn": PLAIN | STORABLE,
    "Django on gunicorn": PLAIN | STORABLE,
    "Django on uvicorn": PLAIN | STORABLE,
    "litestar": PLAIN,
    "aiohttp": PLAIN,
    "aiohttp-sse": FORGETFUL,
    "tornado": PLAIN | STORABLE,
    "quart": PLAIN,
    "http.mjs": PLAIN,
    "resuming.mjs": {},
    "better_sse.mjs": FORGETFUL,
    "streams.go http": PLAIN,
    "streams.go r3labs": PLAIN,
}
"""What the doctor finds besides `ok` and `skipped` at each entry of `servers/streams.py`, and at the other files."""


class Program(Peer):
    """A command that may read `{folder}/config`; `{port}` and `{folder}` are replaced in both."""

    def __init__(self, *command: str | Path, config: str = "") -> None:
        """Take both."""
        self._texts = [config, *map(str, command)]

    def command(self, port: int, folder: Path) -> list[str]:
        """Write the file, and return the command."""
        config, *command = (each.replace("{port}", str(port)).replace("{folder}", str(folder)) for each in self._texts)
        (folder / "config").write_text(config)
        return command


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a server be slow on a busy machine: how soon a stream begins is no property of these."""
    monkeypatch.setattr(checks, "SLOW_S", 60)


def in_python(name: str) -> Peer:
    return Program(sys.executable, "-m", "tests.clients.servers.streams", name, "{port}")


def findings_at(url: str) -> dict[str, Finding]:
    """The findings that are neither ok nor skipped."""
    findings = examined(url, None, None, None, LISTEN_S)
    return {name: finding for name, finding in findings.items() if finding.level not in ("ok", "skipped")}


@pytest.mark.parametrize(("name", "expected"), FOUND.items())
def test_a_server(built: Callable[[Path], Path], name: str, expected: Mapping[str, str], tmp_path: Path) -> None:
    """What is no fault by the standards is a warning at most."""
    peer = in_python(name)
    if name.endswith(".mjs"):
        peer = Program("node", FOLDER / name, "{port}")
    elif name.startswith("streams.go"):
        peer = Program(built(FOLDER / "streams.go"), name.split()[1], "{port}")
    with running(peer, tmp_path, 0) as (port, _):
        findings = findings_at(f"http://{HOST}:{port}/events{'?stream=a' if 'r3labs' in name else ''}")
    assert {name: finding.level for name, finding in findings.items()} == expected


@contextmanager
def published(peer: Peer, port: int) -> Iterator[str]:
    """Publish to a session while the block lasts, and yield the URL of its stream."""
    is_over, dialect, base = threading.Event(), peer.dialect, f"http://{HOST}:{port}"

    def send(each: Request, seq: int) -> None:
        body = each.body.replace("{text}", "x").replace("{seq}", str(seq))
        url = base + each.target.replace("{session}", "s")
        httpx.request(each.method, url, content=body, headers={"Content-Type": "application/json"})

    def publish() -> None:
        for seq in itertools.count():
            send(dialect.publish, seq)
            if is_over.wait(0.2):
                return

    for each in dialect.prepare:
        send(each, 0)
    thread = threading.Thread(target=publish)
    thread.start()
    try:
        yield base + dialect.subscribe.target.replace("{session}", "s")
    finally:
        is_over.set()
        thread.join()


PUBLISHED = [(Nchan(), SILENT | STORABLE), (BARE_ASGI, PLAIN), (NAIVE, PLAIN), (SIXTY_LINES[0], PLAIN)]


@pytest.mark.parametrize(("peer", "expected"), PUBLISHED, ids=lambda each: getattr(each, "name", ""))
def test_a_server_of_the_benchmark(peer: Peer, expected: Mapping[str, str], tmp_path: Path) -> None:
    """Nchan resumes."""
    with running(peer, tmp_path, 0) as (port, _), published(peer, port) as url:
        assert {name: finding.level for name, finding in findings_at(url).items()} == expected


BY_HAND = "http.server with threads"
NGINX = "server {{ listen 80; location / {{ proxy_pass http://{host}:{port}; {directives} }} }}"
SMALL = "proxy_buffer_size 1k; proxy_buffers 2 1k; proxy_busy_buffers_size 1k;"
GZIP = "proxy_buffering off; gzip on; gzip_min_length 0; gzip_types text/event-stream;"


@pytest.mark.parametrize(
    ("name", "directives", "check", "level", "text", "setting"),
    [
        (BY_HAND, BUFFERING, "buffering", "fault", "not even its head", "`proxy_buffering off`"),
        (BY_HAND, SMALL, "buffering", "fault", "within a line", "X-Accel-Buffering: no"),
        ("starlette", GZIP, "compression", "warning", "(gzip)", "`gzip_types`"),
        ("a silent stream", "proxy_read_timeout 1s;", "heartbeats", "fault", "cut after 1", "`proxy_read_timeout`"),
    ],
)
def test_a_fault_of_nginx(
    name: str, directives: str, check: str, level: str, text: str, setting: str, tmp_path: Path
) -> None:
    """It is named, with its setting."""
    with running(in_python(name), tmp_path, 0) as (port, _):
        nginx = NginxServer(tmp_path / "nginx", NGINX.format(host=HOST, port=port, directives=directives))
        with nginx:
            finding = findings_at(f"{nginx.url}/events")[check]
    assert finding.level == level
    assert text in finding.text
    assert setting in finding.remedy


HAPROXY = """
listen both
    mode http
    bind 127.0.0.1:{port}
    timeout connect 5s
    timeout client 30s
    timeout server %s
    compression algo gzip
    compression type %s
    server one 127.0.0.1:%d
"""


@pytest.mark.parametrize(
    ("name", "timeout", "compressed", "check", "level", "setting"),
    [
        ("starlette", "30s", "text/event-stream", "compression", "warning", "`compression type`"),
        ("a silent stream", "1s", "text/html", "heartbeats", "fault", "`timeout server`"),
    ],
)
def test_a_fault_of_haproxy(
    name: str, timeout: str, compressed: str, check: str, level: str, setting: str, tmp_path: Path
) -> None:
    """It does not show itself, so its setting is one of several."""
    with running(in_python(name), tmp_path, 0) as (upstream, _):
        config = HAPROXY % (timeout, compressed, upstream)
        with running(Program("/usr/sbin/haproxy", "-db", "-f", "{folder}/config", config=config), tmp_path, 0) as (
            port,
            _,
        ):
            finding = findings_at(f"http://{HOST}:{port}/events")[check]
    assert finding.level == level
    assert setting in finding.remedy
