"""Bars and log records of the real libraries become reports of the running step."""

import asyncio
import io
import logging
import math
from collections.abc import AsyncIterator, Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from rich.console import Console
from rich.progress import BarColumn
from rich.text import Text
from tqdm import TqdmKeyError

from progress_sse import AsyncProgress, Progress
from progress_sse.bridges.logging import StepHandler
from progress_sse.bridges.rich import ReportingProgress
from progress_sse.bridges.tqdm import tqdm, trange
from progress_sse.client.steps import BaseStep
from progress_sse.client.testing import Advance, Recorder
from tests.bridges.locks import free_while_logged


def advances(recorder: Recorder) -> list[tuple[int, int | None, str]]:
    return [(each.current, each.total, each.message) for _, each in recorder.reports if isinstance(each, Advance)]


def bars() -> ReportingProgress:
    return ReportingProgress(BarColumn(), console=Console(file=io.StringIO()))


@pytest.mark.parametrize("is_drawn", [True, False])
def test_a_bar_of_tqdm_reports_its_progress(recorder: Recorder, is_drawn: bool) -> None:
    """Each move is reported with the description, also where the bar is not drawn, as in workers."""
    with Progress("a") as progress, progress.step(1):
        for _ in tqdm("abc", desc="Letters", disable=not is_drawn, mininterval=0, miniters=1):
            pass
    assert advances(recorder) == [(n, 3, "Letters") for n in range(4)]


@pytest.mark.parametrize("is_drawn", [True, False])
def test_a_bar_of_tqdm_is_moved_by_hand(recorder: Recorder, is_drawn: bool) -> None:
    """Steps count in whole units, and the total may become known later or never."""
    with Progress("a") as progress, progress.step(1):
        with tqdm(disable=not is_drawn, mininterval=0, miniters=0) as bar:
            bar.update(2.5)
            bar.total = 7
            bar.update(1)
        with tqdm(total=float("inf"), disable=not is_drawn, mininterval=0):
            pass
    expected = [(0, None, ""), (2, None, ""), (3, 7, ""), (0, None, "")]
    assert advances(recorder) == expected


def test_of_nested_bars_of_tqdm_the_outermost_one_reports(recorder: Recorder) -> None:
    """Inner bars would move the step back and forth."""
    with Progress("a") as progress, progress.step(1):
        for _ in trange(2, mininterval=0, miniters=1):
            list(trange(5, leave=False))
        list(trange(1))
    assert advances(recorder) == [(0, 2, ""), (1, 2, ""), (2, 2, ""), (0, 1, ""), (1, 1, "")]


def test_a_bar_of_tqdm_that_is_left_makes_room(recorder: Recorder) -> None:
    """After a `break` out of its loop, drawn or not, the next bar reports."""
    with Progress("a") as progress, progress.step(1):
        for disable in (False, True):
            for _ in trange(9, disable=disable):
                break
        list(trange(1))
    assert advances(recorder)[-1] == (1, 1, "")


async def test_a_bar_of_tqdm_wraps_asynchronous_iterables(recorder: Recorder) -> None:
    """The bar accepts asynchronous iterables, as tqdm does."""

    async def letters() -> AsyncIterator[str]:
        for letter in "ab":
            yield letter

    async with AsyncProgress("a") as progress, progress.step(1):
        assert [letter async for letter in tqdm(letters(), total=2)] == ["a", "b"]
    assert advances(recorder)[-1] == (2, 2, "")


async def test_bars_in_a_thread_report_to_the_step_that_they_are_given(recorder: Recorder) -> None:
    """The user's own threads do not know the running step."""

    def work() -> None:
        for _ in trange(2, step=step):
            pass
        with bars() as shown:
            shown.add_task("", total=9, completed=4, step=step)

    with Progress("a") as progress, progress.step(1) as step:
        await asyncio.get_running_loop().run_in_executor(None, work)
    assert (2, 2, "") in advances(recorder)
    assert advances(recorder)[-1] == (4, 9, "")


def test_tasks_of_rich_are_added_up(recorder: Recorder) -> None:
    """The tasks of a step are added up, as for the bytes of several files; markup stays in the terminal."""
    with Progress("a") as progress, progress.step(1), bars() as shown:
        one = shown.add_task("[red]One", total=10)
        two = shown.add_task("[/two]", total=None)
        shown.update(two, total=5)
        shown.advance(one, 2.5)
        shown.update(two, advance=1.5, description="zwei")
        shown.advance(shown.add_task("Details", step=None))
        shown.reset(one)
        shown.remove_task(one)
        shown.advance(two)
        shown.advance(two, -5)
    assert advances(recorder) == [
        (0, 10, "One"),
        (0, None, "[/two]"),
        (0, 15, "[/two]"),
        (2, 15, "One"),
        (4, 15, "zwei"),
        (1, 15, "One"),
        (2, 5, "zwei"),
        (0, 5, "zwei"),
    ]


