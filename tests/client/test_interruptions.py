"""Jobs that are interrupted during a report, by foreign code that waits for a lock of another thread.

The garbage collector runs finalisers wherever something is allocated, a signal handler comes between any two
operations, and a message's class makes its text. Each may log, and wait for the lock of a handler that another thread
holds while it reports in turn.
"""

import asyncio
import itertools
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from types import FrameType
from typing import Any, Final

import pytest

from progress_sse import AsyncProgress, Progress
from progress_sse._internal.threads import loading
from progress_sse.bridges.attempts import TaskStep, report_loss, step_of
from progress_sse.client import availability, thread_sender, waiting_reports
from progress_sse.client.exchange import ReportAnswer, ReportRequest
from progress_sse.client.report_queue import ReportQueue
from progress_sse.client.reporter import Reporter
from progress_sse.client.reports import Create
from progress_sse.client.steps import BaseStep
from progress_sse.client.testing import recording
from progress_sse.core.updates import Advance, Complete, Start
from tests.client.fake import AsyncFakeTransport, FakeTransport
from tests.client.shells import Shell
from tests.harness.serving import ROOT, eventually

pytestmark = pytest.mark.guarantee(47)

DEADLINE_S: Final = 20
NOWHERE: Final = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def _no_pacing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send advances without a minimum interval, so that a test may have many."""
    monkeypatch.setattr(waiting_reports, "ADVANCE_INTERVAL_S", 0)


def has_ended(thread: threading.Thread) -> Callable[[], bool]:
    """A function that returns whether a thread has ended."""
    return lambda: not thread.is_alive()


class Interruption:
    """A callback at one of the calls and returns in the client's code, in the profiled threads."""

    def __init__(self, at: int, act: Callable[[], object]) -> None:
        self._left = at
        self._act = act

    @property
    def has_come(self) -> bool:
        return self._left <= 0

    def __call__(self, frame: FrameType, _event: str, _arg: object) -> None:
        if frame.f_globals.get("__name__", "").startswith("progress_sse."):
            self._left -= 1
            if self._left == 0:
                sys.setprofile(None)
                self._act()

    def run(self, work: Callable[[], object]) -> None:
        """Do some work with the interruption at its place."""
        sys.setprofile(self)
        try:
            work()
        finally:
            sys.setprofile(None)


class Stop:
    """Stops a thread until another one has finished its work."""

    def __init__(self) -> None:
        self._reached, self._go = threading.Event(), threading.Event()

    def __call__(self) -> None:
        self._reached.set()
        assert self._go.wait(2 * DEADLINE_S)

    def do_meanwhile(self, work: Callable[[], object], *, is_over: Callable[[], bool]) -> bool:
        """Do some work while the thread is stopped; return whether it was stopped."""
        while not self._reached.wait(0.005):
            if is_over():
                self._go.set()  # The thread may stop later, during another test's reports.
                return False
        try:
            assert is_done_in_time(work), "a report waits for a stopped thread"
        finally:
            self._go.set()
        return True


def is_done_in_time(work: Callable[[], object]) -> bool:
    """Do some work in a thread, and return whether it finished."""
    done = threading.Event()

    def run() -> None:
        work()
        done.set()

    threading.Thread(target=run, daemon=True).start()
    return done.wait(DEADLINE_S)


def report_all(progress: Reporter, number: int) -> None:
    """Call every method of a step and of a session."""
    with progress.step(number) as step:
        step.advance()
        step.advance(2, message="two")
        step.report(3, 8)
    assert progress.lost >= 0


def report_elsewhere() -> None:
    """Report on more than one session."""
    fake = FakeTransport()
    with Progress("other", steps=["One"], transport=fake) as progress:
        report_all(progress, 1)
    assert [type(each) for each in fake.reports if not isinstance(each, Advance)] == [Create, Start, Complete]
    assert Progress.attach("elsewhere", url=NOWHERE).link
    step_of(TaskStep("kept", 1))


