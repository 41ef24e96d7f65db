"""RQ's particulars: lost work horses, and jobs that request another attempt."""

from __future__ import annotations

import pytest

from tests.bridges.conftest import Sites
from tests.bridges.queue_workers import Site


@pytest.fixture
def site(sites: Sites) -> Site:
    """A worker of RQ."""
    return sites("rq")


def enqueue(function: str, options: str = "") -> str:
    """Code that makes a job the first step of a session named like it."""
    return f'queue.enqueue({function}, meta={{"progress_session": "{function}", "progress_step": 1}}, {options})'


async def test_a_job_whose_process_is_lost_fails(site: Site) -> None:
    """The worker reports it, though the work horse may have ended before it could report its start."""
    stream = await site.follow("die")
    await site.call(enqueue("die"))
    *_, last = await site.until(stream, 1, "error")
    assert last["error"].startswith("Work-horse terminated unexpectedly; waitpid returned 9")


async def test_a_job_that_is_stopped_fails(site: Site) -> None:
    """It fails for good, with retries left or not."""
    stream = await site.follow("hang")
    await site.call(enqueue("hang", "job_id='stopped', retry=Retry(max=3)"))
    await stream.wait_until(lambda s: "begun" in (s.events[-1].data or ""), 20)
    await site.call('send_stop_job_command(queue.connection, "stopped")')
    *_, last = await site.until(stream, 1, "error")
    assert last["error"] == "Job stopped by user, work-horse terminated."


async def test_a_job_may_ask_for_another_attempt(site: Site) -> None:
    """It may do so as often as its retries allow; the last attempt fails."""
    stream = await site.follow("ask")
    await site.call(enqueue("ask"))
    told = await site.until(stream, 1, "error")
    changes = [(each["status"], each["message"], each["error"]) for each in told if "progress" not in each]
    assert changes == [
        ("running", "", ""),
        ("running", "", ""),
        ("error", "attempt 2", "no attempts left"),
    ]


async def test_a_job_that_is_no_step_is_not_reported(site: Site) -> None:
    """It is not part of another step either; without a session's name, the job's id is the name."""
    stream = await site.follow("mine")
    job = "queue.enqueue(plain, job_id='plain'); queue.enqueue(plain, job_id='mine', meta={'progress_step': 1})"
    await site.call(job)
    await site.until(stream, 1, "success")
    returned = "print(json.dumps([queue.fetch_job(name).return_value() for name in ('plain', 'mine')]))"
    assert await site.call(f"import json; {returned}") == ["", "mine"]
