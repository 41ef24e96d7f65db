"""`progress-sse run`, `step` and `watch`: real processes, started as a shell starts them, against a real server."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from progress_sse.cli.plain_text import plain
from tests.harness.http1 import HOST, free_port
from tests.harness.serving import Server, eventually, session_path
from tests.harness.tokens import CLOSED

TOKEN = "hush"
COMMAND = [sys.executable, "-m", "progress_sse"]
RARE = ["HUP", "QUIT", "USR1"]
WAIT_S = 60


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests that leave it intact; each test has a session of its own."""
    with Server(tmp_path_factory.mktemp("shell"), publish_token=TOKEN) as server:
        yield server


def environment(url: str | None, **more: str) -> dict[str, str]:
    """The environment with the server's address in it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PROGRESS_SSE_")}
    return {**kept, "PROGRESS_SSE_TOKEN": TOKEN, **({"PROGRESS_SSE_URL": url} if url else {}), **more}


def start(*arguments: str, url: str | None, **more: str) -> subprocess.Popen[bytes]:
    """Start a `progress-sse` command with pipes for its standard streams."""
    pipe = subprocess.PIPE
    return subprocess.Popen([*COMMAND, *arguments], stdin=pipe, stdout=pipe, stderr=pipe, env=environment(url, **more))


def finish(process: subprocess.Popen[bytes], stdin: bytes = b"") -> tuple[int, bytes, bytes]:
    """The exit status and the rest of the output."""
    out, err = process.communicate(stdin, timeout=WAIT_S)
    return process.returncode, out, err


def run(session_id: str, script: str, server: Server, *options: str, stdin: bytes = b"") -> tuple[int, bytes, bytes]:
    """Run a shell script as a step, and return its exit status and output."""
    return finish(start("run", "--session", session_id, *options, "--", "sh", "-c", script, url=server.url), stdin)


def poll(server: Server, session_id: str) -> Any:
    """The polling response of a session."""
    return httpx.get(server.url + session_path(session_id)).json()


def test_a_command_that_succeeds_completes_its_step(server: Server) -> None:
    """The step is the whole session and carries its name; stdin, stdout and stderr pass through byte for byte."""
    script = r"cat; printf '\377out'; printf '\000\377err' >&2"
    assert run("well", script, server, stdin=b"in\0\xff") == (0, b"in\0\xff\xffout", b"\0\xfferr")
    session = poll(server, "well")
    assert (session["status"], session["total_steps"]) == ("completed", 1)
    assert [(step["name"], step["status"]) for step in session["steps"]] == [("sh", "success")]


def test_a_command_that_fails_fails_its_step(server: Server) -> None:
    """The step's error is the exit status, which is also ours, and the end of stderr in plain text."""
    script = r"seq 2000 >&2; printf ' 1%%\r99%%\n\033[31mdisk full\033[0m\n' >&2; exit 3"
    status, out, err = run("ill", script, server, "--step", "2")
    assert (status, out) == (3, b"")
    assert err.startswith(b"1\n2\n")
    assert err.endswith(b"2000\n 1%\r99%\n\x1b[31mdisk full\x1b[0m\n")
    session = poll(server, "ill")
    assert (session["status"], session["total_steps"], session["current_step"]) == ("error", 7, 2)
    error = session["steps"][1]["error"]
    assert re.match(r"exit status 3\n1\d\d\d\n", error)
    assert error.endswith("2000\n99%\ndisk full")


def test_steps_of_one_session_follow_each_other(server: Server) -> None:
    """The first run names the session's only step; with `--step` an existing session is kept as it is."""
    assert run("again", "false", server, "--name", "Dump")[0] == 1
    assert run("again", "true", server, "--step", "1")[0] == 0
    assert [(step["name"], step["status"], step["error"]) for step in poll(server, "again")["steps"]] == [
        ("Dump", "success", "")
    ]


