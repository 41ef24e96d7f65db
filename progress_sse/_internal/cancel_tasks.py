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
    # Made first, so that it retrieves what each task ends with also where this call is cancelled itself.
    ended = asyncio.gather(*tasks, return_exceptions=True)
    while not ended.done():
        for task in tasks:
            task.cancel()
        await asyncio.wait([ended], timeout=AGAIN_S)
