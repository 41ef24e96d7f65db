"""Cancelling tasks until they have ended."""

import asyncio
from typing import Any, Final

AGAIN_S: Final = 0.05
"""Seconds after which a task that has not ended is cancelled again."""


async def cancel(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks until all of them have ended, with any result or exception.

    One cancellation is not enough. Some libraries turn it into a success or an error of their own, as
    `asyncio.wait_for` does before Python 3.12 [python/cpython#86296]. The task would go on then, and the wait for it
    would never end.
    """
    # Created first, so that it retrieves each task's exception even if this call itself is cancelled.
    ended = asyncio.gather(*tasks, return_exceptions=True)
    while not ended.done():
        for task in tasks:
            task.cancel()
        await asyncio.wait([ended], timeout=AGAIN_S)


def has_failed(task: asyncio.Task[Any]) -> bool:
    """Return whether a task has ended with an error, or was cancelled."""
    return task.done() and (task.cancelled() or task.exception() is not None)
