"""Behaviour that the bridges to queues share."""

import asyncio
import json
import math
from typing import Any

import pytest
from celery import Celery
from celery.exceptions import Ignore, Reject

from progress_sse import Progress
from progress_sse.bridges.attempts import MAX_KEPT, TaskAttempt, TaskStep, step_of, task_step
from progress_sse.bridges.celery import report_tasks
from progress_sse.client.errors import Cancelled
from progress_sse.client.reports import own_lease
from progress_sse.client.steps import BaseStep
from progress_sse.client.sync import current
from progress_sse.client.testing import Advance, Complete, Report, Start, recording
from tests.client.fake import FakeServer
from tests.harness.presence import present
from tests.harness.serving import eventually


@pytest.fixture(autouse=True)
def _nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send reports to a recorder only."""
    monkeypatch.setenv("PROGRESS_SSE_DISABLED", "1")


def step(session_id: str, number: int, *, may_cancel: bool = False) -> BaseStep:
    return present(step_of(TaskStep(session_id, number, may_cancel=may_cancel)))


def test_attempts_of_a_session_keep_their_order() -> None:
    """One queue serves all attempts, so each one's last report precedes the next one's first; the latest are kept."""
    first = step("0", 1).reporter
    assert step("0", 2).reporter is first
    for number in range(1, MAX_KEPT):
        step(str(number), 1)
    assert step("0", 1).reporter is first
    for number in range(1, MAX_KEPT + 1):
        step(str(number), 1)
    assert step("0", 1).reporter is not first


def test_a_task_that_does_not_say_so_is_not_cancelled() -> None:
    """Though an earlier task of its session in this process may be, with which it shares what reports."""
    before, after = step("mixed", 1, may_cancel=True).reporter, step("mixed", 2).reporter
    assert after is before
    assert after.inbox.accepts == ()
    assert step("mixed", 3, may_cancel=True).reporter.inbox.accepts == ("cancel",)


def test_tests_of_tasks_record_what_they_report() -> None:
    """Each recording is separate, even for a session that was reported before."""
    app = Celery("tests", set_as_current=False)
    report_tasks()

    @app.task(progress_step=2)
    def save() -> None:
        pass

    for _ in range(2):
        with recording() as recorder:
            save.apply(headers={"progress_session": "nightly"})
        assert recorder.of("nightly") == [Start(2), Complete(2)]
        save.apply(headers={"progress_session": "nightly"})


def test_each_attempt_replaces_the_one_before() -> None:
    """A retry has an id of its own, and so the reports of the former attempt do not count for it."""
    with recording() as recorder:
        first, second = TaskAttempt(TaskStep("nightly", "Load")), TaskAttempt(TaskStep("nightly", "Load"))
        first.begin(0)
        first.wait("no luck")
        first.leave()
        second.begin(1)
        second.complete()
        first.complete()
    ids = [report.lease.attempt_id for report in recorder.of("nightly") if report.lease is not None]
    assert ids == [*ids[:1] * 2, *ids[2:3] * 3, ids[0]]
    assert len(set(ids)) == 2
    assert [lease.is_handed_on for lease in map(own_lease, recorder.of("nightly")[1:3]) if lease] == [True, False]


ENDS: list[tuple[type[Exception], dict[str, Any], Report]] = [
    (Ignore, {}, Complete(2)),
    (Reject, {"reason": "no"}, Complete(2, success=False, error="rejected: no")),
    (Reject, {}, Complete(2, success=False, error="rejected")),
    (Reject, {"requeue": True}, Advance(2, 0, None, "will be tried again: rejected")),
]


@pytest.mark.parametrize(("ending", "options", "report"), ENDS)
def test_a_task_ends_without_a_result(ending: type[Exception], options: dict[str, Any], report: Report) -> None:
    """Its step does not stay running, unless Celery will run the task again."""
    app = Celery("tests", set_as_current=False)
    report_tasks()

    @app.task(progress_step=2)
    def save() -> None:
        raise ending(**options)

    with recording() as recorder:
        save.apply(headers={"progress_session": "nightly"})
    assert recorder.of("nightly") == [Start(2), report]


@pytest.mark.parametrize(
    ("error", "report"),
    [
        (OSError("disk full"), Complete(2, success=False, error="OSError: disk full")),
        (SystemExit(3), Complete(2, success=False, error="SystemExit: 3")),
        (Cancelled("no more"), Complete(2, success=False, error="no more", conclusion="cancelled")),
    ],
    ids=["error", "exit", "cancelled"],
)
def test_a_task_that_raises_into_its_caller_fails(error: BaseException, report: Report) -> None:
    """Celery sends no signal of that where a task runs at once and its errors propagate."""
    app = Celery("tests", set_as_current=False)
    report_tasks()

    @app.task(progress_step=2)
    def save() -> None:
        raise error

    with recording() as recorder, pytest.raises(type(error)):
        save.apply(headers={"progress_session": "nightly"}, throw=True)
    assert recorder.of("nightly") == [Start(2), report]


def test_a_task_runs_its_replacement_itself() -> None:
    """Tests of tasks have them run so; both have the same id, and each ends its own step."""
    app = Celery("tests", set_as_current=False)
    report_tasks()

    @app.task(progress_step=2, bind=True)
    def save(self: Any) -> Any:
        return self.replace(write.si())

    @app.task(progress_step=3)
    def write() -> None:
        pass

    with recording() as recorder:
        save.apply(headers={"progress_session": "nightly"})
    assert recorder.of("nightly") == [Start(2), Complete(2)]
    [other] = {session_id for session_id, _ in recorder.reports} - {"nightly"}
    assert recorder.of(other) == [Start(3), Complete(3)]


@pytest.mark.parametrize("session_id", [42, ["42"], {}])
def test_a_task_runs_whatever_session_its_message_names(session_id: object) -> None:
    """A number, the usual id of an order, is accepted; any other value is left for the server to refuse."""
    task = task_step({"progress_session": session_id, "progress_step": 1}, "task-7")
    with recording() as recorder:
        attempt = TaskAttempt(task)
        attempt.begin(0)
        attempt.complete()
        attempt.leave()
    assert recorder.of(str(session_id or "task-7")) == [Start(1), Complete(1)]
    attempt = TaskAttempt(task)
    attempt.begin(0)
    attempt.leave()


@pytest.mark.parametrize(
    ("retries", "message"),
    [(1, "attempt 2"), ("2", "attempt 3"), (-1, None), (None, None), ("many", None), ([1], None), (math.inf, None)],
)
def test_a_task_runs_whatever_number_of_retries_its_message_has(retries: object, message: str | None) -> None:
    """What is no number is none; an error in here would cost the task its run."""
    with recording() as recorder:
        attempt = TaskAttempt(TaskStep("nightly", 1))
        attempt.begin(retries)
        attempt.leave()
    assert recorder.of("nightly") == [Start(1), *([] if message is None else [Advance(1, 0, None, message)])]


def test_a_task_reports_on_its_session_by_its_own_attempt() -> None:
    """The server knows no other of this process. While several run, it is not told which one reports."""

    def describe(attempt: TaskAttempt) -> str | None:
        current().describe(title="Mine")
        report = recorder.of(attempt.task.session_id)[-1]
        return None if report.lease is None else report.lease.attempt_id

    with recording() as recorder:
        task = TaskAttempt(TaskStep("nightly", 1))
        task.begin(0)
        own = present(recorder.of("nightly")[0].lease)
        assert describe(task) == own.attempt_id
        task.complete()
        assert describe(task) is None
        task.leave()


def test_tasks_that_run_at_once_report_on_their_session() -> None:
    """None ends the session of the others by its attempt, which the server would refuse."""
    with recording() as recorder:
        tasks = [step("nightly", number) for number in (1, 2)]
        reporter = tasks[0].reporter
        for each in tasks:
            each.reporter = reporter
            each.take_over()
            each.start()
        assert isinstance(reporter, Progress)
        reporter.finish()
    assert [report.lease is None for report in recorder.of("nightly")] == [False, False, True]


@pytest.mark.parametrize(
    ("number", "part", "profile", "created"),
    [
        (1, None, "jobs.load", {"profile": "jobs.load"}),
        ("Load", None, "jobs.load", {"open_ended": True, "profile": "jobs.load"}),
        (1, "shard-3", "jobs.load", None),
        (1, None, "", None),
        (1, None, "jobs/load", None),
    ],
)
async def test_a_task_creates_its_session_where_there_is_none(
    number: int | str, part: str | None, profile: str, created: dict[str, Any] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As its start would, but under the name of the task; a part leaves that to the step, and an unfit name to none."""
    async with FakeServer() as server:
        server.may_answer.set()
        use(server, monkeypatch)
        session_id = f"learned-{number}-{part}-{profile!r}".replace("/", "-")

        def work() -> None:
            task = TaskStep(session_id, number, part, profile=profile)
            attempt = TaskAttempt(task)
            attempt.begin(0)
            attempt.complete()
            attempt.leave()
            TaskAttempt(task).begin(0)

        await asyncio.to_thread(work)
        await eventually(lambda: begun(server) >= 2, 60)
    creations = [json.loads(each.body) for each in server.seen if each.request.startswith("PUT")]
    assert creations == ([] if created is None else [created])
    if created is not None:
        assert server.seen[0].request.startswith("PUT ")
        assert "replace" not in server.seen[0].request


