"""One `AsyncProgress` on several event loops, as with two calls of `asyncio.run`, or under a framework."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any, TypeAlias

import httpx
import pytest

from progress_sse import AsyncProgress
from progress_sse.client import loop_sender
from progress_sse.client.exchange import ReportAnswer, ReportRequest
from progress_sse.client.report_queue import ReportQueue, report_queues
from progress_sse.client.thread_sender import thread_sender
from progress_sse.core.updates import Complete, Start
from tests.client.fake import AsyncFakeTransport, FakeTransport
from tests.conftest import Serve
from tests.harness.serving import Server, eventually, session_path

pytestmark = pytest.mark.guarantee(51)

LIMIT_S = 20

End: TypeAlias = Callable[[AsyncProgress], Awaitable[None]]
Job: TypeAlias = Callable[[], Awaitable[object]]
Loop: TypeAlias = Callable[[Job], AbstractContextManager[None]]
"""Runs a coroutine function on its own loop, and keeps the loop in a given state while the block runs."""


async def within_limits(job: Job) -> None:
    async with asyncio.timeout(LIMIT_S):
        await job()


@contextmanager
def that_has_ended(job: Job) -> Iterator[None]:
    asyncio.run(within_limits(job))
    yield


@contextmanager
def that_was_left(job: Job) -> Iterator[None]:
    """The loop is open, and does not run."""
    with asyncio.Runner() as runner:
        runner.run(within_limits(job))
        yield


@contextmanager
def that_goes_on(job: Job) -> Iterator[None]:
    """The loop runs in another thread."""
    has_run, may_end = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def work() -> None:
        await within_limits(job)
        has_run.set()
        await may_end.wait()

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(work())

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert has_run.wait(LIMIT_S)
        yield
    finally:
        loop.call_soon_threadsafe(may_end.set)
        thread.join(LIMIT_S)
        assert not thread.is_alive()


LOOPS: list[Loop] = [that_has_ended, that_was_left, that_goes_on]


async def by_aclose(progress: AsyncProgress) -> None:
    await progress.aclose()


async def by_its_block(progress: AsyncProgress) -> None:
    await progress.__aexit__(None, None, None)


async def by_a_block_that_fails(progress: AsyncProgress) -> None:
    await progress.__aexit__(OSError, OSError(), None)


async def by_flush(progress: AsyncProgress) -> None:
    assert await progress.flush(LIMIT_S)


ENDS: list[End] = [by_aclose, by_its_block, by_a_block_that_fails, by_flush]


def statuses(server: Server) -> list[str]:
    """The statuses of the session's steps."""
    body: Any = httpx.get(server.url + session_path("nightly")).json()
    return [step["status"] for step in body["steps"]]


@pytest.mark.parametrize("first", LOOPS)
@pytest.mark.full
def test_a_session_may_begin_on_one_loop_and_end_on_another(serve: Serve, first: Loop) -> None:
    """In each state of the first loop, nothing is raised, nothing hangs, and all reports are sent."""
    server = serve()
    for end in ENDS:
        progress = AsyncProgress("nightly", steps=["One", "Two"], url=server.url)

        async def begin(progress: AsyncProgress = progress) -> None:
            await progress.__aenter__()
            progress.step(1).start()

        async def finish(progress: AsyncProgress = progress, end: End = end) -> None:
            progress.step(1).complete()
            await end(progress)

        with first(begin), that_has_ended(finish):
            assert statuses(server) == ["success", "pending"]
            assert progress.lost == 0


@pytest.mark.parametrize("first", LOOPS)
@pytest.mark.full
def test_reports_after_the_end_of_a_loop_are_sent(serve: Serve, first: Loop) -> None:
    """This includes reports that the task had not sent, without a flush."""
    server = serve()
    progress = AsyncProgress("nightly", steps=["One", "Two"], url=server.url)

    async def begin() -> None:
        progress.step(1).start()

    async def shown() -> None:
        await eventually(lambda: statuses(server) == ["success", "pending"], LIMIT_S)

    with first(begin):
        progress.step(1).complete()
        with that_has_ended(shown):
            assert progress.lost == 0


