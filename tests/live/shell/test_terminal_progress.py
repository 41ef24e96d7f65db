"""Progress in the tab of a terminal: real commands whose stderr is a pseudo terminal."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Sequence

import pytest

from progress_sse import Progress
from tests.harness.presence import present
from tests.harness.serving import Server, eventually
from tests.live.shell.commands import COMMAND, TOKEN, WAIT_S, environment, finish, poll, start

READS_PROGRESS = {"TERM": "xterm-256color", "TERM_PROGRAM": "", "LC_TERMINAL": ""}


class OnTerminal:
    """A command of ours, whose stderr is a terminal; it also takes what is typed there."""

    def __init__(self, *arguments: str, url: str | None, within: Sequence[str] = (), **more: str) -> None:
        self.keyboard, slave = os.openpty()
        given, pipe = environment(url, **{**READS_PROGRESS, **more}), subprocess.PIPE
        command = [*within, *COMMAND, *arguments]
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=slave, env=given)
        os.close(slave)
        self._written = b""

    def shown(self, pattern: bytes) -> None:
        """Wait until the terminal has shown a state that fits."""
        while not any(re.fullmatch(pattern, each) for each in self.states()):
            self._written += os.read(self.keyboard, 4096)

    def states(self) -> list[bytes]:
        return re.findall(rb"\x1b]9;4;([0-9;]+)\x1b\\", self._written)

    def end(self, stdin: bytes = b"") -> tuple[int, bytes]:
        """Wait for the end of the command; return its exit status, and its stdout."""
        out = self.process.communicate(stdin, WAIT_S)[0]
        try:
            while piece := os.read(self.keyboard, 4096):
                self._written += piece
        except OSError:  # The other side has closed it.
            os.close(self.keyboard)
        assert re.sub(rb"\x1b]9;4;[0-9;]+\x1b\\", b"", self._written).count(b"\x1b") == 0
        return self.process.returncode, out


def begin(session_id: str, server: Server) -> Progress:
    """Begin the first of the two steps of a job."""
    progress = Progress(session_id, steps=["Dump", "Send"], url=server.url, token=TOKEN)
    progress.step(1).start()
    return progress


def fail(session_id: str, server: Server) -> None:
    with begin(session_id, server) as progress:
        progress.step(1).fail("no space")


def test_watching_shows_the_percentage_of_the_page_and_clears_it(server: Server) -> None:
    """It rises with each report."""
    watch = OnTerminal("watch", "rising", url=server.url)
    with begin("rising", server) as progress:
        for current, percentage in ((0, b"0"), (1, b"12"), (3, b"37"), (4, b"50")):
            progress.step(1).report(current, 4)
            watch.shown(b"1;" + percentage)
        progress.step(1).complete()
        with progress.step(2):
            pass
    assert watch.end()[0] == 0
    assert watch.states() == [b"1;0", b"1;12", b"1;37", b"1;50", b"0"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_clears_the_tab(server: Server, number: int) -> None:
    """That ends the command as ever."""
    begin(f"ended-{number}", server).flush()
    for command, states in (
        (["watch", f"ended-{number}"], [b"1;0", b"0"]),
        (["run", "--", "sleep", "60"], [b"3", b"2", b"0"]),
    ):
        ended = OnTerminal(*command, url=server.url)
        ended.shown(states[0])
        ended.process.send_signal(number)
        assert (ended.end()[0], ended.states()) == (128 + number, states)


def test_stdout_stays_as_it_is_where_the_tab_shows_progress(server: Server) -> None:
    """Byte for byte, in each form; nothing is written to a stderr that is no terminal."""
    fail("alike", server)
    for output in ("plain", "json"):
        watch = OnTerminal("watch", "alike", "--output", output, url=server.url)
        plain = finish(start("watch", "alike", "--output", output, url=server.url, **READS_PROGRESS))
        assert (*watch.end(), b"") == plain
        assert watch.states() == [b"2;0", b"0"]


def test_nothing_is_written_where_it_is_unwanted_or_misread(server: Server) -> None:
    """By an option, or by the name of the terminal."""
    fail("silent", server)
    for option, term in (("--no-osc", "xterm"), ("--output=quiet", "xterm"), ("--output=plain", "dumb")):
        watch = OnTerminal("watch", "silent", option, url=server.url, TERM=term)
        assert (watch.end()[0], watch.states()) == (1, [])


def test_a_command_is_shown_at_work(server: Server) -> None:
    """How long it takes is unknown; a failure is red until the end. The output of the command is as ever."""
    for status, expected in ((0, [b"3", b"0"]), (4, [b"3", b"2", b"0"])):
        run = OnTerminal("run", "--", "sh", "-c", f"read x; echo out; exit {status}", url=server.url)
        run.shown(b"3")
        assert (run.end(b"\n"), run.states()) == ((status, b"out\n"), expected)


def test_the_tab_shows_how_far_a_command_is(server: Server) -> None:
    script = r"printf '\r10%%\r20%%\r55%%\r' >&2; read x"
    run = OnTerminal("run", "--progress", "auto", "--", "sh", "-c", script, url=server.url)
    run.shown(b"1;55")
    assert run.end(b"\n")[0] == 0
    assert run.states()[-1] == b"0"


async def test_a_command_that_writes_to_the_tab_has_it_alone(server: Server) -> None:
    """Not even its end is cleared by us."""
    script = r"read x; printf '\033]9;4;1;20\033\\' >&2; read x"
    run = OnTerminal("run", "--session", "alone", "--progress", "auto", "--", "sh", "-c", script, url=server.url)
    run.shown(b"3")
    os.write(present(run.process.stdin).fileno(), b"\n")
    await eventually(lambda: '"current": 20' in json.dumps(poll(server, "alone")["steps"]), WAIT_S)
    assert run.end(b"\n")[0] == 0
    assert run.states() == [b"3", b"1;20"]


def test_a_stopped_terminal_does_not_stop_a_command(server: Server) -> None:
    """Ctrl-S stops it."""
    run = OnTerminal("run", "--session", "stopped", "--", "cat", url=server.url)
    run.shown(b"3")
    os.write(run.keyboard, b"\x13")
    out = run.process.communicate(b"all", WAIT_S)[0]
    assert (run.process.returncode, out) == (0, b"all")
    assert poll(server, "stopped")["status"] == "completed"
    os.close(run.keyboard)


def test_a_command_in_the_background_is_not_stopped(server: Server) -> None:
    """Though the terminal stops the jobs that write to it from there."""
    fail("behind", server)
    script = 'set -m; stty tostop; "$@" & wait $!; echo $?'
    within = ["sh", "-c", 'exec setsid --ctty --wait "$@" <&2', "sh", "bash", "-c", script, "bash"]
    watch = OnTerminal("watch", "behind", url=server.url, within=within)
    assert watch.end()[1].endswith(b"\n1\n")
    assert watch.states() == [b"2;0", b"0"]


def test_the_demo_shows_a_job() -> None:
    """Until it ends."""
    demo = OnTerminal("demo", "--no-open", url=None)
    assert b"The demo is at" in present(demo.process.stdout).readline()
    demo.shown(rb"1;\d+")
    demo.process.terminate()
    assert demo.end()[0] == 0
    assert demo.states()[-1] == b"0"
