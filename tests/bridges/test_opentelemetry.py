"""Spans of OpenTelemetry as steps, with its own SDK at a real server."""

import asyncio
import gc
import json
import logging
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Barrier
from typing import Any, Literal
from weakref import ref

import httpx
import pytest
from opentelemetry.baggage import set_baggage
from opentelemetry.propagate import inject
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Sampler
from opentelemetry.trace import NonRecordingSpan, SpanContext, StatusCode, TraceFlags, set_span_in_context

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
        self.start = self.tracer.start_span

    def span(self, name: str, **attributes: Any) -> Any:
        return self.tracer.start_as_current_span(name, attributes=attributes)

    def session(self, session_id: str) -> Any:
        return self.span("import", **{"progress.session": session_id})

    def poll(self, session_id: str) -> Any:
        assert self.provider.force_flush()
        return poll(session_id)


@pytest.fixture
def traced(server: Server, monkeypatch: pytest.MonkeyPatch) -> Traced:
    monkeypatch.setenv("PROGRESS_SSE_URL", server.url)
    return Traced()


def poll(session_id: str) -> Any:
    return httpx.get(os.environ["PROGRESS_SSE_URL"] + session_path(session_id)).json()


def outcomes(session: Any) -> dict[str, tuple[str, str]]:
    return {step["name"]: (step["status"], step.get("error", "")) for step in session["steps"]}


def parts_of(step: Any) -> list[tuple[str, str]]:
    return [(part["part"].partition(" #")[0], part["status"]) for part in step["parts"]["listed"]]


PRELUDE = """
import os, sys
from opentelemetry.sdk.trace import TracerProvider
from progress_sse.bridges.opentelemetry import SessionProcessor

provider = TracerProvider()
provider.add_span_processor(SessionProcessor(accept_baggage="refuses" not in sys.argv))
span = provider.get_tracer("job").start_as_current_span
"""


def start(code: str, *arguments: str) -> "subprocess.Popen[str]":
    """Start another process, which has a function `span`."""
    command, pipe = [sys.executable, "-W", "ignore", "-c", PRELUDE + code, *arguments], subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def test_spans_are_shown_while_they_run(traced: Traced, sid: str) -> None:
    """Steps and parts appear with the starts of their spans, and end with them; deeper spans are not reported."""
    with traced.session(sid):
        with traced.span("download"):
            pass
        with traced.span("parse"), traced.span("rows"), traced.span("row"):
            shown = traced.poll(sid)
    assert (shown["status"], shown["title"]) == ("running", "import")
    assert outcomes(shown) == {"download": ("success", ""), "parse": ("running", "")}
    assert parts_of(shown["steps"][1]) == [("rows", "running")]
    assert shown["steps"][1]["liveness"]["state"] == "live"
    shown = traced.poll(sid)
    assert (shown["status"], shown["steps"][1]["parts"]["success"]) == ("completed", 1)


def test_the_program_of_the_page_reports(traced: Traced) -> None:
    """Its spans are the steps, and it waits for the reports when it exits."""
    code = programs_of("how-to/report-from-queues.md")["spans"]
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    shown = traced.poll("spans")
    assert shown["status"] == "completed"
    assert list(outcomes(shown)) == ["download", "parse"]
    assert parts_of(shown["steps"][1]) == [("albums", "success"), ("photos", "success")]


def test_errors_are_those_of_spans(traced: Traced, sid: str) -> None:
    """An exception that the session's span handles fails its step alone."""
    with traced.session(sid):
        with pytest.raises(OSError, match="disk full"), traced.span("write"), traced.span("block"):
            raise OSError("disk full")
        with traced.span("check") as span:
            span.record_exception(ValueError("no rows"))
            span.set_status(StatusCode.ERROR)
        with traced.span("warn") as span:
            span.record_exception(ValueError("few rows"))
    shown = traced.poll(sid)
    assert shown["status"] == "completed"
    assert outcomes(shown) == {
        "write": ("error", "OSError: disk full"),
        "check": ("error", "no rows"),
        "warn": ("success", ""),
    }
    assert shown["steps"][0]["parts"]["listed"][0]["error"] == "OSError: disk full"


@pytest.mark.parametrize(
    ("error", "text", "conclusion"),
    [
        (OSError("disk full"), "OSError: disk full", None),
        (KeyboardInterrupt(), "KeyboardInterrupt", None),
        (asyncio.CancelledError(), "CancelledError", None),
        (Cancelled("not needed"), "not needed", "cancelled"),
        (SystemExit(3), "SystemExit: 3", None),
        (SystemExit(0), None, None),
        (GeneratorExit(), None, None),
    ],
)
def test_what_leaves_the_session_ends_it(
    recorder: Recorder, error: BaseException, text: str | None, conclusion: Literal["cancelled"] | None
) -> None:
    """An error fails it, also one that OpenTelemetry does not record, but no span that cleans up after it."""
    traced, cleaning = Traced(), ExitStack()
    cleaning.callback(lambda: traced.start("clean up").end())
    with pytest.raises(type(error)), traced.session("a"), traced.span("work"), cleaning:
        raise error
    assert recorder.of("a")[3:] == [
        ReportPart("work", "clean up", "success"),
        Complete("work", text is None, error=text or "", conclusion=conclusion),
        Finish(text is None, text or "", conclusion=conclusion),
    ]


