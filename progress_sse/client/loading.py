"""What a fork must not come in the middle of: importing the HTTP client, and making one.

Foreign code runs meanwhile, be it a finaliser, and may wait for what another thread holds. So whatever waits here does
so for a time only, and a job that reports does not wait at all.
"""

import importlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from progress_sse.client.errors import TroubleKept

LIMIT_S: Final = 5.0
"""Seconds that a fork waits at most."""

_busy = threading.RLock()


@contextmanager
def loading() -> Iterator[None]:
    """Let a fork wait for this block."""
    busy = _busy
    is_ours = busy.acquire(timeout=LIMIT_S)
    try:
        yield
    finally:
        if is_ours:
            busy.release()


def load_http() -> None:
    """Import what sends by HTTP, unless another thread does that already.

    Where that fails, for want of a descriptor for instance, the import of what sends is another chance.
    """
    busy = _busy
    if not busy.acquire(blocking=False):
        return
    try:
        with TroubleKept():
            importlib.import_module("progress_sse.client.http")
    finally:
        busy.release()


def _release() -> None:
    with suppress(RuntimeError):  # It is another thread's: the fork has waited for long enough.
        _busy.release()


def _begin_in_child() -> None:
    global _busy
    _busy = threading.RLock()


os.register_at_fork(
    before=lambda: _busy.acquire(timeout=LIMIT_S), after_in_parent=_release, after_in_child=_begin_in_child
)
