"""Reports to a store in the same process."""

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator
from queue import SimpleQueue
from typing import Any

import pytest

from progress_sse import AsyncProgress, Cancelled, Progress, ProgressStore, StepDefinition
from progress_sse.client import embedded
from progress_sse.client.attempt import Attempt
from progress_sse.client.embedded import AsyncStoreTransport, StoreTransport
from progress_sse.client.errors import ReportRefusedError
from progress_sse.client.exchange import AskedRequest, ReportAnswer, ReportRequest
from progress_sse.client.reporter import Reporter
from progress_sse.client.reports import Create, Report
from progress_sse.client.targets import LOOP_HAS_ENDED
from progress_sse.core.commands import Command, IdempotencyKey
from progress_sse.core.details import Timing
from progress_sse.core.errors import OutcomeUnknownError, StoreUnavailableError
from progress_sse.core.updates import Advance, Beat, Complete, Describe, Envelope, Finish, Plan, Skip, Start
from progress_sse.core.workflows import Workflows
from progress_sse.store.memory import MemoryBackend
from progress_sse.store.types import Applied, Record, StorageLimits
from progress_sse.wire.log_lines_json import decode_line
from tests.client.shells import Shell
from tests.harness.presence import present
from tests.harness.serving import eventually


class FailingStore(ProgressStore):
    """A store that raises a given error after applying a command."""

    failure: BaseException | None = None

    async def apply(self, session_id: str, command: Command, key: IdempotencyKey | None = None) -> Applied:
        applied = await super().apply(session_id, command, key)
        failure, self.failure = self.failure, None
        if failure is not None:
            raise failure
        return applied


@pytest.fixture
async def store() -> AsyncIterator[FailingStore]:
    """A store with its own workflow."""
    workflows = Workflows({"report": (StepDefinition("Render"),)})
    store = FailingStore(MemoryBackend(StorageLimits(1000, 1 << 20, 100)), workflows=workflows)
    await store.open()
    yield store
    await store.aclose()


ONE_AND_TWO = (StepDefinition("One"), StepDefinition("Two"))


def transport(shell: Shell, store: ProgressStore) -> Any:
    """The transport to the store for this shell."""
    if shell.progress is Progress:
        return StoreTransport(store, asyncio.get_running_loop())
    return AsyncStoreTransport(store)


def work(progress: Reporter) -> None:
    """Complete one step, and start another one."""
    with progress.step(1, message="done") as step:
        step.report(1, 2)
    progress.step(2).start()


def check_often(progress: Reporter) -> None:
    """Run a step for a while, unless it is cancelled."""
    with progress.step(1) as step:
        for _ in range(1000):
            step.check()
            time.sleep(0.02)


async def test_a_job_reports_to_the_store(shell: Shell, store: ProgressStore) -> None:
    """It uses the same class, without HTTP."""
    await shell.run(work, shell.progress("a", steps=["One", "Two"], transport=transport(shell, store)))
    session = present(await store.get_session("a"))
    assert [(each.name, each.status, each.message) for each in session.steps.values()] == [
        ("One", "success", "done"),
        ("Two", "running", ""),
    ]


@pytest.mark.parametrize(("workflow", "total_steps"), [(None, 7), ("report", 1)])
async def test_the_store_knows_the_steps(store: ProgressStore, workflow: str | None, total_steps: int) -> None:
    """These are its default steps, or those of a workflow."""
    async with AsyncProgress("a", workflow=workflow, transport=AsyncStoreTransport(store)):
        pass
    session = present(await store.get_session("a"))
    assert session.total_steps == total_steps


async def test_a_refusal_of_the_store_refuses_the_report(shell: Shell, store: ProgressStore) -> None:
    """The error has the problem's text."""
    progress = shell.progress.attach("a", transport=transport(shell, store), on_error="raise")
    progress.step(8).start()
    with pytest.raises(ReportRefusedError, match="step must lie between 1 and 7") as caught:
        await shell.close(progress)
    assert (caught.value.status, caught.value.problem) == (422, "step-out-of-range")


async def test_a_report_that_was_applied_without_an_answer_is_applied_once(shell: Shell, store: FailingStore) -> None:
    """The store knows the idempotency key."""
    store.failure = OutcomeUnknownError()
    store.failure.headers.clear()  # Its Retry-After would only take time.
    progress = shell.progress.attach("a", transport=transport(shell, store))
    progress.step(1).start()
    assert await shell.flush(progress, 20)
    await shell.close(progress)
    record = present(await store.load("a"))
    assert record.position.offset == 1


