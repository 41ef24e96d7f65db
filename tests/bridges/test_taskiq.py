"""Taskiq's particulars: tasks that send tasks, and ways to end."""

from __future__ import annotations

import pytest
from taskiq import InMemoryBroker, SimpleRetryMiddleware

from progress_sse.bridges.taskiq import ReportingMiddleware
from progress_sse.client.testing import Advance, Complete, Recorder, Start
from tests.bridges.conftest import Sites
from tests.bridges.queue_workers import Site


@pytest.fixture
def site(sites: Sites) -> Site:
    """A worker of taskiq."""
    return sites("taskiq")


async def test_what_a_task_sends_belongs_to_its_session(site: Site) -> None:
    """This holds by way of a task without a step, and for a task that runs in a thread."""
    stream = await site.follow("nested")
    await site.call('asyncio.run(send(outer, "nested"))')
    told = await site.until(stream, 3, "success")
    assert [(each["step"], each["message"]) for each in told if each["status"] == "success"] == [
        (1, ""),
        (2, "inside nested"),
        (3, "inside nested"),
    ]


@pytest.mark.parametrize(
    ("task", "status", "error"), [("hang", "error", "TimeoutError"), ("silent", "success", "")], ids=["hang", "silent"]
)
async def test_a_task_ends_as_it_means_to(site: Site, task: str, status: str, error: str) -> None:
    """A task that is too late fails; one without a result does not."""
    stream = await site.follow(task)
    await site.call(f'asyncio.run(send({task}, "{task}"))')
    *_, last = await site.until(stream, 1, status)
    assert last["error"] == error


async def test_a_task_that_will_be_tried_again_says_why(recorder: Recorder) -> None:
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
