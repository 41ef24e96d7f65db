"""A session as its job reports on it. Nothing in here blocks."""

import logging
from collections.abc import Callable
from functools import partial, wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from progress_sse.client.attempt import Attempt
from progress_sse.client.config import OnError
from progress_sse.client.count import Count
from progress_sse.client.errors import REPORTING_ERRORS
from progress_sse.client.inbox import Inbox, OwnSteps
from progress_sse.client.own_log import log
from progress_sse.client.report_queue import NullSink
from progress_sse.client.reports import Create, Queueable, describe_error
from progress_sse.core.updates import Describe, Envelope, Finish, Plan, SessionUpdate, StepRef, with_envelope

P = ParamSpec("P")


class Session:
    """The session of a job: what is known of it, and the way of its reports."""

    session_id = ""  # Empty where nothing is reported.
    lease: Attempt | None = None  # The attempt that steps start by.
    own_steps = OwnSteps()
    inbox = Inbox()
    sink: NullSink = NullSink()
    unreported = Count()  # How many reports were none that could be sent.
    _creation: Create | None = None
    _has_said_accepts = False
    _has_succeeded: bool | None = None  # Whether it was ended with success; `None` while it goes on.
    _on_error: OnError = "warn"
    _has_warned = False

    def put(self, make: Callable[P, Queueable], *args: P.args, **kwargs: P.kwargs) -> None:
        """Queue the report that `make` creates, which reads no objects of the job and may run in any thread."""
        self.sink.put(partial(make, *args, **kwargs))

    def take_error(self, error: Exception) -> None:
        """Log the first error of reporting, or raise each if the job asked for errors."""
        if self._on_error == "raise":
            raise error
        if not self._has_warned:
            self._has_warned = True
            what = f"report on {self.session_id!r}" if self.session_id else "report"
            log(logging.WARNING, "cannot %s: %s", what, describe_error(error))

    def begin_work(self) -> None:
        """Note that the job is about to start a step: where none is under way, the session may be another one now."""
        self.inbox.is_closed = False
        if self.own_steps.are_under_way or not self.own_steps.has_ended_any:
            return
        self.inbox.doubt()
        if not self.inbox.is_entered:
            self._has_said_accepts = False

    def begin_step(self, step: StepRef, lease: Attempt | None) -> bool:
        """Record that a step starts; return whether it is to be appended, since one of that name has ended."""
        self._has_succeeded = None
        self.inbox.settle_retries()
        self.own_steps.start(step, lease)
        may_append = isinstance(step, str) and (self._creation is None or self._creation.open_ended)
        return may_append and step in self.own_steps.ended

    def say_accepts(self) -> None:
        """Say what this job may be asked for, if the session was created elsewhere and does not know it."""
        if self.inbox.accepts and self._creation is None and not self._has_said_accepts:
            self._has_said_accepts = True
            self.put(self._of_session, Describe(accepts=self.inbox.accepts))

    @property
    def _known_lease(self) -> Attempt | None:
        """The attempt that reports on the session; the server knows one only by a creation or a start."""
        return self.lease if self._creation is not None else self.own_steps.session_lease(self.lease)

    def _of_session(self, report: SessionUpdate) -> SessionUpdate:
        lease = self._known_lease
        if isinstance(report, Finish):
            self._has_succeeded = report.success
            if report.conclusion is not None:
                self.inbox.settle()
            self.own_steps.end_all(has_failed=not report.success)
        elif isinstance(report, Plan):
            self._has_succeeded = None
        return with_envelope(report, Envelope(lease))


class _OfSession(Protocol):
    reporter: Session


S = TypeVar("S", bound=Session | _OfSession)


def reported(report: Callable[Concatenate[S, P], None]) -> Callable[Concatenate[S, P], None]:
    """Keep the errors of a method that reports from the job, and do nothing where there is no session."""

    @wraps(report)
    def guarded(self: S, /, *args: P.args, **kwargs: P.kwargs) -> None:
        session = self if isinstance(self, Session) else self.reporter
        if not session.session_id:
            return
        try:
            if session.lease is not None:
                session.lease.attempt.begin()
            report(self, *args, **kwargs)
        except TimeoutError:  # The job's time limit: nothing in here has one.
            raise
        except REPORTING_ERRORS as error:
            session.take_error(error)
            session.unreported.add(1)
        session.sink.raise_error()

    return guarded
