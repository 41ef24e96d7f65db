"""Tasks of a queue as steps of sessions.

A task's message names its session and step, under the same keys in every queue; the step by its number or its name.
Without them the step is the one that the task was declared with, and the session has the task's id.

A third key makes the task a part of its step, which another task or the caller has started. With the fourth one readers
may cancel the task; the queue then stops it in its own way, and does not try it again.

A task that is a whole step creates the session where there is none, as its start would, and lets the server learn from
it under the name of the task. The fifth key has another name; with an empty one nothing is learned.

A retry of a task starts the same step again, as another attempt, which replaces the former one. Until then the step
stays running, with the reason as its message: the page should not show a failure that a retry takes back.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from contextvars import ContextVar
from typing import Final, NamedTuple, TypeAlias

# Imported here and not in a thread: a worker that forks meanwhile would have a child with a half-loaded module.
import progress_sse.client.http  # noqa: F401
from progress_sse.client.errors import Cancelled, ReportRefusedError
from progress_sse.client.handle import BaseStep, inside, is_diverted
from progress_sse.client.inbox import Request
from progress_sse.client.own_log import log
from progress_sse.client.report_queue import start_thread
from progress_sse.client.reports import Create, describe_error
from progress_sse.client.sync import Progress
from progress_sse.core.asks import AskKind
from progress_sse.core.errors import ProgressError
from progress_sse.core.model import is_session_id
from progress_sse.core.updates import StepRef

SESSION_KEY: Final = "progress_session"
STEP_KEY: Final = "progress_step"
PART_KEY: Final = "progress_part"
CANCEL_KEY: Final = "progress_cancel"
PROFILE_KEY: Final = "progress_profile"

MAX_KEPT: Final = 100
"""Sessions whose `Progress` a process keeps."""

Stop: TypeAlias = Callable[[Request], object]
"""Stops a task as its queue does it; called from any thread, and does not block."""


class TaskStep(NamedTuple):
    """What a task is.

    Attributes:
        session_id: The session.
        number: The step's number or name; `None` if the task is no step.
        part: The name of the part of the step that it is; `None` for the whole step.
        may_cancel: Whether readers may cancel it.
    """

    session_id: object
    number: StepRef | None
    part: str | None = None
    may_cancel: bool = False


_kept: Final[OrderedDict[str, Progress]] = OrderedDict()
"""The latest sessions of this process. Reports of a session keep their order only within one `Progress`."""


class _TaskProgress(Progress):
    """Continues the session of a task, and creates it where there is none."""

    def __init__(self, session_id: str, creation: Create) -> None:
        self._creation_of_absent = creation
        self._prepare(session_id, None, {})

    def _begun(self, creation: Create | None) -> Create | None:
        super()._begun(creation)
        return self._creation_of_absent


def step_of(
    session_id: str,
    number: StepRef,
    part: str | None = None,
    *,
    may_cancel: bool = False,
    profile: str | None = None,
) -> BaseStep:
    """Return the step of a session, or a part of it, not yet started."""
    accepts: list[AskKind] = ["cancel"] if may_cancel else []
    if is_diverted():
        progress = Progress.attach(session_id, accepts=accepts)
    else:
        progress = _kept_progress(session_id, None if part is not None else _creation_of(number, profile))
    progress.inbox.accepts = tuple(accepts)  # As the newest task of the session says: others may not have opted in.
    step = progress.step(number)
    return step if part is None else step.part(part)


def _creation_of(number: StepRef, profile: str | None) -> Create | None:
    """Return the creation of the session that a start of this step would create; `None` without a valid profile."""
    if not profile or not is_session_id(str(profile)):
        return None
    return Create(replace=False, open_ended=isinstance(number, str), profile=str(profile))


def _kept_progress(session_id: str, creation: Create | None) -> Progress:
    progress = _kept.get(session_id)
    if progress is None:
        made = Progress.attach(session_id) if creation is None else _TaskProgress(session_id, creation)
        progress = _kept.setdefault(session_id, made)
    with suppress(KeyError):  # Another thread has just removed it.
        _kept.move_to_end(session_id)
        if len(_kept) > MAX_KEPT:
            _kept.popitem(last=False)
    return progress


_running: Final[ContextVar["Attempt | None"]] = ContextVar("progress_sse_attempt", default=None)


def running_attempt() -> "Attempt | None":
    """Return the attempt that this code runs in."""
    return _running.get()


class Attempt:
    """One attempt of a task, with its step if it has one; its methods raise nothing and wait for nothing.

    Attributes:
        session_id: The session, also of the tasks that this one sends.
        number: The step's number or name; `None` if the task is no step.
        is_settled: Whether it was reported how the attempt ended.
        has_successor: Whether it has sent a task of the same step, for queues in which a task may be replaced so.
        error: The exception that ended it, for queues that decide only then whether another attempt follows.
        has_ended: Whether its task has ended.
        requeues: How often its message was sent again as it began, for queues that count that.
    """

    def __init__(
        self,
        session_id: object,
        number: StepRef | None,
        part: str | None = None,
        may_cancel: bool = False,
        profile: str | None = None,
    ) -> None:
        """Prepare an attempt; see `TaskStep`. Its session is learned from under a `profile`, if it creates that."""
        self.session_id = str(session_id)  # A message may have any value, such as the number of an order.
        self.number = number
        self.is_settled = False
        self.has_successor = False
        self.error: BaseException | None = None
        self.requeues: object = None
        self._step = (
            None if number is None else step_of(self.session_id, number, part, may_cancel=may_cancel, profile=profile)
        )
        self.has_ended = False
        self._may_cancel = may_cancel
        self._scope: _StopScope | None = None
        if self._step is not None:
            self._step.take_over()
        self._outer: Attempt | None = None
        self._inside: AbstractContextManager[None] | None = None

    def begin(self, retries: int, stop: Stop | None = None) -> None:
        """Start the step, and let the task run in it; `retries` attempts came before this one.

        Where readers may cancel the task, `stop` stops it.
        """
        self._outer = _running.get()
        _running.set(self)
        if self._step is None:
            return
        self._step.start()
        if retries:
            self._step.advance(0, message=f"attempt {retries + 1}")
        self._inside = inside(self._step)
        self._inside.__enter__()
        if stop is not None and self._may_cancel:
            self._scope = _StopScope(self._step, stop)

    def raise_in_task(self, exception: type[Cancelled]) -> None:
        """Let `check` raise a kind of `Cancelled` that the queue knows."""
        if self._step is not None:
            self._step.reporter.inbox.exception = exception

    @property
    def stopped_by(self) -> Request | None:
        """The request for which the task was stopped; `None` without one."""
        return None if self._scope is None else self._scope.request

    def close_scope(self) -> None:
        """Let no reader stop the task any more: it has ended."""
        self.has_ended = True
        if self._scope is not None:
            self._scope.close()

    def complete(self) -> None:
        """Complete the step."""
        self.is_settled = True
        if self._step is not None:
            self._step.complete()

    def fail(self, error: BaseException | str) -> None:
        """Fail the step."""
        self.is_settled = True
        if self._step is not None:
            self._step.fail(error)

    def wait(self, reason: BaseException | str) -> None:
        """Report that another attempt will follow, and why."""
        text = describe_error(reason) if isinstance(reason, BaseException) else reason
        self.hand_on(f"will be tried again: {text}")

    def hand_on(self, message: str) -> None:
        """Report that another attempt will follow, in these words."""
        self.is_settled = True
        if self._step is not None:
            self._step.advance(0, message=message)
            self._step.hand_on()

    def leave(self) -> None:
        """Leave the step's block; the step's state does not change."""
        self.close_scope()
        _running.set(self._outer)
        if self._inside is not None:
            self._inside.__exit__(None, None, None)


class _StopScope:
    """The run of a task that a request to cancel ends; it is stopped once."""

    def __init__(self, step: BaseStep, stop: Stop) -> None:
        self.step: StepRef | None = step.number
        self.request: Request | None = None
        self._inbox = step.reporter.inbox
        self._stop = [stop]
        self._inbox.scopes[self] = None
        request = step.pending_cancel()
        if request is not None:
            self.cancel(request)

    def cancel(self, request: Request) -> None:
        """Stop the task; called from any thread."""
        with suppress(IndexError):
            stop = self._stop.pop()
            self.request = request
            try:
                stop(request)
            except Exception as error:  # noqa: BLE001  # the thread that learns of requests must go on
                log(logging.WARNING, "cannot stop a task: %s", describe_error(error))

    def close(self) -> None:
        """Stop it no more."""
        self._stop.clear()
        self._inbox.scopes.pop(self, None)


def report_loss(task: TaskStep, error: BaseException | str) -> None:
    """Fail a step on behalf of a lost task, which may not even have reported its start."""
    if task.number is not None and not start_thread(_report_loss, str(task.session_id), task.number, task.part, error):
        text = "no thread can be started to report that step %s of %r failed"
        log(logging.WARNING, text, task.number, task.session_id)


def _report_loss(session_id: str, number: StepRef, part: str | None, error: BaseException | str) -> None:
    try:
        progress = Progress.attach(session_id, on_error="raise")
        step = progress.step(number) if part is None else progress.step(number).part(part)
        try:
            step.fail(error)
            progress.close()
        except ReportRefusedError:
            step.take_over()
            step.start()
            step.fail(error)
            progress.close()
    except (ProgressError, TypeError) as failure:  # A TypeError: the step number has another type.
        log(logging.WARNING, "cannot report that step %s of %r failed: %s", number, session_id, failure)
