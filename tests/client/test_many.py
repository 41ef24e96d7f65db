"""Many sessions of one process during an outage of the server."""

import gc
import subprocess
import sys
import textwrap
from collections import Counter
from typing import Any

import pytest

from progress_sse import StepDefinition
from progress_sse.client.exchange import ReportAnswer, ReportRequest
from progress_sse.client.outbox import Outbox
from progress_sse.client.report_queue import report_queues
from progress_sse.client.reports import Create
from progress_sse.client.thread_sender import AT_ONCE
from progress_sse.core.updates import Start
from tests.client.fake import FakeTransport
from tests.client.shells import Shell
from tests.harness.http1 import HOST, free_port
from tests.harness.serving import ROOT, eventually

pytestmark = pytest.mark.guarantee(48)

MANY = 300


async def test_finished_sessions_are_released(shell: Shell) -> None:
    """This holds also where steps were entered without a block of the session, which is then never closed."""
    before = len(report_queues())
    transport = shell.transport(FakeTransport(lambda _: ReportAnswer(200)))
    for number in range(MANY):
        progress = shell.progress.attach(str(number), transport=transport)
        with progress.step(1):
            pass
        assert await shell.flush(progress, 30)
    del progress
    gc.collect()
    assert len(report_queues()) - before < 10


async def test_during_an_outage_one_session_retries_for_all(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are not checked until the server is back, and then each is sent once."""
    checks = Counter[str]()
    next_requests = Outbox.next

    def count(outbox: Outbox, *args: Any, **options: Any) -> list[ReportRequest]:
        checks[outbox.session_id] += 1
        return next_requests(outbox, *args, **options)

    def answer(request: ReportRequest) -> ReportAnswer:
        if not is_back:
            return ReportAnswer(503)
        applied.append((request.session_id, request.report))
        return ReportAnswer(200)

    monkeypatch.setattr(Outbox, "next", count)
    is_back = False
    applied: list[Any] = []
    fake = FakeTransport(answer)
    transport = shell.transport(fake)
    each = [shell.progress(str(number), steps=["One"], transport=transport) for number in range(MANY)]
    for progress in each:
        progress.step(1).start()
    await eventually(lambda: len(fake.requests) > len({request.session_id for request in fake.requests}), 30)
    assert len({request.session_id for request in fake.requests}) <= AT_ONCE
    assert checks.total() <= len(fake.requests) + AT_ONCE
    is_back = True
    for progress in each:
        assert await shell.flush(progress, 30)
        await shell.close(progress)
    reports = [Create((StepDefinition("One"),)), Start(1)]
    assert Counter(applied) == Counter((str(number), report) for number in range(MANY) for report in reports)
    assert checks.total() < 10 * MANY


WAITING = """
    import asyncio, os, time
    from progress_sse import AsyncProgress, Progress

    async def main():
        sessions = [{kind}(str(number), steps=["One"]) for number in range(5000)]
        for progress in sessions:
            progress.step(1).start()
            progress.step(1).advance(5)
        share = 1.0
        while share > 0.1:                        # The first spans include the start of the sessions.
            used_s, begun_s = time.process_time(), time.monotonic()
            await asyncio.sleep(10)
            share = (time.process_time() - used_s) / (time.monotonic() - begun_s)
        os._exit(0)

    asyncio.run(main())
"""


@pytest.mark.full
@pytest.mark.parametrize("kind", ["Progress", "AsyncProgress"])
def test_thousands_of_waiting_sessions_cost_almost_nothing(kind: str) -> None:
    """Once all of them wait, they take less than a tenth of a processor for ten seconds."""
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(WAITING.format(kind=kind))],
        env={"PROGRESS_SSE_URL": f"http://{HOST}:{free_port()}", "PYTHONPATH": str(ROOT)},
        check=True,
        timeout=100,
    )