def test_spans_of_many_threads_are_steps_of_their_own(traced: Traced, sid: str) -> None:
    """They have one name and run at the same time; one that follows them has it, too."""
    together = Barrier(8)

    def work(parent: Any, number: int) -> None:
        with traced.tracer.start_as_current_span("shard", context=parent) as span:
            together.wait(60)
            if number == 3:
                span.set_status(StatusCode.ERROR, "shard 3 is broken")

    with traced.session(sid) as root, ThreadPoolExecutor(8) as pool:
        list(pool.map(work, [set_span_in_context(root)] * 8, range(8)))
        traced.start("shard").end()
    shown = outcomes(traced.poll(sid))
    assert set(shown) == {"shard", *(f"shard ({number})" for number in range(2, 10))}
    assert sorted(shown.values()) == [("error", "shard 3 is broken"), *[("success", "")] * 8]


def test_spans_may_end_out_of_order(traced: Traced, sid: str, caplog: pytest.LogCaptureFixture) -> None:
    """A step that outlives its session still has the last word; a part ends with its step; no report is refused."""
    with traced.session(sid) as root:
        inside = set_span_in_context(root)
        late, step = (traced.start(name, inside) for name in ("late", "step"))
        part = traced.start("part", set_span_in_context(step))
        step.end()
        part.set_status(StatusCode.ERROR, "too slow")
        part.end()
        traced.start("too late", set_span_in_context(step)).end()
    late.set_status(StatusCode.ERROR, "too slow")
    late.end()
    traced.start("too late", inside).end()
    shown = traced.poll(sid)
    assert outcomes(shown) == {"late": ("error", "too slow"), "step": ("success", "")}
    assert parts_of(shown["steps"][1]) == [("part", "success")]
    assert caplog.messages == []