@pytest.mark.parametrize(
    ("session_id", "command", "shown", "name", "status", "reason"),
    [
        ("unknown", "no-such-command", "no-such-command", "no-such-command", 127, "No such file or directory"),
        ("file", "/etc/passwd", "/etc/passwd", "passwd", 126, "Permission denied"),
        ("root", "/", "/", "/", 126, "Permission denied"),
        ("empty", "", "''", "''", 127, "No such file or directory"),
    ],
)
def test_a_command_that_cannot_run_fails_as_in_a_shell(
    server: Server, session_id: str, command: str, shown: str, name: str, status: int, reason: str
) -> None:
    """The exit status is the one that shells use, and the reason is in the step and on stderr."""
    text = f"cannot run {shown}: {reason}"
    ran = finish(start("run", "--session", session_id, "--", command, url=server.url))
    assert ran == (status, b"", f"progress-sse: {text}\n".encode())
    [step] = poll(server, session_id)["steps"]
    assert (step["name"], step["status"], step["error"]) == (name, "error", text)


def test_a_command_that_a_signal_ends_counts_as_in_a_shell(server: Server) -> None:
    """The exit status is 128 plus the signal's number."""
    assert run("killed", "echo last >&2; kill -KILL $$", server) == (137, b"", b"last\n")
    assert poll(server, "killed")["steps"][0]["error"] == "exit status 137 (Killed)\nlast"


def test_an_exit_status_above_all_signals_is_an_ordinary_one(server: Server) -> None:
    """255, with which ssh, PHP and Perl fail, is such a status. A command name may hold any bytes."""
    assert run("high", "exit 255", server) == (255, b"", b"")
    assert poll(server, "high")["steps"][0]["error"] == "exit status 255"
    status, _, err = finish(start("run", "--session", "odd", "--", os.fsdecode(b"no-\xff"), url=server.url))
    assert (status, err) == (127, b"progress-sse: cannot run no-\xff: No such file or directory\n")


def test_closed_streams_stay_closed(server: Server) -> None:
    """None of our files takes their numbers; else we would write the command's stderr into such a file."""
    script = '"$@" <&- >&- 2>&-; echo $?'
    inside = "test -e /proc/self/fd/0 -o -e /proc/self/fd/1 && exit 6; seq 50000 >&2; exit 5"
    shell = ["sh", "-c", script, "sh", *COMMAND, "run", "--session", "closed", "--", "bash", "-c", inside]
    ran = subprocess.run(shell, env=environment(server.url), capture_output=True, timeout=WAIT_S)
    assert (ran.stdout, ran.stderr) == (b"5\n", b"")
    error = poll(server, "closed")["steps"][0]["error"]
    assert error.startswith("exit status 5\n")
    assert error.endswith("\n50000")


@pytest.mark.parametrize("name", ["INT", "TERM", *(pytest.param(each, marks=pytest.mark.full) for each in RARE)])
def test_signals_reach_the_command(server: Server, name: str) -> None:
    """The command handles the signal: here it cleans up and exits in its own way."""
    script = f"trap 'echo cleaned up; exit 7' {name}; echo ready; while :; do sleep 0.05; done"
    process = start("run", "--session", name, "--", "bash", "-c", script, url=server.url)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(getattr(signal, f"SIG{name}"))
    assert finish(process) == (7, b"cleaned up\n", b"")
    assert poll(server, name)["steps"][0]["error"] == "exit status 7"


COUNT_INTERRUPTS = """
import os, signal
reads, writes = os.pipe()
os.set_blocking(writes, False)
signal.set_wakeup_fd(writes)
signal.signal(signal.SIGINT, lambda *_: None)
print("ready", flush=True)
input()
print("interrupts:", len(os.read(reads, 100)), flush=True)
"""


def test_a_key_at_the_terminal_reaches_the_command_once(server: Server) -> None:
    """The terminal signals the whole process group, so `run` does not pass the signal on."""
    arguments = ["run", "--session", "terminal", "--", sys.executable, "-c", COUNT_INTERRUPTS]
    terminal, slave = os.openpty()
    process = subprocess.Popen(
        ["setsid", "--ctty", "--wait", *COMMAND, *arguments],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=environment(server.url),
    )
    os.close(slave)
    seen = b""
    for awaited, typed in [(rb"ready", b"\x03"), (rb"\^C", b"\n"), (rb"interrupts: \d+\r\n", b"")]:
        while not re.search(awaited, seen):
            seen += os.read(terminal, 4096)
        os.write(terminal, typed)
    assert process.wait(WAIT_S) == 0
    os.close(terminal)
    assert b"interrupts: 1\r\n" in seen


