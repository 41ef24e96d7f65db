"""Threads of the system, and their queues, also where gevent has put greenlets in their place.

A greenlet would send nothing while another one computes, and would go on in a forked child. Eventlet's stay greenlets:
its locks, such as that of a log handler, fail where two threads of the system use them.
"""

import _thread
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, TypeVar


def at_fork(**functions: Callable[[], object]) -> None:
    """Call functions whenever this process forks, as `os.register_at_fork` does, which not all systems have."""
    if sys.platform != "win32" and hasattr(os, "register_at_fork"):
        os.register_at_fork(**functions)


LOADING_S: Final = 5.0
"""Maximum seconds that a fork, or another block, waits for a block of `loading`."""

_busy = threading.RLock()


@contextmanager
def loading(*, waits: bool = True) -> Iterator[bool]:
    """Let forks wait for this block, in which the HTTP client is imported or created, and yield whether they will.

    It `waits` until another thread has left one. A finaliser may run in between and wait for a lock of another thread.
    So each wait has a limit.
    """
    busy = _busy
    is_ours = busy.acquire(timeout=LOADING_S if waits else 0)
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


at_fork(before=lambda: _busy.acquire(timeout=LOADING_S), after_in_parent=_release, after_in_child=_begin_in_child)


T = TypeVar("T")

GREENLET_POLL_S: Final = 0.01
"""Seconds between two looks at a queue where other greenlets are to run."""


def _original(module: ModuleType, name: str) -> Any:
    """Return an attribute of a module as it was before gevent replaced it."""
    gevent = sys.modules.get("gevent.monkey")
    return gevent.get_original(module.__name__, name) if gevent else getattr(module, name)


start_new_thread: Final[Callable[..., int]] = _original(_thread, "start_new_thread")

if TYPE_CHECKING:
    from queue import SimpleQueue as SimpleQueue
else:
    SimpleQueue = _original(queue, "SimpleQueue")


def here() -> int:
    """Return the number of the system's thread that runs this; 0 where the system has none."""
    return getattr(threading, "get_native_id", int)()


def run_apart(starter: int, function: Callable[..., object], *args: object) -> None:
    """Call a function in a new thread, to which no signal is to come: they are for the job.

    A signal that the job's threads block would come here, and SIGPIPE might end the thread. A greenlet runs in the
    thread of its `starter`, which blocks none.
    """
    if here() != starter and sys.platform != "win32" and hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    function(*args)


def import_parts_of_gevent() -> None:
    """Import what gevent would import with the first request of the sending thread.

    A fork during that import would leave its lock to the child, where no thread releases it.
    """
    gevent = sys.modules.get("gevent.monkey")
    if gevent is not None and gevent.is_module_patched("socket"):
        for part in ("resolver", "threadpool"):
            getattr(sys.modules["gevent"].config, part)


def _has_greenlets() -> bool:
    """Return whether `time.sleep` lets other greenlets run."""
    gevent = sys.modules.get("gevent.monkey")
    eventlet = sys.modules.get("eventlet.patcher")
    by_gevent = gevent is not None and gevent.is_module_patched("time")
    return by_gevent or (eventlet is not None and eventlet.is_monkey_patched("time"))


def take(waiting: "SimpleQueue[T]", timeout_s: float) -> T:
    """Return the next entry; other greenlets run until there is one.

    Raises:
        queue.Empty: There is none after so many seconds.
    """
    until = time.monotonic() + timeout_s
    if _has_greenlets():
        with suppress(AssertionError):  # By gevent, in a callback of its loop: no other one can run.
            while waiting.empty() and time.monotonic() < until:
                time.sleep(GREENLET_POLL_S)
    return waiting.get(timeout=max(0.0, until - time.monotonic()))
