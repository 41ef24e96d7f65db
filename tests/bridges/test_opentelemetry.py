"""Spans of OpenTelemetry as steps, with its own SDK at a real server."""

import asyncio
import json
import logging
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any, Literal

import httpx
import pytest
from opentelemetry.baggage import set_baggage
from opentelemetry.propagate import inject
from opentelemetry.sdk.trace import Span, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Sampler
from opentelemetry.trace import StatusCode, set_span_in_context

from progress_sse.bridges import opentelemetry
from progress_sse.bridges.opentelemetry import KeepSessions, SessionProcessor
from progress_sse.client.errors import Cancelled
from progress_sse.client.testing import Complete, Finish, Recorder, ReportPart, Start
from tests.bridges.conftest import Build
from tests.harness.documents import programs_of
from tests.harness.http1 import HOST, free_port
from tests.harness.presence import present
from tests.harness.serving import Server, eventually, session_path


class Traced:
    """A provider whose spans are reported."""

    def __init__(self, sampler: Sampler = ALWAYS_ON, **options: Any) -> None:
        self.processor = SessionProcessor(**options)
        self.provider = TracerProvider(sampler=sampler)
        self.provider.add_span_processor(self.processor)
        self.tracer = self.provider.get_tracer("job")

    def span(self, name: str, **attributes: Any) -> Any:
        return self.tracer.start_as_current_span(name, attributes=attributes)

    def session(self, session_id: str) -> Any:
        return self.span("import", **{"progress.session": session_id})


@pytest.fixture
def traced(server: Server, monkeypatch: pytest.MonkeyPatch) -> Traced:
    monkeypatch.setenv("PROGRESS_SSE_URL", server.url)
    return Traced()


def poll(server: Server, session_id: str, traced: Traced | None = None) -> Any:
    assert traced is None or traced.provider.force_flush()
    return httpx.get(server.url + session_path(session_id)).json()


def outcomes(session: Any) -> dict[str, tuple[str, str]]:
    return {step["name"]: (step["status"], step.get("error", "")) for step in session["steps"]}


PRELUDE = """
import os, sys
from opentelemetry.sdk.trace import TracerProvider
from progress_sse.bridges.opentelemetry import SessionProcessor

provider = TracerProvider()
provider.add_span_processor(SessionProcessor(accept_baggage="accepts" in sys.argv))
span = provider.get_tracer("job").start_as_current_span
"""


def start(url: str, code: str, *arguments: str) -> "subprocess.Popen[str]":
    """Start another process, which has a function `span`."""
    command = [sys.executable, "-W", "ignore", "-c", PRELUDE + code, *arguments]
    environment, pipe = {**os.environ, "PROGRESS_SSE_URL": url}, subprocess.PIPE
    return subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def test_spans_are_shown_while_they_run(server: Server, traced: Traced, sid: str) -> None:
    """Steps and parts appear with the starts of their spans, and end with them; deeper spans are not reported."""
    with traced.session(sid):
        with traced.span("download"):
            pass
        with traced.span("parse"), traced.span("rows"), traced.span("row"):
            shown = poll(server, sid, traced)
    assert (shown["status"], shown["title"]) == ("running", "import")
    assert outcomes(shown) == {"download": ("success", ""), "parse": ("running", "")}
    assert [(part["part"], part["status"]) for part in shown["steps"][1]["parts"]["listed"]] == [("rows", "running")]
    assert shown["steps"][1]["liveness"]["state"] == "live"
    shown = poll(server, sid, traced)
    assert (shown["status"], shown["steps"][1]["parts"]["success"]) == ("completed", 1)


def test_the_program_of_the_page_reports(server: Server, tmp_path: Path) -> None:
    """Its spans are the steps, and it waits for the reports when it exits."""
    (tmp_path / "spans.py").write_text(programs_of("how-to/report-from-queues.md")["spans"], "utf-8")
    environment = {**os.environ, "PROGRESS_SSE_URL": server.url}
    subprocess.run([sys.executable, "spans.py"], cwd=tmp_path, env=environment, check=True, timeout=60)
    shown = poll(server, "spans")
    assert shown["status"] == "completed"
    assert [(step["name"], step.get("parts", {}).get("success")) for step in shown["steps"]] == [
        ("download", None),
        ("parse", 2),
    ]


