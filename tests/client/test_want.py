"""Jobs in a process without a resource: descriptors, threads, memory, a stderr, or time at its exit."""

import asyncio
import errno
import logging
import threading
from typing import Any
from unittest import mock

import pytest

from progress_sse import AsyncProgress, Progress
from progress_sse.bridges.attempts import TaskStep, report_loss
from progress_sse.client import report_queue, thread_sender
from progress_sse.client.exchange import ReportAnswer, ReportRequest
from progress_sse.client.loops import AsyncioLoop
from progress_sse.client.mailbox import Mailbox
from progress_sse.client.outbox import Outbox
from progress_sse.core.updates import Advance, Complete, Start
from tests.client.fake import AsyncFakeTransport, FakeTransport
from tests.client.programs import run, shown
from tests.client.shells import Shell
from tests.conftest import Serve
from tests.harness.http1 import HOST, free_port
from tests.harness.serving import eventually

pytestmark = [pytest.mark.processes, pytest.mark.guarantee(49)]

DESCRIPTORS = """
    import os, resource

    def exhaust():
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        taken = []
        try:
            while True:
                taken.append(os.dup(0))
        except OSError:
            return taken
"""

WITHOUT_DESCRIPTORS = f"""
    {DESCRIPTORS}
    from progress_sse import Progress

    taken = exhaust()
    progress = Progress(steps=["One"])
    with progress.step(1) as step:
        step.advance()
    assert not progress.flush(0.5)
    for each in taken:
        os.close(each)
    assert progress.flush(20)
    assert progress.lost == 0
"""

ON_A_LOOP_WITHOUT_DESCRIPTORS = f"""
    {DESCRIPTORS}
    import asyncio
    from progress_sse import AsyncProgress

    async def main():
        taken = exhaust()
        progress = AsyncProgress(steps=["One"])
        async with progress.step(1) as step:
            step.advance()
        assert not await progress.flush(0.5)
        for each in taken:
            os.close(each)
        assert await progress.flush(20)
        assert progress.lost == 0
        await progress.aclose()

    asyncio.run(main())
"""


@pytest.mark.parametrize("program", [WITHOUT_DESCRIPTORS, ON_A_LOOP_WITHOUT_DESCRIPTORS])
@pytest.mark.full
def test_without_a_descriptor_the_job_goes_on_and_reports_are_sent_later(serve: Serve, program: str) -> None:
    """None is free to import the HTTP client, to create it, or to connect."""
    server = serve()
    run(program, server.url)
    assert shown(server)[0] == ["success"]