@pytest.mark.parametrize("first", LOOPS)
def test_a_transport_of_one_loop_is_used_while_that_runs(first: Loop, caplog: pytest.LogCaptureFixture) -> None:
    """Reports that can no longer be sent are counted and logged."""
    fake = FakeTransport()
    progress = AsyncProgress.attach("nightly", transport=AsyncFakeTransport(fake))

    async def begin() -> None:
        await progress.__aenter__()
        progress.step(1).start()
        assert await progress.flush(20)

    async def finish() -> None:
        progress.step(1).complete()
        await progress.aclose()

    with first(begin), that_has_ended(finish):
        lines = [record.getMessage() for record in caplog.records if record.name == "progress_sse.client"]
        if first is that_goes_on:
            assert (fake.reports, progress.lost, lines) == ([Start(1), Complete(1)], 0, [])
        else:
            assert (fake.reports, progress.lost) == ([Start(1)], 1)
            assert lines == [
                "lost a report on 'nightly': complete of step 1 was refused: 410 the event loop that reported has ended"
            ]


LOOPS_CLOSED_BY_HAND = """
import asyncio, gc, os, sys, weakref
from progress_sse import AsyncProgress

async def job():
    progress = AsyncProgress.attach("nightly", url=sys.argv[1])
    progress.step(1).start()
    assert await progress.flush(20)

def run():
    loop = asyncio.new_event_loop()
    loop.run_until_complete(job())
    loop.close()
    return weakref.ref(loop)

def held(loops):
    gc.collect()
    return len([loop for loop in loops if loop() is not None]), len(os.listdir("/proc/self/fd"))

loops = [run()]
before = held(loops)
loops += [run() for _ in range(5)]
assert held(loops) == before, (before, held(loops))
"""


def test_a_loop_that_was_closed_by_hand_is_released(serve: Serve) -> None:
    """Its connection is released once a session begins on another loop; a worker may have a loop per task."""
    command = [sys.executable, "-c", LOOPS_CLOSED_BY_HAND, serve().url]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stderr) == (0, "")


class Unreachable:
    """A transport that fails at once: a loop that is closed by hand therefore leaves no connection half open."""

    async def send(self, _request: ReportRequest) -> ReportAnswer:
        return ReportAnswer(0, detail="unreachable")

    async def aclose(self) -> None:
        """Do nothing."""


def test_unsent_reports_of_a_loop_that_was_closed_by_hand_go_by_the_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """That loop runs no code that could transfer them."""
    monkeypatch.setattr(loop_sender, "_connect", lambda _: Unreachable())

    async def begin(session_id: str) -> AsyncProgress:
        progress = AsyncProgress.attach(session_id, url="http://127.0.0.1:9")
        progress.step(1).start()
        await eventually(lambda: queue_of(session_id).server.reason is not None, LIMIT_S)
        return progress

    loop = asyncio.new_event_loop()
    closed = loop.run_until_complete(begin("closed"))
    loop.close()
    left = queue_of("closed")
    assert left.sender is not thread_sender()
    after = asyncio.run(begin("after"))
    assert left.sender is thread_sender()
    for progress, session_id in (closed, "closed"), (after, "after"):
        queue_of(session_id).give_up()
        assert progress.lost == 1


def queue_of(session_id: str) -> ReportQueue:
    """The queue of a session."""
    (queue,) = (each for each in report_queues() if each.session_id == session_id)
    return queue


class Stubborn:
    """A transport that is slow to cancel."""

    def __init__(self) -> None:
        self.was_asked, self.was_cancelled, self.may_end = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def send(self, _request: ReportRequest) -> ReportAnswer:
        self.was_asked.set()
        try:
            await self.may_end.wait()
        finally:
            self.was_cancelled.set()
            await self.may_end.wait()
        return ReportAnswer(200)

    async def aclose(self) -> None:
        """Do nothing."""


async def test_a_session_whose_close_is_cancelled_continues_on_the_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """It does so before the request under way has ended: otherwise it would have no sender."""
    transport = Stubborn()
    monkeypatch.setattr(loop_sender, "_connect", lambda _: transport)
    progress = AsyncProgress.attach("cancelled", url="http://127.0.0.1:9", flush_timeout_s=0)
    progress.step(1).start()
    async with asyncio.timeout(30):
        await transport.was_asked.wait()
        closing = asyncio.create_task(progress.aclose())
        await transport.was_cancelled.wait()
        closing.cancel()
        with suppress(asyncio.CancelledError):
            await closing
    queue = queue_of("cancelled")
    assert queue.sender is thread_sender()
    queue.give_up()
    transport.may_end.set()