def test_errors_are_those_of_spans(server: Server, traced: Traced, sid: str) -> None:
    """An exception that the session's span handles fails its step alone."""
    with traced.session(sid):
        with pytest.raises(OSError, match="disk full"), traced.span("write"), traced.span("block"):
            raise OSError("disk full")
        with traced.span("check") as span:
            span.record_exception(ValueError("no rows"))
            span.set_status(StatusCode.ERROR)
        with traced.span("warn") as span:
            span.record_exception(ValueError("few rows"))
    shown = poll(server, sid, traced)
    assert shown["status"] == "completed"
    assert outcomes(shown) == {
        "write": ("error", "OSError: disk full"),
        "check": ("error", "no rows"),
        "warn": ("success", ""),
    }
    assert shown["steps"][0]["parts"]["listed"][0]["error"] == "OSError: disk full"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OSError("disk full"), "OSError: disk full"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (asyncio.CancelledError(), "CancelledError"),
        (Cancelled("not needed"), "not needed"),
        (SystemExit(3), "SystemExit: 3"),
        (SystemExit(0), None),
        (GeneratorExit(), None),
    ],
)
def test_what_leaves_the_session_ends_it(recorder: Recorder, error: BaseException, text: str | None) -> None:
    """An error fails it, also one that OpenTelemetry does not record, but no span that cleans up after it."""
    traced = Traced()

    def job() -> None:
        with traced.session("a"), traced.span("work"):
            try:
                raise error
            finally:
                traced.tracer.start_span("clean up").end()

    with pytest.raises(type(error)):
        job()
    conclusion: Literal["cancelled"] | None = "cancelled" if isinstance(error, Cancelled) else None
    assert recorder.of("a")[3:] == [
        ReportPart("work", "clean up", "success"),
        Complete("work", text is None, error=text or "", conclusion=conclusion),
        Finish(text is None, text or "", conclusion=conclusion),
    ]


def test_spans_of_many_threads_are_steps_of_their_own(server: Server, traced: Traced, sid: str) -> None:
    """They have one name and run at the same time; one that follows them has it, too."""
    together = Barrier(8)

    def work(parent: Any, number: int) -> None:
        with traced.tracer.start_as_current_span("shard", context=parent) as span:
            together.wait(60)
            if number == 3:
                span.set_status(StatusCode.ERROR, "shard 3 is broken")

    with traced.session(sid) as root, ThreadPoolExecutor(8) as pool:
        list(pool.map(work, [set_span_in_context(root)] * 8, range(8)))
        traced.tracer.start_span("shard").end()
    shown = outcomes(poll(server, sid, traced))
    assert set(shown) == {"shard", *(f"shard ({number})" for number in range(2, 10))}
    assert sorted(shown.values()) == [("error", "shard 3 is broken"), *[("success", "")] * 8]


