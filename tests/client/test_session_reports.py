"""What a job reports of its session as a whole, and steps by name."""

import asyncio
import logging
import os
import signal
import sys
from typing import Any

import pytest

from progress_sse import Progress, StepDefinition
from progress_sse.client.definitions import change, define
from progress_sse.client.errors import ReportRefusedError
from progress_sse.client.exchange import ReportAnswer, ReportRequest
from progress_sse.client.reporter import Reporter
from progress_sse.client.reports import Create, Report
from progress_sse.client.testing import recording
from progress_sse.core.bounds import UNCHANGED
from progress_sse.core.details import Link
from progress_sse.core.updates import Advance, Complete, Describe, Finish, Plan, Skip, Start
from tests.client.fake import FakeTransport
from tests.client.job_errors import MuteError, OopsError
from tests.client.shells import Job, Shell


async def reports_of(shell: Shell, job: Job, **options: Any) -> list[Report]:
    """Run a job inside the block of a new session, and return all reports after the creation."""
    with recording() as recorder:
        await shell.run(job, shell.progress("a", **options))
    created, *reports = recorder.of("a")
    assert isinstance(created, Create)
    return reports


async def reports_of_attached(shell: Shell, job: Job, **options: Any) -> list[Report]:
    """Run a job inside the block of an existing session, and return all reports."""
    with recording() as recorder:
        await shell.run(job, shell.progress.attach("a", **options))
    return recorder.of("a")


async def test_a_session_says_what_it_is(shell: Shell) -> None:
    """Links are URLs by their labels, or pairs; whatever is not given is not sent."""
    with recording() as recorder:
        await shell.run(
            lambda _: None,
            shell.progress(
                "a",
                steps=["One"],
                title="Nightly import",
                labels={"customer": "acme"},
                links={"Logs": "https://logs.example/1"},
                profile="nightly",
            ),
        )
        await shell.run(lambda _: None, shell.progress("a", open_ended=True, links=[("Logs", "/logs")]))
    assert recorder.of("a") == [
        Create(
            (StepDefinition("One"),),
            title="Nightly import",
            labels={"customer": "acme"},
            links=(Link("Logs", "https://logs.example/1"),),
            profile="nightly",
        ),
        Create(links=(Link("Logs", "/logs"),), open_ended=True),
        Finish(),
    ]


def _begin(*steps: int | str) -> Job:
    def work(progress: Reporter) -> None:
        for each in steps:
            with progress.step(each):
                pass

    return work