@pytest.mark.full
async def test_a_thread_stopped_during_a_report_delays_no_other(shell: Shell) -> None:
    """It may be stopped at any point, like a finaliser that waits for a lock of the other thread."""
    thread_sender.load_http()
    fake = FakeTransport()
    progress = shell.progress("a", steps=["One", "Two"], transport=shell.transport(fake))

    def has_completed(count: int) -> bool:
        return sum(isinstance(each, Complete) for each in fake.reports) == count

    def work(progress: Reporter) -> None:
        for at in itertools.count(1):
            stop = Stop()
            interruption = Interruption(at, stop)
            thread = threading.Thread(target=interruption.run, args=[lambda: report_all(progress, 1)], daemon=True)
            thread.start()
            stop.do_meanwhile(lambda: report_all(progress, 2), is_over=has_ended(thread))
            thread.join()
            if not interruption.has_come:
                break
            if at % 40 == 0:  # Else more reports could wait than a session keeps.
                asyncio.run(eventually(partial(has_completed, 2 * at), DEADLINE_S))
        assert at > 50

    await shell.run(work, progress)
    assert await shell.flush(progress, DEADLINE_S)
    for number in (1, 2):
        ends = [type(each) for each in fake.reports if isinstance(each, Start | Complete) and each.step == number]
        assert ends == [Start, Complete] * (len(ends) // 2)
    assert progress.lost == 0


async def test_no_report_during_another_report_is_lost(shell: Shell) -> None:
    """A signal handler or finaliser makes them in the same thread, on the same step and on others."""
    fake, progress = shell.attached()
    expected: list[int] = []

    def interrupt(step: BaseStep, progress: Reporter) -> None:
        step.advance(10)
        report_all(progress, 2)

    def advance(step: BaseStep) -> None:
        step.advance()
        step.advance(2, message="more")
        step.advance(True)

    def work(progress: Reporter) -> None:
        step = progress.step(1)
        for at in itertools.count(1):
            interruption = Interruption(at, partial(interrupt, step, progress))
            interruption.run(lambda: advance(step))
            if not interruption.has_come:
                break
        assert at > 20
        expected.append(4 * at + 10 * (at - 1))

    await shell.run(work, progress)
    assert await shell.flush(progress, DEADLINE_S)
    counts = [each.current for each in fake.reports if isinstance(each, Advance) and each.step == 1]
    assert counts[-1:] == expected
    assert progress.lost == 0


class TimeLimit(BaseException):
    """What a signal handler raises wherever the job is."""


def raise_time_limit() -> None:
    """End the job."""
    raise TimeLimit


@pytest.mark.guarantee(52)
def test_a_time_limit_amid_a_report_holds_up_no_later_one() -> None:
    """Reports on the session are sent, also by the next attempt at the job, whichever call the limit ends."""
    for at in itertools.count(1):
        fake, interruption = FakeTransport(), Interruption(at, raise_time_limit)
        progress = Progress("nightly", steps=["One", "Two"], transport=fake)
        with suppress(TimeLimit):
            interruption.run(progress.step(1).start)
        assert progress.flush(DEADLINE_S), f"the limit at call {at} is waited for without end"
        again = Progress.attach("nightly", transport=fake)
        again.step(2).start()
        assert again.flush(DEADLINE_S)
        assert isinstance(fake.reports[-1], Start)
        if not interruption.has_come:
            break


def test_a_recording_has_reports_made_during_a_report() -> None:
    """They are in order, with each count once, and the creation first."""
    with recording() as recorder:
        for at in itertools.count(1):
            progress = Progress(str(at), steps=["One"])
            step = progress.step(1)
            interruption = Interruption(at, step.advance)
            interruption.run(step.advance)
            reports = recorder.of(str(at))
            if not interruption.has_come:
                break
            assert reports[1:] == [Advance(1, 1), Advance(1, 2)], at
            assert isinstance(reports[0], Create)
    assert at > 10


@pytest.mark.full
def test_a_stopped_sender_delays_no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be stopped at any point: it logs, calls transports, and runs the garbage collector."""
    thread_sender.load_http()
    monkeypatch.setattr(availability, "FIRST_PAUSE_S", 0)
    for at in itertools.count(1):
        stop = Stop()
        interruption = Interruption(at, stop)
        answers = iter([ReportAnswer(429, retry_after_s=0), ReportAnswer(422)])

        def answer(_: ReportRequest, interruption: Interruption = interruption, answers: Any = answers) -> ReportAnswer:
            sys.setprofile(None if interruption.has_come else interruption)
            return next(answers, ReportAnswer(200))

        progress = Progress(str(at), steps=["One", "Two"], transport=FakeTransport(answer), flush_timeout_s=0)
        report_all(progress, 1)

        def work(progress: Progress = progress) -> None:
            report_all(progress, 2)
            progress.flush(0)
            progress.close()
            Progress.attach("new", transport=FakeTransport()).step(1).start()
            Progress.attach("elsewhere", url=NOWHERE)
            step_of(TaskStep("kept", 1))

        has_stopped = stop.do_meanwhile(work, is_over=partial(progress.flush, 0))
        assert progress.flush(DEADLINE_S)
        if not has_stopped:
            break
    assert at > 20


def test_a_flush_in_the_sending_thread_does_not_wait_for_itself() -> None:
    """A finaliser or a job's transport may call `flush` there."""

    def answer(_: ReportRequest) -> ReportAnswer:
        progress.flush(3600)
        return ReportAnswer(200)

    progress = Progress.attach("a", transport=FakeTransport(answer))
    progress.step(1).start()
    assert progress.flush(DEADLINE_S)


def test_a_flush_waits_for_a_report_that_comes_as_it_is_notified(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another thread makes the report; the flush is notified again, and does not wait for its timeout."""
    fake = FakeTransport()
    progress = Progress.attach("a", transport=fake)
    notifications = itertools.count()

    class Settled(SimpleQueue[ReportQueue]):
        def put(self, queue: ReportQueue, *_: Any) -> None:
            if next(notifications) == 0:
                fake.may_answer.clear()
                progress.step(2).start()
            super().put(queue)

        def get(self, *_: Any, timeout: float | None = None) -> ReportQueue:
            fake.may_answer.set()
            return super().get(timeout=timeout)

    monkeypatch.setattr(thread_sender, "SimpleQueue", Settled)
    fake.may_answer.clear()
    progress.step(1).start()
    assert is_done_in_time(lambda: progress.flush(3600))
    assert fake.reports == [Start(1), Start(2)]


async def test_a_flush_on_a_loop_waits_for_a_report_that_comes_as_it_is_notified(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another task makes the report."""
    fake = FakeTransport()
    progress = AsyncProgress.attach("a", transport=AsyncFakeTransport(fake))
    notifications = itertools.count()

    def wake(queue: ReportQueue, waiter: Callable[[ReportQueue], object]) -> None:
        if next(notifications) == 0:
            fake.may_answer.clear()
            progress.step(2).start()
        waiter(queue)

    add_waiter = ReportQueue.add_waiter
    monkeypatch.setattr(
        ReportQueue, "add_waiter", lambda queue, waiter: add_waiter(queue, lambda _: wake(queue, waiter))
    )
    fake.may_answer.clear()
    progress.step(1).start()
    flush = asyncio.create_task(progress.flush(3600))
    await eventually(lambda: len(fake.requests) == 1, DEADLINE_S)
    fake.may_answer.set()
    await eventually(lambda: len(fake.requests) == 2, DEADLINE_S)
    fake.may_answer.set()
    async with asyncio.timeout(DEADLINE_S):
        assert await flush
    await progress.aclose()


def test_a_sender_that_starts_slowly_delays_no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """`threading.Thread.start` waits until the thread runs, and a finaliser may run in it first."""
    waited = threading.Event()
    monkeypatch.setattr(threading.Thread, "start", lambda _: waited.set())
    report_loss(TaskStep("a", 1), "gone")
    monkeypatch.setattr(thread_sender, "_thread_sender", thread_sender.ThreadSender())
    fake = FakeTransport()
    progress = Progress.attach("a", transport=fake)
    progress.step(1).start()
    assert progress.flush(DEADLINE_S)
    assert not waited.is_set()


def test_no_report_waits_for_the_creation_of_a_client() -> None:
    """Nor does it wait for its import: finalisers that run meanwhile may wait for a lock of the job."""
    with loading():
        assert is_done_in_time(lambda: Progress.attach("a", url=NOWHERE))


GARBAGE = """
    import faulthandler, gc, logging, sys, threading, time
    from progress_sse import Progress
    from progress_sse.bridges.logging import StepHandler
    from progress_sse.client.exchange import ReportAnswer

    faulthandler.dump_traceback_later({deadline_s}, exit=True)
    logging.basicConfig(stream=open("/dev/null", "w"), level=logging.INFO)
    handler = StepHandler(logging.INFO)
    logging.getLogger("job").addHandler(handler)
    logger = logging.getLogger("job.garbage")

    class Garbage:
        def __init__(self):
            self.itself = self

        def __del__(self):
            logger.info("collected")

    class Message:
        def __str__(self):
            Garbage()
            logger.info("formatted")
            return "text"

    class Transport:
        def send(self, request):
            return ReportAnswer(200)

    def work(number):
        with progress.step(number) as step:
            until = time.monotonic() + {seconds}
            while time.monotonic() < until:
                Garbage()
                step.advance()
                step.advance(message=Message())
                logger.info("row")
                step.report(1, 2)

    gc.set_threshold(1)
    sys.setswitchinterval(1e-5)
    progress = Progress("a", steps=["One", "Two"], transport=Transport())
    with progress:
        threads = [threading.Thread(target=work, args=[number]) for number in (1, 2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    print("done", progress.lost)
"""


@pytest.mark.processes
@pytest.mark.parametrize("seconds", [1, pytest.param(30, marks=pytest.mark.full)])
def test_a_job_whose_garbage_logs_goes_on(seconds: float) -> None:
    """There are cycles with finalisers that log, a handler that reports log records, two threads, and a server."""
    program = textwrap.dedent(GARBAGE.format(seconds=seconds, deadline_s=seconds + 60))
    ran = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout) == (0, "done 0\n"), ran.stderr
