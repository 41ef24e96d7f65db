"""Signals that come before a command has begun its work, or while it waits for its server."""

import signal
import socket
import subprocess
import sys

import pytest

from tests.live.shell.commands import WAIT_S, environment, finish, start

INTERRUPTED_AT = """
import os, signal, sys
class Finder:
    def find_spec(name, *_):
        if name == sys.argv[1]:
            os.kill(os.getpid(), int(sys.argv[2]))
sys.meta_path.insert(0, Finder)
from progress_sse.cli.main import main
main(sys.argv[3:])
"""
"""Runs a command that gets a signal while it imports a module."""

ARGUMENTS = {
    "run": ["--", "true"],
    "watch": ["a"],
    "list": [],
    "step": ["a", "1", "start"],
    "create": ["a"],
    "finish": ["a"],
    "doctor": [],
}


def in_shell(status: int) -> int:
    """What a shell makes of an exit status, or of a signal that has ended the process."""
    return 128 - status if status < 0 else status


@pytest.mark.parametrize("name", ARGUMENTS)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_command_that_gets_a_signal_while_it_begins_ends_by_it(name: str, number: int) -> None:
    """Its status is the same as later on, and so it says nothing."""
    module = {"run": "run_command", "list": "list_sessions", "watch": "watch", "doctor": "doctor.examination"}
    imported = f"progress_sse.cli.{module.get(name, 'reports')}"
    ran = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_AT, imported, str(number), name, *ARGUMENTS[name]],
        env=environment("http://127.0.0.1:1"),
        capture_output=True,
        timeout=WAIT_S,
        check=False,
    )
    assert (in_shell(ran.returncode), ran.stdout, ran.stderr) == (128 + number, b"", b"")


@pytest.mark.parametrize("arguments", [["watch", "a"], ["list"], ["step", "a", "1", "start"], ["doctor"]])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_command_that_gets_a_signal_while_its_server_is_silent_ends_by_it(arguments: list[str], number: int) -> None:
    """The server has taken its request, and does not answer."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        process = start(*arguments, url=f"http://127.0.0.1:{silent.getsockname()[1]}")
        silent.settimeout(WAIT_S)
        connection, _ = silent.accept()
        with connection:
            connection.recv(1)
            process.send_signal(number)
            status, _, _ = finish(process)
    assert in_shell(status) == 128 + number
