"""Tasks on an event loop that a reader asks to stop: their own block is cancelled, and nothing else."""

import asyncio
from typing import Any

import pytest

from progress_sse import AsyncProgress, Cancelled
from progress_sse.client.reports import Create
from progress_sse.client.testing import Recorder, recording
from progress_sse.core.model import StepDefinition
from progress_sse.core.updates import Acknowledge, Complete, Finish, Start

SOON_S = 20

CANCELLED = Complete(1, success=False, error="cancelled", conclusion="cancelled")


async def sleep_in_a_step(begun: asyncio.Event, **options: Any) -> None:
    async with AsyncProgress("a", steps=["One"], accepts=["cancel"], **options) as progress, progress.step(1):
        begun.set()
        await asyncio.sleep(SOON_S)


async def test_a_request_cancels_the_block() -> None:
    """It is left by `Cancelled`; the task itself is not cancelled."""

    async def work() -> str:
        with pytest.raises(Cancelled, match="enough"):
            await sleep_in_a_step(begun)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        await asyncio.sleep(0)
        return "went on"

    begun = asyncio.Event()
    with recording() as recorder:
        job = asyncio.create_task(work())
        await begun.wait()
        recorder.ask("a", reason="enough")
        assert await asyncio.wait_for(job, SOON_S) == "went on"
    assert recorder.of("a") == [
        Create((StepDefinition("One"),), accepts=("cancel",)),
        Start(1),
        Acknowledge("request-1", "seen"),
        Complete(1, success=False, error="enough", conclusion="cancelled"),
        Finish(False, "enough", conclusion="cancelled"),
    ]


async def test_an_outside_cancellation_stays_one() -> None:
    """It is the error of its step, as before."""
    begun = asyncio.Event()
    with recording() as recorder:
        job = asyncio.create_task(sleep_in_a_step(begun))
        await begun.wait()
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job
        assert job.cancelled()
    assert recorder.of("a")[-2:] == [
        Complete(1, success=False, error="CancelledError"),
        Finish(False, "CancelledError"),
    ]


async def test_an_outside_cancellation_beside_a_request_goes_on() -> None:
    """The canceller waits for the `CancelledError` of the task."""
    begun = asyncio.Event()
    with recording() as recorder:
        job = asyncio.create_task(sleep_in_a_step(begun))
        await begun.wait()
        recorder.ask("a")
        await asyncio.sleep(0)
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job
        assert job.cancelled()


async def test_a_time_limit_around_the_block_stays_one() -> None:
    """`asyncio.timeout` counts the cancellations of its task."""
    begun = asyncio.Event()
    with recording(), pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await sleep_in_a_step(begun)


async def test_a_request_within_a_time_limit_is_no_time_out() -> None:
    """The limit does not take the request's cancellation for its own."""
    begun = asyncio.Event()

    async def limited() -> None:
        async with asyncio.timeout(SOON_S):
            await sleep_in_a_step(begun)

    with recording() as recorder:
        job = asyncio.create_task(limited())
        await begun.wait()
        recorder.ask("a")
        with pytest.raises(Cancelled):
            await asyncio.wait_for(job, SOON_S)


async def test_the_tasks_of_a_group_end_as_cancelled() -> None:
    """The block around the group is cancelled, and the group cancels its tasks."""

    async def step(progress: AsyncProgress, number: int) -> None:
        async with progress.step(number):
            begun.release()
            await asyncio.sleep(SOON_S)

    async def work() -> None:
        progress = AsyncProgress("a", steps=["One", "Two"], accepts=["cancel"])
        async with progress, asyncio.TaskGroup() as group:
            for number in (1, 2):
                group.create_task(step(progress, number))

    begun = asyncio.Semaphore(0)
    with recording() as recorder:
        job = asyncio.create_task(work())
        await begun.acquire()
        await begun.acquire()
        recorder.ask("a")
        with pytest.raises(Cancelled):
            await asyncio.wait_for(job, SOON_S)
    ends = [report for report in recorder.of("a") if isinstance(report, Complete)]
    assert [(end.step, end.conclusion) for end in sorted(ends, key=lambda end: end.step)] == [
        (1, "cancelled"),
        (2, "cancelled"),
    ]


async def test_tasks_of_a_group_that_check_first_end_the_block_as_cancelled() -> None:
    """The group's exception group becomes `Cancelled`."""

    async def step(progress: AsyncProgress, number: int) -> None:
        async with progress.step(number) as running:
            running.check()

    async def work(recorder: Recorder) -> None:
        progress = AsyncProgress("a", steps=["One", "Two"], accepts=["cancel"])
        async with progress, asyncio.TaskGroup() as group:
            recorder.ask("a")
            for number in (1, 2):
                group.create_task(step(progress, number))

    with recording() as recorder, pytest.raises(Cancelled):
        await work(recorder)
    assert recorder.of("a")[-1] == Finish(False, "cancelled", conclusion="cancelled")


async def test_the_block_of_a_step_is_cancelled_where_there_is_no_other() -> None:
    """So it is in a session of others, and for a request about that step."""
    begun = asyncio.Event()

    async def work(recorder: Recorder) -> None:
        progress = AsyncProgress.attach("a", accepts=["cancel"])
        async with progress.step(1):
            begun.set()
            await asyncio.sleep(SOON_S)

    with recording() as recorder:
        job = asyncio.create_task(work(recorder))
        await begun.wait()
        recorder.ask("a")
        with pytest.raises(Cancelled):
            await asyncio.wait_for(job, SOON_S)
    assert recorder.of("a")[-1] == CANCELLED


async def test_a_request_about_a_step_cancels_its_block_alone() -> None:
    begun = asyncio.Event()

    async def sleep() -> None:
        begun.set()
        await asyncio.sleep(SOON_S)

    async def work() -> None:
        async with AsyncProgress("a", steps=["One", "Two"], accepts=["cancel"]) as progress:
            with pytest.raises(Cancelled):
                await progress.step(1).run(sleep)
            async with progress.step(2):
                await asyncio.sleep(0)

    with recording() as recorder:
        job = asyncio.create_task(work())
        await begun.wait()
        recorder.ask("a", step=1)
        await asyncio.wait_for(job, SOON_S)
    assert recorder.of("a")[-3:] == [CANCELLED, Start(2), Complete(2)]


async def test_a_request_that_came_before_the_block_ends_it_at_once() -> None:
    begun = asyncio.Event()
    with recording() as recorder:
        recorder.ask("a")
        with pytest.raises(Cancelled):
            await asyncio.wait_for(sleep_in_a_step(begun), SOON_S)
    assert isinstance(recorder.of("a")[-1], Finish)


async def test_a_coroutine_may_answer() -> None:
    """It runs on the job's loop, and the block is cancelled only after it, if it does not decline."""
    answered = asyncio.Event()

    async def decline(request: Any) -> None:
        await asyncio.sleep(0)
        request.decline("not now")
        answered.set()

    with recording() as recorder:
        async with AsyncProgress("a", steps=["One"], accepts=["cancel"]) as progress, progress.step(1):
            progress.on_request(decline)
            recorder.ask("a")
            await asyncio.wait_for(answered.wait(), SOON_S)
            await asyncio.sleep(0)
    assert Acknowledge("request-1", "declined", "not now") in recorder.of("a")
    assert recorder.of("a")[-1] == Complete(1)