def test_the_bridges_accept_what_the_libraries_accept(recorder: Recorder) -> None:
    """Odd numbers and descriptions that are not strings do not end the job."""
    with Progress("a") as progress, progress.step(1), bars() as shown:
        task = shown.add_task(Text("One"), total=3)  # type: ignore[arg-type]  # it takes that, too
        shown.update(task, completed=math.nan)
        shown.update(task, completed=2)
        bar = tqdm(total=4, desc=5, disable=True)  # type: ignore[call-overload]  # likewise
        bar.update(math.inf)
        bar.close()
    assert advances(recorder) == [(0, 3, "One"), (2, 3, "One"), (0, 4, "5")]


@pytest.mark.parametrize(
    "total", [pytest.param(10**400, id="no float"), 2**53, "100", b"5", complex(3), object(), math.nan, Decimal("sNaN")]
)
def test_a_total_that_is_no_number_of_units_is_unknown(recorder: Recorder, total: Any) -> None:
    """The libraries accept such a total where nothing is drawn; the completed units are counted all the same."""
    with Progress("a") as progress, progress.step(1):
        bar = tqdm(disable=True, mininterval=0)
        bar.total = total
        bar.update(2)
        bar.close()
        bars = ReportingProgress(disable=True)
        bars.add_task("", total=total, completed=3)
        bars.add_task("", total=2.5, completed=1)
    assert advances(recorder) == [(0, None, ""), (2, None, ""), (3, None, ""), (4, None, "")]


def test_a_bar_of_tqdm_that_cannot_be_made_leaves_the_step_to_others(recorder: Recorder) -> None:
    """An argument that tqdm does not know is such a case."""
    with Progress("a") as progress, progress.step(1):
        with pytest.raises(TqdmKeyError):
            tqdm("abc", disable=False, unknown=1)
        list(trange(1, disable=True))
    assert advances(recorder) == [(0, 1, ""), (1, 1, "")]


def test_rich_tracks(recorder: Recorder) -> None:
    """The step gets the count of its thread."""
    with Progress("a") as progress, progress.step(1), bars() as shown:
        assert list(shown.track("abc", description="Letters")) == ["a", "b", "c"]
    assert advances(recorder)[-1] == (3, 3, "Letters")


@pytest.fixture
def handler() -> Iterator[StepHandler]:
    """Turn all records of `INFO` and above into messages of steps."""
    logger, handler = logging.getLogger(), StepHandler(logging.INFO)
    level = logger.level
    logger.setLevel(logging.DEBUG)
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(level)


def test_records_are_messages_of_the_running_step(
    recorder: Recorder, handler: StepHandler, capsys: pytest.CaptureFixture[str]
) -> None:
    """The step's count stays as it was; a record that cannot be formatted is handled by logging."""
    logger = logging.getLogger("job")
    logger.info("before any step")
    with Progress("a") as progress, progress.step(1) as step:
        step.report(3, 8)
        logger.info("read %d rows", 3)
        logger.debug("not of interest")
        logging.getLogger("progress_sse.client").warning("of us, not of the job")
        handler.handle(logging.LogRecord("job", logging.INFO, "job.py", 1, "%d", ("three",), None))
        assert "--- Logging error ---" in capsys.readouterr().err
        logger.warning("no room")
    assert advances(recorder) == [(3, 8, ""), (3, 8, "read 3 rows"), (3, 8, "no room")]


def move_tqdm(step: BaseStep, locks: list[Any]) -> None:
    """Report by a bar of tqdm, and return the lock that it draws under."""
    locks.append(tqdm.get_lock().th_lock)  # type: ignore[no-untyped-call]  # in its stubs
    list(trange(3, step=step))


def move_rich(step: BaseStep, locks: list[Any]) -> None:
    """The same by a bar of rich."""
    with bars() as shown:
        locks.append(shown._lock)  # noqa: SLF001  # which has no name for others
        shown.add_task("", step=step)


@pytest.mark.parametrize("move", [move_tqdm, move_rich])
def test_a_failed_report_is_logged_without_the_lock_of_the_bars(
    recorder: Recorder, move: Callable[[BaseStep, list[Any]], None]
) -> None:
    """A handler that shows records beside bars needs that lock, in a thread that holds the handler's own lock."""
    locks: list[Any] = []
    with free_while_logged(locks) as seen:
        move(Progress.attach("a").step(1.5), locks)  # type: ignore[arg-type]  # to have something to log
    assert seen == [True]
    assert recorder.reports == []


@pytest.mark.usefixtures("handler")
def test_bars_and_records_outside_of_steps_are_not_reported(recorder: Recorder) -> None:
    """Bars and records work as in their libraries, and report nothing."""
    assert list(trange(2)) == [0, 1]
    with bars() as shown:
        assert list(shown.track("ab")) == ["a", "b"]
    logging.getLogger().info("outside")
    assert recorder.reports == []
