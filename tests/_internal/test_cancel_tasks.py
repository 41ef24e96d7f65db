"""Cancelled tasks end, even where a library swallows a cancellation."""

from __future__ import annotations

import asyncio
import contextlib
import gc

from progress_sse._internal.cancel_tasks import cancel


async def test_a_task_that_swallows_a_cancellation_is_cancelled_again() -> None:
    """Once, or several times; the caller does not get the task's exception."""
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


async def test_tasks_that_have_ended_are_fine() -> None:
    """No tasks at all are fine, too."""
    task = asyncio.create_task(asyncio.sleep(0))
    await task
    await cancel(task)
    await cancel()


async def test_an_error_is_retrieved_also_where_the_wait_is_cancelled() -> None:
    """Else the loop reports an exception that was never retrieved, once the task is collected."""
    reported: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: reported.append(context))
    may_end = asyncio.Event()

    async def fails_late() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await may_end.wait()
        raise ValueError("too late")

    task = asyncio.create_task(fails_late())
    await asyncio.sleep(0)
    waiter = asyncio.create_task(cancel(task))
    await asyncio.sleep(0)
    waiter.cancel()
    await asyncio.wait([waiter])
    may_end.set()
    await asyncio.wait([task])
    del task, waiter
    gc.collect()
    assert reported == []
