"""`progress-sse step`: a real process against a real server."""

import json
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from progress_sse.cli.client_commands import SEND_S
from tests.harness.http1 import HOST, free_port
from tests.harness.serving import Server
from tests.live.shell.commands import environment, finish, poll, start


def step(server: Server, *arguments: str, **more: str) -> tuple[int, str]:
    status, out, err = finish(start("step", *arguments, url=server.url, **more))
    assert out == b""
    return status, err.decode()


def test_a_step_is_reported_piece_by_piece(server: Server) -> None:
    """Each report is accepted by the time its command ends, and the command prints nothing."""
    assert step(server, "pieces", "2", "start", "--timeout-ms", "5000", "--create") == (0, "")
    assert poll(server, "pieces")["steps"][1]["timeout_ms"] == 5000
    assert step(server, "pieces", "2", "progress", "--current", "3", "--total", "8", "--message", "rows") == (0, "")
    shown = poll(server, "pieces")["steps"][1]
    assert (shown["status"], shown["progress"], shown["message"]) == ("running", {"current": 3, "total": 8}, "rows")
    assert step(server, "pieces", "2", "fail", "--error", "disk full", "--message", "row 4") == (0, "")
    shown = poll(server, "pieces")["steps"][1]
    assert (shown["status"], shown["error"], shown["message"]) == ("error", "disk full", "row 4")
    assert step(server, "pieces", "2", "complete", "--message", "8 rows") == (0, "")
    shown = poll(server, "pieces")["steps"][1]
    assert (shown["status"], shown["error"], shown["message"]) == ("success", "", "8 rows")


def test_a_session_that_is_missing_is_created_on_demand_alone(server: Server) -> None:
    """Its id may be mistyped; one that was created needs no word of that."""
    ways = "progress-sse create --steps NAME,NAME, or this step with --create, begins it"
    sentence = f"progress-sse: there is no session 'typo 原'; {ways}\n"
    assert step(server, "typo 原", "1", "start") == (1, sentence)
    assert poll(server, "typo 原")["status"] == "not_found"
    for more in (["--create"], [], ["--create"]):
        assert step(server, "typo 原", "1", "start", *more) == (0, "")


@pytest.mark.full
def test_a_step_has_a_number_or_a_name(server: Server) -> None:
    """A name that an open-ended session does not have yet is a new step; one that is not needed is skipped."""
    assert step(server, "names", "Parse", "start", "--timeout-ms", "5000", "--create") == (0, "")
    assert step(server, "names", "Parse", "progress", "--current", "3") == (0, "")
    assert step(server, "names", "Parse", "complete") == (0, "")
    assert step(server, "names", "Save", "start") == (0, "")
    assert step(server, "names", "2", "fail", "--error", "disk full") == (0, "")
    assert step(server, "names", "2", "skip", "--message", "not needed") == (0, "")
    assert [(each["name"], each["status"], each["message"]) for each in poll(server, "names")["steps"]] == [
        ("Parse", "success", ""),
        ("Save", "success", "not needed"),
    ]
    assert "liveness" not in json.dumps(poll(server, "names"))


def test_a_refusal_cannot_control_the_terminal() -> None:
    """The reason of a refusal is shown without effect on the terminal: no colour, no title, no line of its own."""

    class Hostile(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.dumps({"type": "/problems/x", "status": 422, "detail": "\x1b]0;owned\x07no\nroot# "}).encode()
            self.send_response(422)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with HTTPServer((HOST, 0), Hostile) as hostile:
        threading.Thread(target=hostile.handle_request, daemon=True).start()
        status, _, err = finish(start("step", "s", "1", "complete", url=f"http://{HOST}:{hostile.server_port}"))
    assert status == 1
    assert "no\N{REPLACEMENT CHARACTER}root#" in err.decode()
    assert err.count(b"\n") == 1
    assert b"\x1b" not in err


def test_a_report_waits_for_a_server_that_restarts(tmp_path: Path) -> None:
    """A report is retried for ten seconds, which is longer than a restart takes."""
    server = Server(tmp_path)
    process = start("step", "late", "1", "start", url=server.url)
    assert process.stderr is not None
    assert process.stderr.readline().startswith(b"progress-sse: cannot report on 'late' at http")
    with server:
        assert finish(process) == (0, b"", b"")
        assert poll(server, "late")["steps"][0]["status"] == "running"


SLOW_NAMES = """
import socket, time
socket.getaddrinfo = lambda *_, **__: time.sleep(60)
from progress_sse.cli.main import main
main()
"""
"""The command, where the system looks up names for a minute."""


@pytest.mark.full
@pytest.mark.parametrize("away", ["silence", "refusal", "name"])
@pytest.mark.parametrize("command", [["step", "s", "1", "start"], ["create", "s"], ["finish", "s"]], ids=" ".join)
def test_a_server_that_is_away_is_waited_for_as_long_as_help_says(away: str, command: list[str]) -> None:
    """The start of the process comes on top of it; so does half of the time again, for a busy machine."""
    with socket.create_server((HOST, 0)) as silent:
        port = free_port() if away == "refusal" else silent.getsockname()[1]
        url = f"http://{'progress.invalid' if away == 'name' else HOST}:{port}"
        began = time.monotonic()
        arguments = [sys.executable, *(["-c", SLOW_NAMES] if away == "name" else ["-m", "progress_sse"]), *command]
        ran = subprocess.run(arguments, env=environment(url), capture_output=True, timeout=60)
        took_s = time.monotonic() - began
    assert (ran.returncode, ran.stdout) == (1, b"")
    assert b"the process ends before all reports on 's' were sent" in ran.stderr
    assert SEND_S <= took_s < 1.5 * SEND_S
    assert f"was away for {SEND_S:g} seconds" in finish(start(command[0], "--help", url=None))[1].decode()
