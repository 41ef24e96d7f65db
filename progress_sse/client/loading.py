"""Delays forks while the HTTP client is imported or created.

A finaliser may run in between and wait for a lock of another thread. So each wait has a limit.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from progress_sse._internal.threads import at_fork

LIMIT_S: Final = 5.0
"""Maximum seconds that a fork, or another block, waits."""

_busy = threading.RLock()


@contextmanager
def loading(*, waits: bool = True) -> Iterator[bool]:
    """Let forks wait for this block, and yield whether they will; it `waits` until another thread has left one."""
    busy = _busy
    is_ours = busy.acquire(timeout=LIMIT_S if waits else 0)
    try:
        yield is_ours
    finally:
        if is_ours:
            busy.release()


def _release() -> None:
    with suppress(RuntimeError):  # Another thread holds it: the fork's wait has timed out.
        _busy.release()


def _begin_in_child() -> None:
    global _busy
    _busy = threading.RLock()


at_fork(before=lambda: _busy.acquire(timeout=LIMIT_S), after_in_parent=_release, after_in_child=_begin_in_child)
