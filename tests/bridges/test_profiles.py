"""Sessions that tasks create are learned from, under the names of the tasks."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.bridges.conftest import WorkersOf

pytestmark = pytest.mark.full

RUNS = 5
CALLS = {
    "celery": 'learned.apply_async(headers={"progress_session": f"learned-{n}"})',
    "rq": 'queue.enqueue(learned, meta={"progress_session": f"learned-{n}", "progress_step": "Load"})',
    "dramatiq": 'learned.send_with_options(progress_session=f"learned-{n}")',
    "taskiq": 'asyncio.run(send(learned, f"learned-{n}"))',
    "django_tasks": 'learned.enqueue(progress_session=f"learned-{n}")',
}
PROFILES = {
    "celery": "more_celery_jobs.learned",
    "rq": "more_rq_jobs.learned",
    "dramatiq": "learned",
    "taskiq": "more_taskiq_jobs:learned",
    "django_tasks": "more_django_tasks_jobs.learned",
}


@pytest.mark.parametrize("name", CALLS)
async def test_the_runs_of_a_task_are_learned_from(workers_of: WorkersOf, name: str) -> None:
    """Each run has a session of its own, which nothing else has created."""
    workers = workers_of(name)
    await workers.call(f"for n in range({RUNS}):\n    {CALLS[name]}")
    async with httpx.AsyncClient(base_url=workers.server.url) as client, asyncio.timeout(60):
        learned: dict[str, Any] = {"runs": 0}
        while learned["runs"] < RUNS:
            await asyncio.sleep(0.2)
            learned = (await client.get("/api/steps", params={"profile": PROFILES[name]})).json()
    [step] = learned["steps"]
    assert (step["name"], step["learned"]["runs"]) == ("Load", RUNS)
