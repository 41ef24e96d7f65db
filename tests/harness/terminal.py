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
from types import TracebackType
from typing import Any, Self

WAIT_S = 60


class Terminal:
    """A terminal of 24 lines and 80 columns, until a test gives it another size.

    Attributes:
        shown: All bytes that were written to it.
    """

    def __init__(self) -> None:
        self.shown = b""
        self._seen = 0
        self._master, slave = os.openpty()
        self._slave = FileIO(slave, "r+")
        self._woken, self._wakes = os.pipe()
        self._processes: list[subprocess.Popen[Any]] = []
        self._came = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self.resize(24, 80)

    def __enter__(self) -> Self:
        self._reader.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """Take it away from its processes."""
        self._slave.close()
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

    def start(self, command: Sequence[str], environment: Mapping[str, str], **options: Any) -> subprocess.Popen[Any]:
        """Start a command in the foreground of the terminal, with options of `Popen`, such as other streams."""
        opening = ["sh", "-c", ': <>"$0"; exec "$@"', os.ttyname(self._slave.fileno())]  # By which it is controlling.
        options = dict.fromkeys(("stdin", "stdout", "stderr"), self._slave) | options
        process = subprocess.Popen([*opening, *command], env=environment, start_new_session=True, **options)
        self._processes.append(process)
        return process

    def run(
        self, command: Sequence[str], environment: Mapping[str, str], *typed: tuple[bytes, bytes], **options: Any
    ) -> tuple[int, bytes]:
        """Run a command, and type keys after patterns; return its exit status and all that it has shown."""
        process = self.start(command, environment, **options)
        for pattern, keys in typed:
            self.wait_for(pattern)
            self.type(keys)
        status = process.wait(WAIT_S)
        self._slave.close()
        self._reader.join(WAIT_S)
        assert not self._reader.is_alive(), "a process is left"
        return status, self.shown

    def type(self, keys: bytes, awaited: bytes = b"") -> None:
        """Type, as fast as the terminal takes it, and wait for a pattern."""
        while keys:
            keys = keys[os.write(self._master, keys) :]
        self.wait_for(awaited)

    def wait_for(self, pattern: bytes) -> re.Match[bytes]:
        """Wait until what is shown after the last match matches a pattern, and return the match."""
        until = time.monotonic() + WAIT_S
        with self._came:
            while (found := re.compile(pattern, re.DOTALL).search(self.shown, self._seen)) is None:
                assert self._came.wait(until - time.monotonic()), (pattern, self.shown[-1000:])
            self._seen = found.end()
            return found

    def resize(self, lines: int, columns: int) -> None:
        """Give it another size; who runs in its foreground gets SIGWINCH."""
        termios.tcsetwinsize(self._master, (lines, columns))

    def modes(self) -> list[object]:
        """Return its modes."""
        return termios.tcgetattr(self._master)
