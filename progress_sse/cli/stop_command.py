"""Stops the command of `progress-sse run` when a reader asks for that: SIGTERM, and after a grace SIGKILL.

The signals go to the command's process group. SIGKILL comes also where the command itself has ended and others of its
group have not. Beside a terminal the command stays in the group of the shell's job, so that it can read from the
terminal, and gets the signals alone.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Collection
from typing import Final

from progress_sse.client.errors import Cancelled
from progress_sse.client.inbox import Request
from progress_sse.core.updates import StepRef

assert sys.platform == "linux", "the command checks it"

GRACE_S: Final = 10.0
"""Seconds from SIGTERM to SIGKILL."""

LOOK_S: Final = 0.05
"""Seconds between two looks whether the group of a command that has ended is empty."""

WAKE: Final = signal.SIGRTMIN
"""Wakes the thread that waits for the command; this process sends it to itself."""


class CommandStop:
    """Whether the command is to be stopped, and how far that is.

    Attributes:
        has_group: Whether the command gets a process group of its own.
    """

    def __init__(self, step: StepRef, *, may_stop: bool) -> None:
        """Begin without a request, for a command that is this step."""
        self.has_group = may_stop and not _has_terminal()
        self._step = step
        self._request: Request | None = None
        self._kill_at: float | None = None
        self._has_begun = False
        self._has_ended = False

    @property
    def cancellation(self) -> Cancelled | None:
        """How the step ends; `None` if the command was not stopped."""
        return self._request.cancellation() if self._has_begun and self._request is not None else None

    def ask(self, request: Request) -> None:
        """Let the command be stopped, if that is what a reader asks; called from another thread."""
        if request.concerns(self._step):
            self._request = request
            os.kill(os.getpid(), WAKE)

    def end(self) -> None:
        """Note that the command itself has ended."""
        self._has_ended = True

    def has_left_others(self, pid: int) -> bool:
        """Return whether the command is being stopped, and others of its group are left."""
        if not self.has_group or self._kill_at is None:
            return False
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-pid, os.WNOHANG) != (0, 0):  # As process 1 of a container we get them as children.
                pass
        try:
            os.killpg(pid, 0)
        except OSError:  # There are none, or none that may be stopped.
            return False
        return True

    def next_signal(self, pid: int, awaited: Collection[int]) -> signal.struct_siginfo | None:
        """Return the next of these signals, and stop the command meanwhile if it is time to.

        `None`: the command has ended, and it is time to look whether others are left.
        """
        while True:
            waited_for = {*awaited, WAKE}
            left_s = self._left_s()
            received = signal.sigwaitinfo(waited_for) if left_s is None else signal.sigtimedwait(waited_for, left_s)
            if received is None:
                if self._kill_at is not None and time.monotonic() >= self._kill_at:
                    self._kill_at = None
                    self.send(pid, signal.SIGKILL)
                if self._has_ended:
                    return None
            elif received.si_signo != WAKE:
                return received
            elif self._request is not None and not self._has_begun:
                self._has_begun = True
                self._kill_at = time.monotonic() + GRACE_S
                self.send(pid, signal.SIGTERM)

    def _left_s(self) -> float | None:
        """Return for how long to wait for a signal; `None` without a limit."""
        if self._kill_at is None:
            return None
        left_s = max(0.0, self._kill_at - time.monotonic())
        return min(left_s, LOOK_S) if self._has_ended else left_s

    def send(self, pid: int, number: int) -> None:
        """Send the command a signal, and its whole group if that is its own."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if self.has_group:
                os.killpg(pid, number)
            else:
                os.kill(pid, number)


def _has_terminal() -> bool:
    with contextlib.suppress(OSError):
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
        return True
    return False
