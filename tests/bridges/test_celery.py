"""Celery's particulars: lost processes, canvases, and tasks that call tasks."""

from __future__ import annotations

import pytest

from tests.bridges.conftest import Build, Sites
from tests.bridges.queue_workers import Site


@pytest.fixture
def site(sites: Sites) -> Site:
    """A worker with one child."""
    return sites("celery")


async def test_a_task_that_never_runs_fails(site: Site) -> None:
    """An expired or revoked task fails, so that no reader waits in vain; its session has the task's id."""
    stream = await site.follow("late")
    await site.call('outer.apply_async(task_id="late", expires=-1)')
    *_, last = await site.until(stream, 1, "error")
    assert last["error"] == "expired"


async def test_what_a_task_sends_belongs_to_its_session(site: Site) -> None:
    """A header names the step; a task without a step passes the session on, and does not touch the outer step."""
    stream = await site.follow("nested")
    await site.call('outer.apply_async(headers={"progress_session": "nested"})')
    told = await site.until(stream, 3, "success")
    ends = {each["step"]: each["message"] for each in told if each["status"] == "success"}
    assert ends == {1: "plain saw 'nested'", 3: "inside"}


async def test_a_step_that_is_none_costs_its_task_nothing(site: Site) -> None:
    """The task runs to its end, and the log gives the reason for the missing reports."""
    stream = await site.follow("after")
    await site.call('miscounted.delay(); outer.apply_async(task_id="after")')
    await site.until(stream, 3, "success")
    assert "more_celery_jobs.miscounted" in site.log()
    assert "cannot report on" in site.log()


# These come last: the worker takes seconds to replace a child.
LOSSES = [pytest.param("hang", "TimeLimitExceeded"), pytest.param("die", "WorkerLostError", marks=pytest.mark.full)]


@pytest.mark.parametrize(("task", "error"), LOSSES)
async def test_a_task_whose_process_is_lost_fails(site: Site, task: str, error: str) -> None:
    """The main process reports the loss: a kill, as by the kernel without memory, or a hard time limit."""
    stream = await site.follow(task)
    await site.call(f'{task}.apply_async(headers={{"progress_session": "{task}"}})')
    *_, last = await site.until(stream, 1, "error")
    assert last["error"].startswith(error)


@pytest.mark.full
async def test_a_task_that_is_terminated_fails(site: Site) -> None:
    """A task that is revoked while it runs fails."""
    stream = await site.follow("gone")
    await site.call('linger.apply_async(task_id="gone")')
    await stream.wait_until(lambda s: "begun" in (s.events[-1].data or ""), 20)
    await site.call('app.control.revoke("gone", terminate=True)')
    *_, last = await site.until(stream, 1, "error")
    assert last["error"] == "terminated"


@pytest.mark.full
async def test_a_child_tells_all_before_it_ends(build: Build) -> None:
    """With one task per child, each child would end before the reporting thread has connected."""
    with build("celery", "--max-tasks-per-child", "1") as site:
        stream = await site.follow("nested")
        await site.call('outer.apply_async(headers={"progress_session": "nested"})')
        told = await site.until(stream, 3, "success")
        assert [each["step"] for each in told if each["status"] == "success"] == [1, 3]
