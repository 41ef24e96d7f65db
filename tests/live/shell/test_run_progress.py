"""`progress-sse run --progress auto`: commands behave as without us, and what they show moves their session."""

import asyncio
import contextlib
import json
import os
import re
import select
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import pytest

from tests.harness.presence import present
from tests.harness.serving import Server, eventually, session_path
from tests.harness.terminal import Terminal
from tests.live.shell.commands import COMMAND, TOKEN, WAIT_S, environment, finish, poll, start
from tests.programs.commands import PROGRAMS, Program
from tests.programs.record import prepared

AUTO = ["--progress", "auto"]
RUN = [*COMMAND, "run", "--session", "same", *AUTO, "--no-osc", "--"]

TERMINALS = r"""
import os, stat
print(*(f"{os.isatty(n)} {stat.S_IFMT(os.fstat(n).st_mode):o}" for n in range(3)), file=open("/dev/tty", "w"))
"""

CURSES = r"""
import curses
def ask(window):
    window.addstr(3, 5, "key?")
    return window.getkey()
print(curses.wrapper(ask))
"""

PASSWORD = "import getpass; print(getpass.getpass('Password: ')[::-1])"

PAGER = """
import os, sys
print(sys.stdin.read(), "key?", flush=True)
print(os.read(os.open(os.ttyname(1), os.O_RDONLY), 2))
"""

BAR = """
import sys, time, tqdm
for _ in tqdm.tqdm(range(30), mininterval=0, bar_format="{n}/{total} {bar} {percentage:.0f}%"): pass
"""

CATCH = "trap 'echo caught; exit 9' INT; echo ready; while :; do sleep 0.05; done"

COMMANDS = {
    "ls": (["ls", "--color=auto", "-C", "/usr"], []),
    "git": (["git", "-c", "color.ui=auto", "diff", "--no-index", "--stat", "/etc/hostname", "/etc/passwd"], []),
    "isatty": ([sys.executable, "-c", TERMINALS], []),
    "modes": (["stty", "-a"], []),
    "modes that stay": (["stty", "-echo", "-opost", "eof", "^A"], []),
    "lines": (["seq", "100000"], []),
    "a long line": (["head", "-c", "10000000", "/dev/zero"], []),
    "binary": ([sys.executable, "-c", "import os; os.write(1, bytes(range(256)) * 99); os.write(2, bytes(9))"], []),
    "both": (["sh", "-c", "for n in 1 2 3 4 5 6 7 8 9; do echo out $n; echo err $n >&2; done; exit 3"], []),
    "typed": (["sh", "-c", "echo name?; read x; echo $x"], [(rb"name\?\r\n", b"J\x7fBlue\n")]),
    "end of input": (["sh", "-c", "echo ready; cat; exit 4"], [(b"ready", b"a\n"), (b"a\r\na\r\n", b"\x04")]),
    "password": ([sys.executable, "-c", PASSWORD], [(b"Password: ", b"terces\n")]),
    "curses": ([sys.executable, "-c", CURSES], [(rb"key\?", b"x")]),
    "pager": (["sh", "-c", f"seq 20 | {shlex.join([sys.executable, '-c', PAGER])}"], [(rb"key\?\r\n", b"q\n")]),
    "bar": ([sys.executable, "-c", BAR], []),
    "Ctrl-C": (["sh", "-c", CATCH], [(b"ready", b"\x03")]),
    "killed": (["sh", "-c", "echo before; kill -TERM $$"], []),
    "moved": (["sh", "-c", "echo one >/dev/tty; printf '\\033[2J\\033[3;4Htwo\\t.\\r\\n'; exit 255"], []),
}


