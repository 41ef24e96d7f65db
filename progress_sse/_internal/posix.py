"""Functions of POSIX, which do nothing on other systems: there is no fork, and no signal comes to a thread."""

import os
import signal
import sys
from collections.abc import Callable


def at_fork(
    *,
    before: Callable[[], object] = lambda: None,
    after_in_parent: Callable[[], object] = lambda: None,
    after_in_child: Callable[[], object],
) -> None:
    """Call functions whenever this process forks."""
    if sys.platform != "win32" and hasattr(os, "register_at_fork"):
        os.register_at_fork(before=before, after_in_parent=after_in_parent, after_in_child=after_in_child)


def block_signals() -> None:
    """Let no signal come to the calling thread."""
    if sys.platform != "win32" and hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
