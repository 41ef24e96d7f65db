"""Whether the code that runs now sends or logs for ourselves: its log records are none of the job's."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

_is_sending: Final = ContextVar("progress_sse_is_sending", default=False)


def is_sending() -> bool:
    """Return whether this code runs in a block of `sending`."""
    return _is_sending.get()


@contextmanager
def sending() -> Iterator[None]:
    """Mark what runs in this block as ours, also within a transport of the application."""
    token = _is_sending.set(True)
    try:
        yield
    finally:
        _is_sending.reset(token)