async def test_a_task_of_celery_is_learned_from_under_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless it is declared with another one, or called with one."""
    app = Celery("tests", set_as_current=False)
    report_tasks()

    @app.task(progress_step=1, name="jobs.load")
    def load() -> None:
        pass

    @app.task(progress_step=1, name="jobs.other", progress_profile="nightly")
    def declared() -> None:
        pass

    def work() -> None:
        load.apply(headers={"progress_session": "celery-1"})
        declared.apply(headers={"progress_session": "celery-2"})
        load.apply(headers={"progress_session": "celery-3", "progress_profile": "weekly"})

    async with FakeServer() as server:
        server.may_answer.set()
        use(server, monkeypatch)
        await asyncio.to_thread(work)
        await eventually(lambda: sum(each.body.count(b'"complete"') for each in server.seen) == 3, 60)
    bodies = {each.request: json.loads(each.body) for each in server.seen if each.request.startswith("PUT")}
    assert [bodies[f"PUT /api/progress/celery-{n} HTTP/1.1"]["profile"] for n in (1, 2, 3)] == [
        "jobs.load",
        "nightly",
        "weekly",
    ]


def begun(server: FakeServer) -> int:
    """How often a step or a part of one was reported."""
    return sum(each.body.count(b'"start"') + each.body.count(b'"part"') for each in server.seen)


def use(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Send reports to a server after all."""
    monkeypatch.delenv("PROGRESS_SSE_DISABLED")
    monkeypatch.setenv("PROGRESS_SSE_URL", server.url)
