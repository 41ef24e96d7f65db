"""Steps that many workers do at once, each its part."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

from progress_sse import AsyncProgress, Cancelled, Progress, ProgressStore, StepDefinition
from progress_sse.client.embedded import AsyncStoreTransport, StoreTransport
from progress_sse.client.sync import current
from progress_sse.client.testing import recording
from progress_sse.core.updates import Acknowledge, Advance, Complete, Describe, ReportPart, Start
from progress_sse.store.memory import MemoryBackend
from progress_sse.store.types import StorageLimits
from tests.client.bench import Bench, created
from tests.client.job_errors import OopsError
from tests.client.shells import Shell
from tests.harness.presence import present


@pytest.fixture
async def store() -> AsyncIterator[ProgressStore]:
    """A store in this process."""
    store = ProgressStore(MemoryBackend(StorageLimits(1000, 1 << 20, 100)))
    await store.open()
    yield store
    await store.aclose()


def part(status: Any = "running", current: int | None = None, total: int | None = None, **texts: Any) -> ReportPart:
    return ReportPart(1, "shard-3", status, current, total, **texts)


async def test_a_part_reports_its_start_its_progress_and_its_end(shell: Shell) -> None:
    """It says nothing of the step itself, which another process may have started."""
    with recording() as recorder:
        step = shell.progress.attach("a").step(1)
        assert await shell.track(step.part("shard-3", message="photos"), [7, 8]) == [7, 8]
    assert recorder.of("a") == [
        part(message="photos"),
        part("running", 0, 2, message="photos"),
        part("running", 1, 2, message="photos"),
        part("running", 2, 2, message="photos"),
        part("success", 2, 2, message="photos"),
    ]


def test_an_exception_is_the_error_of_the_part() -> None:
    """The step goes on."""

    def work(mine: Any) -> None:
        mine.advance(message="half")
        raise OopsError("disk full")

    with recording() as recorder:
        mine = Progress.attach("a").step(1).part("shard-3")
        with pytest.raises(OopsError):
            mine.run(work, mine)
    assert recorder.of("a") == [
        part(),
        part("running", 1, message="half"),
        part("error", 1, message="half", error="OopsError: disk full"),
    ]


def test_bars_and_the_like_advance_the_part_whose_block_they_are_in() -> None:
    """They find it as they find a step."""
    with recording() as recorder, Progress.attach("a") as progress, progress.step(1).part("shard-3"):
        current().advance(4)
    assert recorder.of("a") == [part(), part("running", 4), part("success", 4)]


async def test_a_step_of_known_parts_ends_with_them_and_not_with_its_block(shell: Shell) -> None:
    """An exception ends it all the same."""

    def work(progress: Any) -> None:
        with progress.step(1, parts_total=2):
            pass
        with progress.step(2, parts_total=2):
            raise OopsError

    with recording() as recorder, pytest.raises(OopsError):
        await shell.run(work, shell.progress.attach("a"))
    assert recorder.of("a") == [
        Start(1, parts_total=2),
        Start(2, parts_total=2),
        Complete(2, success=False, error="OopsError"),
    ]


async def test_a_cancelled_part_ends_its_step(shell: Shell) -> None:
    """With it the server ends the other parts."""
    with recording() as recorder:
        recorder.ask("a")
        mine = shell.progress.attach("a", accepts=["cancel"]).step(1).part("shard-3")
        with pytest.raises(Cancelled):
            await shell.track(mine, [1])
    assert recorder.of("a") == [
        Acknowledge("request-1", "seen"),
        part(),
        Describe(accepts=("cancel",)),
        part("running", 0, 1),
        Complete(1, success=False, error="cancelled", conclusion="cancelled"),
    ]


def test_long_texts_of_parts_are_cut() -> None:
    """The server would refuse the report."""
    with recording() as recorder:
        mine = Progress.attach("a").step(1).part("n" * 300)
        mine.advance(message="m" * 300)
        mine.fail("e" * 300)
    report = recorder.of("a")[-1]
    assert isinstance(report, ReportPart)
    assert [len(text) for text in (report.part, report.message, report.error)] == [100, 200, 200]


def test_the_progress_of_each_part_waits_by_itself() -> None:
    """That of one replaces no other's; the end of a part replaces its own, and that of the step all."""
    bench = Bench()
    progress = Progress.attach("a")
    queue = bench.outbox.waiting
    steps = [progress.step(1).part(name) for name in ("a", "b", "c")]
    for each in steps:
        each._latest.lease = None  # noqa: SLF001
        queue.put(each._queued(1, None))  # noqa: SLF001
    queue.put(ReportPart(1, "a", "success"))
    assert [getattr(report, "part", None) for report in bench.deliver()] == ["a", "b", "c"]
    for each in steps:
        queue.put(each._queued(1, None))  # noqa: SLF001
    queue.put(Complete(1))
    assert bench.deliver() == [Complete(1)]