def test_stderr_is_passed_on_while_the_command_runs(server: Server) -> None:
    """`run` forwards stderr at once: the command continues as soon as its message has been read."""
    process = start("run", "--session", "live", "--", "sh", "-c", "echo now >&2; read x; exit $x", url=server.url)
    assert process.stderr is not None
    assert process.stderr.readline() == b"now\n"
    asyncio.run(eventually(lambda: poll(server, "live")["status"] == "running", WAIT_S))
    assert finish(process, b"4\n") == (4, b"", b"")


def test_the_end_of_the_terminal_reaches_the_command(server: Server) -> None:
    """The kernel signals only the session leader, as under `ssh -t`, so `run` passes the signal on."""
    terminal, slave = os.openpty()
    arguments = ["run", "--session", "gone", "--", "sh", "-c", "echo ready; exec sleep 60"]
    process = subprocess.Popen(
        ["setsid", "--ctty", *COMMAND, *arguments], stdin=slave, stdout=slave, stderr=slave, env=environment(server.url)
    )
    os.close(slave)
    seen = b""
    while b"ready\r\n" not in seen:
        seen += os.read(terminal, 4096)
    os.close(terminal)
    assert process.wait(WAIT_S) == 128 + signal.SIGHUP
    assert poll(server, "gone")["steps"][0]["error"] == "exit status 129 (Hangup)"


def test_stderr_that_takes_no_more_is_waited_for(server: Server) -> None:
    """This holds too where another process has made the shared stderr non-blocking: no output is lost."""
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    command = [*COMMAND, "run", "--session", "full", "--", "sh", "-c", "seq 50000 >&2"]
    with subprocess.Popen(command, stderr=writes, env=environment(server.url)):
        os.close(writes)
        fcntl.fcntl(reads, fcntl.F_SETPIPE_SZ, 4096)
        with os.fdopen(reads, "rb") as pipe:
            assert pipe.read().split() == [b"%d" % number for number in range(1, 50_001)]


CROWDED = """
import os, resource, sys
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
while (inherited := os.dup(0)) < 1100:
    os.set_inheritable(inherited, True)
os.execv(sys.argv[1], sys.argv[1:])
"""


def test_a_process_of_many_descriptors_passes_stderr_on(server: Server) -> None:
    """Inherited descriptors may take all numbers below 1024, above which `select` does not work."""
    command = [*COMMAND, "run", "--session", "many", "--", "sh", "-c", "seq 50000 >&2; exit 3"]
    crowded = [sys.executable, "-c", CROWDED, *command]
    ran = subprocess.run(crowded, env=environment(server.url), stderr=subprocess.PIPE, timeout=WAIT_S)
    assert (ran.returncode, ran.stderr.split()) == (3, [b"%d" % number for number in range(1, 50_001)])


def test_a_command_runs_where_no_thread_can_be_started() -> None:
    """The command then writes to our stderr itself, and its exit status is ours."""
    without = "import threading; threading.stack_size(2**50); from progress_sse.cli.main import main; main()"
    command = [sys.executable, "-c", without, "run", "--session", "bare", "--", "sh", "-c", "seq 50000 >&2; exit 3"]
    ran = subprocess.run(command, env=environment(None), stderr=subprocess.PIPE, timeout=WAIT_S)
    assert (ran.returncode, ran.stderr.split()) == (3, [b"%d" % number for number in range(1, 50_001)])


def test_background_processes_of_a_command_are_not_waited_for(server: Server) -> None:
    """A background process keeps stderr open; all output from before the command's end arrives."""
    process = start("run", "--session", "left", "--", "sh", "-c", "sleep 600 & echo $! last >&2", url=server.url)
    assert process.stderr is not None
    left, _, last = process.stderr.readline().partition(b" ")
    try:
        assert (process.wait(WAIT_S), last) == (0, b"last\n")
    finally:
        os.kill(int(left), signal.SIGKILL)
        finish(process)


