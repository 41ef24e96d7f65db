"""The command that checks whether a server keeps the protocol, as a user calls it."""

import contextlib
import re
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from xml.etree import ElementTree

import pytest

from progress_sse.conformance.vectors import Level, servers, up_to
from tests.conftest import Serve
from tests.harness.http1 import HOST
from tests.harness.redis import RedisServer
from tests.harness.serving import Server
from tests.live.asgi_hosts import serve_only
from tests.live.shell.commands import finish, start


def conformance(url: str, *arguments: str) -> tuple[int, list[str]]:
    """Check a server; return the exit status and the lines of the output."""
    status, out, err = finish(start("conformance", url, *arguments, url=None, PROGRESS_SSE_TOKEN=""))
    return status, (out + err).decode().splitlines()


@serve_only  # `test_protocol` has the conversations with each host.
@pytest.mark.parametrize("level", ["core", pytest.param("notices", marks=pytest.mark.full)])
def test_our_server_keeps_a_level(server: Server, tmp_path: Path, level: Level) -> None:
    """The exit status is 0, and JUnit's report has a case for each requirement of the level and those below it."""
    report = tmp_path / "report.xml"
    status, lines = conformance(server.url, "--level", level, "--junit", str(report))
    assert (status, [line for line in lines[:-1] if " pass " not in line]) == (0, [])
    assert lines[-1] == f"{len(lines) - 1} requirements hold, 0 fail, 0 could not be shown."
    suite = ElementTree.parse(report).getroot()  # noqa: S314  # our own
    assert len(suite) == len(lines) - 1
    assert {case.get("classname") for case in suite} == set(up_to(level))


@serve_only
@pytest.mark.full
@pytest.mark.parametrize("name", servers())
def test_our_server_keeps_what_other_settings_show(
    serve: Serve, redis_servers: dict[str, RedisServer], tmp_path: Path, name: str
) -> None:
    """A server with the settings that the vectors name; several processes share a Redis."""
    settings = servers()[name]["settings"]
    if "hooks" in settings:
        (tmp_path / "hooks.toml").write_text(settings["hooks"]["text"])
        settings["hooks"] = tmp_path / "hooks.toml"
    if "workers" in settings:
        settings |= {"store": redis_servers["redis"].url, "redis_prefix": tmp_path.name}
    status, lines = conformance(serve(**settings).url, "--server", name)
    assert (status, [line for line in lines[:-1] if " pass " not in line]) == (0, [])


@serve_only
@pytest.mark.full
@pytest.mark.parametrize("store", ["sqlite", "redis", "valkey"])
def test_our_server_keeps_all_levels_on_each_store(
    serve: Serve, redis_servers: dict[str, RedisServer], store: str, sid: str
) -> None:
    """Twice in a row: a run leaves nothing that the next one sees."""
    url = redis_servers[store].url if store in redis_servers else store
    server = serve(store=url, redis_prefix=sid)
    for _ in range(2):
        status, lines = conformance(server.url)
        assert (status, [line for line in lines[:-1] if " pass " not in line]) == (0, [])


def test_a_server_that_does_not_answer_is_no_server_that_fails() -> None:
    """The exit status is 2."""
    status, [line] = conformance("http://127.0.0.1:9")
    assert (status, line.startswith("progress-sse: no answer from http://127.0.0.1:9:")) == (2, True)


class _Endless(BaseHTTPRequestHandler):
    """Answers each request with bytes without end, as fast as they are taken, or one now and then."""

    protocol_version = "HTTP/1.1"
    is_slow = False

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream" if "events" in self.path else "application/json")
        self.send_header("Connection", "close")
        self.end_headers()
        with contextlib.suppress(OSError):
            while True:
                self.wfile.write(b"x" if self.is_slow else b"x" * 2**16)
                if self.is_slow:
                    time.sleep(0.2)

    do_POST = do_PUT = do_DELETE = do_OPTIONS = do_GET  # noqa: N815  # as http.server calls them

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.full
@pytest.mark.parametrize("is_slow", [False, True], ids=["fast", "slow"])
def test_a_server_whose_answers_never_end_fails_in_words(is_slow: bool) -> None:
    """Memory has a bound, and so has time: after three slow answers, the rest is left out."""
    limit = "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30)); from progress_sse.cli.main "
    handler = type("Handler", (_Endless,), {"is_slow": is_slow})
    with ThreadingHTTPServer((HOST, 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        command = [sys.executable, "-c", f"{limit}import main; main()", "conformance"]
        url = f"http://{HOST}:{server.server_port}"
        ran = subprocess.run([*command, "--level", "core", url], capture_output=True, timeout=110, text=True)
        server.shutdown()
    assert (ran.returncode, ran.stderr) == (1, "")
    assert re.search("does not (begin|end)", ran.stdout)
    assert " FAIL " in ran.stdout
