"""Taskiq's particulars: tasks that send tasks, and ways to end."""

from typing import Annotated

import pytest
from taskiq import Context, InMemoryBroker, SimpleRetryMiddleware, TaskiqDepends

from progress_sse.bridges.taskiq import ReportingMiddleware
from progress_sse.client.testing import Advance, Complete, Recorder, Start
from tests.bridges.conftest import WorkersOf
from tests.bridges.queue_workers import QueueWorkers


@pytest.fixture
def workers(workers_of: WorkersOf) -> QueueWorkers:
    return workers_of("taskiq")


@pytest.mark.full
async def test_a_task_sent_by_a_task_belongs_to_its_session(workers: QueueWorkers) -> None:
    """This holds by way of a task without a step, and for a task that runs in a thread."""
    states = await workers.states_after('asyncio.run(send(outer, "nested"))', "nested", 3, "success")
    assert [(each["step"], each["message"]) for each in states if each["status"] == "success"] == [
        (1, ""),
        (2, "inside nested"),
        (3, "inside nested"),
    ]


@pytest.mark.parametrize(
    ("task", "status", "error"), [("hang", "error", "TimeoutError"), ("silent", "success", "")], ids=["hang", "silent"]
)
@pytest.mark.full
async def test_a_task_ends_as_intended(workers: QueueWorkers, task: str, status: str, error: str) -> None:
    """A task that is too late fails; one without a result does not."""
    *_, last = await workers.states_after(f'asyncio.run(send({task}, "{task}"))', task, 1, status)
    assert last["error"] == error


async def test_a_task_that_sends_itself_again_is_not_done(recorder: Recorder) -> None:
    """The next attempt ends its step."""
    broker = InMemoryBroker().with_middlewares(ReportingMiddleware())

    @broker.task(progress_step="Load")
    async def load(context: Annotated[Context, TaskiqDepends()]) -> None:
        if "X-Taskiq-requeue" not in context.message.labels:
            await context.requeue()

    await broker.startup()
    await load.kicker().with_labels(progress_session="nightly").kiq()  # type: ignore[call-overload]
    await broker.wait_all()
    await broker.shutdown()
    reports = recorder.of("nightly")
    assert sorted(map(repr, reports)) == sorted(
        map(
            repr,
            [
                Start("Load"),
                Advance("Load", 0, None, "will be tried again: the task asked for it"),
                Start("Load"),
                Complete("Load"),
            ],
        )
    )


async def test_a_task_that_will_be_retried_reports_the_reason(recorder: Recorder) -> None:
    """Users' tests have the broker used here. With no attempt left, the task fails."""
    broker = InMemoryBroker().with_middlewares(SimpleRetryMiddleware(2), ReportingMiddleware())

    @broker.task(progress_step=1, retry_on_error=True)
    async def load() -> None:
        raise OSError("no room")

    await broker.startup()
    await load.kicker().with_labels(progress_session="nightly").kiq()
    await broker.wait_all()
    await broker.shutdown()
    assert recorder.of("nightly") == [
        Start(1),
        Advance(1, 0, None, "will be tried again: OSError: no room"),
        Start(1),
        Advance(1, 0, None, "attempt 2"),
        Complete(1, success=False, message="attempt 2", error="OSError: no room"),
    ]


async def test_a_task_runs_whatever_its_labels_are(recorder: Recorder) -> None:
    """Its caller gets a result though the number of retries is none."""
    broker = InMemoryBroker().with_middlewares(ReportingMiddleware())

    @broker.task(progress_step=1)
    async def load() -> str:
        return "rows"

    await broker.startup()
    sent = await load.kicker().with_labels(progress_session="nightly", _retries="many").kiq()
    result = await sent.wait_result(timeout=20)
    await broker.shutdown()
    assert result.return_value == "rows"
    assert recorder.of("nightly") == [Start(1), Complete(1)]
