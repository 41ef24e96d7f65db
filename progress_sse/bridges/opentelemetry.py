"""Spans of OpenTelemetry as steps: what is traced is shown while it runs, if its spans are sampled.

::

    provider = TracerProvider(sampler=KeepSessions(TraceIdRatioBased(0.01)))
    provider.add_span_processor(SessionProcessor())

A span with the attribute ``progress.session`` begins that session; spans in it are steps, and spans in these parts.
"""

import logging
import os
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from typing import Any, Final, TypeAlias

import progress_sse.client.http  # noqa: F401  # now, and not by the first span
from progress_sse._internal.optional_imports import from_extra
from progress_sse.client.count import Count
from progress_sse.client.errors import SuppressReportingErrors
from progress_sse.client.own_log import is_sending, log
from progress_sse.client.report_queue import report_queues
from progress_sse.client.reports import fit_text, is_normal_exit
from progress_sse.client.steps import BaseStep
from progress_sse.client.sync import Progress
from progress_sse.client.thread_sender import thread_sender
from progress_sse.core.model import is_session_id

with from_extra("opentelemetry", "opentelemetry", need="Reports of spans need"):
    from opentelemetry.baggage import get_baggage
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
    from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased, SamplingResult
    from opentelemetry.trace import StatusCode, format_span_id

__all__ = ["KeepSessions", "SessionProcessor"]

KEY: Final = "progress.session"
"""The attribute of a span that begins a session, and the entry of baggage that continues one: the session's id."""

MAX_SESSIONS: Final = 100
"""Sessions at a time. The one that has been idle for longest makes room: its span may never end."""

MAX_SPANS: Final = 1000
"""Spans of a session, of which a server takes no more; those beyond are counted, not reported."""

_Key: TypeAlias = tuple[int, int]
"""The ids of a trace and of a span."""


class _OpenSpan:
    """A span that has not ended.

    Attributes:
        step: Its step or part; `None` if it is neither.
        session: The session that it has begun; `None` if it has begun none.
        numbers: The numbers of the spans of its session, from 1.
        pid: The process that has started it; 0: another one, whose session the baggage names.
        root: The span whose session the spans inside belong to; `None`: that of another process.
        make: Makes the step or part of a span inside; `None` where that becomes neither.
    """

    def __init__(
        self, step: BaseStep | None, session: Progress | None, numbers: Iterator[int], pid: int, root: _Key | None
    ) -> None:
        self.step = step
        self.session = session
        self.numbers = numbers
        self.pid = pid
        self.root = root
        self.make = session.step if session is not None else step.part if step is not None and not step.name else None
        self._names: dict[str, Iterator[int]] = {}
        self._handled = id(sys.exception())

    def name_of(self, span: Span) -> str:
        """Return a name for a span directly inside, which no other one there has."""
        name = fit_text(span.name, 80) or "span"
        if self.pid != os.getpid():  # Another process may have given the same name.
            return f"{name} #{format_span_id(span.context.span_id)[:6]}"
        number = next(self._names.setdefault(name, count(1)))
        return name if number == 1 else f"{name} ({number})"

    def error_of(self, span: ReadableSpan) -> str | BaseException | None:
        """Return the error that the span ends with."""
        error = leaving if id(leaving := sys.exception()) != self._handled else None
        if span.status.status_code is StatusCode.ERROR:
            recorded = [str((event.attributes or {}).get("exception.message") or "") for event in span.events]
            return span.status.description or next(filter(None, reversed(recorded)), error or "error")
        # OpenTelemetry takes a cancellation or `KeyboardInterrupt` for no error.
        is_harmless = error is None or isinstance(error, Exception | GeneratorExit) or is_normal_exit(error)
        return None if is_harmless else error


