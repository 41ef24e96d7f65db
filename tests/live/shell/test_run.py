"""`progress-sse run`: a real process against a real server, with a command below it."""

import asyncio
import fcntl
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.harness.http1 import HOST, free_port
from tests.harness.presence import present
from tests.harness.serving import Server, eventually
from tests.live.shell.commands import COMMAND, TOKEN, WAIT_S, environment, finish, poll, start

RARE = ["HUP", "QUIT", "USR1"]


def run(session_id: str, script: str, server: Server, *options: str, stdin: bytes = b"") -> tuple[int, bytes, bytes]:
    """Run a shell script as a step, and return its exit status and output."""
    return finish(start("run", "--session", session_id, *options, "--", "sh", "-c", script, url=server.url), stdin)


def test_a_command_that_succeeds_completes_its_step(server: Server) -> None:
    """The step is the whole session and carries its name; stdin, stdout and stderr pass through byte for byte."""
    script = r"cat; printf '\377out'; printf '\000\377err' >&2"
    assert run("well", script, server, stdin=b"in\0\xff") == (0, b"in\0\xff\xffout", b"\0\xfferr")
    session = poll(server, "well")
    assert (session["status"], session["total_steps"]) == ("completed", 1)
    assert [(step["name"], step["status"], step["attempt"]) for step in session["steps"]] == [("sh", "success", 1)]


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
    for step, attempt in (("1", 2), ("Dump", 3)):
        assert run("again", "true", server, "--step", step)[0] == 0
        [shown] = poll(server, "again")["steps"]
        assert (shown["name"], shown["status"], shown["error"], shown["attempt"]) == ("Dump", "success", "", attempt)


def test_a_running_command_gives_signs_of_life(server: Server) -> None:
    """A command that is killed with everything around it is no longer shown as running for ever."""
    process = start("run", "--session", "alive", "--", "sh", "-c", "echo ready; read line", url=server.url)
    assert present(process.stdout).readline() == b"ready\n"
    asyncio.run(eventually(lambda: bool(poll(server, "alive")["steps"]), WAIT_S))
    asyncio.run(eventually(lambda: "liveness" in poll(server, "alive")["steps"][0], WAIT_S))
    assert poll(server, "alive")["steps"][0]["liveness"]["state"] == "live"
    assert finish(process, b"\n")[0] == 0


