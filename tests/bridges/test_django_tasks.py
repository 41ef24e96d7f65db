"""The particulars of Django's tasks: what its signals show, and tasks that run in the process that enqueues them."""

import subprocess
import sys
from pathlib import Path

import pytest

from progress_sse.client.testing import Advance, Complete, Start
from tests.bridges.conftest import WorkersOf
from tests.bridges.queue_workers import QueueWorkers
from tests.frameworks.test_django import DJANGO_6


@pytest.fixture
def workers(workers_of: WorkersOf) -> QueueWorkers:
    return workers_of("django_tasks")


@pytest.mark.parametrize(
    ("task", "error"),
    [("leave", "SystemExit: 2"), ("unreadable", "TypeError: Object of type object is not JSON serializable")],
)
async def test_a_task_that_fails_for_django_fails(workers: QueueWorkers, task: str, error: str) -> None:
    """It ends its process, or it returns what Django cannot store."""
    states = await workers.states_after(f'{task}.enqueue(progress_session="{task}")', task, 1, "error")
    assert [(each["status"], each["error"]) for each in states] == [("running", ""), ("error", error)]


@pytest.mark.full
async def test_a_task_that_enqueues_itself_is_not_done(workers: QueueWorkers) -> None:
    """The other one ends their step."""
    states = await workers.states_after('again.enqueue(progress_session="again")', "again", 1, "success")
    changes = [(each["status"], each["attempt"]) for each in states if "progress" not in each]
    assert changes == [("running", 1), ("running", 2), ("success", 2)]


JOBS = """
import os, signal
from django.conf import settings
settings.configure()  # Without a backend, tasks run at once.
from progress_sse import current
from progress_sse.bridges.django_tasks import base, task
from progress_sse.client.testing import recording

@task(progress_step=1, takes_context=True)
async def parse(context, rows):
    current().advance(rows, message=f"attempt {context.attempt}")

@task(progress_step=2)
def save(rows):
    parse.func(None, rows)
    others_own.enqueue()
    raise OSError("disk full")

@base.task
def others_own():
    current().advance(2)

@task(progress_step=3)
def wait():
    os.kill(os.getpid(), signal.SIGINT)

@task(progress_step=4)
async def wait_async():
    raise KeyboardInterrupt

@task(progress_step=5)
def go_on():
    try:
        wait.func()
    except KeyboardInterrupt:
        current().advance(1)

@task
def plain():
    pass

def reports_of(task, *args, **keywords):
    with recording() as recorder:
        try:
            result = task.enqueue(*args, **keywords)
        except KeyboardInterrupt:
            pass
        current().advance(9)  # It has left the step.
    return recorder.of(keywords.get("progress_session") or result.id)
"""


@pytest.mark.parametrize("python", [sys.executable, pytest.param(DJANGO_6, marks=pytest.mark.full)])
@pytest.mark.parametrize(
    ("call", "reports"),
    [
        (
            "parse, 3, progress_session='nightly'",
            [Start(1), Advance(1, 3, None, "attempt 1"), Complete(1, message="attempt 1")],
        ),
        (
            "save, 3, progress_session='nightly'",
            [Start(2), Advance(2, 2), Complete(2, success=False, error="OSError: disk full")],
        ),
        ("plain, progress_step='Load'", [Start("Load"), Complete("Load")]),
        ("plain", []),
        (
            "wait, progress_session='nightly'",
            [Start(3), Complete(3, success=False, error="KeyboardInterrupt")],
        ),
        (
            "wait_async, progress_session='nightly'",
            [Start(4), Complete(4, success=False, error="KeyboardInterrupt")],
        ),
        ("go_on, progress_session='nightly'", [Start(5), Advance(5, 1), Complete(5)]),
    ],
    ids=["parse", "save", "load", "plain", "interrupted", "interrupted async", "caught"],
)
def test_tasks_report_where_they_run_at_once(tmp_path: Path, python: str, call: str, reports: list[object]) -> None:
    """Functions get no keywords of their steps. A function that is called, and a task of Django's own, are no steps.

    Ctrl-C ends a task, though Django sends no signal of that.
    """
    (tmp_path / "jobs.py").write_text(JOBS, "utf-8")
    code = f"from jobs import *; print(reports_of({call}))"
    assert subprocess.check_output([python, "-c", code], cwd=tmp_path, text=True).strip() == repr(reports)
