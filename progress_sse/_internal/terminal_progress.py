"""Progress in the tab of a terminal, or on its task bar: ``ESC ] 9 ; 4 ; KIND ; PERCENTAGE ST``.

The sequence is ConEmu's [conemu.github.io/en/AnsiEscapeCodes.html#ConEmu_specific_OSC]. As by systemd, it is written to
each terminal that is not known to misread it [systemd, src/shared/pretty-print.c].
"""

import os
import queue
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from threading import Thread
from typing import Final

from progress_sse._internal.threads import here, run_apart
from progress_sse.story.drawing import HIDDEN, TabState

PERIOD_S: Final = 5.0
"""Seconds until a state is written again: Ghostty drops it after 15 [ghostty.org/docs/vt/osc/conemu]."""


class TerminalProgress:
    """Writes from a thread, so that a full terminal delays no caller.

    Attributes:
        is_closed: Whether it takes no states any more.
    """

    def __init__(self, descriptor: int | None, period_s: float = PERIOD_S) -> None:
        """Write to a terminal, again after each period of so many seconds; `None`: it is closed at once."""
        self._state = HIDDEN
        self._is_silent = False
        self._waiting: queue.SimpleQueue[TabState | None] = queue.SimpleQueue()
        # It takes no signals: they are for others, and SIGTTOU would stop a job in the background.
        self._thread = Thread(target=run_apart, args=(here(), self._run, descriptor, period_s), daemon=True)
        if descriptor is not None:
            with suppress(RuntimeError):  # There can be no more threads.
                self._thread.start()
        self.is_closed = not self._thread.is_alive()

    def set(self, state: TabState) -> None:
        """Show a state."""
        if not self.is_closed and state != self._state:
            self._state = state
            self._waiting.put(state)

    def silence(self) -> None:
        """Write nothing more, not even what waits: the tab is left to a program that writes the sequence itself."""
        self._is_silent = True
        self.is_closed = True
        self._waiting.put(None)

    def close(self) -> None:
        """Clear the tab, and wait until that is written; half a second where the terminal is stopped by Ctrl-S."""
        self.set(HIDDEN)
        self.is_closed = True
        self._waiting.put(None)
        if self._thread.is_alive():
            self._thread.join(0.5)

    def _run(self, descriptor: int, period_s: float) -> None:
        state: TabState | None = HIDDEN
        while True:
            with suppress(queue.Empty):
                state = self._waiting.get(timeout=None if state == HIDDEN else period_s)
            if state is None or self._is_silent:
                return
            with suppress(OSError):  # The terminal is gone.
                _write(descriptor, state)


def _write(descriptor: int, state: TabState) -> None:
    """Write a whole sequence: after a part of it, the terminal would swallow what others write."""
    rest = "\x1b]9;4;{}\x1b\\".format(";".join(str(each) for each in state if each is not None)).encode()
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:  # Another process has made it non-blocking, and it is full.
            time.sleep(0.05)


def on_stderr(*, no_osc: bool) -> TerminalProgress:
    """Return the progress on stderr; closed at once with `no_osc`, or where that is no such terminal."""
    return TerminalProgress(2 if not no_osc and os.isatty(2) and reads_progress(os.environ) else None)


def reads_progress(environment: Mapping[str, str]) -> bool:
    """Return whether the terminal of an environment is not known to misread the sequence."""
    if os.name == "nt":  # Consoles print it as text, save ConEmu, unless a program asks them not to.
        return environment.get("ConEmuANSI") == "ON"
    if environment.get("TERM", "") in ("", "dumb", "linux"):
        return False
    # Before 3.6.6, iTerm2 shows each as a notification [pytest-dev/pytest#13896]. SSH passes the second variable.
    for variable, program in (("TERM_PROGRAM", "iTerm.app"), ("LC_TERMINAL", "iTerm2")):
        if environment.get(variable) == program:
            version = re.findall(r"\d+", environment.get(f"{variable}_VERSION", ""))
            return [int(number) for number in version] >= [3, 6, 6]
    return True