def test_what_exceeds_the_limits_is_counted(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """There is one warning."""
    monkeypatch.setattr(opentelemetry, "MAX_SPANS", 3)
    traced = Traced()
    with traced.session("a"):
        for name in "bcd":
            with traced.span(name), traced.span("part"), traced.span("not reported at all"):
                pass
    assert [each.step for each in recorder.of("a") if isinstance(each, Start)] == ["b", "c"]
    assert traced.processor.left_out.value == 2
    assert caplog.messages == ["spans are left out: past 100 sessions, or 3 spans of one"]


def test_spans_that_never_end_keep_no_place(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A new session is always reported. The one that has been idle for longest makes room, and is left to its lease."""
    monkeypatch.setattr(opentelemetry, "MAX_SESSIONS", 2)
    traced = Traced()
    processor, kept = traced.processor, list[ref[Any]]()
    busy = traced.start("import", attributes={"progress.session": "busy"})
    for number in range(3):
        forgotten = traced.start("import", attributes={"progress.session": f"forgotten-{number}"})
        step = traced.start("step", set_span_in_context(forgotten))
        traced.start("work", set_span_in_context(busy)).end()
        kept.append(ref(present(processor._open[forgotten.get_span_context()[:2]].session)))  # noqa: SLF001
    gc.collect()
    assert [each() is None for each in kept] == [True, True, False], "else it gives signs of life"
    assert len(recorder.of("forgotten-2")) == 2
    assert (len(processor._sessions), len(processor._open)) == (2, 3)  # noqa: SLF001
    busy.end()
    step.end()
    forgotten.end()
    assert recorder.of("busy")[-1] == recorder.of("forgotten-2")[-1] == Finish()
    assert len([each for each in recorder.of("busy") if isinstance(each, Complete)]) == 3
    assert not any(isinstance(each, Finish | Complete) for each in recorder.of("forgotten-1"))
    assert (processor.left_out.value, processor._open, processor._sessions) == (2, {}, {})  # noqa: SLF001
    assert caplog.messages == ["spans are left out: past 2 sessions, or 1000 spans of one"]


def test_spans_of_other_processes_sessions_keep_no_place(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that never end: the oldest make room."""
    monkeypatch.setattr(opentelemetry, "MAX_SESSIONS", 1)
    monkeypatch.setattr(opentelemetry, "MAX_SPANS", 3)
    traced = Traced(accept_baggage=True)
    remote = SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    context = set_baggage("progress.session", "other", set_span_in_context(NonRecordingSpan(remote)))
    for number in range(5):
        last = traced.start(f"step {number}", context)
    last.end()
    names = [each.step.partition(" #")[0] for each in recorder.of("other") if isinstance(each, Start)]  # type: ignore[union-attr]
    assert names == [f"step {number}" for number in range(5)]
    assert isinstance(recorder.of("other")[-1], Complete)
    assert traced.processor.left_out.value == 2


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
    traced = Traced(session_of=lambda span: span.attributes["order"])
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


def test_baggage_carries_the_session_to_other_processes(traced: Traced, sid: str) -> None:
    """Their spans are steps, at the same time and by the same name, and end no session; one does not accept that.

    A span that is still open when the session ends does not open it again.
    """
    with traced.session(sid) as root:
        carrier: dict[str, str] = {}
        inject(carrier, set_baggage("progress.session", sid, set_span_in_context(root)))
        others = [start(ELSEWHERE, json.dumps(carrier), word) for word in ("refuses", "accepts", "accepts")]
        for other in others:
            assert present(other.stdout).readline() == "begun\n"
        for other in others[:2]:
            other.communicate(timeout=60)
        shown = poll(sid)
    assert shown["status"] == "running"
    assert [step["name"].partition(" #")[0] for step in shown["steps"]] == ["shard", "shard"]
    assert sorted(step["status"] for step in shown["steps"]) == ["running", "success"]
    assert traced.poll(sid)["status"] == "completed"
    others[2].communicate(timeout=60)
    shown = poll(sid)
    assert shown["status"] == "completed"
    assert [(step["attempt"], step["parts"]["success"]) for step in shown["steps"]] == [(1, 1), (1, 1)]


FORKING = """
with span("import", attributes={"progress.session": "forks"}), span("load"):
    provider.force_flush()
    for _ in range(3):
        if not os.fork():
            with span("shard"):
                pass
            sys.exit("this ends the child's copies of the spans around")
    for _ in range(3):
        os.wait()
    print("begun", flush=True)
    sys.stdin.read()
"""


def test_a_fork_ends_no_span_of_its_parent(traced: Traced) -> None:
    """Its own spans are reported, by names of their own."""
    parent = start(FORKING)
    assert present(parent.stdout).readline() == "begun\n"
    [step] = traced.poll("forks")["steps"]
    assert step["status"] == "running"
    assert parts_of(step) == [("shard", "success")] * 3
    parent.communicate(timeout=60)
    assert poll("forks")["status"] == "completed"


def test_spans_of_our_own_requests_are_not_reported(
    traced: Traced, sid: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each would cause another request. A log handler makes them here, as an instrumented HTTP library would."""
    caplog.set_level(logging.DEBUG, "httpcore")
    spans = []
    with traced.session(sid) as root, traced.span("step"):
        inside = set_span_in_context(root)
        monkeypatch.setattr(caplog.handler, "emit", lambda _: spans.append(traced.start("POST", inside)))
        assert traced.provider.force_flush()
    assert spans
    assert list(outcomes(traced.poll(sid))) == ["step"]


AWAY = """
for number in range(300):
    with span("import", attributes={"progress.session": f"away-{number}"}), span("step"), span("part"):
        pass
print(provider.force_flush(1))
"""


@pytest.mark.processes
def test_a_server_that_is_away_harms_no_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs to its end; the log has the reason."""
    monkeypatch.setenv("PROGRESS_SSE_URL", f"http://{HOST}:{free_port()}")
    away = start(AWAY)
    printed, log = away.communicate(timeout=60)
    assert (away.returncode, printed) == (0, "False\n")
    assert "cannot report on" in log
    assert "Traceback" not in log


CELERY = """
from celery import Celery
from opentelemetry.baggage import set_baggage
from opentelemetry.context import attach
from opentelemetry.instrumentation.celery import CeleryInstrumentor

app = Celery("jobs", broker=os.environ["BROKER_URL"], backend=os.environ["BROKER_URL"])
CeleryInstrumentor().instrument(tracer_provider=provider)

@app.task
def shard(number):
    with span("read"):
        provider.force_flush()  # The session may end right after the task.
        return 1 // number

def run_shards():
    with span("index", attributes={"progress.session": "index"}):
        attach(set_baggage("progress.session", "index"))
        for result in [shard.delay(number) for number in (1, 2, 0)]:
            result.get(timeout=60, propagate=False)
"""


@pytest.mark.full
async def test_celery_reports_by_its_own_instrumentation(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    """The spans of a worker are steps of the session in the caller, which ends only when they have ended."""
    workers = build("celery")
    (workers.folder / "more_celery_jobs.py").write_text(PRELUDE + CELERY, "utf-8")
    with workers:
        monkeypatch.setenv("PROGRESS_SSE_URL", workers.server.url)
        await workers.call("run_shards()")
        await eventually(lambda: ("running", "") not in outcomes(poll("index")).values(), 60)
        shown = poll("index")
    assert shown["status"] == "completed"
    runs = [step for step in shown["steps"] if step["name"].startswith("run/more_celery_jobs.shard #")]
    assert sorted(step.get("error", "") for step in runs) == ["", "", "integer division or modulo by zero"]
    assert [parts_of(step)[0][0] for step in runs] == ["read"] * 3