def test_a_command_finds_its_session_in_the_environment(server: Server) -> None:
    """With the session in its environment, a command can report steps of its own, or progress of this one."""
    script = 'echo "$PROGRESS_SSE_SESSION $PROGRESS_SSE_STEP $PROGRESS_SSE_URL $PROGRESS_SSE_TOKEN"; "$@"'
    inner = [*COMMAND, "run", "--step", "3", "--", "true"]
    options = ["--session", "outer", "--step", "2", "--url", server.url, "--token", TOKEN]
    process = start("run", *options, "--", "sh", "-c", script, "sh", *inner, url=None, PROGRESS_SSE_TOKEN="wrong")
    assert finish(process) == (0, f"outer 2 {server.url} {TOKEN}\n".encode(), b"")
    assert [step["status"] for step in poll(server, "outer")["steps"][:3]] == ["pending", "success", "success"]


@pytest.mark.parametrize(
    "options",
    [
        ["--session", "a", "--url", "ftp://h"],
        pytest.param(["--session", "a"], marks=pytest.mark.full),
        pytest.param(["--session", "/"], marks=pytest.mark.full),
    ],
)
def test_a_command_runs_where_nothing_can_be_reported(options: list[str]) -> None:
    """Without a server, a valid server or a valid session, `run` prints at most a warning and runs the command."""
    status, out, err = finish(start("run", *options, "--", "sh", "-c", "cat; exit 5", url=None), b"in")
    assert (status, out) == (5, b"in")
    assert err.count(b"\n") == ("ftp://h" in options)


def test_a_command_is_not_affected_by_an_absent_server(tmp_path: Path) -> None:
    """It runs and ends as usual; its outcome is reported once the server is available."""
    server = Server(tmp_path)
    process = start("run", "--session", "late", "--", "sh", "-c", "echo done >&2; exit 5", url=server.url)
    assert process.stderr is not None
    said = [process.stderr.readline(), process.stderr.readline()]
    assert b"done\n" in said
    with server:
        assert finish(process) == (5, b"", b"")
        assert poll(server, "late")["steps"][0]["error"] == "exit status 5\ndone"
    assert any(line.startswith(b"progress-sse: cannot report on 'late' at http") for line in said)


@pytest.mark.full
def test_the_loss_of_reports_to_an_absent_server_is_shown() -> None:
    """The exit status is the command's, and a message names the loss."""
    process = start("run", "--session", "lost", "--", "sh", "-c", "exit 5", url=f"http://{HOST}:{free_port()}")
    status, out, err = finish(process)
    assert (status, out) == (5, b"")
    assert b"the process ends before all reports on 'lost' were sent" in err


def step(server: Server, *arguments: str, **more: str) -> tuple[int, str]:
    """Report a step, and return the exit status and the message."""
    status, out, err = finish(start("step", *arguments, url=server.url, **more))
    assert out == b""
    return status, err.decode()


def test_a_step_is_reported_piece_by_piece(server: Server) -> None:
    """Each report is accepted by the time its command ends, and the command prints nothing."""
    assert step(server, "pieces", "2", "start", "--timeout-ms", "5000") == (0, "")
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


@pytest.mark.parametrize(
    ("arguments", "token", "reason"),
    [
        (("absent", "1", "complete"), TOKEN, "complete of step 1 was refused: 404 There is no such session."),
        (("refused", "8", "start"), TOKEN, "start of step 8 was refused: 422 "),
        (("refused", "1", "start"), "wrong", "start of step 1 was refused: 403 "),
    ],
)
def test_a_refused_report_says_why(server: Server, arguments: tuple[str, ...], token: str, reason: str) -> None:
    """One sentence gives the reason, and the exit status tells scripts of the failure."""
    status, said = step(server, *arguments, PROGRESS_SSE_TOKEN=token)
    assert status == 1
    assert said.startswith(f"progress-sse: lost a report on '{arguments[0]}' at {server.url}: {reason}")
    assert said.count("\n") == 1


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
        status, _, err = finish(start("step", "s", "1", "start", url=f"http://{HOST}:{hostile.server_port}"))
    assert status == 1
    assert "no\N{REPLACEMENT CHARACTER}root#" in err.decode()
    assert err.count(b"\n") == 1
    assert b"\x1b" not in err