def at_terminal(command: Sequence[str], typed: Sequence[tuple[bytes, bytes]] = ()) -> tuple[int, bytes, list[object]]:
    """Run a command at a terminal; return its exit status, what it shows besides our own lines, and the modes after."""
    with Terminal() as terminal:
        status, shown = terminal.run(command, environment(None, TERM="xterm", LC_ALL="C.UTF-8"), *typed)
        return 128 - status if status < 0 else status, re.sub(rb"progress-sse: [^\n]*\n", b"", shown), terminal.modes()


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.full] * (name == "a long line")) for name in COMMANDS]
)
def test_a_command_at_a_terminal_behaves_as_without_us(name: str) -> None:
    """Exit status, bytes, and the modes that it leaves behind."""
    command, typed = COMMANDS[name]
    assert at_terminal([*RUN, *command], typed) == at_terminal(command, typed)


KEYS = r"""
import os
print("key?", flush=True)
print(open(os.ttyname(1)).readline())
"""


def test_a_command_whose_stdin_is_the_terminal_by_another_name_gets_keys() -> None:
    """Some, such as `less`, read them from the terminal of their stdout."""
    shown = []
    for prefix in ([], RUN):
        command = shlex.join([*prefix, sys.executable, "-c", KEYS])
        shown.append(at_terminal(["sh", "-c", f"{command} </dev/tty"], [(rb"key\?\r\n", b"x\n")]))
    assert shown[0] == shown[1]


@pytest.mark.parametrize("other", ["stdin", "stdout", "stderr"])
@pytest.mark.parametrize("kind", ["pipe", "file"])
def test_other_streams_than_terminals_stay_what_they_are(tmp_path: Path, other: str, kind: str) -> None:
    """A pipe is a pipe for the command, and only stdout and stdin are a file if they are one."""
    shown = []
    for prefix in ([], RUN):
        with Terminal() as terminal, (tmp_path / "file").open("w+b") as file:
            stream = {other: subprocess.PIPE if kind == "pipe" else file}
            command = [*prefix, sys.executable, "-c", TERMINALS]
            with terminal.start(command, environment(None), **stream) as process:
                shown.append(terminal.wait_for(rb"(True|False) \d+ (True|False) \d+ (True|False) \d+\r\n")[0])
            assert process.returncode == 0
    if (other, kind) == ("stderr", "file"):  # Its end is kept for the error.
        shown[0] = re.sub(rb"\d+\r\n", b"10000\r\n", shown[0])
    assert shown[0] == shown[1]


def ran(session_id: str, script: str, url: str | None, *options: str) -> tuple[int, bytes, bytes]:
    """Run a shell script between pipes; return its exit status and output."""
    return finish(start("run", "--session", session_id, *options, *AUTO, "--", "sh", "-c", script, url=url))


def in_shell(terminal: Terminal, *lines: str) -> subprocess.Popen[bytes]:
    """Start a shell with job control, at which the lines are typed."""
    shell = terminal.start(["bash", "--norc", "--noprofile", "-i"], environment(None, PS1="$ ", TERM="dumb"))
    terminal.wait_for(rb"\$ $")
    terminal.type("".join(f"{line}\n" for line in lines).encode())
    return shell


REPORTING = """
import os, signal, sys
def resized(*_):
    size = os.get_terminal_size(1)
    os.write(1, b"size %d %d\\n" % (size.lines, size.columns))
signal.signal(signal.SIGWINCH, resized)
signal.signal(signal.SIGCONT, lambda *_: os.write(1, b"continued\\n"))
print("ready", os.getpid(), flush=True)
for line in sys.stdin:
    print("got", line, end="", flush=True)
"""


@pytest.fixture
def reporting(tmp_path: Path) -> str:
    """A command line that runs a program which reports what it gets."""
    (tmp_path / "reporting.py").write_text(REPORTING)
    return " ".join([*RUN, sys.executable, str(tmp_path / "reporting.py")])


