"""Tasks of real queues as steps, as all libraries do it, with the programs of `docs/how-to/report-from-queues.md`."""

import pytest

from tests.bridges.conftest import Build, WorkersOf
from tests.bridges.queue_workers import LIBRARIES, QueueWorkers
from tests.harness.serving import eventually


async def expect_steps(workers: QueueWorkers, name: str, *, retries_at_once: bool) -> None:
    """Start the program's job, and check all of its transitions.

    Where the retry comes at once, the reason for it may be outdated before it is sent. A retry in Django is a new task.
    """
    states = await workers.states_after(LIBRARIES[name].begin.format("import-42"), "import-42", 3, "error")
    changes = [each for each in states if "progress" not in each]
    assert [(each["step"], each["name"], each["status"], each["message"], each["error"]) for each in changes] == [
        (1, "Download", "running", "", ""),
        (1, "Download", "running", "", ""),
        (1, "Download", "success", "" if name == "django_tasks" else "attempt 2", ""),
        (2, "Parse", "running", "", ""),
        (2, "Parse", "success", "Rows", ""),
        (3, "Save", "running", "", ""),
        (3, "Save", "error", "", "OSError: disk full"),
    ]
    if not retries_at_once:
        messages = [each["message"] for each in states if "progress" in each]
        assert messages[0] == "will be tried again: ConnectionError: the first time it never works"


@pytest.mark.parametrize(
    "name", [name if name == "celery" else pytest.param(name, marks=pytest.mark.full) for name in LIBRARIES]
)
@pytest.mark.full
async def test_tasks_are_steps(workers_of: WorkersOf, name: str) -> None:
    """Each task starts, is retried, completes or fails, and reports its progress; so do those that follow it."""
    await expect_steps(workers_of(name), name, retries_at_once=name in ("taskiq", "django_tasks"))


KINDS = [
    ("celery", ["--pool", "threads"]),
    ("celery", ["--pool", "solo"]),
    ("celery", ["--pool", "gevent"]),
    ("rq", ["--worker-class", "more_rq_jobs.InProcess"]),
    ("rq", ["--worker-class", "more_rq_jobs.Spawning"]),
]


@pytest.mark.full
@pytest.mark.parametrize(("name", "options"), KINDS)
async def test_workers_of_another_kind_report_alike(build: Build, name: str, options: list[str]) -> None:
    """Threads, greenlets, the worker's own process, and processes that are not forked report alike, and end."""
    with build(name, *options) as workers:
        await expect_steps(workers, name, retries_at_once="more_rq_jobs.InProcess" in options)
        workers.terminate()
        await eventually(lambda: not workers.are_alive, 60)


@pytest.mark.full
@pytest.mark.parametrize("name", LIBRARIES)
async def test_tasks_run_to_their_end_without_a_server(build: Build, name: str) -> None:
    """They do their work and their retries, and the log names the missing server once."""
    with build(name) as workers:
        workers.server.kill()
        await workers.call(LIBRARIES[name].begin.format("import-42"))
        await eventually(lambda: "OSError: disk full" in workers.log(), 60)
        assert "cannot report on 'import-42'" in workers.log()
