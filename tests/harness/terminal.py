"""A terminal of a test: a pseudo terminal with a size, whose output a thread reads, and at which the test types."""

import contextlib
import os
import re
import select
import subprocess
import termios
import threading
import time
from collections.abc import Mapping, Sequence
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import IO, Self

WAIT_S = 60


class Terminal:
    """A terminal of 24 lines and 80 columns, unless a test has another size.

    Attributes:
        shown: All bytes that were written to it.
    """

    def __init__(self, lines: int = 24, columns: int = 80) -> None:
        self.shown = b""
        self._master, slave = os.openpty()
        self._slave = FileIO(slave, "r+")
        self._woken, self._wakes = os.pipe()
        self._processes: list[subprocess.Popen[bytes]] = []
        self._came = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self.resize(lines, columns)

    def __enter__(self) -> Self:
        self._reader.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """Take it away from its processes."""
        self._let_go()
        if self._reader.is_alive():
            os.write(self._wakes, b"x")
            self._reader.join(WAIT_S)
        for each in (self._master, self._woken, self._wakes):
            os.close(each)
        for process in self._processes:
            process.kill()
            process.wait(WAIT_S)

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # A read fails once no process has the terminal.
            while select.select([self._master, self._woken], [], [])[0] == [self._master]:
                chunk = os.read(self._master, 2**16)
                with self._came:
                    self.shown += chunk
                    self._came.notify_all()

    def _let_go(self) -> None:
        """Leave it to the processes that have been started."""
        if not self._slave.closed:
            self._slave.close()

    def start(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        stdin: IO[bytes] | int | None = None,
        stdout: IO[bytes] | int | None = None,
        stderr: IO[bytes] | int | None = None,
        *,
        folder: Path | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a command in the foreground of the terminal, with other streams for those that are given."""
        ours = [self._slave if each is None else each for each in (stdin, stdout, stderr)]
        opening = ["sh", "-c", ': <>"$0"; exec "$@"', os.ttyname(self._slave.fileno())]  # By which it is controlling.
        process = subprocess.Popen(
            [*opening, *command],
            stdin=ours[0],
            stdout=ours[1],
            stderr=ours[2],
            env=environment,
            cwd=folder,
            start_new_session=True,
        )
        self._processes.append(process)
        return process

    def run(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *typed: tuple[bytes, bytes],
        folder: Path | None = None,
    ) -> tuple[int, bytes]:
        """Run a command, and type keys after patterns; return its exit status and all that it has shown."""
        process = self.start(command, environment, folder=folder)
        seen = 0
        for pattern, keys in typed:
            seen = self.wait_for(pattern, seen)
            self.type(keys)
        status = process.wait(WAIT_S)
        self._let_go()
        self._reader.join(WAIT_S)
        assert not self._reader.is_alive(), "a process is left"
        return status, self.shown

    def type(self, keys: bytes) -> None:
        """Type, as fast as the terminal takes it."""
        while keys:
            keys = keys[os.write(self._master, keys) :]

    def wait_for(self, pattern: bytes, after: int = 0) -> int:
        """Wait until what is shown after a place matches a pattern, and return the place where the match ends."""
        until = time.monotonic() + WAIT_S
        with self._came:
            while (found := re.search(pattern, self.shown[after:], re.DOTALL)) is None:
                assert self._came.wait(until - time.monotonic()), (pattern, self.shown[-1000:])
            return after + found.end()

    def resize(self, lines: int, columns: int) -> None:
        """Give it another size; who runs in its foreground gets SIGWINCH."""
        termios.tcsetwinsize(self._master, (lines, columns))

    def modes(self) -> list[object]:
        """Return its modes."""
        return termios.tcgetattr(self._master)