def test_a_command_is_stopped_and_continued_as_a_job_of_the_shell(reporting: str) -> None:
    """By Ctrl-Z and `fg`, also after `bg`; the shell has the terminal as it was, and the command a new size."""
    with Terminal() as terminal:
        shell = in_shell(terminal, reporting)
        terminal.wait_for(rb"ready \d+\r\n")
        for size in (30, 31):
            terminal.type(b"\x1a", rb"Stopped[^\n]*\n")
            terminal.type(b"stty -a\n", rb" icanon [^$]*\$ ")
            terminal.resize(size, 99)
            terminal.type(b"fg\n", rb"size %d 99\r\n" % size)
            terminal.type(b"line\n", rb"line\r\ngot line\r\n")
        terminal.type(b"\x1a", rb"Stopped[^\n]*\n")
        terminal.type(b"bg\n", rb"continued\r+\n")
        terminal.type(b"fg\n", rb"fg\r\n[^\n]*\n")
        terminal.type(b"last\n", rb"got last\r\n")
        terminal.type(b"\x04", rb"\$ $")
        terminal.type(b"exit\n")
        assert shell.wait(WAIT_S) == 0


def test_a_resize_reaches_a_command_of_which_only_the_output_is_a_terminal(reporting: str) -> None:
    """Its stdin is a pipe."""
    with Terminal() as terminal:
        in_shell(terminal, f"cat | {reporting}")
        terminal.wait_for(rb"ready \d+\r\n")
        terminal.resize(33, 77)
        terminal.wait_for(rb"size 33 77\r\n")