@pytest.mark.parametrize(
    "report",
    [
        Start(1),
        Start("Rendering", append=True),
        Advance(1, 1),
        Complete(1),
        Skip(2),
        Finish(),
        Finish(False, "e", ()),
        Plan((StepDefinition("More"),)),
        Describe("T", {"a": "b"}, ()),
    ],
)
async def test_each_report_becomes_a_command(store: ProgressStore, report: Report) -> None:
    """The store accepts it in the right state and for the right run alone."""
    transport = AsyncStoreTransport(store)
    created = await transport.send(ReportRequest("a", Create(ONE_AND_TWO, open_ended=True), "c"))
    await store.start_step("a", 1)
    assert await transport.send(ReportRequest("a", report, "key", created.run)) == ReportAnswer(200)
    other = await transport.send(ReportRequest("a", report, "key2", "another"))
    assert (other.status, other.problem) == (412, "other-run")


async def test_attempts_and_ages_reach_the_store(store: ProgressStore) -> None:
    """A later attempt replaces an earlier one, and a sign of life has no key."""
    transport = AsyncStoreTransport(store)
    first, second = Attempt(30_000, 600_000, "first"), Attempt(30_000, 600_000, "second")
    await transport.send(ReportRequest("a", Create(lease=first), "c"))
    assert (await transport.send(ReportRequest("a", Start(1, envelope=Envelope(first)), "k1"))).is_success
    assert (await transport.send(ReportRequest("a", Beat(1, envelope=Envelope(first)), ""))).is_success
    assert (await transport.send(ReportRequest("a", Start(1, envelope=Envelope(second)), "k2"))).is_success
    refused = await transport.send(ReportRequest("a", Beat(1, envelope=Envelope(first)), ""))
    assert refused.is_superseded
    assert (
        await transport.send(ReportRequest("a", Complete(1, envelope=Envelope(second)), "k3", ago_ms=86_400_001))
    ).status == 422
    assert (await transport.send(ReportRequest("a", Complete(1, envelope=Envelope(second)), "k4", ago_ms=5))).is_success
    record = present(await store.load("a"))
    assert record.session.details.replaced == ("first",)
    assert record.session.progress.steps[1].attempt == 2


async def test_a_session_in_the_same_process_says_what_it_is(shell: Shell, store: ProgressStore) -> None:
    """It begins without steps, finds them on the way, and ends with the block."""

    def find(progress: Reporter) -> None:
        for _ in range(2):
            with progress.step("Parse"):
                pass

    progress = shell.progress("a", title="T", labels={"a": "b"}, open_ended=True, transport=transport(shell, store))
    await shell.run(find, progress)
    session = present(await store.get_session("a"))
    assert (session.status, session.details.title, session.details.labels) == ("completed", "T", {"a": "b"})
    assert [step.name for step in session.steps.values()] == ["Parse", "Parse"]
    assert progress.lost == 0


async def test_a_session_in_the_same_process_is_timed_and_learned_from(shell: Shell, store: ProgressStore) -> None:
    """By its profile, or by the name of its workflow; where nothing is said of its steps, it has no time."""
    cases: list[tuple[dict[str, Any], Timing | None]] = [
        ({"steps": ["One"], "profile": "nightly"}, Timing("nightly")),
        ({"workflow": "report"}, Timing("report")),
        ({"workflow": "report", "profile": "mine"}, Timing("mine")),
        ({"open_ended": True}, Timing()),
        ({}, None),
    ]
    for given, timing in cases:
        progress = shell.progress("a", transport=transport(shell, store), **given)
        progress.describe(title="T")
        assert await shell.flush(progress, 20)
        session = present(await store.get_session("a"))
        assert session.details.timing == timing


@pytest.mark.parametrize("creation", [Create(), Create(workflow="report"), Create((StepDefinition("One"),))])
async def test_the_answer_to_a_creation_names_its_run(store: ProgressStore, creation: Create) -> None:
    """A creation with `replace=False` does not replace an existing session."""
    transport = AsyncStoreTransport(store)
    created = await transport.send(ReportRequest("a", creation, "key"))
    session = present(await store.get_session("a"))
    assert created == ReportAnswer(200, run=session.created_at)
    refused = await transport.send(ReportRequest("a", dataclasses.replace(creation, replace=False), "key2"))
    assert (refused.status, refused.problem) == (409, "session-exists")


async def test_a_session_that_is_gone_is_created_again(shell: Shell, store: ProgressStore) -> None:
    """This is as over HTTP; a session that is another run is not touched."""
    progress = shell.progress("a", steps=["One", "Two"], transport=transport(shell, store))
    work(progress)
    assert await shell.flush(progress, 20)
    await store.delete_session("a")
    progress.step(2).complete()
    assert await shell.flush(progress, 20)
    session = present(await store.get_session("a"))
    assert [(each.name, each.status) for each in session.steps.values()] == [("One", "success"), ("Two", "success")]
    assert progress.lost == 0
    other = await store.create_session("a", 3)
    progress.step(2).start()
    await shell.close(progress)
    assert await store.get_session("a") == other
    assert progress.lost == 1


