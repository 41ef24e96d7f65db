"""Locks that must not be held where something is logged: log handlers have locks of their own."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any


@contextmanager
def free_while_logged(locks: list[Any]) -> Iterator[list[bool]]:
    """Note, for each record of the worker's client, whether other threads can have the first of these locks."""
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
