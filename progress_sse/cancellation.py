"""Cancelling tasks, so that they end."""

import asyncio
from typing import Any, Final

AGAIN_S: Final = 0.05
"""Seconds after which a task that has not ended is cancelled again."""


async def cancel(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks until all of them have ended, whatever they end with.

    Once is not enough where a library makes a success, or an error of its own, of a cancellation, as `asyncio.wait_for`
    does before Python 3.12 [python/cpython#86296]: what goes on then would be waited for without end.
    """
    while unfinished := [task for task in tasks if not task.done()]:
        for task in unfinished:
            task.cancel()
        await asyncio.wait(unfinished, timeout=AGAIN_S)
    await asyncio.gather(*tasks, return_exceptions=True)  # Nobody else asks what became of them.
