"""Progress in the tab of a terminal: real commands whose stderr is a pseudo terminal."""

import os
import re
import signal
import subprocess
from typing import Any

import httpx
import pytest

from tests.harness.presence import present
from tests.harness.serving import Server, eventually, session_path
from tests.live.shell.commands import COMMAND, TOKEN, WAIT_S, environment, finish, poll, start

READS_PROGRESS = {"TERM": "xterm-256color", "TERM_PROGRAM": "", "LC_TERMINAL": ""}
OLD_ITERM = {"TERM_PROGRAM": "iTerm.app", "TERM_PROGRAM_VERSION": "3.6.5"}


class OnTerminal:
    """A command whose stderr is a terminal; it also takes what is typed there."""

    def __init__(self, *command: str, url: str | None, **more: str) -> None:
        self.keyboard, slave = os.openpty()
        given, pipe = environment(url, **{**READS_PROGRESS, **more}), subprocess.PIPE
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


def watching(session_id: str, *options: str, server: Server, **more: str) -> OnTerminal:
    return OnTerminal(*COMMAND, "watch", session_id, *options, url=server.url, **more)


def running(*command: str, server: Server) -> OnTerminal:
    return OnTerminal(*COMMAND, "run", *command, url=server.url)


def create(server: Server, session_id: str) -> None:
    publish(server, "PUT", session_path(session_id), {"steps": ["Dump", "Send"]})


def fail(server: Server, session_id: str) -> None:
    create(server, session_id)
    update(server, session_id, "start")
    update(server, session_id, "complete", success=False, error="no space")


def update(server: Server, session_id: str, action: str, step: int = 1, **more: Any) -> None:
    publish(server, "POST", session_path(session_id, "update"), {"action": action, "step": step, **more})


def publish(server: Server, method: str, path: str, body: dict[str, Any]) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert httpx.request(method, server.url + path, json=body, headers=headers).is_success


def test_watching_shows_the_percentage_of_the_page_and_clears_it(server: Server) -> None:
    """It rises with each report."""
    watch = watching("rising", server=server)
    create(server, "rising")
    watch.shown(b"1;0")
    update(server, "rising", "start")
    for current, percentage in ((1, b"12"), (3, b"37")):
        update(server, "rising", "progress", current=current, total=4)
        watch.shown(b"1;" + percentage)
    update(server, "rising", "complete")
    watch.shown(b"1;50")
    update(server, "rising", "start", 2)
    update(server, "rising", "complete", 2)
    assert watch.end()[0] == 0
    assert watch.states() == [b"1;0", b"1;12", b"1;37", b"1;50", b"0"]