def test_a_session_that_was_lost_gets_its_parts_again() -> None:
    """The latest report of each is sent again, after the start of their step."""
    bench = created(Start(1, parts_total=2), ReportPart(1, "a"), ReportPart(1, "b"), ReportPart(1, "a", "success"))
    run = bench.outbox._run  # noqa: SLF001
    assert run is not None
    assert run.reports() == [Start(1, parts_total=2), ReportPart(1, "b"), ReportPart(1, "a", "success")]


def fill(step: Any, count: int, failing: int | None = None) -> None:
    for number in range(count):
        with suppress(OopsError), step.part(f"shard-{number}"):
            if number == failing:
                raise OopsError


def test_parts_beyond_those_that_a_server_lists_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    """The job is warned once. A part of the list stays there."""
    with recording() as recorder, Progress("a", steps=["Index"]) as progress, progress.step(1) as step:
        early = step.part("early")
        early.start()
        fill(step, 202, failing=200)
        early.complete()
    started, *parts, completed = recorder.of("a")[1:]
    assert (started, completed) == (Start(1), Complete(1))
    assert {type(each) for each in parts[:399]} == {ReportPart}
    counts = [(200 - 1, ""), (200, ""), (200, ""), (201, "1 failed"), (201, "1 failed"), (202, "1 failed")]
    assert parts[399:-1] == [Advance(1, current, None, text) for current, text in counts]
    assert parts[-1] == ReportPart(1, "early", "success")
    assert [record.getMessage() for record in caplog.records] == [
        "step 1 has more parts than are listed: from now on they are counted"
    ]


def test_a_step_of_so_many_parts_ends_with_the_last_one() -> None:
    """In error if one has failed. Its server, which lists none of them, does not do that."""
    with recording() as recorder, Progress("a", steps=["Index"]) as progress, progress.step(1, parts_total=201) as step:
        fill(step, 201, failing=7)
    started, *counts, completed = recorder.of("a")[1:]
    assert (started, counts[0], counts[-1]) == (Start(1), Advance(1, 0, 201), Advance(1, 200, 201, "1 failed"))
    assert completed == Complete(1, success=False, error="1 of 201 parts failed.")


def test_a_job_that_says_itself_how_far_its_step_is_has_no_other_count() -> None:
    """The server refuses the parts that are too many."""
    with recording() as recorder, Progress("a", steps=["Index"]) as progress, progress.step(1) as step:
        step.report(0, 500)
        fill(step, 201)
    assert recorder.of("a")[-2] == ReportPart(1, "shard-200", "success")


@pytest.mark.parametrize("count", [20, 250])
async def test_many_threads_fill_one_step(store: ProgressStore, count: int) -> None:
    """Every part is counted once, and the step ends with the last one; so many that none is listed, too."""
    transport = StoreTransport(store, asyncio.get_running_loop())
    lost = []

    def work(number: int) -> None:
        # Like another process: it has a reporter of its own.
        progress = Progress.attach("a", transport=transport)
        with progress.step(1).part(f"shard-{number}") as mine:
            for _ in mine.track(range(10)):
                pass
        progress.close()
        lost.append(progress.lost)

    def job() -> None:
        with (
            Progress("a", steps=["Index"], transport=transport) as progress,
            progress.step(1, parts_total=count),
            ThreadPoolExecutor(8) as pool,
        ):
            progress.flush()
            list(pool.map(work, range(count)))

    await asyncio.to_thread(job)
    session = present(await store.get_session("a"))
    assert session.status == "completed"
    parts = session.steps[1].parts
    assert (parts and (parts.total, *parts.counts)) == ((20, 0, 20, 0) if count == 20 else None)
    assert sum(lost) == 0


async def test_tasks_report_parts_of_one_step(store: ProgressStore) -> None:
    """Those of one loop go by its task."""

    async def work(progress: AsyncProgress, number: int) -> None:
        async with progress.step(1).part(f"shard-{number}") as mine:
            assert [row async for row in mine.track([1, 2])] == [1, 2]

    progress = AsyncProgress("a", steps=[StepDefinition("Index")], transport=AsyncStoreTransport(store))
    async with progress, progress.step(1, parts_total=3), asyncio.TaskGroup() as group:
        for number in range(3):
            group.create_task(work(progress, number))
    session = present(await store.get_session("a"))
    assert session.status == "completed"
    assert progress.lost == 0
