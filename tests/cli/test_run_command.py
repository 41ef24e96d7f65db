"""The descriptors of `progress-sse run`, and commands that report on their own step."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import Serve
from tests.harness.serving import ROOT, Server, session_path

HELD_DESCRIPTORS = """
import os
from progress_sse.cli.run_command import Target, run

def held():
    return len(os.listdir("/proc/self/fd"))

before = held()
assert run(({command!r},), Target(None, None, None, None, None)) == {status}
assert held() == before, (before, held())
"""


@pytest.mark.parametrize(("command", "status"), [("true", 0), ("/nowhere/command", 127), ("/etc/passwd", 126)])
def test_no_descriptor_of_a_command_stays_open(command: str, status: int) -> None:
    """This holds whether it ran or could not be started."""
    code = HELD_DESCRIPTORS.format(command=command, status=status)
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stderr.count("Traceback")) == (0, 0), result.stderr


def last_step(serve: Serve, job: str, *options: str) -> tuple[dict[str, Any], subprocess.CompletedProcess[str]]:
    """Run a Python job by `progress-sse run`, and return its step and how it ended."""
    server = serve()
    command = [sys.executable, "-c", "import os\nfrom progress_sse import Progress\n" + job]
    result = subprocess.run(
        [sys.executable, "-m", "progress_sse", "run", "--session", "nightly", *options, "--", *command],
        env={"PROGRESS_SSE_URL": server.url, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    [step, *_] = httpx.get(server.url + session_path("nightly")).json()["steps"]
    return step, result


OWN_STEP = """
progress = Progress.attach()
step = progress.step(int(os.environ["PROGRESS_SSE_STEP"]))
step.start()
assert progress.flush(20)
"""


@pytest.mark.parametrize("options", [(), ("--step", "1")])
@pytest.mark.full
def test_a_command_that_reports_its_own_step_has_the_same_attempt(serve: Serve, options: tuple[str, ...]) -> None:
    """If it is killed, its step ends with its exit status."""
    step, result = last_step(serve, OWN_STEP + "os.kill(os.getpid(), 9)", *options)
    assert (result.returncode, result.stderr) == (137, "")
    assert (step["status"], step["error"]) == ("error", "exit status 137 (Killed)")


def test_a_command_that_reports_its_own_step_loses_nothing(serve: Serve) -> None:
    """Nor does the command around it."""
    step, result = last_step(serve, OWN_STEP + "step.complete()")
    assert (result.returncode, result.stderr) == (0, "")
    assert (step["status"], step["attempt"]) == ("success", 1)


CANCELLABLE = """
sh -c '{child}' &
{work}
wait
"""


def cancel(server: Server, _process: subprocess.Popen[bytes]) -> None:
    """Ask as a reader does."""
    request = {"kind": "cancel", "reason": "wrong disk"}
    assert httpx.post(server.url + session_path("nightly", "requests"), json=request).status_code == 202


def terminate(_server: Server, process: subprocess.Popen[bytes]) -> None:
    """End the reporting process, as an operator does."""
    process.terminate()


def stopped(
    serve: Serve,
    folder: Path,
    work: str,
    child: str = "exec sleep 60",
    *options: str,
    stop: Callable[[Server, subprocess.Popen[bytes]], None] = cancel,
    program: Sequence[str] = ("-m", "progress_sse"),
) -> tuple[dict[str, Any], int]:
    """Stop a command that has a child, and return its session and the exit status."""
    server = serve()
    script = CANCELLABLE.format(work=work, child=child)
    arguments = ["run", "--session", "nightly", "--cancel", *options, "--", "sh", "-c", script]
    with subprocess.Popen(
        [sys.executable, *program, *arguments],
        env={"PROGRESS_SSE_URL": server.url, "PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]},
        start_new_session=True,  # So that there is no terminal.
    ) as process:
        until = time.monotonic() + 30
        while (
            httpx.get(server.url + session_path("nightly")).json().get("status") != "running"
            or not (folder / "begun").exists()
        ):
            assert time.monotonic() < until
            time.sleep(0.05)
        stop(server, process)
        status = process.wait(30)
    return httpx.get(server.url + session_path("nightly")).json(), status


def child_that_says_so(folder: Path) -> str:
    """Return a child that leaves a file when it gets SIGTERM."""
    trap = f'exec 2>/dev/null; trap "echo ended > {folder}/child; exit" TERM'
    return f"{trap}; : > {folder}/begun; while :; do sleep 0.05; done"


def wait_for_child(folder: Path) -> None:
    """Wait until the child has got its SIGTERM."""
    until = time.monotonic() + 10
    while not (folder / "child").exists():
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.mark.parametrize("options", [(), pytest.param(("--step", "1"), marks=pytest.mark.full)])
def test_a_reader_stops_a_command(serve: Serve, tmp_path: Path, options: tuple[str, ...]) -> None:
    """SIGTERM goes to its whole group, and the step ends as cancelled."""
    session, status = stopped(serve, tmp_path, ":", child_that_says_so(tmp_path), *options)
    assert status == 143
    assert session["steps"][0]["conclusion"] == "cancelled"
    assert session["steps"][0]["error"] == "wrong disk"
    assert session["requests"][0]["state"] == "honoured"
    assert session["conclusion"] == "cancelled"
    wait_for_child(tmp_path)


def test_a_signal_reaches_the_group_of_a_command_that_readers_may_stop(serve: Serve, tmp_path: Path) -> None:
    """It is no longer in the group of the process that gets the signal."""
    session, status = stopped(serve, tmp_path, ":", child_that_says_so(tmp_path), stop=terminate)
    assert status == 143
    assert "conclusion" not in session
    wait_for_child(tmp_path)


SHORT_GRACE = """
from progress_sse.cli import run_command
run_command.GRACE_S = 0.5
from progress_sse.cli.main import main
main()
"""


@pytest.mark.full
def test_a_child_that_ignores_sigterm_is_killed_after_its_command_has_ended(serve: Serve, tmp_path: Path) -> None:
    """The command has ended by SIGTERM long before, and nothing of its group is left."""
    child = f'trap "" TERM; echo $$ > {tmp_path}/child; : > {tmp_path}/begun; while :; do sleep 0.05; done'
    session, status = stopped(serve, tmp_path, ":", child, program=("-c", SHORT_GRACE))
    assert status == 143
    assert session["conclusion"] == "cancelled"
    until = time.monotonic() + 10
    while not is_over(int((tmp_path / "child").read_text())):
        assert time.monotonic() < until
        time.sleep(0.05)


def is_over(pid: int) -> bool:
    """Return whether a process has ended, though perhaps none waits for it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.full
def test_a_command_that_ignores_sigterm_is_killed(serve: Serve, tmp_path: Path) -> None:
    """It gets ten seconds."""
    session, status = stopped(serve, tmp_path, f"trap '' TERM; : > {tmp_path}/begun; while :; do sleep 0.1; done")
    assert status == 137
    assert session["conclusion"] == "cancelled"


ASKED_LATE = """
from progress_sse.cli import run_command
from progress_sse.cli.run_command import CommandStop
from progress_sse.client.exchange import AskedRequest
from progress_sse.client.inbox import Request

class AskedAtItsEnd(CommandStop):
    @property
    def cancellation(self):
        self.ask(Request(AskedRequest("1", "cancel"), lambda *_: None))
        return super().cancellation

run_command.CommandStop = AskedAtItsEnd
raise SystemExit(run_command.run(("true",), run_command.Target(None, None, None, None, None, cancel=True)))
"""


def test_a_request_after_the_end_of_the_command_is_too_late() -> None:
    """It ends neither the command's step as cancelled nor the process that reports the end."""
    result = subprocess.run([sys.executable, "-c", ASKED_LATE], capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stderr) == (0, "")
