"""A server under test: how it is installed, started, spoken to and stopped."""

from __future__ import annotations

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
from typing import Protocol

from tests.bench.plan import Dialect

HOST = "127.0.0.1"
START_S = 20.0
STOP_S = 2.0
ROOT = Path(__file__).parents[3]


class MissingError(Exception):
    """Raised when a peer is not on this machine and cannot be installed."""


class Peer(Protocol):
    """One server under test.

    Attributes:
        name: What tables call it.
        dialect: How it is spoken to.
        is_python: Whether it counts for "the best Python peer".
    """

    @property
    def name(self) -> str: ...

    @property
    def dialect(self) -> Dialect: ...

    @property
    def is_python(self) -> bool: ...

    def install(self, folder: Path) -> None:
        """Make it ready to be started, keeping files in a folder that lasts.

        Raises:
            MissingError: It cannot be had here; the text says why.
        """

    def command(self, port: int, folder: Path) -> list[str]:
        """The command that serves on a port, with an empty folder for its files."""

    def serving_pid(self, pid: int) -> int:
        """The process that does the work, given the one that was started."""


@dataclass(frozen=True, slots=True)
class PythonPeer:
    """A module that serves on the port in its first argument, run by the interpreter that runs this."""

    name: str
    dialect: Dialect
    arguments: tuple[str, ...]
    is_python: bool = True

    def install(self, folder: Path) -> None:
        """Nothing to do: what it needs is installed with the project."""

    def command(self, port: int, folder: Path) -> list[str]:
        """Run the module; `{port}` and `{folder}` are put into the arguments."""
        put_in = {"{port}": str(port), "{folder}": str(folder)}
        return [sys.executable, "-m", *(_replaced(argument, put_in) for argument in self.arguments)]

    def serving_pid(self, pid: int) -> int:
        """The process itself."""
        return pid


def _replaced(text: str, put_in: dict[str, str]) -> str:
    for name, value in put_in.items():
        text = text.replace(name, value)
    return text


@contextmanager
def running(peer: Peer, folder: Path, core: int) -> Iterator[tuple[int, int]]:
    """Run a server on one core, and give its port and the process that does the work."""
    port = free_port()
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            peer.command(port, folder),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),  # there are no threads here that it could harm
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
    """A port that nobody listens on; the one after it is nobody's either, as a rule."""
    with socket.socket() as sock:
        sock.bind((HOST, 0))
        port: int = sock.getsockname()[1]
        return port


def is_listening(port: int, is_alive: Callable[[], bool] = lambda: True) -> bool:
    """Wait until somebody listens on a port, and tell whether it came to that."""
    deadline = time.monotonic() + START_S
    while is_alive() and time.monotonic() < deadline:
        try:
            socket.create_connection((HOST, port), timeout=START_S).close()
        except ConnectionRefusedError:
            time.sleep(0.02)
        else:
            return True
    return False
