"""The requests of a session's readers, as a job receives them.

Any thread may call these methods: each touches shared state by single calls into C only.

A request to cancel is meant for the steps that run when it comes. Once a block was left by `Cancelled`, steps that the
job starts after that, to clean up, are not asked any more. Where no step was left running, the session may have ended
since, or another run have begun: a request is then `in doubt` until the server has confirmed that it is still open.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, TypeAlias, get_args

from progress_sse.client.attempt import Attempt
from progress_sse.client.errors import Cancelled
from progress_sse.client.exchange import AskedRequest
from progress_sse.client.own_log import log
from progress_sse.client.reports import Lane, describe_error, fit_text
from progress_sse.core.asks import MAX_ASK_TEXT_CHARS, Acknowledgement, AskKind
from progress_sse.core.errors import ConfigurationError
from progress_sse.core.updates import StepRef


class OwnSteps:
    """The steps that a job has started itself, and the parts, by any of its threads.

    Attributes:
        ended: Those that it has ended.
        failed: Those, or `None` for the session as a whole, that have ended in failure and were not started again.
        has_ended_any: Whether the job has ended or left a step or a part.
    """

    def __init__(self) -> None:
        self._leases: dict[StepRef, Attempt | None] = {}
        self._running: dict[Lane, None] = {}
        self.ended: set[StepRef] = set()
        self.failed: dict[StepRef | None, None] = {}
        self.has_ended_any = False

    def start(self, step: StepRef, lease: Attempt | None) -> None:
        """Record that the job starts a step, by this attempt."""
        self._leases[step] = lease
        self.enter(step)
        self.failed.pop(step, None)
        self.failed.pop(None, None)

    def enter(self, lane: Lane) -> None:
        """Record that the job runs a step, or a part of one that may have been started elsewhere."""
        self._running[lane] = None

    def leave(self, lane: Lane) -> None:
        """Record that the job has ended a part, or left a step, which ends by its parts."""
        self._running.pop(lane, None)
        self.has_ended_any = True

    def end(self, step: StepRef, *, has_failed: bool) -> None:
        """Record that the job ends a step."""
        if has_failed:
            self.failed[step] = None
        else:
            self.failed.pop(step, None)
        self.leave(step)
        self.ended.add(step)

    def skip(self, step: StepRef) -> None:
        """Record that the job does without a step, which may have failed."""
        self.failed.pop(step, None)
        self._leases.setdefault(step, None)

    def not_begun(self, names: Sequence[str]) -> list[str]:
        """Return those of the session's steps, by their names, that the job has neither started nor skipped."""
        known = self._leases.keys()
        return [name for number, name in enumerate(names, start=1) if known.isdisjoint((number, name))]

    def end_all(self, *, has_failed: bool) -> None:
        """Record that the job ends the session."""
        self.failed = {None: None} | self.failed if has_failed else {}
        for step in self.running:
            self.end(step, has_failed=has_failed)

    def lease_of(self, step: StepRef) -> Attempt | None:
        """Return the attempt by which the job has started the step last; `None` if another one may have it."""
        return self._leases.get(step)

    def session_lease(self, own: Attempt | None) -> Attempt | None:
        """Return the attempt that reports on the session: the job's `own`, or that of the steps that run here.

        It is `None` where the server may know neither: the job has started no step by its own, and none or several
        others run.
        """
        if own is None or own in self._leases.copy().values():
            return own
        running = {lease.attempt: lease for lease in map(self.lease_of, self.running) if lease is not None}
        return next(iter(running.values())) if len(running) == 1 else None

    @property
    def are_under_way(self) -> bool:
        """Whether the job runs a step or a part."""
        return bool(self._running)

    @property
    def running(self) -> list[StepRef]:
        """The steps that the job has started and not ended."""
        return [lane for lane in list(self._running) if not isinstance(lane, tuple)]


CANCELLED_BEFORE: Final = "cancelled-before-it-began"
"""The id of a request that the server has honoured before the job began."""

MAX_KNOWN: Final = 100
"""Requests of a session that are remembered, so that each is announced once."""

