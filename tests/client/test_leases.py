"""Whose attempt a report is of, and how long ago it was made."""

import json
import os
import signal
import time
import uuid
from typing import Any

import pytest

from progress_sse import Progress
from progress_sse.client.attempt import Attempt, new_attempt
from progress_sse.client.exchange import ReportAnswer
from progress_sse.client.outbox import Outbox
from progress_sse.client.reporter import Reporter
from progress_sse.client.reports import Latest
from progress_sse.client.testing import recording
from progress_sse.core.errors import ConfigurationError
from progress_sse.core.updates import Advance, Beat, Complete, Envelope, Start
from tests.client.bench import CREATE, NO_ANSWER, Bench
from tests.client.fake import FakeServer, FakeTransport, Seen
from tests.client.job_errors import OopsError
from tests.client.shells import Shell


def attempts(fake: FakeTransport) -> list[str | None]:
    """The attempt of each report."""
    return [None if each.lease is None else each.lease.attempt_id for each in fake.reports]


async def test_each_report_of_a_job_has_its_attempt(shell: Shell) -> None:
    """It is new for each job, and says nothing of the process or its machine."""
    seen = set()
    for _ in range(2):
        fake = FakeTransport()
        progress = shell.progress("a", steps=["One", "Two"], transport=shell.transport(fake))

        def work(progress: Reporter) -> None:
            with progress.step(1) as step:
                step.advance()
            progress.skip(2)
            progress.finish()

        await shell.run(work, progress)
        [attempt_id] = {each for each in attempts(fake) if each is not None}
        assert attempt_id is not None
        assert uuid.UUID(attempt_id).version == 4  # Random.
        seen.add(attempt_id)
    assert len(seen) == 2


async def test_a_step_of_another_job_is_reported_without_an_attempt(shell: Shell) -> None:
    """A step may start in one process and end in the next; the server would refuse the other attempt."""
    fake, progress = shell.attached()

    def work(progress: Reporter) -> None:
        progress.step(1).complete()
        progress.skip(2)
        progress.describe(title="Mine")
        progress.step(3).start()
        progress.step(3).complete()
        progress.describe(title="Still mine")

    await shell.run(work, progress)
    assert [each is not None for each in attempts(fake)] == [False, False, False, True, True, True]


async def test_a_start_has_its_lease(shell: Shell) -> None:
    """A lost step is one of which nothing was heard for ten minutes, or for a longer lease."""
    for lease_s, expected in ((30, (30_000, 600_000)), (1.5, (1_500, 600_000)), (3600, (3_600_000, 3_600_000))):
        fake, progress = shell.attached(lease_s=lease_s)
        await shell.run(lambda progress: progress.step(1).start(), progress)
        [start] = fake.reports
        assert start.lease is not None
        assert (start.lease.lease_ms, start.lease.lost_after_ms) == expected


async def test_without_a_lease_reports_bear_none_of_its_keys(shell: Shell) -> None:
    """But for the estimates that none declared; an exception ends the step that it leaves, and nothing else."""

    async def record(lease_s: float | None) -> list[tuple[str, bytes]]:
        async with FakeServer() as server:
            server.may_answer.set()
            progress = shell.progress("a b", steps=["One", "Two"], url=server.url, lease_s=lease_s)

            def work(progress: Reporter) -> None:
                with progress.step(1, message="m") as step:
                    step.report(3, 8)
                with progress.step(2, timeout_ms=500):
                    raise OopsError("disk full")

            with pytest.raises(OopsError):
                await shell.run(work, progress)
            return sorted({(seen.request, part) for seen in server.seen for part in parts(seen)})

    def parts(seen: Seen) -> list[bytes]:
        """A body, or the updates of a batch without what the batch adds."""
        if " /api/updates " not in seen.request:
            return [seen.body]
        updates = json.loads(seen.body)["updates"]
        kept = [{k: v for k, v in each.items() if k not in ("session_id", "idempotency_key")} for each in updates]
        return [json.dumps(each, separators=(",", ":")).encode() for each in kept]

    bodies = {part for _, part in await record(None)}
    assert bodies - {b'{"action":"progress","step":1,"current":3,"total":8,"message":"m"}'} == {
        b'{"steps":[{"name":"One"},{"name":"Two"}]}',
        b'{"action":"start","step":1,"timeout_ms":null}',
        b'{"action":"complete","step":1,"success":true,"message":"m","error":""}',
        b'{"action":"start","step":2,"timeout_ms":500}',
        b'{"action":"complete","step":2,"success":false,"message":"","error":"OopsError: disk full"}',
    }
    assert any(b'"attempt_id"' in part for _, part in await record(30))


@pytest.mark.parametrize("seconds", [0, 0.5, -1, 3601, float("nan"), "30", float("inf")])
def test_an_invalid_lease_is_refused(seconds: Any) -> None:
    """The server has the same limits."""
    with pytest.raises(ConfigurationError):
        new_attempt(seconds)
    with pytest.raises(ConfigurationError):
        Progress("a", url="http://h", lease_s=seconds, on_error="raise")


