"""Signs of life as the thread and the loop send them."""

import asyncio
import gc
import json
import logging
import time
from typing import Any
from unittest import mock

import pytest

from progress_sse import AsyncProgress, Progress
from progress_sse.client.attempt import LOST_AFTER_MS
from progress_sse.client.exchange import ReportAnswer, ReportRequest
from progress_sse.client.report_queue import report_queues
from progress_sse.client.reporter import Reporter
from progress_sse.core.updates import Advance, Beat, Complete, Start
from tests.client.bench import OK
from tests.client.fake import FakeServer, FakeTransport
from tests.client.shells import Shell
from tests.harness.serving import eventually


@pytest.fixture(autouse=True)
def quick_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let jobs give twenty signs of life in a second, which is their shortest lease."""
    monkeypatch.setattr("progress_sse.client.attempt._SIGNS", 20)


SUPERSEDED = ReportAnswer(409, "attempt-superseded", "Another attempt has replaced this one.")


def begin(progress: Reporter) -> None:
    """Start a step that is silent from then on."""
    progress.step(1).start()


async def test_a_silent_job_gives_signs_of_life(shell: Shell) -> None:
    """The thread that sends gives them; they end with the step."""
    fake, progress = shell.attached(lease_s=1)
    begin(progress)
    await eventually(lambda: fake.reports.count(Beat(1)) >= 2, 20)
    progress.step(1).complete()
    assert await shell.flush(progress, 20)
    assert fake.reports[-1] == Complete(1)
    await shell.close(progress)
    assert {report.lease for report in fake.reports} == {progress.lease}
    assert progress.lost == 0


async def test_sessions_share_the_requests_for_their_signs_of_life(shell: Shell) -> None:
    """Each has its session, and none has a key."""
    async with FakeServer() as server:
        server.may_answer.set()
        jobs = [shell.progress.attach(name, url=server.url, lease_s=1) for name in "abc"]
        for progress in jobs:
            begin(progress)

        def together() -> list[set[str]]:
            bodies = [json.loads(seen.body) for seen in server.seen]
            beats = [[each for each in body.get("updates", []) if each["action"] == "beat"] for body in bodies]
            assert not any("idempotency_key" in each for batch in beats for each in batch)
            return [{each["session_id"] for each in batch} for batch in beats]

        def came_together() -> bool:
            """Hold the server, and so its clients, until all are due, however fast they have started."""
            while any(time.monotonic() < vars(progress)["sink"].outbox.beat_at() for progress in jobs):
                pass
            return {"a", "b", "c"} in together()

        for progress in jobs:
            assert await shell.flush(progress, 20)
        await eventually(came_together, 20)
        for progress in jobs:
            progress.step(1).complete()
            await shell.close(progress)


async def test_a_superseded_job_goes_on(shell: Shell, caplog: pytest.LogCaptureFixture) -> None:
    """It is told nothing of it; the log has one line."""
    fake = FakeTransport(lambda request: SUPERSEDED if isinstance(request.report, Advance | Complete) else OK)
    progress = shell.progress.attach("a", transport=shell.transport(fake))

    def work(progress: Reporter) -> None:
        with progress.step(1) as step:
            for _ in range(1000):
                step.advance()

    await shell.run(work, progress)
    await shell.run(work, progress)
    assert progress.lost >= 1
    [line] = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "nothing more is reported on step 1" in line.getMessage()
    assert fake.reports.count(Start(1)) == 1


async def test_a_step_of_an_ended_loop_stays_alive() -> None:
    """The thread gives its signs of life, as it sends the later reports."""
    async with FakeServer() as server:
        server.may_answer.set()

        async def start() -> AsyncProgress:
            progress = AsyncProgress.attach("a", url=server.url, lease_s=1)
            begin(progress)
            assert await progress.flush(20)
            return progress

        progress = await asyncio.to_thread(asyncio.run, start())
        await eventually(lambda: any(b'"beat"' in seen.body for seen in server.seen), 20)
        progress.step(1).complete()
        await progress.aclose()


async def test_a_transport_that_fails_harms_no_other(shell: Shell) -> None:
    """Whatever it raises or returns for a sign of life, reports go on."""
    answers: list[Any] = [OSError("no"), ValueError("no"), None, [], 5]

    def answer(request: ReportRequest) -> ReportAnswer:
        if not isinstance(request.report, Beat) or not answers:
            return OK
        failure = answers.pop()
        if isinstance(failure, Exception):
            raise failure
        returned: ReportAnswer = failure
        return returned

    fake = FakeTransport(answer)
    progress = shell.progress.attach("a", transport=shell.transport(fake), lease_s=1)
    begin(progress)
    await eventually(lambda: not answers, 30)
    progress.step(1).complete()
    assert await shell.flush(progress, 20)
    await shell.close(progress)
    assert fake.reports[-1] == Complete(1)
    assert progress.lost == 0


def test_a_job_that_drops_its_progress_is_no_longer_alive() -> None:
    """Its step would otherwise look alive as long as the process lives."""
    fake = FakeTransport()
    progress = Progress.attach("a", transport=fake, lease_s=1)
    begin(progress)
    assert progress.flush(20)
    del progress
    gc.collect()
    other = Progress.attach("b", transport=fake, lease_s=1)
    begin(other)

    def count(session_id: str) -> int:
        return sum(request.session_id == session_id for request in fake.requests)

    while count("b") < 2:  # A beat may have been on its way.
        other.flush(0.1)
    before = count("a")
    while count("b") < 5:
        other.flush(0.1)
    assert count("a") == before
    other.step(1).complete()
    other.close()


async def test_a_job_gives_signs_of_life_while_its_loop_is_blocked(monkeypatch: pytest.MonkeyPatch) -> None:
    """It counts as alive, and its reports are sent, until its loop has not turned for the time of a lost step."""
    monkeypatch.setattr("progress_sse.client.loops.time", clock := mock.Mock())
    clock.monotonic.return_value = 0.0

    async def block() -> int:
        progress = AsyncProgress.attach("a", url=server.url, lease_s=1)
        begin(progress)

        def wait_for_beats(more: int) -> None:
            before, deadline_s = count(), time.monotonic() + 20
            while count() < before + more:
                assert time.monotonic() < deadline_s
                time.sleep(0.005)

        wait_for_beats(3)
        clock.monotonic.return_value = LOST_AFTER_MS / 1000 + 1
        queue = next(each for each in report_queues() if each.session_id == "a")
        return len(queue.take_beats(time.monotonic()))

    def count() -> int:
        return sum(b'"beat"' in seen.body for seen in server.seen)

    async with FakeServer() as server:
        server.may_answer.set()
        assert await asyncio.to_thread(asyncio.run, block()) == 0