def test_disabled_reporting_succeeds() -> None:
    """A script with `set -e` continues where there is no server."""
    process = start("step", "off", "1", "start", url=None, PROGRESS_SSE_DISABLED="1")
    assert finish(process) == (0, b"", b"")


def test_a_report_waits_for_a_server_that_restarts(tmp_path: Path) -> None:
    """A report is retried for ten seconds, which is longer than a restart takes."""
    server = Server(tmp_path)
    process = start("step", "late", "1", "start", url=server.url)
    assert process.stderr is not None
    assert process.stderr.readline().startswith(b"progress-sse: cannot report on 'late' at http")
    with server:
        assert finish(process) == (0, b"", b"")
        assert poll(server, "late")["steps"][0]["status"] == "running"


@pytest.mark.full
def test_a_report_without_a_server_fails() -> None:
    """One sentence says what is missing."""
    status, _, err = finish(start("step", "a", "1", "start", url=f"http://{HOST}:{free_port()}"))
    assert status == 1
    assert err.endswith(b"progress-sse: the process ends before all reports on 'a' were sent\n")


def watch(server: Server, *arguments: str, **more: str) -> tuple[int, str, str]:
    """Watch a session until its end, and return the exit status and the output."""
    status, out, err = finish(start("watch", *arguments, url=server.url, **more))
    return status, out.decode(), err.decode()


def report(server: Server, session_id: str, *updates: dict[str, Any]) -> None:
    """Report to a new session of two steps."""
    with httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        steps = [{"name": "Dump\x1b[2J"}, {"name": "原稿生成"}]
        assert client.put(session_path(session_id), json={"steps": steps}).status_code == 201
        for update in updates:
            assert client.post(session_path(session_id, "update"), json=update).status_code == 200


FAILURE = [
    {"action": "start", "step": 1},
    {"action": "complete", "step": 1},
    {"action": "start", "step": 2},
    {"action": "complete", "step": 2, "success": False, "error": "disk\nfull"},
]
SUCCESS = [*FAILURE, {"action": "start", "step": 2}, {"action": "complete", "step": 2, "message": "8,000 rows"}]


def test_the_exit_status_of_watching_tells_the_outcome(server: Server) -> None:
    """The exit status is 0 for completed and 1 for failed; with `--output quiet` there is no output."""
    report(server, "good", *SUCCESS)
    report(server, "bad", *FAILURE)
    assert watch(server, "good", "--output", "quiet") == (0, "", "")
    assert watch(server, "bad", "--output", "quiet") == (1, "", "")


def test_watching_tolerates_every_character(server: Server) -> None:
    """Characters that stdout cannot encode, and a missing stdout, are tolerated; control characters are removed."""
    report(server, "rare", {"action": "start", "step": 1}, {**FAILURE[3], "step": 1, "error": "\u009b31m原"})
    said = watch(server, "rare", "--output", "plain", PYTHONIOENCODING="latin-1")[1]
    assert said.startswith(" 50%")
    assert said.endswith(r"31m\u539f" + "\nerror\n")
    assert watch(server, "rare", "--output", "json")[1].isascii()
    closed = subprocess.run(
        ["sh", "-c", '"$@" >&-', "sh", *COMMAND, "watch", "rare"], env=environment(server.url), check=False
    )
    assert closed.returncode == 1


def test_watching_prints_a_line_for_each_change(server: Server) -> None:
    """Without a terminal each change is a line, from the session's beginning to its failure."""
    process = start("watch", "lines", url=server.url)
    assert process.stdout is not None
    assert process.stdout.readline() == b"waiting for the job to start\n"
    report(server, "lines", *FAILURE)
    status, out, err = finish(process)
    assert (status, err) == (1, b"")
    assert re.fullmatch(
        r"  0%  1/2 Dump: started\n"
        r" 50%  1/2 Dump: done after 0\.\ds\n"
        r" 50%  2/2 原稿生成: started\n"
        r"100%  2/2 原稿生成: failed after 0\.\ds, disk full\n"
        r"error\n",
        out.decode(),
    )