def test_each_attempt_to_send_says_how_long_ago_it_happened() -> None:
    """The time is that of a monotonic clock; the key is that of the first attempt."""
    bench = Bench()
    bench.outbox = Outbox("nightly", tells_age=True)
    began = bench.clock.monotonic()
    bench.outbox.waiting.put(Start(1), began)
    bench.clock.advance(0.5)
    first = bench.next_request()
    assert first.ago_ms == 500
    bench.clock.advance(40)
    bench.take(first, NO_ANSWER)
    bench.wait()
    assert bench.next_request() == first._replace(ago_ms=int(1000 * (bench.clock.monotonic() - began)))


def test_progress_is_as_old_as_its_value() -> None:
    """It is read when it is sent, and stays as old when it is sent again."""
    bench = Bench()
    bench.outbox = Outbox("nightly", tells_age=True)
    bench.outbox.waiting.put(Latest(1, lambda: Advance(1, 5)), bench.clock.monotonic())
    bench.clock.advance(7)
    first = bench.next_request()
    assert first.ago_ms == 0
    bench.take(first, NO_ANSWER)
    bench.clock.advance(11)
    assert bench.next_request().ago_ms == 11_000


def test_no_age_is_beyond_what_a_server_takes() -> None:
    """A job may outlive a server that is away for days; and a creation has no age."""
    bench = Bench()
    bench.outbox = Outbox("nightly", CREATE, tells_age=True)
    bench.outbox.waiting.put(Start(1), bench.clock.monotonic())
    bench.clock.advance(200_000)
    assert bench.send_request().ago_ms == 0
    assert bench.send_request().ago_ms == 86_400_000


async def test_the_wall_clock_is_never_asked(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be set while the job runs."""
    monkeypatch.setattr(time, "time", lambda: pytest.fail("the wall clock was asked"))
    fake, progress = shell.attached()
    await shell.run(lambda progress: progress.step(1).start(), progress)
    assert [request.ago_ms < 20_000 for request in fake.requests] == [True]


def test_processes_that_fork_before_the_first_report_have_attempts_of_their_own() -> None:
    """Afterwards they share the attempt, as they share the job."""
    lease = Attempt(30_000, 600_000)
    read_end, write_end = os.pipe()
    if (child := os.fork()) == 0:
        os.write(write_end, lease.attempt_id.encode())
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    other = os.read(read_end, 100).decode()
    os.close(read_end)
    os.close(write_end)
    assert other != lease.attempt_id == lease.attempt_id
    renewed = lease.renewed()
    assert renewed.attempt_id != lease.attempt_id
    assert (renewed.lease_ms, renewed.lost_after_ms) == (30_000, 600_000)


def test_an_attempt_is_no_part_of_a_reports_content() -> None:
    """Tests of jobs compare their reports."""
    assert Start(1, envelope=Envelope(Attempt())) == Start(1)
    assert repr(Complete(1, envelope=Envelope(Attempt(1000, None, "secret")))) == repr(Complete(1))
    assert hash(Beat(1, envelope=Envelope(Attempt()))) == hash(Beat(1))


async def test_reporters_of_a_process_share_an_attempt(shell: Shell) -> None:
    """A library that reports on the session, and perhaps on the step, does not replace the job; a new job does."""
    with recording() as recorder:
        progress = shell.progress("shared", open_ended=True)

        def work(progress: Reporter) -> None:
            with progress.step("Parse"):
                shell.progress.attach("shared").step("Parse").start()
                shell.progress.attach("other").step("Parse").start()

        await shell.run(work, progress)
        again = shell.progress("shared")
    [other] = recorder.of("other")
    assert progress.lease is not None
    assert again.lease is not None
    shared = {report.lease and report.lease.attempt_id for report in recorder.of("shared")}
    assert shared == {progress.lease.attempt_id}
    assert {other.lease and other.lease.attempt_id, again.lease.attempt_id}.isdisjoint(shared)


async def test_a_superseded_attempt_is_shared_no_more(shell: Shell) -> None:
    """A process that comes back to the session later would otherwise report in vain."""
    fake = FakeTransport(lambda _: ReportAnswer(409, "attempt-superseded"))
    progress = shell.progress.attach("replaced", transport=shell.transport(fake))
    await shell.run(lambda progress: progress.step(1).start(), progress)
    again = shell.progress.attach("replaced", transport=shell.transport(fake))
    assert progress.lease is not None
    assert again.lease is not None
    assert again.lease.attempt_id != progress.lease.attempt_id


@pytest.mark.parametrize(
    ("session_id", "handed_down", "is_shared"),
    [("one", "outer", True), ("two", "outer", False), *(("one", each, False) for each in ("", "x" * 65, "o\n"))],
)
def test_a_command_has_the_attempt_that_was_handed_down(
    monkeypatch: pytest.MonkeyPatch, session_id: str, handed_down: str, is_shared: bool
) -> None:
    """It is one at the session of the environment; a session that it creates is its own."""
    monkeypatch.setenv("PROGRESS_SSE_SESSION", "one")
    monkeypatch.setenv("PROGRESS_SSE_ATTEMPT", handed_down)
    with recording():
        attached, created = Progress.attach(session_id), Progress(session_id)
    assert attached.lease is not None
    assert created.lease is not None
    assert (attached.lease.attempt_id == handed_down) is is_shared
    assert created.lease.attempt_id != attached.lease.attempt_id