async def test_a_store_whose_loop_ends_does_not_answer(store: FailingStore) -> None:
    """The loop's end cancels requests; a cancellation must not reach the thread that sends for all."""
    store.failure = asyncio.CancelledError()
    answers: SimpleQueue[Any] = SimpleQueue()
    StoreTransport(store, asyncio.get_running_loop()).begin([ReportRequest("a", Start(1), "key")], answers.put)
    answer = await asyncio.to_thread(answers.get, timeout=20)
    assert answer == [ReportAnswer(0, detail="the event loop that reports does not answer")]


async def test_a_store_whose_loop_has_ended_refuses(store: ProgressStore) -> None:
    """Nothing is sent again: the store cannot come back."""
    loop = asyncio.new_event_loop()
    loop.close()
    transport, answers = StoreTransport(store, loop), list[Any]()
    transport.begin([ReportRequest("a", Start(1), "key")], answers.append)
    assert [*answers, transport.listen().ask(["a"], 0)] == [[LOOP_HAS_ENDED], LOOP_HAS_ENDED]


async def test_a_transient_failure_has_its_retry_after(store: FailingStore) -> None:
    """This is as over HTTP."""
    store.failure = StoreUnavailableError()
    answer = await AsyncStoreTransport(store).send(ReportRequest("a", Start(1), "key"))
    assert (answer.status, answer.problem, answer.retry_after_s) == (503, "store-unavailable", 2)


async def test_a_reader_cancels_a_job_that_reports_to_the_store(shell: Shell, store: ProgressStore) -> None:
    """It is told within a second, though it reports nothing meanwhile."""

    async def work_here(progress: Any) -> None:
        async with progress, progress.step(1):
            await asyncio.sleep(20)

    progress = shell.progress("a", steps=["One"], transport=transport(shell, store), accepts=["cancel"])
    job = asyncio.create_task(shell.run(check_often, progress) if shell.progress is Progress else work_here(progress))
    async with asyncio.timeout(20):
        while (session := await store.get_session("a")) is None or session.status != "running":  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    request = await store.ask("a", "cancel", reason="wrong file")
    with pytest.raises(Cancelled, match="wrong file"):
        await asyncio.wait_for(job, 20)
    session = present(await store.get_session("a"))
    assert (session.details.conclusion, session.details.error) == ("cancelled", "wrong file")
    assert [(each.id, each.state) for each in session.details.requests] == [(request.id, "honoured")]
    assert progress.lost == 0


async def test_a_worker_that_waits_learns_what_another_one_has_seen_first(
    store: ProgressStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it had seen before it waited is no news."""
    monkeypatch.setattr(embedded, "REQUEST_POLL_S", 0.01)
    await store.create_session("a", 1, accepts=["cancel"])
    await store.start_step("a", 1)
    known = await store.ask("a", "cancel")
    await store.acknowledge("a", known.id, "seen")
    looks, may_look, load = 0, asyncio.Event(), store.load

    async def load_when_allowed(session_id: str) -> Record | None:
        nonlocal looks
        looks += 1
        await may_look.wait()
        return await load(session_id)

    monkeypatch.setattr(store, "load", load_when_allowed)
    may_look.set()
    waiting = asyncio.create_task(AsyncStoreTransport(store).ask(["a"], 30))
    await eventually(lambda: looks > 2, 20)
    may_look.clear()
    await store.acknowledge("a", known.id, "declined")
    asked = await store.ask("a", "cancel")
    await store.acknowledge("a", asked.id, "seen")
    may_look.set()
    assert await asyncio.wait_for(waiting, 20) == [("a", AskedRequest(asked.id, "cancel", state="seen"))]


async def test_a_job_that_was_cancelled_before_it_began_is_told_so(shell: Shell, store: ProgressStore) -> None:
    """The store refuses its start, and `check` raises."""
    await store.create_session("a", steps=[StepDefinition("One")], accepts=["cancel"])
    await store.ask("a", "cancel")
    progress = shell.progress.attach("a", transport=transport(shell, store), accepts=["cancel"])
    with pytest.raises(Cancelled):
        await shell.run(check_often, progress)
    session = present(await store.get_session("a"))
    assert session.current_step == 0


async def test_lines_go_to_the_log_of_the_store(shell: Shell, store: ProgressStore) -> None:
    """In order, and of their steps; an age is that of each line."""

    def write(progress: Reporter) -> None:
        progress.log("before")
        with progress.step(1) as step:
            step.log("one\ntwo", level="error")

    await shell.run(write, shell.progress("a", steps=["One"], transport=transport(shell, store)))
    stored = present(await store.read_lines("a"))
    lines = [decode_line(line.data) for line in stored.lines]
    assert [(line.step, line.level, line.text) for line in lines] == [
        (None, "info", "before"),
        (1, "error", "one"),
        (1, "error", "two"),
    ]