def test_a_failed_step_is_red_while_the_session_goes_on(server: Server) -> None:
    """So is the end in error, until the command ends."""
    fail(server, "failing")
    update(server, "failing", "start", 2)
    watch = watching("failing", server=server)
    watch.shown(b"2;0")
    update(server, "failing", "progress", 2, current=1, total=2)
    watch.shown(b"2;25")
    update(server, "failing", "complete", 2)
    assert watch.end()[0] == 1
    assert watch.states() == [b"2;0", b"2;25", b"2;50", b"0"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_clears_the_tab(server: Server, number: int) -> None:
    """That ends the command as ever."""
    create(server, f"ended-{number}")
    watch = watching(f"ended-{number}", server=server)
    watch.shown(b"1;0")
    watch.process.send_signal(number)
    assert watch.end()[0] == 128 + number
    assert watch.states() == [b"1;0", b"0"]
    run = running("--session", f"signalled-{number}", "--", "sleep", "60", server=server)
    run.shown(b"3")
    run.process.send_signal(number)
    assert run.end()[0] == 128 + number
    assert run.states() == [b"3", b"2", b"0"]


def test_stdout_stays_as_it_is_where_the_tab_shows_progress(server: Server) -> None:
    """Byte for byte, in each form."""
    fail(server, "alike")
    for output in ("plain", "json"):
        watch = watching("alike", "--output", output, server=server)
        plain = finish(start("watch", "alike", "--output", output, url=server.url))
        assert (*watch.end(), b"") == plain
        assert watch.states() == [b"2;0", b"0"]


def test_nothing_is_written_where_it_is_unwanted_or_misread(server: Server) -> None:
    """By an option, or by the name of the terminal."""
    fail(server, "silent")
    for option in ("--no-osc", "--output=quiet"):
        watch = watching("silent", option, server=server)
        assert (watch.end()[0], watch.states()) == (1, [])
    for more in ({"TERM": "dumb"}, {"TERM": "linux"}, OLD_ITERM):
        watch = watching("silent", server=server, **more)
        assert (watch.end()[0], watch.states()) == (1, [])


def test_nothing_is_written_where_stderr_is_no_terminal(server: Server) -> None:
    """Such as in a pipeline, though stdout is one."""
    keyboard, slave = os.openpty()
    given = environment(server.url, **READS_PROGRESS)
    command = [*COMMAND, "run", "--", "true"]
    ran = subprocess.run(command, stdout=slave, stderr=subprocess.PIPE, env=given, timeout=WAIT_S)
    os.close(slave)
    assert (ran.returncode, ran.stderr.count(b"\x1b")) == (0, 0)
    with pytest.raises(OSError, match="Input/output error"):
        os.read(keyboard, 1)
    os.close(keyboard)


def test_a_command_is_shown_at_work(server: Server) -> None:
    """How long it takes is unknown; a failure is red until the end. The output of the command is as ever."""
    for status, expected in ((0, [b"3", b"0"]), (4, [b"3", b"2", b"0"])):
        run = running("--", "sh", "-c", f"read x; echo out; exit {status}", server=server)
        run.shown(b"3")
        assert run.end(b"\n") == (status, b"out\n")
        assert run.states() == expected


def test_the_tab_shows_how_far_a_command_is(server: Server) -> None:
    run = running("--progress", "auto", "--", "sh", "-c", r"printf '\r10%%\r55%%\r' >&2; read x", server=server)
    run.shown(b"1;55")
    assert run.end(b"\n")[0] == 0
    assert run.states()[-1] == b"0"


async def test_a_command_that_writes_to_the_tab_has_it_alone(server: Server) -> None:
    """Not even its end is cleared by us."""
    script = r"printf '\033]9;4;1;20\033\\' >&2; read x"
    run = running("--session", "alone", "--progress", "auto", "--", "sh", "-c", script, server=server)
    await eventually(lambda: poll(server, "alone")["steps"][0].get("progress") == {"current": 20, "total": 100}, WAIT_S)
    assert run.end(b"\n")[0] == 0
    assert run.states() == [b"3", b"1;20"]


def test_a_stopped_terminal_does_not_stop_a_command(server: Server) -> None:
    """Ctrl-S stops it."""
    run = running("--session", "stopped", "--", "cat", server=server)
    run.shown(b"3")
    os.write(run.keyboard, b"\x13")
    out = run.process.communicate(b"all", WAIT_S)[0]
    assert (run.process.returncode, out) == (0, b"all")
    assert poll(server, "stopped")["status"] == "completed"
    os.close(run.keyboard)


def test_a_command_in_the_background_is_not_stopped(server: Server) -> None:
    """Though the terminal stops the jobs that write to it from there."""
    fail(server, "behind")
    script = 'set -m; stty tostop; "$@" & wait $!; echo $?'
    inside = ["bash", "-c", script, "bash", *COMMAND, "watch", "behind"]
    watch = OnTerminal("sh", "-c", 'exec setsid --ctty --wait "$@" <&2', "sh", *inside, url=server.url)
    assert watch.end()[1].endswith(b"\n1\n")
    assert watch.states() == [b"2;0", b"0"]


def test_the_demo_shows_a_job() -> None:
    """Until it ends."""
    demo = OnTerminal(*COMMAND, "demo", "--no-open", url=None)
    assert b"The demo is at" in present(demo.process.stdout).readline()
    demo.shown(rb"1;\d+")
    demo.process.terminate()
    assert demo.end()[0] == 0
    assert demo.states()[-1] == b"0"