def test_without_a_thread_the_job_goes_on_and_reports_are_sent_later(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The system allows no more, or the interpreter is ending; that is logged once."""

    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(thread_sender, "_thread_sender", thread_sender.ThreadSender())
    fake = FakeTransport()
    with monkeypatch.context() as patched:
        patched.setattr(report_queue, "start_new_thread", refuse)
        progress = Progress.attach("a", transport=fake)
        for _ in range(3):
            progress.step(1).start()
        assert not progress.flush(3600), "no thread sends it"
        report_loss(TaskStep("b", 1), "gone")
    assert len([record for record in caplog.records if "thread" in record.getMessage()]) == 2
    progress.step(1).complete()
    assert progress.flush(20)
    assert fake.reports == [Start(1)] * 3 + [Complete(1)]


class Lacking:
    """A number whose use raises an error."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __index__(self) -> int:
        raise self._error


@pytest.mark.parametrize("error", [MemoryError(), OSError(errno.EMFILE, "Too many open files")])
async def test_a_report_without_a_resource_is_lost_and_the_job_goes_on(
    shell: Shell, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """It is counted, and logged once."""
    fake, progress = shell.attached()
    lacking: Any = Lacking(error)
    for count in (1, lacking, lacking, 2):
        progress.step(1).report(count)
    assert await shell.flush(progress, 20)
    assert fake.reports[-1] == Advance(1, 2)
    assert progress.lost == 2
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    await shell.close(progress)


def test_a_time_limit_during_a_report_ends_the_job() -> None:
    """`TimeoutError` is an `OSError`, and many signal handlers raise it."""
    limit: Any = Lacking(TimeoutError())
    progress = Progress.attach("a", transport=FakeTransport())
    with pytest.raises(TimeoutError):
        progress.step(1).report(limit)
    assert progress.lost == 0


@pytest.mark.parametrize(("part", "name"), [(Mailbox, "check"), (Mailbox, "next"), (Mailbox, "take"), (Outbox, "take")])
async def test_the_sender_survives_a_lack_of_memory(
    shell: Shell, part: type, name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It restarts in every case, and requests under way are sent again with their keys."""
    monkeypatch.setattr(thread_sender, "RECOVERY_S", 0.01)
    monkeypatch.setattr(thread_sender, "_thread_sender", thread_sender.ThreadSender())
    is_lacking = threading.Event()
    method = getattr(part, name)

    def lack(*args: Any) -> Any:
        if is_lacking.is_set():
            is_lacking.clear()
            raise MemoryError
        return method(*args)

    monkeypatch.setattr(part, name, lack)
    fake, progress = shell.attached()
    for number in (1, 2, 3):
        is_lacking.set()
        progress.step(number).start()
        assert await shell.flush(progress, 20)
        await eventually(lambda: not is_lacking.is_set(), 20)
    await shell.close(progress)
    assert list(dict.fromkeys(fake.reports)) == [Start(1), Start(2), Start(3)]
    assert len({request.key for request in fake.requests}) == 3
    assert progress.lost == 0
    assert "restarts after MemoryError" in caplog.text


async def test_a_loop_without_memory_for_a_task_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next report lets the first one be sent, too."""
    with monkeypatch.context() as lack:
        start = mock.Mock(side_effect=MemoryError)
        lack.setattr(AsyncioLoop, "start", start)
        fake = FakeTransport()
        progress = AsyncProgress.attach("a", transport=AsyncFakeTransport(fake))
        progress.step(1).start()
        await eventually(lambda: start.called, 10)
    progress.step(2).start()
    assert await progress.flush(10)
    assert fake.reports == [Start(1), Start(2)]
    await progress.aclose()


@pytest.mark.parametrize("error", [MemoryError(), OSError(errno.EMFILE, "Too many open files")])
async def test_a_transport_without_a_resource_is_retried(shell: Shell, error: Exception) -> None:
    """It is retried without a limit, as the report is not the cause."""
    has_failed = threading.Event()

    def answer(_: ReportRequest) -> ReportAnswer:
        if not has_failed.is_set():
            has_failed.set()
            raise error
        return ReportAnswer(200)

    progress = shell.progress.attach("a", transport=shell.transport(FakeTransport(answer)))
    progress.step(1).start()
    assert await shell.flush(progress, 20)
    assert progress.lost == 0
    await shell.close(progress)


def test_a_transport_that_ends_its_thread_does_not_end_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends by `sys.exit` or a cancellation; one thread serves all sessions."""
    monkeypatch.setattr(thread_sender, "RECOVERY_S", 0.01)
    monkeypatch.setattr(thread_sender, "_thread_sender", thread_sender.ThreadSender())
    ends = iter([SystemExit(), asyncio.CancelledError()])

    def answer(_: ReportRequest) -> ReportAnswer:
        for end in ends:
            raise end
        return ReportAnswer(200)

    for name in "ab":
        progress = Progress.attach(name, transport=FakeTransport(answer))
        progress.step(1).start()
        assert progress.flush(10)
        assert progress.lost == 0


async def test_a_transport_whose_own_task_is_cancelled_is_retried() -> None:
    """This may be the task of a connection; the sending task goes on."""
    answers = iter([asyncio.CancelledError()])

    class Cancelled(AsyncFakeTransport):
        async def send(self, request: ReportRequest) -> ReportAnswer:
            for error in answers:
                raise error
            return await super().send(request)

    fake = FakeTransport()
    progress = AsyncProgress.attach("a", transport=Cancelled(fake))
    progress.step(1).start()
    assert await progress.flush(10)
    assert (fake.reports, progress.lost) == ([Start(1)], 0)
    await progress.aclose()


WITHOUT_STDERR = """
    import sys
    from progress_sse import Progress

    {lose}
    with Progress(steps=["One"], flush_timeout_s=0) as progress, progress.step("one") as step:
        step.advance("many")
    Progress("a/b").step(1).start()
    print("done", flush=True)
"""


@pytest.mark.parametrize("lose", ["sys.stderr.close()", "sys.stderr = None"])
def test_without_a_stderr_the_job_goes_on(lose: str) -> None:
    """Without a configured handler, `logging` writes there, and raises the error."""
    assert run(WITHOUT_STDERR.format(lose=lose), f"http://{HOST}:{free_port()}") == "done\n"


AT_THE_END = """
    import builtins
    from progress_sse import Progress

    class Last:
        def __del__(self, Progress=Progress):
            progress = Progress.attach("late")
            for each in (progress, first):
                with each.step(2) as step:
                    step.advance()
                each.close()
            print("done", flush=True)

    first = Progress.attach()
    {before}
    builtins.last = Last()
"""


@pytest.mark.parametrize("before", ["", "first.step(1).start(); first.flush()"])
def test_a_report_during_interpreter_shutdown_neither_raises_nor_waits(serve: Serve, before: str) -> None:
    """The thread no longer runs, and modules are being removed."""
    server = serve()
    output = run(AT_THE_END.format(before=before), server.url, timeout_s=30)
    assert output.endswith("done\n"), output
