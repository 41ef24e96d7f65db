"""Tasks that have to end do so, even where a library keeps a cancellation to itself."""

from __future__ import annotations

import asyncio

from progress_sse.cancellation import cancel


async def test_a_task_that_swallows_a_cancellation_is_cancelled_again() -> None:
    """Once, or several times; whoever does that hears nothing of what it ended with."""
    swallowed = 0

    async def stubborn() -> None:
        nonlocal swallowed
        while swallowed < 3:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                swallowed += 1
        raise ValueError("at last")

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await cancel(task)
    assert task.done()
    assert swallowed == 3


async def test_tasks_that_have_ended_are_no_trouble() -> None:
    """Nor is having none."""
    task = asyncio.create_task(asyncio.sleep(0))
    await task
    await cancel(task)
    await cancel()
