"""Locks that must not be held during logging: log handlers have locks of their own."""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any


@contextmanager
def free_while_logged(locks: list[Any]) -> Iterator[list[bool]]:
    """Record for each log record of the worker's client whether another thread can take the first of these locks."""
    seen: list[bool] = []
    logger, noting = logging.getLogger("progress_sse.client"), logging.Handler()

    def note(record: logging.LogRecord) -> None:
        with ThreadPoolExecutor(1) as pool:
            seen.append(pool.submit(_is_free, locks[0]).result())

    noting.emit = note  # type: ignore[method-assign]  # a handler of a single use
    logger.addHandler(noting)
    try:
        yield seen
    finally:
        logger.removeHandler(noting)


def _is_free(lock: Any) -> bool:
    is_free: bool = lock.acquire(blocking=False)
    if is_free:
        lock.release()
    return is_free
