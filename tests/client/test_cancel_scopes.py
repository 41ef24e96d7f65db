"""Tasks on an event loop that a reader asks to stop: their own block is cancelled, and nothing else."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from progress_sse import AsyncProgress, Cancelled
from progress_sse.client.reports import Create, Report
from progress_sse.client.testing import Recorder, recording
from progress_sse.core.model import StepDefinition
from progress_sse.core.updates import Acknowledge, Complete, Finish, Start
from tests.harness.presence import present

SOON_S = 20

CANCELLED = Complete(1, success=False, error="cancelled", conclusion="cancelled")
CANCELLED_SESSION = Finish(False, "cancelled", conclusion="cancelled")


async def sleep_in_a_step(begun: asyncio.Event) -> None:
    async with AsyncProgress("a", steps=["One"], accepts=["cancel"]) as progress, progress.step(1):
        begun.set()
        await asyncio.sleep(SOON_S)


async def sleep_within_a_time_limit(begun: asyncio.Event) -> None:
    async with asyncio.timeout(SOON_S):
        await sleep_in_a_step(begun)


async def sleep_in_a_step_of_others(begun: asyncio.Event) -> None:
    async with AsyncProgress.attach("a", accepts=["cancel"]).step(1):
        begun.set()
        await asyncio.sleep(SOON_S)


@asynccontextmanager
async def begun(work: Callable[[asyncio.Event], Coroutine[Any, Any, Any]]) -> AsyncIterator[tuple[Recorder, Any]]:
    """A task that does this work, whose event was set, and what records its reports."""
    event = asyncio.Event()
    with recording() as recorder:
        job = asyncio.create_task(work(event))
        await event.wait()
        yield recorder, job


async def test_a_request_cancels_the_block() -> None:
    """It is left by `Cancelled`; the task itself is not cancelled."""

    async def work(event: asyncio.Event) -> str:
        with pytest.raises(Cancelled, match="enough"):
            await sleep_in_a_step(event)
        assert present(asyncio.current_task()).cancelling() == 0
        await asyncio.sleep(0)
        return "went on"

    async with begun(work) as (recorder, job):
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
    async with begun(sleep_in_a_step) as (recorder, job):
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
    async with begun(sleep_in_a_step) as (recorder, job):
        recorder.ask("a")
        await asyncio.sleep(0)
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job
        assert job.cancelled()


async def test_a_time_limit_around_the_block_stays_one() -> None:
    """`asyncio.timeout` counts the cancellations of its task."""
    with recording(), pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await sleep_in_a_step(asyncio.Event())


@pytest.mark.parametrize(
    ("work", "last"), [(sleep_within_a_time_limit, CANCELLED_SESSION), (sleep_in_a_step_of_others, CANCELLED)]
)
async def test_a_request_cancels_no_more_than_the_block(work: Any, last: Report) -> None:
    """A time limit does not take the cancellation for its own; the block is a step's where there is no other."""
    async with begun(work) as (recorder, job):
        recorder.ask("a")
        with pytest.raises(Cancelled):
            await asyncio.wait_for(job, SOON_S)
    assert recorder.of("a")[-1] == last


async def test_the_tasks_of_a_group_end_as_cancelled() -> None:
    """The block around the group is cancelled, and the group cancels its tasks."""

    async def step(progress: AsyncProgress, number: int) -> None:
        async with progress.step(number):
            have_begun.release()
            await asyncio.sleep(SOON_S)

    async def work() -> None:
        progress = AsyncProgress("a", steps=["One", "Two"], accepts=["cancel"])
        async with progress, asyncio.TaskGroup() as group:
            for number in (1, 2):
                group.create_task(step(progress, number))

    have_begun = asyncio.Semaphore(0)
    with recording() as recorder:
        job = asyncio.create_task(work())
        await have_begun.acquire()
        await have_begun.acquire()
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
    assert recorder.of("a")[-1] == CANCELLED_SESSION


async def test_a_request_about_a_step_cancels_its_block_alone() -> None:
    """The rest of the job goes on."""

    async def work(event: asyncio.Event) -> None:
        async def sleep() -> None:
            event.set()
            await asyncio.sleep(SOON_S)

        async with AsyncProgress("a", steps=["One", "Two"], accepts=["cancel"]) as progress:
            with pytest.raises(Cancelled):
                await progress.step(1).run(sleep)
            async with progress.step(2):
                await asyncio.sleep(0)

    async with begun(work) as (recorder, job):
        recorder.ask("a", step=1)
        await asyncio.wait_for(job, SOON_S)
    assert recorder.of("a")[-3:] == [CANCELLED, Start(2), Complete(2)]


async def test_a_request_that_came_before_the_block_ends_it_at_once() -> None:
    """Its first wait is cancelled."""
    with recording() as recorder:
        recorder.ask("a")
        with pytest.raises(Cancelled):
            await asyncio.wait_for(sleep_in_a_step(asyncio.Event()), SOON_S)
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