def test_watching_prints_json_for_programs(server: Server) -> None:
    """Each line is one object, equal to a polling response."""
    process = start("watch", "json", "--output", "json", url=server.url)
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["status"] == "not_found"
    report(server, "json", *FAILURE)
    shown = [json.loads(line) for line in finish(process)[1].splitlines()]
    assert [held["status"] for held in shown] == ["pending", "running", "running", "running", "error"]
    assert shown[-1] == poll(server, "json")


def test_watching_ends_cleanly_on_a_signal(server: Server) -> None:
    """On Ctrl-C and SIGTERM there is no traceback, and the exit status is the one that shells expect."""
    for number, expected in [(signal.SIGINT, 130), (signal.SIGTERM, 143)]:
        process = start("watch", "absent", url=server.url)
        assert process.stdout is not None
        assert process.stdout.readline() == b"waiting for the job to start\n"
        process.send_signal(number)
        assert finish(process) == (expected, b"", b"")


def test_watching_without_permission_has_an_exit_status_of_its_own(tmp_path: Path) -> None:
    """One sentence says what is missing."""
    with Server(tmp_path, **CLOSED) as closed:
        status, out, err = watch(closed, "s", PROGRESS_SSE_TOKEN="")
        assert (status, out) == (3, "")
        assert err == "progress-sse: The server wants a token for this session, and this is none: see --token.\n"


def test_watching_says_when_the_server_is_away(tmp_path: Path) -> None:
    """A message on stderr, once, and another when the server is back."""
    server = Server(tmp_path)
    process = start("watch", "s", "--output", "plain", url=server.url)
    assert process.stderr is not None
    assert re.match(rb"progress-sse: no live stream \(.+\): asking every 2 s\n", process.stderr.readline())
    with server:
        assert process.stderr.readline() == b"progress-sse: live again\n"
        report(server, "s", *FAILURE)
        status, out, err = finish(process)
    assert (status, err) == (1, b"")
    assert out.decode().endswith("\nerror\n")


def watch_on_a_terminal(server: Server, session_id: str, kind: str, *updates: dict[str, Any]) -> str:
    """Watch a session on a terminal of some kind from before its beginning; return the final screen."""
    terminal, slave = os.openpty()
    process = subprocess.Popen(
        [*COMMAND, "watch", session_id],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=environment(server.url, TERM=kind, COLUMNS="100", LINES="30"),
    )
    os.close(slave)
    seen = b""
    while b"waiting for the job to start" not in seen:
        seen += os.read(terminal, 4096)
    report(server, session_id, *updates)
    with contextlib.suppress(OSError):  # The other side has closed it.
        while piece := os.read(terminal, 4096):
            seen += piece
    os.close(terminal)
    assert process.wait(WAIT_S) == 1
    return seen.decode()


def test_watching_on_a_terminal_is_live(server: Server) -> None:
    """The bar, the steps and the failure are drawn, and the cursor is visible again afterwards."""
    seen = watch_on_a_terminal(server, "drawn", "xterm-256color", *FAILURE)
    last = plain(seen[seen.rindex("drawn") :])
    assert re.search(r"✅ 1 Dump +\d\.\ds", last)
    assert re.search(r"❌ 2 原稿生成 +\d\.\ds", last)
    assert "failed at step 2, 原稿生成:\n  disk\n  full" in last
    assert seen.rstrip().endswith("\x1b[?25h")


def test_watching_on_a_terminal_that_cannot_be_drawn_on_prints_lines(server: Server) -> None:
    """A shell inside an editor is such a terminal."""
    seen = watch_on_a_terminal(server, "dumb", "dumb", *FAILURE)
    assert "\x1b" not in seen
    assert " 50%  2/2 原稿生成: started\r\n" in seen