class SessionProcessor(SpanProcessor):
    """Reports spans of any thread, and never delays or ends their job; `left_out.value` counts those past a limit.

    A session that made room gets no more reports: those of its steps that run count as stalled, and then as lost.
    """

    def __init__(self, *, session_of: Callable[[Span], object] | None = None, accept_baggage: bool = False) -> None:
        """Begin.

        Args:
            session_of: Returns the id of the session that a span begins, or `None`; by default the attribute
                ``progress.session`` with which it starts.
            accept_baggage: Whether a span with a parent in another process is a step of the session in its baggage,
                which that process ends. Anyone who sends a request can write baggage.
        """
        self._session_of = session_of or (lambda span: (span.attributes or {}).get(KEY))
        self._accepts_baggage = accept_baggage
        self._open = OrderedDict[_Key, _OpenSpan]()
        self._sessions = OrderedDict[_Key, str]()  # By their spans; the one that has been idle for longest first.
        self.left_out = Count()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Report the start of a session, a step or a part."""
        with SuppressReportingErrors():
            if is_sending.get():  # Each of our own requests would cause another.
                return
            key = span.context[:2]
            outer = self._outer(span, parent_context)
            named = ""
            with SuppressReportingErrors():  # A span that it fails for begins no session.
                named = str(self._session_of(span) or "")
            step: BaseStep | None = None
            session: Progress | None = None
            numbers = outer.numbers if outer else count(1)
            root = outer.root if outer else None
            self._note_activity(root)
            if outer is not None and outer.make is not None and not self._leaves_out(next(numbers) > MAX_SPANS):
                step = outer.make(outer.name_of(span))
                step.start()
            if named and named not in self._sessions.copy().values():
                self._make_room()
                self._sessions[key] = named
                root = key
                session = Progress(named, open_ended=True, title=span.name)
                numbers = count(1)
                session.sink.begin()
            if step is not None or session is not None:
                self._open[key] = _OpenSpan(step, session, numbers, os.getpid(), root)
                if self._leaves_out(len(self._open) > MAX_SESSIONS * MAX_SPANS):  # Of other processes' sessions.
                    self._open.popitem(last=False)

    def _note_activity(self, root: _Key | None) -> None:
        if root is not None:
            with suppress(KeyError):  # It has ended, or made room.
                self._sessions.move_to_end(root)

    def _make_room(self) -> None:
        while self._leaves_out(len(self._sessions) >= MAX_SESSIONS):
            with suppress(KeyError):  # Another thread has just taken the last one.
                idle, _ = self._sessions.popitem(last=False)
                for key, each in self._open.copy().items():
                    if each.root == idle:  # Else its `Progress` would go on to give signs of life.
                        self._open.pop(key, None)

    def _outer(self, span: Span, context: Context | None) -> _OpenSpan | None:
        outer = span.parent and self._open.get(span.parent[:2])
        named = get_baggage(KEY, context) if self._accepts_baggage and span.parent and span.parent.is_remote else None
        if outer is None and isinstance(named, str) and is_session_id(named):
            return _OpenSpan(None, Progress.attach(named), count(1), pid=0, root=None)
        return outer

    def _leaves_out(self, is_past_limit: bool) -> bool:
        if is_past_limit and not self.left_out.add(1):
            log(logging.WARNING, "spans are left out: past %d sessions, or %d spans of one", MAX_SESSIONS, MAX_SPANS)
        return is_past_limit

    def on_end(self, span: ReadableSpan) -> None:
        """Report the end of a session, of a step, or of a part whose step still runs."""
        with SuppressReportingErrors():
            key = span.context[:2]
            opened = self._open.pop(key, None)
            self._sessions.pop(key, None)
            self._note_activity(opened.root if opened is not None else None)
            if opened is not None and opened.pid == os.getpid():  # Else a fork has copied it.
                error = opened.error_of(span)
                step = opened.step
                session = opened.session
                if session is not None:
                    session.lease = None  # An attempt cannot end steps whose end another process is about to report.
                    session.finish() if error is None else session.fail(error)
                if step is not None and (not step.name or (span.parent and span.parent[:2] in self._open)):
                    step.complete() if error is None else step.fail(error)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Wait until the reports of this process are sent, and return whether they are."""
        thread_sender().wait(queues := report_queues(), timeout_millis / 1000)
        return all(queue.is_settled for queue in queues)


class KeepSessions(ParentBased):
    """Samples as `ParentBased` does, and also each span that begins a session by its attribute."""

    def should_sample(
        self, parent_context: Any, trace_id: int, name: str, kind: Any = None, attributes: Any = None, *rest: Any
    ) -> SamplingResult:
        """Decide on a span that is about to start."""
        decide = ALWAYS_ON.should_sample if KEY in (attributes or {}) else super().should_sample
        return decide(parent_context, trace_id, name, kind, attributes, *rest)
