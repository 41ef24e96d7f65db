"""The log of the client, and whether the code that runs now sends or logs for the client: no record of the job."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from progress_sse.client.errors import SuppressReportingErrors

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


_logger: Final = logging.getLogger("progress_sse.client")


def log(level: int, text: str, *args: object) -> None:
    """Log, and suppress errors of logging, for example of a closed stderr.

    A handler may log the record again by another name, as those do that log what comes to stderr.
    """
    with SuppressReportingErrors(), sending():
        _logger.log(level, text, *args, stacklevel=2)
