"""Jobs that a reader asks to stop."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from progress_sse import Cancelled, Progress
from progress_sse.client import listening
from progress_sse.client.inbox import Request
from progress_sse.client.reporter import Reporter
from progress_sse.client.testing import recording
from progress_sse.core.updates import Acknowledge, Complete, Describe, Finish, Start
from tests.client.asking_server import AskingServer
from tests.client.shells import Shell
from tests.harness.serving import eventually

SOON_S = 20


async def steps_until_cancelled(shell: Shell, progress: Any) -> None:
    """Work in a step, until that is cancelled."""

    def work(progress: Reporter) -> None:
        with progress.step(1) as step:
            until = time.monotonic() + SOON_S
            while time.monotonic() < until:
                step.check()
                time.sleep(0.01)

    async def work_here() -> None:
        async with progress, progress.step(1):
            await asyncio.sleep(SOON_S)

    with pytest.raises(Cancelled, match="wrong file"):
        await (shell.run(work, progress) if isinstance(progress, Progress) else work_here())


def actions(server: AskingServer) -> list[tuple[str, Any]]:
    """Return the updates that came, without progress and signs of life."""
    told = [each for each in server.updates if each["action"] not in {"progress", "beat"}]
    return [(each["action"], each.get("conclusion") or each.get("state")) for each in told]


async def test_a_request_is_raised_in_the_job_at_once(shell: Shell) -> None:
    """The job says that it has seen it, and its blocks end as cancelled, with the reader's reason."""
    async with AskingServer() as server:
        # The answer to a sign of life would come too late.
        progress = shell.progress("a", steps=["One"], url=server.url, accepts=["cancel"], lease_s=600)
        job = asyncio.create_task(steps_until_cancelled(shell, progress))
        await eventually(lambda: bool(server.waiting) and server.waits[-1][1] == 30, SOON_S)
        await server.ask("a", reason="wrong file")
        await asyncio.wait_for(job, SOON_S)
        assert actions(server) == [
            ("start", None),
            ("acknowledge", "seen"),
            ("complete", "cancelled"),
            ("finish", "cancelled"),
        ]
        assert server.updates[-1]["error"] == "wrong file"
        assert progress.lost == 0


async def test_a_request_comes_in_answers_where_the_server_cannot_wait(
    shell: Shell, caplog: pytest.LogCaptureFixture
) -> None:
    """It is asked once, and nothing is logged; the next report that is answered tells of the request."""
    caplog.set_level(logging.INFO)

    def work(progress: Reporter) -> None:
        with progress.step(1) as step:
            until = time.monotonic() + SOON_S
            while time.monotonic() < until:
                step.advance()
                step.check()
                time.sleep(0.01)

    async with AskingServer(tells="answers") as server:
        progress = shell.progress("a", steps=["One"], url=server.url, accepts=["cancel"])
        job = asyncio.create_task(shell.run(work, progress))
        await eventually(lambda: bool(server.waits), SOON_S)
        request_id = await server.ask("a")
        with pytest.raises(Cancelled, match="cancelled"):
            await asyncio.wait_for(job, SOON_S)
        await eventually(lambda: server.state_of(request_id) == "seen", SOON_S)
        assert len(server.waits) == 1
    assert [record.getMessage() for record in caplog.records if "shown at" not in record.getMessage()] == []