Acknowledge: TypeAlias = Callable[[str, Acknowledgement, str], None]  # By the id of the request, with a message.
Callback: TypeAlias = Callable[["Request"], object]  # A function of the job.


class Request:
    """What a reader has asked of the job; see `Progress.on_request`.

    Attributes:
        id: Its id.
        kind: What is asked: `"cancel"` or `"retry"`.
        step: The number of the step that it is about; `None` is the whole job.
        reason: Why, in the reader's words; empty where that is not known.
    """

    def __init__(self, asked: AskedRequest, acknowledge: Acknowledge, exception: type[Cancelled] = Cancelled) -> None:
        self._exception = exception
        self.id, self.kind, self.step, _, self.reason = asked
        self.is_settled = False
        self.is_declined = False
        self.has_proceeded = False
        self._acknowledge = acknowledge
        self._told: dict[int, object] = {}
        self.announcements: dict[object, None] = {}  # While there are some, a callback may still answer it.

    def honour(self, message: str = "") -> None:
        """Report that the job has done what was asked. A request to cancel then raises nothing."""
        self._answer("honoured", message)

    def decline(self, message: str = "") -> None:
        """Report that the job does not do what was asked, and why. A request to cancel then raises nothing."""
        self.is_declined = True
        self._answer("declined", message)

    def _answer(self, state: Acknowledgement, message: str) -> None:
        self.is_settled = True
        self._acknowledge(self.id, state, fit_text(message, MAX_ASK_TEXT_CHARS))

    def concerns(self, step: StepRef) -> bool:
        """Return whether it is about a step; one that the job knows by its name alone counts as asked."""
        return self.step is None or isinstance(step, str) or step == self.step

    @contextmanager
    def announced_to(self, callbacks: Sequence[Callback]) -> Iterator[list[Callback]]:
        """Yield those of the job's callbacks that were not called with it yet, to be called in this block."""
        mine = object()
        self.announcements[mine] = None
        try:
            yield [each for number, each in enumerate(list(callbacks)) if self._told.setdefault(number, mine) is mine]
        finally:
            del self.announcements[mine]

    def cancellation(self) -> Cancelled:
        """Return the exception that ends the job."""
        return self._exception(self.reason)

    def __repr__(self) -> str:
        """Return it for a log."""
        return f"Request(id={self.id!r}, kind={self.kind!r}, step={self.step!r}, reason={self.reason!r})"


