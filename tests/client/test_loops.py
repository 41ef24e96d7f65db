"""One `AsyncProgress` on several event loops, as with two calls of `asyncio.run`, or under a framework."""

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any, TypeAlias

import httpx
import pytest

from progress_sse import AsyncProgress
from progress_sse.client.report_queue import ReportQueue, report_queues
from progress_sse.core.updates import Complete, Start
from tests.client.fake import AsyncFakeTransport, FakeServer, FakeTransport
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
import asyncio, gc, os, sys, time, weakref
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

def held():
    gc.collect()
    return sum(loop() is not None for loop in loops)

def descriptors():
    return len(os.listdir("/proc/self/fd"))

loops = [run()]
before = descriptors()
loops += [run() for _ in range(5)]
until = time.monotonic() + 20
while held() > 1 or descriptors() > before:  # The thread may still hold what it has just sent.
    assert time.monotonic() < until, (before, held(), descriptors())
    time.sleep(0.01)
"""


def test_a_loop_that_was_closed_by_hand_is_released(serve: Serve) -> None:
    """Its connection is released once a session begins on another loop; a worker may have a loop per task."""
    command = [sys.executable, "-c", LOOPS_CLOSED_BY_HAND, serve().url]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stderr) == (0, "")


def queue_of(session_id: str) -> ReportQueue:
    """The queue of a session."""
    (queue,) = (each for each in report_queues() if each.session_id == session_id)
    return queue


async def test_a_session_whose_close_is_cancelled_continues_on_the_thread() -> None:
    """Cancelling the wait cancels no request, and no report."""
    async with FakeServer() as server, asyncio.timeout(30):
        progress = AsyncProgress.attach("cancelled", url=server.url, flush_timeout_s=20)
        progress.step(1).start()
        await server.came.wait()
        closing = asyncio.create_task(progress.aclose())
        await eventually(lambda: queue_of("cancelled").is_awaited, LIMIT_S)
        closing.cancel()
        with suppress(asyncio.CancelledError):
            await closing
        progress.step(1).complete()
        server.may_answer.set()
        await eventually(lambda: queue_of("cancelled").is_settled, LIMIT_S)
        assert [json.loads(seen.body)["action"] for seen in server.seen] == ["start", "complete"]
        assert progress.lost == 0
