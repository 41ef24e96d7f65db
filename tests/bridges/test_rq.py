"""RQ's particulars: lost work horses, and jobs that request another attempt."""

import pytest

from tests.bridges.conftest import WorkersOf
from tests.bridges.queue_workers import QueueWorkers


@pytest.fixture
def workers(workers_of: WorkersOf) -> QueueWorkers:
    return workers_of("rq")


def enqueue(function: str, options: str = "") -> str:
    """Code that makes a job the first step of a session named like it."""
    return f'queue.enqueue({function}, meta={{"progress_session": "{function}", "progress_step": 1}}, {options})'


async def test_a_job_whose_process_is_lost_fails(workers: QueueWorkers) -> None:
    """The worker reports it, though the work horse may have ended before it could report its start."""
    *_, last = await workers.states_after(enqueue("die"), "die", 1, "error")
    assert last["error"].startswith("Work-horse terminated unexpectedly; waitpid returned 9")


@pytest.mark.full
async def test_a_job_that_is_stopped_fails(workers: QueueWorkers) -> None:
    """It fails for good, with retries left or not."""
    stream = await workers.follow("hang")
    await workers.call(enqueue("hang", "job_id='stopped', retry=Retry(max=3)"))
    await stream.wait_until(lambda s: "begun" in (s.events[-1].data or ""), 20)
    await workers.call('send_stop_job_command(queue.connection, "stopped")')
    *_, last = await workers.until(stream, 1, "error")
    assert last["error"] == "Job stopped by user, work-horse terminated."


async def test_a_job_may_ask_for_another_attempt(workers: QueueWorkers) -> None:
    """It may do so as often as its retries allow; the last attempt fails."""
    states = await workers.states_after(enqueue("ask"), "ask", 1, "error")
    changes = [(each["status"], each["message"], each["error"]) for each in states if "progress" not in each]
    assert changes == [("running", "", ""), ("running", "", ""), ("error", "attempt 2", "no attempts left")]


@pytest.mark.full
async def test_a_job_that_is_no_step_is_not_reported(workers: QueueWorkers) -> None:
    """It is not part of another step either; without a session's name, the job's id is the name."""
    stream = await workers.follow("mine")
    job = "queue.enqueue(plain, job_id='plain'); queue.enqueue(plain, job_id='mine', meta={'progress_step': 1})"
    await workers.call(job)
    await workers.until(stream, 1, "success")
    returned = "print(json.dumps([queue.fetch_job(name).return_value() for name in ('plain', 'mine')]))"
    assert await workers.call(f"import json; {returned}") == ["", "mine"]


async def test_a_job_is_tried_again_whatever_its_meta_is(workers: QueueWorkers) -> None:
    """The number of its retries is counted from nothing if it is none."""
    meta = '{"progress_session": "odd", "progress_step": 1, "progress_retries": "many"}'
    states = await workers.states_after(f"queue.enqueue(ask, meta={meta})", "odd", 1, "error")
    assert [each["error"] for each in states if each["status"] == "error"] == ["no attempts left"]