async def test_a_request_comes_at_once_again_after_a_proxy_has_refused_to_wait(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server is asked again, though the job reports nothing meanwhile."""
    monkeypatch.setattr(listening, "FIRST_REFUSED_S", 0.1)
    async with AskingServer(tells="answers") as server:
        progress = shell.progress("a", steps=["One"], url=server.url, accepts=["cancel"], lease_s=None)
        job = asyncio.create_task(steps_until_cancelled(shell, progress))
        await eventually(lambda: len(server.waits) > 1, SOON_S)
        server.tells = "at once"
        await eventually(lambda: bool(server.waiting), SOON_S)
        await server.ask("a", reason="wrong file")
        await asyncio.wait_for(job, SOON_S)


async def test_nothing_is_asked_without_opting_in(shell: Shell) -> None:
    """The bytes of a job that accepts nothing stay the same."""

    def work(progress: Reporter) -> None:
        with progress.step(1) as step:
            time.sleep(0.5)
            step.check()

    async with AskingServer() as server:
        await server.ask("a")
        progress = shell.progress("a", steps=["One"], url=server.url)
        await shell.run(work, progress)
        assert server.waits == []
        assert b"accepts" not in server.seen[0].body
        assert actions(server) == [("start", None), ("complete", None)]


async def test_a_short_job_causes_no_wait(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that runs many of them asks for none; the first wait is that of a job that goes on."""
    monkeypatch.setattr(listening, "DELAY_S", 1)  # Short also on a busy machine.
    async with AskingServer() as server:
        progress = shell.progress("a", steps=["One"], url=server.url, accepts=["cancel"])
        assert await shell.call(progress.step(1), abs, -1) == 1
        long = shell.progress.attach("b", url=server.url, accepts=["cancel"])
        long.step(1).start()
        await eventually(lambda: bool(server.waits), SOON_S)
        assert server.waits[0][0] == ["b"]
        long.step(1).complete()
        await shell.close(long)


async def test_sessions_of_a_process_share_a_wait(shell: Shell) -> None:
    """One that begins later joins it; the former wait ends."""
    async with AskingServer() as server:
        first, second = (shell.progress.attach(each, url=server.url, accepts=["cancel"]) for each in "ab")
        first.step(1).start()
        await eventually(lambda: server.waiting == [["a"]] and server.waits[-1][1] == 30, SOON_S)
        second.step(1).start()
        await eventually(lambda: server.waiting == [["a", "b"]], SOON_S)
        first.step(1).complete()
        second.step(1).complete()
        await shell.close(first)
        await shell.close(second)


async def test_many_sessions_are_asked_about_in_several_requests(shell: Shell) -> None:
    """Each has at most twenty."""
    async with AskingServer() as server:
        jobs = [shell.progress.attach(f"job-{n}", url=server.url, accepts=["cancel"]) for n in range(25)]
        for job in jobs:
            job.step(1).start()
        await eventually(lambda: sum(map(len, server.waiting)) == 25, SOON_S)
        assert max(map(len, server.waiting)) <= 20
        for job in jobs:
            job.step(1).complete()
            await shell.close(job)


async def test_an_attached_job_says_what_it_accepts(shell: Shell) -> None:
    """It does so once in a block, and else with each step that begins while none runs: it may be another run's."""
    described = Describe(accepts=("cancel", "retry"))

    def work(progress: Reporter) -> None:
        for number in (1, 2):
            with progress.step(number):
                pass

    with recording() as recorder:
        for session_id in ("a", "b"):
            progress = shell.progress.attach(session_id, accepts=["retry", "cancel"])
            await (shell.run(work, progress) if session_id == "a" else asyncio.to_thread(work, progress))
    assert recorder.of("a") == [Start(1), described, Complete(1), Start(2), Complete(2)]
    assert recorder.of("b") == [Start(1), described, Complete(1), Start(2), described, Complete(2)]


async def test_a_request_that_no_step_has_heeded_is_raised_in_the_next_one(shell: Shell) -> None:
    """The server is asked first whether it is still open."""
    with recording() as recorder:
        progress = shell.progress("a", steps=["One", "Two"], accepts=["cancel"])
        with progress.step(1):
            request = recorder.ask("a")
        progress.step(2).start()
        with pytest.raises(Cancelled):
            progress.step(2).check()
    assert recorder.of("a")[-3:] == [Complete(1), Acknowledge(request, "seen"), Start(2)]


async def test_a_request_that_came_before_is_raised_in_the_first_turn(shell: Shell) -> None:
    """`track` checks before each item."""
    done: list[int] = []

    async def work(progress: Any) -> None:
        done.extend(await shell.track(progress.step(1), range(3)))

    with recording() as recorder:
        recorder.ask("a")
        progress = shell.progress.attach("a", accepts=["cancel"])
        with pytest.raises(Cancelled):
            await work(progress)
    assert done == []
    assert recorder.of("a")[-1] == Complete(1, success=False, error="cancelled", conclusion="cancelled")


def test_the_exception_is_not_swallowed_by_a_loop_that_goes_on_after_errors() -> None:
    """It is no `Exception`."""
    with recording() as recorder:
        progress = Progress.attach("a", accepts=["cancel"])

        def work(step: Any) -> None:
            for row in range(3):
                try:
                    if row == 1:
                        recorder.ask("a", reason="enough")
                    step.check()
                except Exception:  # noqa: BLE001, S110  # as jobs do
                    pass

        with pytest.raises(Cancelled), progress.step(1) as step:
            work(step)


def test_steps_that_clean_up_are_not_asked_again() -> None:
    """Those that ran when the request came are, in every thread."""
    raised: list[int] = []

    def work(step: Any) -> None:
        try:
            step.check()
        except Cancelled:
            raised.append(step.number)

    with recording() as recorder, Progress("a", steps=["One", "Two", "Tidy"], accepts=["cancel"]) as progress:
        first, second = progress.step(1), progress.step(2)
        second.start()
        recorder.ask("a")
        with pytest.raises(Cancelled), first:
            first.check()
        worker = threading.Thread(target=work, args=[second])
        worker.start()
        worker.join()
        with progress.step(3) as step:
            assert list(step.track(range(2))) == [0, 1]
            progress.check()
    assert raised == [2]


def test_a_request_about_one_step_is_raised_there_alone() -> None:
    """Other steps go on."""
    with recording() as recorder, Progress("a", steps=["One", "Two"], accepts=["cancel"]) as progress:
        first, second = progress.step(1), progress.step(2)
        first.start()
        second.start()
        recorder.ask("a", step=2)
        first.check()
        progress.check()
        with pytest.raises(Cancelled):
            second.check()
        first.complete()
        second.complete()


def test_a_job_between_its_steps_is_cancelled() -> None:
    """`progress.check()` works where no step runs; of a session of others the request itself is answered."""
    with recording() as recorder:
        recorder.ask("a")
        with pytest.raises(Cancelled), Progress.attach("a", accepts=["cancel"]) as progress:
            progress.check()
    assert recorder.of("a") == [Acknowledge("request-1", "seen"), Acknowledge("request-1", "honoured")]


def test_a_job_may_cancel_itself() -> None:
    """It raises the same exception, whose text is shown."""
    with recording() as recorder, pytest.raises(Cancelled), Progress("a", steps=["One"]) as progress, progress.step(1):
        raise Cancelled("nothing to do")
    assert recorder.of("a")[-2:] == [
        Complete(1, success=False, error="nothing to do", conclusion="cancelled"),
        Finish(False, "nothing to do", conclusion="cancelled"),
    ]


async def on_request(
    shell: Shell, answer: Callable[[Request], object], *, is_raised: bool = False
) -> tuple[list[Any], bool]:
    """Ask a job with a callback to stop; return its answers, and whether it was cancelled."""
    answered = asyncio.Event()
    loop = asyncio.get_running_loop()
    with recording() as recorder:
        progress = shell.progress.attach("a", accepts=["cancel"])

        def callback(request: Request) -> None:
            try:
                answer(request)
            finally:
                loop.call_soon_threadsafe(answered.set)

        progress.on_request(callback)
        step = progress.step(1)
        step.start()
        recorder.ask("a")
        await asyncio.wait_for(answered.wait(), SOON_S)
        if is_raised:
            await eventually(lambda: step.pending_cancel() is not None, SOON_S)
        try:
            step.check()
        except Cancelled:
            return recorder.of("a")[2:], True
        return recorder.of("a")[2:], False


async def test_a_callback_declines_a_request(shell: Shell) -> None:
    """Nothing is raised."""
    reports, is_cancelled = await on_request(shell, lambda request: request.decline("nearly done"))
    assert reports == [Acknowledge("request-1", "seen"), Acknowledge("request-1", "declined", "nearly done")]
    assert not is_cancelled


async def test_a_request_that_no_callback_answers_is_raised(shell: Shell, caplog: pytest.LogCaptureFixture) -> None:
    """So is one whose callback fails, which is logged."""
    reports, is_cancelled = await on_request(shell, lambda request: 1 / 0, is_raised=True)
    assert reports == [Acknowledge("request-1", "seen")]
    assert is_cancelled
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("accepts", ["cancel", ["stop"], [1]])
async def test_other_kinds_of_requests_are_a_warning(
    shell: Shell, accepts: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The job goes on without reporting, as with other arguments that cannot be used."""
    progress = shell.progress("a", steps=["One"], url="http://localhost:1", accepts=accepts)
    with progress.step(1) as step:
        step.check()
    assert 'accepts must be a list of "cancel" and "retry"' in caplog.text


async def test_a_request_is_told_only_to_jobs_that_are_under_way(shell: Shell) -> None:
    """Another job of the same session, which has not begun or has ended, is neither asked nor created by it."""
    called: list[Request] = []
    async with AskingServer() as server:
        ended, later = (shell.progress("a", steps=["One"], url=server.url, accepts=["cancel"]) for _ in range(2))
        for other in (ended, later):
            other.on_request(called.append)
        await shell.call(ended.step(1), lambda number: number, 0)
        assert await shell.flush(ended, SOON_S)
        progress = shell.progress("a", steps=["One"], url=server.url, accepts=["cancel"])
        job = asyncio.create_task(steps_until_cancelled(shell, progress))
        await eventually(lambda: bool(server.waiting), SOON_S)
        await server.ask("a", reason="wrong file")
        await asyncio.wait_for(job, SOON_S)
        later.step(1).check()
        assert called == []
        assert actions(server).count(("acknowledge", "seen")) == 1
        await shell.close(ended)
