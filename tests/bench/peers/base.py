"""A server under test: its installation, start, requests and stop."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.plan import Dialect

HOST = "127.0.0.1"
START_S = 20.0
STOP_S = 2.0
ROOT = Path(__file__).parents[3]


class MissingError(Exception):
    """Raised when a peer is not on this machine and cannot be installed."""


class Peer:
    """One server under test.

    Attributes:
        name: Its name in tables.
        dialect: Its requests.
        is_python: Whether it is a candidate for "the best Python peer".
    """

    name: str
    dialect: Dialect
    is_python: bool = False

    def install(self, folder: Path) -> None:
        """Install it, keeping files in a permanent folder.

        Raises:
            MissingError: It is not available here; the text says why.
        """

    def command(self, port: int, folder: Path) -> list[str]:
        """The command that serves on a port, with an empty folder for its files."""
        raise NotImplementedError

    def serving_pid(self, pid: int) -> int:
        """The process that does the work, given the process that was started."""
        return pid


@dataclass(slots=True)
class PythonPeer(Peer):
    """A module that serves on the port in its first argument, run by the present interpreter."""

    name: str
    dialect: Dialect
    arguments: tuple[str, ...]
    is_python: bool = True

    def command(self, port: int, folder: Path) -> list[str]:
        """Run the module; `{port}` and `{folder}` in the arguments are replaced."""
        put_in = {"{port}": str(port), "{folder}": str(folder)}
        return [sys.executable, "-m", *(_replaced(argument, put_in) for argument in self.arguments)]


def _replaced(text: str, put_in: dict[str, str]) -> str:
    for name, value in put_in.items():
        text = text.replace(name, value)
    return text


@contextmanager
def running(peer: Peer, folder: Path, core: int) -> Iterator[tuple[int, int]]:
    """Run a server on one core; the block gets its port and the process that does the work."""
    port = free_port()
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            peer.command(port, folder),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),  # this program has no threads that it could harm
        )
    try:
        if not is_listening(port, lambda: process.poll() is None):
            raise OSError(f"the server did not start: {(folder / 'server.log').read_text()[-500:]}")
        yield port, peer.serving_pid(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    """A port on which no process listens; as a rule, the next one is free too."""
    with socket.socket() as sock:
        sock.bind((HOST, 0))
        port: int = sock.getsockname()[1]
        return port


def is_listening(port: int, is_alive: Callable[[], bool] = lambda: True) -> bool:
    """Wait until a process listens on a port, and return whether one does."""
    deadline = time.monotonic() + START_S
    while is_alive() and time.monotonic() < deadline:
        try:
            socket.create_connection((HOST, port), timeout=START_S).close()
        except ConnectionRefusedError:
            time.sleep(0.02)
        else:
            return True
    return False
