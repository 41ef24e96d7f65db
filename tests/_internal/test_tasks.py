"""Coroutines that start at once, and tasks that are cancelled until they have ended."""

import asyncio
import contextlib
import gc

import pytest

from progress_sse._internal.tasks import cancel, run_eagerly
from tests.harness.presence import present


async def test_a_coroutine_that_never_waits_is_done_at_once() -> None:
    """Without a task, and without an iteration of the event loop."""
    done: list[str] = []

    async def work() -> None:
        await asyncio.gather()
        done.append("all of it")

    assert run_eagerly(work()) is None
    assert done == ["all of it"]


@pytest.mark.parametrize("turns", [0, 1])
async def test_a_coroutine_that_waits_goes_on_in_a_task(turns: int) -> None:
    """Its first part runs at once, each later part after the next wait; that may be over before the task begins."""
    future = asyncio.get_running_loop().create_future()
    done: list[str] = []

    async def work() -> None:
        done.append("first part")
        done.append(await future)
        await asyncio.sleep(0)
        done.append("last part")

    task = present(run_eagerly(work()))
    for _ in range(turns):
        await asyncio.sleep(0)
    assert done == ["first part"]
    future.set_result("second part")
    await task
    assert done == ["first part", "second part", "last part"]


async def test_an_exception_reaches_the_caller_or_the_task() -> None:
    """From the first part it reaches the caller, later the code that awaits the task."""

    async def work(*, waits: bool) -> None:
        if waits:
            await asyncio.sleep(0)
        raise LookupError

    with pytest.raises(LookupError):
        run_eagerly(work(waits=False))
    task = present(run_eagerly(work(waits=True)))
    with pytest.raises(LookupError):
        await task


@pytest.mark.parametrize("turns", [0, 1, 2])
async def test_a_cancelled_task_cleans_up_and_ends(turns: int) -> None:
    """Before its task begins, at the first wait and at a later one, and what it waits for is cancelled, too."""
    never = asyncio.get_running_loop().create_future()
    done: list[str] = []

    async def work() -> None:
        try:
            if turns == 2:
                await asyncio.sleep(0)
            await never
        finally:
            await asyncio.sleep(0)
            done.append("cleaned up")

    task = present(run_eagerly(work()))
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == ["cleaned up"]
    assert never.cancelled()


async def test_work_may_refuse_to_be_cancelled() -> None:
    """As in any task."""
    never = asyncio.get_running_loop().create_future()

    async def work() -> None:
        try:
            await never
        except asyncio.CancelledError:
            return

    task = present(run_eagerly(work()))
    await asyncio.sleep(0)
    task.cancel()
    await task
    assert not task.cancelled()


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
    """So are none."""
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