@pytest.mark.parametrize(
    ("job", "named"),
    [
        (_begin(), "'One', 'Two'"),
        (_begin(1), "'Two'"),
        (_begin("One"), "'Two'"),
        (_begin(1, 2), None),
        (_begin("Two"), None),
        (lambda progress: progress.skip("Two"), None),
        (lambda progress: progress.finish(), None),
    ],
    ids=["none", "first", "first by name", "both", "last", "skipped", "finished"],
)
async def test_a_block_that_ends_before_its_last_step_warns(
    shell: Shell, job: Job, named: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """Once, with the names and the cure; the session stays as it is."""
    reports = await reports_of(shell, job, steps=["One", "Two"])
    said = [] if named is None else [f"'a' stays open: {named} never began; skip() them, or finish()"]
    assert caplog.messages == said
    if named is not None:
        assert not any(isinstance(each, Finish | Skip) for each in reports)


async def test_the_warning_names_the_first_of_many_steps(shell: Shell, caplog: pytest.LogCaptureFixture) -> None:
    """One line stays readable with a thousand of them."""
    await reports_of(shell, _begin(1), steps=[f"S{number}" for number in range(1, 1001)])
    named = "'S2', 'S3', 'S4', 'S5', 'S6' and 994 more"
    assert caplog.messages == [f"'a' stays open: {named} never began; skip() them, or finish()"]


def test_texts_that_are_too_long_cost_no_session() -> None:
    """A refused creation would end all reporting; an empty title is none."""
    created = define(None, None, "x" * 300, {"a": "y" * 300}, None, False)
    assert (created.title, created.labels) == ("x" * 199 + "…", {"a": "y" * 255 + "…"})
    assert define(None, None, "", None, None, False) == Create()
    assert change("z" * 300, None, None) == Describe("z" * 199 + "…", None, None)


def test_details_that_do_not_fit_cost_no_session(caplog: pytest.LogCaptureFixture) -> None:
    """They are cut or left out, with a warning; a refused creation would end all reporting."""
    labels = {"k" * 70: "v", "a:b": "v", "": "v", **{str(number): "v" for number in range(20)}}
    fit = ["k" * 63 + "…", *(str(number) for number in range(15))]
    unfit = ["ftp://h/1", "h/1", "//h/1", "/a b", "https://me@h/1", "/" + "u" * 2048, ""]
    links = [("Log" * 40, "/log"), ("", "/empty"), *(("Bad", url) for url in unfit), *[("Log", "/log")] * 20]
    for created in (
        define(None, None, None, labels, links, False),
        change(None, {**labels, "never": None, "n:o": None}, links),
    ):
        assert isinstance(created.labels, dict)
        assert list(created.labels) == fit
        assert created.links == (Link(("Log" * 40)[:99] + "…", "/log"), *[Link("Log", "/log")] * 19)
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 4


def test_a_profile_that_does_not_fit_costs_no_session(caplog: pytest.LogCaptureFixture) -> None:
    """It is left out, with a warning; an empty one is none."""
    said = [define(None, None, None, None, None, False, each).profile for each in ("nightly", "a/b", "x" * 129, "")]
    assert said == ["nightly", None, None, None]
    assert len(caplog.records) == 2


async def test_steps_are_found_on_the_way(shell: Shell) -> None:
    """A name whose step this job has ended is a new step; so is one that failed."""

    def job(progress: Reporter) -> None:
        for _ in range(2):
            with progress.step("Parse", message="m") as step:
                step.advance()
        with pytest.raises(OopsError), progress.step("Save", timeout_ms=500, estimated_ms=100):
            raise OopsError
        progress.step("Save").start()
        progress.step("Save").complete()
        progress.step(7).start()

    assert await reports_of(shell, job, open_ended=True) == [
        Start("Parse"),
        Advance("Parse", 1, None, "m"),
        Complete("Parse", message="m"),
        Start("Parse", append=True),
        Advance("Parse", 1, None, "m"),
        Complete("Parse", message="m"),
        Start("Save", 500, estimated_ms=100),
        Complete("Save", success=False, error="OopsError"),
        Start("Save", append=True),
        Complete("Save"),
        Start(7),
        Finish(),
    ]


async def test_a_step_of_a_fixed_session_begins_again(shell: Shell) -> None:
    """Its steps are known, so that a name that has ended is the same step. Of another session that is unknown."""

    def job(progress: Reporter) -> None:
        for _ in range(2):
            with progress.step("One"):
                pass

    fixed = [Start("One"), Complete("One"), Start("One"), Complete("One")]
    assert await reports_of(shell, job, steps=["One"]) == fixed
    assert await reports_of_attached(shell, job) == [*fixed[:2], Start("One", append=True), Complete("One")]


async def test_a_job_skips_plans_and_describes(shell: Shell) -> None:
    """`None` removes a value, and a value that is not given stays."""

    def job(progress: Reporter) -> None:
        progress.plan(["One", StepDefinition("Two", 1000, 500)])
        progress.skip(1, "nothing to do")
        progress.skip("Two")
        progress.describe(title="Mine", labels={"kind": "import", "old": None})
        progress.describe(links={"Result": "/result"})
        progress.describe(title=None, labels=None, links=None)

    assert await reports_of_attached(shell, job) == [
        Plan((StepDefinition("One"), StepDefinition("Two", 1000, 500))),
        Skip(1, "nothing to do"),
        Skip("Two"),
        Describe(title="Mine", labels={"kind": "import", "old": None}),
        Describe(links=(Link("Result", "/result"),)),
        Describe(None, None, None),
    ]


@pytest.mark.parametrize(
    ("links", "sent"),
    [([("Result", "javascript:alert(1)")], None), ([], ()), ({"": "/no-label", "Log": "/log"}, (Link("Log", "/log"),))],
)
async def test_links_that_are_refused_leave_those_of_the_session(
    shell: Shell, links: Any, sent: tuple[Link, ...] | None
) -> None:
    """An end without any link that is accepted removes none, unless the job has said so."""
    assert await reports_of(shell, lambda job: job.finish(links=links), open_ended=True) == [Finish(links=sent)]
    [failed] = await reports_of(shell, lambda job: job.fail("no luck", links=links), open_ended=True)
    assert failed == Finish(False, "no luck", sent)
    [described] = await reports_of_attached(shell, lambda job: job.describe(links=links))
    assert described == Describe(links=UNCHANGED if links and sent is None else sent)


async def test_a_job_ends_its_session(shell: Shell) -> None:
    """The end of the block says nothing more, unless the session has gone on since."""

    def succeed(progress: Reporter) -> None:
        progress.finish(links=[("Result", "/result")])

    def fail(progress: Reporter) -> None:
        progress.fail(OopsError("disk full"), links={"Log": "/log"})

    def go_on(progress: Reporter) -> None:
        progress.fail("no luck")
        progress.step("Again").start()

    def plan_on(progress: Reporter) -> None:
        progress.finish()
        progress.plan(["More"])

    assert await reports_of(shell, succeed, open_ended=True) == [Finish(links=(Link("Result", "/result"),))]
    failed = Finish(False, "OopsError: disk full", (Link("Log", "/log"),))
    assert await reports_of(shell, fail, open_ended=True) == [failed]
    assert await reports_of_attached(shell, fail) == [failed]
    assert await reports_of(shell, go_on, open_ended=True) == [Finish(False, "no luck"), Start("Again"), Finish()]
    assert (await reports_of(shell, plan_on, open_ended=True))[-1] == Finish()


@pytest.mark.parametrize(
    "end", [lambda progress: progress.finish(), lambda progress: progress.fail("no luck")], ids=["finish", "fail"]
)
async def test_the_end_of_a_session_ends_its_steps(shell: Shell, end: Job) -> None:
    """A name is a new step from then on, and an exception has nothing left to end."""

    def go_on(progress: Reporter) -> None:
        progress.step("One").start()
        end(progress)
        progress.step("One").start()

    def raise_later(progress: Reporter) -> None:
        progress.step("One").start()
        end(progress)
        raise OopsError

    assert (await reports_of(shell, go_on, open_ended=True))[2] == Start("One", append=True)
    with recording() as recorder, pytest.raises(OopsError):
        await shell.run(raise_later, shell.progress.attach("a"))
    assert len(recorder.of("a")) == 2


def between_steps(progress: Reporter) -> None:
    """Fail outside of any step, while one runs that was started without a block."""
    progress.step(1, message="m").start()
    with progress.step("Two"):
        pass
    raise OopsError("disk full")


FAILURE = Finish(False, "OopsError: disk full")


async def test_an_exception_anywhere_ends_a_session_that_was_created_here(shell: Shell) -> None:
    """A crash between two steps would otherwise run for ever."""
    for options in ({}, {"open_ended": True}, {"open_ended": True, "lease_s": None}):
        with recording() as recorder, pytest.raises(OopsError):
            await shell.run(between_steps, shell.progress("a", **options))
        assert recorder.of("a")[1:] == [Start(1), Start("Two"), Complete("Two"), FAILURE]


async def test_an_exception_ends_the_own_steps_of_a_session_that_others_created(shell: Shell) -> None:
    """The session goes on."""
    with recording() as recorder, pytest.raises(OopsError):
        await shell.run(between_steps, shell.progress.attach("a"))
    assert recorder.of("a")[-1] == Complete(1, success=False, error="OopsError: disk full")
    assert len(recorder.of("a")) == 4


@pytest.mark.parametrize("method", ["__call__", "attach"])
async def test_without_a_lease_an_exception_ends_nothing_else(shell: Shell, method: str) -> None:
    """It has no attempt that could end."""
    make = shell.progress if method == "__call__" else shell.progress.attach
    with recording() as recorder, pytest.raises(OopsError):
        await shell.run(between_steps, make("a", lease_s=None))
    assert recorder.of("a")[-3:] == [Start(1), Start("Two"), Complete("Two")]


async def test_the_text_of_a_failure_is_the_jobs_own(shell: Shell) -> None:
    """An exception after `fail` does not replace it; one after `finish` does, since the job has not succeeded."""

    def fail(progress: Reporter) -> None:
        progress.fail("out of paper")
        raise OopsError

    def succeed(progress: Reporter) -> None:
        progress.finish()
        raise OopsError("disk full")

    for job, expected in ((fail, [Finish(False, "out of paper")]), (succeed, [Finish(), FAILURE])):
        with recording() as recorder, pytest.raises(OopsError):
            await shell.run(job, shell.progress("a"))
        assert recorder.of("a")[1:] == expected


@pytest.mark.parametrize("status", [None, 0, False, 1, "no space left"])
@pytest.mark.parametrize("is_open_ended", [False, True])
async def test_an_exit_amid_a_step_is_a_success_unless_it_has_an_error(
    shell: Shell, status: Any, is_open_ended: bool
) -> None:
    """Its text or number is the error."""

    def leave(progress: Reporter) -> None:
        with progress.step(1):
            sys.exit(status)

    with recording() as recorder, pytest.raises(SystemExit):
        await shell.run(leave, shell.progress("a", open_ended=is_open_ended))
    success = [Complete(1), *([Finish()] if is_open_ended else [])]
    error = f"SystemExit: {status}"
    failure = [Complete(1, success=False, error=error), Finish(False, error)]
    assert recorder.of("a")[1:] == [Start(1), *(failure if status else success)]


def test_a_child_process_does_not_end_the_session_of_its_parent() -> None:
    """It leaves the block as well, when it exits by an exception."""
    read_end, write_end = os.pipe()
    with recording() as recorder:
        progress = Progress("a", open_ended=True)
        progress.__enter__()
        if (child := os.fork()) == 0:
            progress.__exit__(OopsError, OopsError(), None)
            os.write(write_end, repr(recorder.of("a")).encode())
            os.kill(os.getpid(), signal.SIGKILL)
        os.waitpid(child, 0)
        progress.__exit__(None, None, None)
    in_child = os.read(read_end, 1000).decode()
    os.close(read_end)
    os.close(write_end)
    assert in_child == repr([Create(open_ended=True)])
    assert recorder.of("a") == [Create(open_ended=True), Finish()]


async def test_invalid_reports_on_a_session_are_a_warning(shell: Shell, caplog: pytest.LogCaptureFixture) -> None:
    """There is one, and the job goes on."""
    wrong: Any = 5

    def job(progress: Reporter) -> None:
        progress.plan([wrong])
        progress.describe(links=[wrong])
        progress.finish(links=wrong)
        progress.fail(MuteError())
        progress.skip(1, MuteError())  # type: ignore[arg-type]
        progress.step(1.5).start()  # type: ignore[arg-type]

    assert await reports_of_attached(shell, job) == [Finish(False, "MuteError")]
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


async def test_a_refused_end_is_raised_where_the_job_asks_for_errors(
    shell: Shell, caplog: pytest.LogCaptureFixture
) -> None:
    """An exception of the job is more important, and the log has the other one."""
    fake = FakeTransport(lambda request: ReportAnswer(409, "step-running", "no") if _is_end(request) else OK)
    with pytest.raises(ReportRefusedError, match="finish of the session was refused: 409 no"):
        await shell.run(
            lambda _: None, shell.progress("a", open_ended=True, transport=shell.transport(fake), on_error="raise")
        )

    def fail_twice(progress: Reporter) -> None:
        fake.may_answer.clear()
        progress.finish()
        fake.may_answer.set()  # Only now: a call that returns after its refusal would raise it.
        asyncio.run(shell.flush(progress, 20))
        raise OopsError

    with pytest.raises(OopsError):
        await shell.run(fail_twice, shell.progress("a", transport=shell.transport(fake), on_error="raise"))
    assert any("cannot report that 'a' failed" in record.getMessage() for record in caplog.records)


OK = ReportAnswer(200)


def _is_end(request: ReportRequest) -> bool:
    return isinstance(request.report, Finish)