class Inbox:
    """The requests of one session; see the module.

    Attributes:
        accepts: The kinds of requests that the job takes.
        cancel: The latest request to cancel, once the job is to act on it.
        is_entered: Whether the job is inside the block of its progress.
        is_closed: Whether the job has ended its progress, and has started no step since.
        exception: What is raised in the job; a queue may need one of its own kind.
        announce: Calls the job's callbacks that do not know a request, and then `proceed`; returns whether it does.
            `None` without callbacks.
        scopes: What a request to cancel calls to end a block, from any thread, and the step whose block it is; `None`
            is the block of the whole job.
    """

    def __init__(self, accepts: Sequence[AskKind] = (), own_steps: OwnSteps | None = None) -> None:
        self.accepts = tuple(accepts)
        self.cancel: Request | None = None
        self.is_entered = False
        self.is_closed = False
        self.exception = Cancelled
        self.announce: Callable[[Request], bool] | None = None
        self.scopes: dict[Callable[[Request], object], StepRef | None] = {}
        self._own_steps = own_steps or OwnSteps()
        self._known: dict[str, Request] = {}
        self._in_doubt: Request | None = None
        self._acknowledge: Acknowledge | None = None

    @property
    def is_open(self) -> bool:
        """Whether the job may be asked for something now; after a failure it may, if a callback lets it try again."""
        if not self.accepts or self.is_entered or self._own_steps.are_under_way:
            return bool(self.accepts)
        may_retry = "retry" in self.accepts and self.announce is not None and not self.is_closed
        return may_retry and bool(self._own_steps.failed)

    def receive(self, asked: AskedRequest, acknowledge: Acknowledge) -> bool:
        """Take in a request; return whether it was not known and this job takes it."""
        if asked.kind not in self.accepts:
            return False
        self._acknowledge = acknowledge
        request = Request(asked, acknowledge, self.exception)
        if self._known.setdefault(asked.id, request) is not request:
            return False
        if len(self._known) > MAX_KNOWN:
            self._known.pop(next(iter(self._known)), None)
        if asked.state == "asked":
            acknowledge(asked.id, "seen", "")
        self._announce(request)
        return True

    def _announce(self, request: Request) -> None:
        if self.announce is None or not self.announce(request):
            self.proceed(request)

    def announce_open(self) -> None:
        """Call the callbacks, of which one is new, with the requests that the job has not answered.

        Where the job has ended its steps, a request to cancel may be settled: it waits until it was confirmed.
        """
        is_at_work = self.is_entered or self._own_steps.are_under_way or not self._own_steps.has_ended_any
        for request in list(self._known.values()):
            is_open = not request.is_settled and request is not self._in_doubt
            if is_open and (is_at_work or request.kind != "cancel"):
                self._announce(request)

    def proceed(self, request: Request) -> None:
        """Cancel the job, once, if that is what a request asks for and no callback answers it."""
        if request.kind != "cancel" or request.is_settled or request.has_proceeded or request.announcements:
            return
        request.has_proceeded = True
        self.cancel = request
        scopes = list(self.scopes.items())
        ended = [cancel for cancel, step in scopes if step is None]
        if request.step is not None or not ended:
            ended = [cancel for cancel, step in scopes if step is not None and request.concerns(step)]
        for cancel in ended:
            cancel(request)

    def doubt(self) -> None:
        """Ask the server whether the request to cancel is still open, as the job begins after it had nothing to do."""
        self._known.pop(CANCELLED_BEFORE, None)  # The next start gets it again.
        request = self.cancel
        self.cancel = None
        if request is None or request.is_settled or request.id == CANCELLED_BEFORE:
            return
        self._in_doubt = request
        if self._acknowledge is not None:
            self._acknowledge(request.id, "seen", "")

    def confirm(self, request_id: str) -> None:
        """Act on a request that was in doubt: the server has confirmed that it is open."""
        request = self._in_doubt
        self._in_doubt = None
        if request is not None and request.id == request_id:
            request.has_proceeded = False
            self._announce(request)

    def pending(self, step: StepRef | None, outlived: Request | None = None) -> Request | None:
        """Return the request to cancel that a step, or the job as a whole, is to act on.

        Args:
            step: The step; `None` is the job as a whole.
            outlived: A request that was settled before the step started, and so is not meant for it.
        """
        request = self.cancel
        if request is None or request is outlived or request.is_declined:
            return None
        if step is None:
            return request if request.step is None and not request.is_settled else None
        return request if request.concerns(step) else None

    def outlived(self) -> Request | None:
        """Return the request to cancel that a step which starts now is not asked by."""
        return self.cancel if self.cancel is not None and self.cancel.is_settled else None

    def settle(self) -> None:
        """Note that a block was left for the request to cancel: the report of that honours it."""
        self._in_doubt = None
        if self.cancel is not None:
            self.cancel.is_settled = True

    def settle_retries(self) -> None:
        """Note that a step starts, which honours each request to try again."""
        for request in list(self._known.values()):
            request.is_settled |= request.kind == "retry"


def accepted_kinds(accepts: object) -> tuple[AskKind, ...]:
    """Return the kinds of requests that a job takes.

    Raises:
        ConfigurationError: They are no list of `"cancel"` and `"retry"`.
    """
    kinds = tuple(dict.fromkeys(accepts)) if isinstance(accepts, list | tuple | set | frozenset) else None
    if kinds is None or not all(kind in get_args(AskKind) for kind in kinds):
        raise ConfigurationError('accepts must be a list of "cancel" and "retry".')
    return tuple(sorted(kinds))


@contextmanager
def calling() -> Iterator[None]:
    """Log the errors of a job's callback, which is called outside of the job."""
    try:
        yield
    except Exception as error:  # noqa: BLE001  # see above
        log(logging.WARNING, "a callback for requests has raised %s", describe_error(error))