def test_spans_may_end_out_of_order(server: Server, traced: Traced, sid: str, caplog: pytest.LogCaptureFixture) -> None:
    """A step that outlives its session still has the last word; a part ends with its step; no report is refused."""
    with traced.session(sid) as root:
        inside = set_span_in_context(root)
        late, step = (traced.tracer.start_span(name, inside) for name in ("late", "step"))
        part = traced.tracer.start_span("part", set_span_in_context(step))
        step.end()
        part.set_status(StatusCode.ERROR, "too slow")
        part.end()
        traced.tracer.start_span("too late", set_span_in_context(step)).end()
    late.set_status(StatusCode.ERROR, "too slow")
    late.end()
    traced.tracer.start_span("too late", inside).end()
    shown = poll(server, sid, traced)
    assert outcomes(shown) == {"late": ("error", "too slow"), "step": ("success", "")}
    assert [(part["part"], part["status"]) for part in shown["steps"][1]["parts"]["listed"]] == [("part", "success")]
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_what_exceeds_the_limits_is_counted(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """There is one warning, and room again once a session has ended."""
    monkeypatch.setattr(opentelemetry, "MAX_SESSIONS", 1)
    monkeypatch.setattr(opentelemetry, "MAX_SPANS", 3)
    traced = Traced()
    with traced.session("a"):
        for name in "bcd":
            with traced.span(name), traced.span("part"), traced.span("not reported at all"):
                pass
        with traced.session("too many"):
            pass
    with traced.session("b"), traced.span("step"):
        pass
    assert [each.step for each in recorder.of("a") if isinstance(each, Start)] == ["b", "c"]
    assert recorder.of("too many") == []
    assert recorder.of("b")[1:] == [Start("step"), Complete("step"), Finish()]
    assert traced.processor.left_out.value == 4
    warnings = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    assert warnings == ["spans are left out: past 1 sessions, or 3 spans of one"]


def test_spans_that_are_not_sampled_do_not_appear(recorder: Recorder) -> None:
    """`KeepSessions` samples those that begin a session, and what is inside them, also within a trace that is not."""
    for sampler, session_id in ((ALWAYS_OFF, "dropped"), (KeepSessions(ALWAYS_OFF), "kept")):
        traced = Traced(sampler)
        with traced.span("request") as request, traced.session(session_id), traced.span("step"):
            assert not request.is_recording()
    assert recorder.of("dropped") == []
    assert recorder.of("kept")[1:] == [Start("step"), Complete("step"), Finish()]


def test_an_application_names_its_sessions(recorder: Recorder) -> None:
    """Where that fails for a span, it begins none; a session inside another one is a step there, too."""

    def session_of(span: Span) -> object:
        return (span.attributes or {})["order"]

    traced = Traced(session_of=session_of)
    with traced.span("order", order=42), traced.span("pay"), traced.span("again", order=42):
        pass
    with traced.span("order", order=43), traced.span("refund", order=44), traced.span("pay"):
        pass
    parts = [ReportPart("pay", "again", status) for status in ("running", "success")]
    assert recorder.of("42")[1:] == [Start("pay"), *parts, Complete("pay"), Finish()]
    assert recorder.of("43")[1:] == [Start("refund"), Complete("refund"), Finish()]
    assert recorder.of("44")[1:] == [Start("pay"), Complete("pay"), Finish()]


ELSEWHERE = """
import json
from opentelemetry.propagate import extract

with span("shard", context=extract(json.loads(sys.argv[1]))), span("read"):
    provider.force_flush()
    print("begun", flush=True)
    sys.stdin.read()
"""


def test_baggage_carries_the_session_to_other_processes(server: Server, traced: Traced, sid: str) -> None:
    """Their spans are steps, at the same time and by the same name, and end no session; one does not accept that.

    A span that is still open when the session ends does not open it again.
    """
    with traced.session(sid) as root:
        carrier: dict[str, str] = {}
        inject(carrier, set_baggage("progress.session", sid, set_span_in_context(root)))
        others = [start(server.url, ELSEWHERE, json.dumps(carrier), word) for word in ("refuses", "accepts", "accepts")]
        for other in others:
            assert present(other.stdout).readline() == "begun\n"
        for other in others[:2]:
            other.communicate(timeout=60)
        shown = poll(server, sid)
    assert shown["status"] == "running"
    assert [step["name"].partition(" #")[0] for step in shown["steps"]] == ["shard", "shard"]
    assert sorted(step["status"] for step in shown["steps"]) == ["running", "success"]
    assert poll(server, sid, traced)["status"] == "completed"
    others[2].communicate(timeout=60)
    shown = poll(server, sid)
    assert shown["status"] == "completed"
    assert [(step["attempt"], step["parts"]["success"]) for step in shown["steps"]] == [(1, 1), (1, 1)]


FORKING = """
import urllib.request

with span("import", attributes={"progress.session": "forks"}), span("load"):
    provider.force_flush()
    for _ in range(3):
        if not os.fork():
            with span("shard"):
                pass
            sys.exit("this ends the child's copies of the spans around")
    for _ in range(3):
        os.wait()
    print(urllib.request.urlopen(os.environ["PROGRESS_SSE_URL"] + "/api/progress/forks").read().decode())
"""


def test_a_fork_ends_no_span_of_its_parent(server: Server) -> None:
    """Its own spans are reported, by names of their own."""
    printed, _ = start(server.url, FORKING).communicate(timeout=60)
    [step] = json.loads(printed)["steps"]
    assert step["status"] == "running"
    parts = [(part["part"].partition(" #")[0], part["status"]) for part in step["parts"]["listed"]]
    assert parts == [("shard", "success")] * 3
    assert poll(server, "forks")["status"] == "completed"


def test_spans_of_our_own_requests_are_not_reported(
    server: Server, traced: Traced, sid: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Each would cause another request. A log handler makes them here, as an instrumented HTTP library would."""
    caplog.set_level(logging.DEBUG, "httpcore")
    spans = []
    with traced.session(sid) as root, traced.span("step"):
        inside = set_span_in_context(root)

        def request(_: logging.LogRecord) -> bool:
            spans.append(traced.tracer.start_span("POST", inside))
            return True

        caplog.handler.addFilter(request)
        for _ in range(2):
            assert traced.provider.force_flush()
        caplog.handler.removeFilter(request)
    assert spans
    assert list(outcomes(poll(server, sid, traced))) == ["step"]


AWAY = """
for number in range(300):
    with span("import", attributes={"progress.session": f"away-{number}"}), span("step"), span("part"):
        pass
print(provider.force_flush(1))
"""


@pytest.mark.processes
def test_a_server_that_is_away_harms_no_job() -> None:
    """It runs to its end; the log has the reason."""
    away = start(f"http://{HOST}:{free_port()}", AWAY)
    printed, log = away.communicate(timeout=60)
    assert (away.returncode, printed) == (0, "False\n")
    assert "cannot report on" in log
    assert "Traceback" not in log


CELERY = """
import os
from celery import Celery
from opentelemetry.baggage import set_baggage
from opentelemetry.context import attach
from opentelemetry.instrumentation.celery import CeleryInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import get_tracer, set_tracer_provider
from progress_sse.bridges.opentelemetry import SessionProcessor

app = Celery("jobs", broker=os.environ["BROKER_URL"], backend=os.environ["BROKER_URL"])
provider = TracerProvider()
provider.add_span_processor(SessionProcessor(accept_baggage=True))
set_tracer_provider(provider)
CeleryInstrumentor().instrument()

@app.task
def shard(number):
    with get_tracer("job").start_as_current_span("read"):
        provider.force_flush()  # The session may end right after the task.
        return 1 // number

def traced_run(session_id):
    with get_tracer("job").start_as_current_span("index", attributes={"progress.session": session_id}):
        attach(set_baggage("progress.session", session_id))
        for result in [shard.delay(number) for number in (1, 2, 0)]:
            result.get(timeout=60, propagate=False)
"""


async def test_celery_reports_by_its_own_instrumentation(build: Build) -> None:
    """The spans of a worker are steps of the session in the caller, which ends only when they have ended."""
    workers = build("celery")
    (workers.folder / "more_celery_jobs.py").write_text(CELERY, "utf-8")
    with workers:
        await workers.call('traced_run("index")')
        await eventually(lambda: ("running", "") not in outcomes(poll(workers.server, "index")).values(), 60)
        shown = poll(workers.server, "index")
    assert shown["status"] == "completed"
    runs = [step for step in shown["steps"] if step["name"].startswith("run/more_celery_jobs.shard #")]
    assert sorted(step["status"] for step in runs) == ["error", "success", "success"]
    assert all(step["parts"]["listed"][0]["part"] == "read" for step in runs)
    assert any("by zero" in step["error"] for step in runs)
