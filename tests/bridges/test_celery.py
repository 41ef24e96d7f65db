"""Celery's particulars: lost processes, canvases, and tasks that call tasks."""

import pytest

from tests.bridges.conftest import Build, WorkersOf
from tests.bridges.queue_workers import QueueWorkers


@pytest.fixture
def workers(workers_of: WorkersOf) -> QueueWorkers:
    return workers_of("celery")


def sent(task: str, session_id: str) -> str:
    """Code that sends a task of a session."""
    return f'{task}.apply_async(headers={{"progress_session": "{session_id}"}})'


async def test_a_task_that_never_runs_fails(workers: QueueWorkers) -> None:
    """An expired or revoked task fails, so that no reader waits in vain; its session has the task's id."""
    *_, last = await workers.states_after('outer.apply_async(task_id="late", expires=-1)', "late", 1, "error")
    assert last["error"] == "expired"


async def test_a_task_sent_by_a_task_belongs_to_its_session(workers: QueueWorkers) -> None:
    """A header names the step; a task without a step passes the session on, and does not touch the outer step."""
    states = await workers.states_after(sent("outer", "nested"), "nested", 3, "success")
    ends = {each["step"]: each["message"] for each in states if each["status"] == "success"}
    assert ends == {1: "plain saw 'nested'", 3: "inside"}


@pytest.mark.full
async def test_an_invalid_step_number_does_not_affect_its_task(workers: QueueWorkers) -> None:
    """The task runs to its end, and the log gives the reason for the missing reports."""
    await workers.states_after('miscounted.delay(); outer.apply_async(task_id="after")', "after", 3, "success")
    assert "more_celery_jobs.miscounted" in workers.log()
    assert "cannot report on" in workers.log()


@pytest.mark.full
async def test_a_task_is_replaced_by_one_of_the_same_step(workers: QueueWorkers) -> None:
    """The step, which has a name, runs until that one has ended it, as another attempt."""
    states = await workers.states_after('replaced.apply_async(task_id="replaced")', "replaced", 1, "success")
    assert {each["name"] for each in states} == {"Load"}
    assert [(each["status"], each["attempt"]) for each in states if "progress" not in each] == [
        ("running", 1),
        ("running", 2),
        ("success", 2),
    ]
    assert states[-1]["message"] == "in place of the other"
    assert "nothing more is reported" not in workers.log()


async def test_a_task_is_replaced_by_one_that_is_no_step(workers: QueueWorkers) -> None:
    """Its step does not stay running, as no other task would end it."""
    states = await workers.states_after('delegating.apply_async(task_id="delegating")', "delegating", 1, "success")
    assert [each["status"] for each in states] == ["running", "success"]


# These come last: the worker takes seconds to replace a child.
LOSSES = [pytest.param("hang", "TimeLimitExceeded"), pytest.param("die", "WorkerLostError", marks=pytest.mark.full)]


@pytest.mark.parametrize(("task", "error"), LOSSES)
async def test_a_task_whose_process_is_lost_fails(workers: QueueWorkers, task: str, error: str) -> None:
    """The main process reports the loss: a kill, as by the kernel without memory, or a hard time limit."""
    *_, last = await workers.states_after(sent(task, task), task, 1, "error")
    assert last["error"].startswith(error)


@pytest.mark.full
async def test_a_task_that_is_terminated_fails(workers: QueueWorkers) -> None:
    """A task that is revoked while it runs fails."""
    stream = await workers.follow("gone")
    await workers.call('linger.apply_async(task_id="gone")')
    await stream.wait_until(lambda s: "begun" in (s.events[-1].data or ""), 20)
    await workers.call('app.control.revoke("gone", terminate=True)')
    *_, last = await workers.until(stream, 1, "error")
    assert last["error"] == "terminated"


@pytest.mark.full
async def test_a_child_reports_everything_before_it_ends(build: Build) -> None:
    """With one task per child, each child would end before the reporting thread has connected."""
    with build("celery", "--max-tasks-per-child", "1") as workers:
        states = await workers.states_after(sent("outer", "nested"), "nested", 3, "success")
        assert [each["step"] for each in states if each["status"] == "success"] == [1, 3]