@pytest.mark.parametrize(
    ("session_id", "command", "shown", "name", "status", "reason"),
    [
        ("unknown", "no-such-command", "no-such-command", "no-such-command", 127, "No such file or directory"),
        ("file", "/etc/passwd", "/etc/passwd", "passwd", 126, "Permission denied"),
        pytest.param("root", "/", "/", "/", 126, "Permission denied", marks=pytest.mark.full),
        pytest.param("empty", "", "''", "''", 127, "No such file or directory", marks=pytest.mark.full),
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


OPEN_STREAMS = """
import os, sys
left = [number for number in range(3) if os.path.exists(f"/dev/fd/{number}")]
open(sys.argv[1], "w").write(str(left))
"""


@pytest.mark.parametrize("options", [[], ["--log"], ["--progress", "auto"], ["--log", "--progress", "auto", "--pty"]])
@pytest.mark.parametrize(
    ("closed", "left"),
    [("<&- >&- 2>&-", []), (">&-", [0, 2]), ("2>&-", [0, 1]), (">&- 2>/dev/null", [0, 2])],
    ids=["all", "stdout", "stderr", "stdout beside /dev/null"],
)
def test_closed_streams_stay_closed(tmp_path: Path, options: list[str], closed: str, left: list[int]) -> None:
    """A command whose writes fail without us sees them fail; none of our files takes the numbers."""
    program = [sys.executable, "-c", OPEN_STREAMS, str(tmp_path / "left")]
    shell = ["sh", "-c", f'"$@" {closed}', "sh", *COMMAND, "run", *options, "--", *program]
    ran = subprocess.run(shell, env=environment(None), stdin=subprocess.DEVNULL, capture_output=True, timeout=WAIT_S)
    assert (ran.returncode, ran.stdout) == (0, b"")
    assert (tmp_path / "left").read_text() == str(left)


@pytest.mark.parametrize("name", ["INT", "TERM", *(pytest.param(each, marks=pytest.mark.full) for each in RARE)])
def test_signals_reach_the_command(server: Server, name: str) -> None:
    """The command handles the signal: here it cleans up and exits in its own way."""
    script = f"trap 'echo cleaned up; exit 7' {name}; echo ready; while :; do sleep 0.05; done"
    process = start("run", "--session", name, "--", "bash", "-c", script, url=server.url)
    assert present(process.stdout).readline() == b"ready\n"
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
    assert present(process.stderr).readline() == b"now\n"
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
    left, _, last = present(process.stderr).readline().partition(b" ")
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
    """It runs and ends as usual; its outcome is reported if the server is available by then."""
    server = Server(tmp_path)
    process = start("run", "--session", "late", "--", "sh", "-c", "echo done >&2; cat; exit 5", url=server.url)
    assert process.stderr is not None
    lines = [process.stderr.readline(), process.stderr.readline()]
    assert b"done\n" in lines
    with server:
        assert finish(process) == (5, b"", b"")
        assert poll(server, "late")["steps"][0]["error"] == "exit status 5\ndone"
    assert any(line.startswith(b"progress-sse: cannot report on 'late' at http") for line in lines)


async def test_a_server_that_answers_again_soon_gets_the_outcome_of_a_command_that_has_ended(server: Server) -> None:
    """The command waits for it."""
    server.signal(signal.SIGSTOP)
    try:
        process = start("run", "--session", "soon", "--", "sh", "-c", "echo $$ >&2; exit 5", url=server.url)
        pid = (await asyncio.to_thread(present(process.stderr).readline)).decode().strip()
        await eventually(lambda: not Path("/proc", pid).exists(), WAIT_S)
    finally:
        server.signal(signal.SIGCONT)
    assert await asyncio.to_thread(finish, process) == (5, b"", b"")
    assert poll(server, "soon")["steps"][0]["error"].startswith("exit status 5\n")


@pytest.mark.full
def test_the_loss_of_reports_to_an_absent_server_is_shown() -> None:
    """The wait has a limit. The exit status is the command's, and a message names the loss once."""
    process = start("run", "--session", "lost", "--", "sh", "-c", "exit 5", url=f"http://{HOST}:{free_port()}")
    status, out, err = finish(process)
    assert (status, out) == (5, b"")
    assert err.count(b"progress-sse: the process ends before all reports on 'lost' were sent\n") == 1


def log_of(server: Server, session_id: str) -> list[tuple[int | None, str]]:
    log = httpx.get(f"{server.url}/api/progress/{session_id}/log").json()
    return [(line["step"], line["text"]) for line in log["lines"]]


def test_the_output_of_a_command_becomes_lines_of_the_log(server: Server) -> None:
    """It passes through byte for byte as before; the lines are there when the step has ended."""
    script = r"cat; printf 'a\nb 1%%\rb 2%%\n'; printf '\033[31mred\033[0m\nno end' >&2; exit 3"
    status, out, err = run("logged", script, server, "--log", stdin=b"in\0\xff\n")
    assert (status, out, err) == (3, b"in\0\xff\na\nb 1%\rb 2%\n", b"\x1b[31mred\x1b[0m\nno end")
    lines = log_of(server, "logged")
    unfit = "in\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}"
    assert [line for line in lines if "red" not in line[1] and "end" not in line[1]] == [
        (1, unfit),
        (1, "a"),
        (1, "b 2%"),
    ]
    assert [line for line in lines if line not in ((1, unfit), (1, "a"), (1, "b 2%"))] == [
        (1, "\x1b[31mred\x1b[0m"),
        (1, "no end"),
    ]
    assert poll(server, "logged")["steps"][0]["error"] == "exit status 3\nred\nno end"


@pytest.mark.full
def test_without_log_nothing_of_the_output_is_kept(server: Server) -> None:
    """It may have secrets, which all readers would read."""
    assert run("unlogged", "echo secret", server)[0] == 0
    assert "log" not in poll(server, "unlogged")


@pytest.mark.guarantee(71)
@pytest.mark.full
def test_a_flood_of_output_is_thinned_and_does_not_hold_up_the_command(server: Server) -> None:
    """The first and the last lines are there, and how many are not; all of it passes through."""
    status, out, _ = run("flood", "seq 200000", server, "--log")
    assert (status, out.count(b"\n")) == (0, 200_000)
    lines = [text for _, text in log_of(server, "flood")]
    assert lines[0] == "1"
    assert lines[-1] == "200000"
    left_out = sum(int(found[1]) for text in lines if (found := re.match(r"… (\d+) lines? w", text)))
    assert left_out + sum("…" not in text for text in lines) == 200_000


@pytest.mark.guarantee(74)
@pytest.mark.full
def test_a_logged_command_whose_output_nothing_takes_ends(server: Server) -> None:
    """As it would without us: by SIGPIPE, after which its step has failed."""
    with start("run", "--session", "headed", "--log", "--", "yes", url=server.url) as process:
        assert process.stdout is not None
        assert process.stdout.read(2) == b"y\n"
        process.stdout.close()
        assert process.wait(WAIT_S) == 128 + signal.SIGPIPE
    assert poll(server, "headed")["steps"][0]["status"] == "error"