def is_over(pid: int) -> bool:
    """Return whether a process has ended, though perhaps none waits for it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_the_command_of_a_killed_run_gets_a_hangup() -> None:
    """As if its terminal had gone; this one does not read it."""
    with Terminal() as terminal:
        process = terminal.start([*RUN, "sh", "-c", "echo ready $$; exec sleep 600"], environment(None))
        pid = int(terminal.wait_for(rb"ready (\d+)\r\n")[1])
        process.kill()
        assert process.wait(WAIT_S) == -signal.SIGKILL
        asyncio.run(eventually(lambda: is_over(pid), WAIT_S))


def test_what_a_command_leaves_in_the_background_is_neither_waited_for_nor_ended() -> None:
    """Though it has the terminal of the command."""
    with Terminal() as terminal:
        in_shell(terminal, " ".join(RUN) + " sh -c 'sleep 60 & echo left $!'; echo status $?")
        pid = int(terminal.wait_for(rb"left (\d+)\r.*status 0\r\n")[1])
        assert not is_over(pid)
        os.kill(pid, signal.SIGKILL)


def test_a_command_whose_output_nothing_takes_ends_as_without_us() -> None:
    """By SIGPIPE."""
    with start("run", "--session", "headed", *AUTO, "--", "yes", url=None) as process:
        assert present(process.stdout).read(2) == b"y\n"
        present(process.stdout).close()
        assert process.wait(WAIT_S) == 128 + signal.SIGPIPE


UNREAD = "(yes | head -c 3000000) & sleep 0.5; echo MARK >&2; wait"


@contextlib.contextmanager
def killed_at_last(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """Kill a process that waits for ever if the test fails."""
    with process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("options", [["--log"], AUTO, [*AUTO, "--pty"]], ids=" ".join)
def test_stderr_comes_through_while_stdout_is_not_read(options: list[str]) -> None:
    """As without us, where one process waits for stderr before it reads stdout."""
    running = start("run", "--session", "unread", *options, "--", "sh", "-c", UNREAD, url=None)
    with killed_at_last(running) as process:
        assert present(process.stderr).readline().rstrip() == b"MARK"
        assert len(present(process.stdout).read().replace(b"\r", b"")) == 3_000_000
        assert process.wait(WAIT_S) == 0


def test_stdout_comes_through_while_a_terminal_as_stderr_is_not_read() -> None:
    """For one that takes no more, stdout does not wait either."""
    terminal, slave = os.openpty()
    script = "(yes | head -c 300000 >&2) & sleep 0.5; echo MARK; wait"
    command = [*RUN, "sh", "-c", script]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=slave, env=environment(None))
    with killed_at_last(running) as process:
        os.close(slave)
        assert present(process.stdout).readline() == b"MARK\n"
    os.close(terminal)


def test_keys_reach_a_command_while_nothing_takes_its_output() -> None:
    """Ctrl-C ends a command that floods a terminal which is not read."""
    terminal, slave = os.openpty()
    script = "trap 'echo caught >&2; exit 9' INT; echo ready >&2; yes"
    command = ["setsid", "--ctty", "--wait", *RUN, "sh", "-c", script]
    running = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=subprocess.PIPE, env=environment(None))
    with killed_at_last(running) as process:
        assert present(process.stderr).readline() == b"ready\n"
        asyncio.run(eventually(lambda: not select.select([], [slave], [], 0)[1], WAIT_S))
        os.close(slave)
        os.write(terminal, b"\x03")
        assert present(process.stderr).readline() == b"caught\n"
        with contextlib.suppress(OSError):  # No process has the terminal any more.
            while os.read(terminal, 2**16):
                pass
        assert process.wait(WAIT_S) == 9
    os.close(terminal)


@pytest.mark.full
def test_much_output_passes_a_pipe_whole() -> None:
    """Of any bytes, on both streams."""
    status, out, err = ran("much", "head -c 10000000 /dev/urandom | tee /dev/stderr", None)
    assert (status, len(out), out == err) == (0, 10_000_000, True)


def test_a_terminal_can_be_had_where_there_is_none() -> None:
    """Its output is what a pipe would get; it needs the option that reads it."""
    terminals = "import os; print(*map(os.isatty, range(3)), os.get_terminal_size(1))"
    expected = (0, b"False True True os.terminal_size(columns=80, lines=24)\n", b"")
    assert ran("cron", f"{sys.executable} -c '{terminals}'", None, "--pty") == expected
    status, _, err = finish(start("run", "--pty", "--", "true", url=None))
    assert (status, b"--pty needs --progress auto" in err) == (2, True)


BARS = r"""
for n in 10 20 55; do printf 'Copy %s%%\r' $n >&2; sleep 0.1; done
read line; exit $line
"""


def wait_until(server: Server, session_id: str, **wanted: object) -> None:
    """Wait until the current step of a session has these values."""

    def has_them() -> bool:
        session = poll(server, session_id)
        step = session["steps"][session["current_step"] - 1] if session.get("current_step") else {}
        return all(step.get(name) == value for name, value in wanted.items())

    asyncio.run(eventually(has_them, WAIT_S))


def test_lines_of_a_terminal_are_lines_of_the_log_and_of_the_error(server: Server) -> None:
    """They end by a carriage return and a line feed there; stdout and stderr are one."""
    script = "echo begun; printf 'a 1%%\\ra 2%%\\n'; echo disk full >&2; exit 3"
    command = [*COMMAND, "run", "--session", "lines", "--log", *AUTO, "--", "sh", "-c", script]
    with Terminal() as terminal:
        assert terminal.run(command, environment(server.url))[0] == 3
    lines = httpx.get(server.url + session_path("lines", "log")).json()["lines"]
    assert [line["text"] for line in lines] == ["begun", "a 2%", "disk full"]
    assert poll(server, "lines")["steps"][0]["error"] == "exit status 3\nbegun\na 2%\ndisk full"


def test_a_command_runs_at_a_terminal_where_no_thread_can_be_started() -> None:
    """It has our terminal itself then."""
    without = "import threading; threading.stack_size(2**50); from progress_sse.cli.main import main; main()"
    run = [sys.executable, "-c", without, "run", "--session", "bare", *AUTO, "--"]
    command = ["sh", "-c", "seq 3; exit 4"]
    assert at_terminal([*run, *command]) == at_terminal(command)


def test_what_a_command_draws_moves_its_step(server: Server) -> None:
    """A line at the end says what was found, at a terminal alone."""
    command = [*COMMAND, "run", "--session", "drawn", *AUTO, "--", "sh", "-c", BARS]
    with Terminal() as terminal:
        process = terminal.start(command, environment(server.url))
        wait_until(server, "drawn", progress={"current": 55, "total": 100})
        terminal.type(b"3\n")
        assert process.wait(WAIT_S) == 3
        terminal.wait_for(rb"progress-sse: found a percentage in a redrawn line\r\n")
    assert poll(server, "drawn")["steps"][0]["status"] == "error"
    assert b"progress-sse" not in ran("piped", BARS, server.url)[2]


STEPS = "echo first; echo ::step Copy; echo copied; echo ::step Check; echo ::progress 3/7 photos; {end}"


@pytest.mark.parametrize(("end", "outcome"), [("exit 0", "success"), ("echo bad >&2; exit 4", "error")])
def test_the_steps_that_a_command_names_are_those_of_its_session(server: Server, end: str, outcome: str) -> None:
    """The one that runs ends as the command does, and so does the session; lines of the log are those of their step."""
    script = STEPS.format(end=end)
    session_id = f"named-{outcome}"
    assert ran(session_id, script, server.url, "--log")[0] == (0 if outcome == "success" else 4)
    session = poll(server, session_id)
    shown = [(step["name"], step["status"]) for step in session["steps"]]
    assert shown == [("Copy", "success"), ("Check", outcome)]
    assert session["status"] == {"success": "completed"}.get(outcome, outcome)
    assert session["steps"][1]["message"] == "photos"
    lines = httpx.get(server.url + session_path(session_id, "log")).json()["lines"]
    assert "copied" in [line["text"] for line in lines]


def test_a_name_is_a_message_of_a_step_that_is_there(server: Server) -> None:
    """The session keeps its steps."""
    script = STEPS.format(end="exit 0").replace(" photos", "")
    assert ran("there", script, server.url, "--step", "2")[0] == 0
    session = poll(server, "there")
    assert session["total_steps"] == 7
    assert (session["steps"][1]["status"], session["steps"][1]["message"]) == ("success", "Check")


def test_a_reader_stops_a_command_in_a_later_step(server: Server) -> None:
    """The request is about the job as a whole."""
    script = "echo ::step Copy; echo ::step Check; exec sleep 60"
    process = start("run", "--session", "later", "--cancel", *AUTO, "--", "sh", "-c", script, url=server.url)
    wait_until(server, "later", name="Check", status="running")
    request, token = {"kind": "cancel", "step": 2}, {"Authorization": f"Bearer {TOKEN}"}
    asked = httpx.post(server.url + session_path("later", "requests"), json=request, headers=token)
    assert asked.status_code == 202
    assert finish(process)[0] == 128 + signal.SIGTERM
    session = poll(server, "later")
    assert (session["conclusion"], session["steps"][0]["status"]) == ("cancelled", "success")


FEW = {"apt-get-install", "aria2c", "dd", "git-clone"}
"""Programs that may draw only twice here, or end before the client, which sends ten values a second, has sent three."""


@pytest.mark.full
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_a_program_moves_its_session(server: Server, program: Program) -> None:
    """At a terminal: a reader gets at least three values, which never fall, and the end."""
    reader = start("watch", program.name, "--output", "json", url=server.url)
    assert b"not_found" in present(reader.stdout).readline()
    run = [*COMMAND, "run", "--session", program.name, *AUTO, "--", "sh", "-c", program.command]
    with prepared(program) as (folder, its_environment), Terminal() as terminal:
        status, shown = terminal.run(run, {**environment(server.url), **its_environment}, cwd=folder)
    assert status == 0, shown
    assert b"progress-sse: found " in shown
    states = [json.loads(line) for line in finish(reader)[1].splitlines()]
    steps = [state["steps"][0] for state in states if state.get("steps")]
    values = [step["progress"] for step in steps if "progress" in step]
    shares = [each["current"] / (each["total"] or 1) for each in values]
    assert shares == sorted(shares)
    assert len(set(shares)) >= (1 if program.name in FEW else 3), shares
    assert poll(server, program.name)["status"] == "completed"
