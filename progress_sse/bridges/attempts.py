"""Tasks of a queue as steps of sessions.

A task's message names its session and step, under the same keys in every queue; the step by its number or its name.
Without them the step is the one that the task was declared with, and the session has the task's id.

Another key makes the task a part of its step, which another task or the caller has started. With a further one readers
may cancel the task; the queue then stops it in its own way, and does not try it again.

A task that is a whole step creates the session where there is none, as its start would, and lets the server learn from
it under the name of the task. The last key has another name; with an empty one nothing is learned.

A retry of a task starts the same step again, as another attempt, which replaces the former one. Until then the step
stays running, with the reason as its message: the page should not show a failure that a retry takes back.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, Final, NamedTuple, TypeAlias

# Imported here and not in a thread: a worker that forks meanwhile would have a child with a half-loaded module.
import progress_sse.client.http  # noqa: F401
from progress_sse.client.errors import Cancelled, ReportRefusedError
from progress_sse.client.inbox import Request
from progress_sse.client.own_log import log
from progress_sse.client.report_queue import start_thread
from progress_sse.client.reporter import BaseReporter, active_reporter, is_diverted
from progress_sse.client.reports import Create, describe_error
from progress_sse.client.steps import BaseStep, running_step
from progress_sse.client.sync import Progress
from progress_sse.core.asks import AskKind
from progress_sse.core.errors import ProgressError
from progress_sse.core.model import is_session_id
from progress_sse.core.updates import StepRef

SESSION_KEY: Final = "progress_session"
STEP_KEY: Final = "progress_step"
CANCEL_KEY: Final = "progress_cancel"
PROFILE_KEY: Final = "progress_profile"

DECLARED: Final = (STEP_KEY, CANCEL_KEY, PROFILE_KEY)
"""The keys that a task may be declared with, besides those of its message."""

KEYS: Final = (*DECLARED, SESSION_KEY, "progress_part")
"""The keys that a message may have."""

MAX_KEPT: Final = 100
"""Sessions whose `Progress` a process keeps."""

Stop: TypeAlias = Callable[[Request], object]
"""Stops a task as its queue does it; called from any thread, and does not block."""


class TaskStep(NamedTuple):
    """What a task is.

    Attributes:
        session_id: The session, also of the tasks that this one sends.
        number: The number or the name of its step; `None`: it is no step.
        part: The name of the part of the step that it is; `None`: it is the whole step.
        may_cancel: Whether readers may cancel it.
        profile: The name under which its session is learned from, if it creates that; empty: it is not.
    """

    session_id: str
    number: StepRef | None
    part: str | None = None
    may_cancel: bool = False
    profile: str = ""


def task_step(values: Mapping[str, Any], task_id: object, name: str = "") -> TaskStep:
    """Return what a task of this id and name is, by its declaration and its message."""
    return TaskStep(
        str(values.get(SESSION_KEY) or task_id),  # A message may have any value, such as the number of an order.
        values.get(STEP_KEY),
        values.get("progress_part"),
        bool(values.get(CANCEL_KEY)),
        values.get(PROFILE_KEY, name),
    )


_kept: Final[OrderedDict[str, Progress]] = OrderedDict()
"""The latest sessions of this process. Reports of a session keep their order only within one `Progress`."""


class _TaskProgress(Progress):
    """Continues the session of a task, and creates it where there is none."""

    def __init__(self, session_id: str, creation: Create) -> None:
        self._set_up(session_id, lambda: creation, {}, None)


def step_of(task: TaskStep) -> BaseStep | None:
    """Return the step of a task, or the part of one, not yet started."""
    if task.number is None:
        return None
    accepts: tuple[AskKind, ...] = ("cancel",) if task.may_cancel else ()
    progress = Progress.attach(task.session_id, accepts=accepts) if is_diverted() else _kept_progress(task)
    progress.inbox.accepts = accepts  # As the newest task of the session says: others may not have opted in.
    return _part_of(progress.step(task.number), task)


def _kept_progress(task: TaskStep) -> Progress:
    progress = _kept.get(task.session_id)
    if progress is None:
        progress = _kept.setdefault(task.session_id, _new_progress(task))
    with suppress(KeyError):  # Another thread has just removed it.
        _kept.move_to_end(task.session_id)
        if len(_kept) > MAX_KEPT:
            _kept.popitem(last=False)
    return progress


def _new_progress(task: TaskStep) -> Progress:
    """Return a progress that creates the session as a start of the step would, if that is a whole one."""
    profile = str(task.profile or "")
    if task.part is not None or not is_session_id(profile):
        return Progress.attach(task.session_id)
    creation = Create(replace=False, open_ended=isinstance(task.number, str), profile=profile)
    return _TaskProgress(task.session_id, creation)


running_attempt: Final[ContextVar["TaskAttempt | None"]] = ContextVar("progress_sse_attempt", default=None)
"""The attempt that this code runs in."""


class TaskAttempt:
    """One attempt of a task, with its step if it has one; its methods raise nothing and wait for nothing.

    Attributes:
        is_settled: Whether it was reported how the attempt ended.
        has_successor: Whether it has sent a task of the same step, for queues in which a task may be replaced so.
        error: The exception that ended it, for queues that decide only then whether another attempt follows.
        requeues: How often its message was sent again as it began, for queues that count that.
        stopped_by: The request for which the task was stopped; `None` without one.
    """

    def __init__(self, task: TaskStep) -> None:
        self.task = task
        self.is_settled = False
        self.has_successor = False
        self.error: BaseException | None = None
        self.has_ended = False
        self.requeues: object = None
        self._step = step_of(task)
        self.stopped_by: Request | None = None
        self._stop: list[Stop] = []  # Empty once the task was stopped, or may not be.
        if self._step is not None:
            self._step.take_over()
        self._outer: list[tuple[ContextVar[Any], object]] = []

    def begin(self, retries: object, stop: Stop | None = None) -> None:
        """Start the step, and let the task run in it; a reader who cancels it calls `stop`.

        Its message has the number of `retries` before; any other value counts as none.
        """
        self._outer = [(each, each.get()) for each in (running_attempt, active_reporter, running_step)]
        running_attempt.set(self)
        if self._step is None:
            return
        self._step.start()
        if count := retry_count(retries):
            self._step.advance(0, message=f"attempt {count + 1}")
        assert isinstance(self._step.reporter, BaseReporter)
        active_reporter.set(self._step.reporter)
        running_step.set(self._step)
        if stop is not None and self.task.may_cancel:
            self._stop.append(stop)
            self._step.reporter.inbox.scopes[self._cancel] = self._step.number
            request = self._step.pending_cancel()
            if request is not None:
                self._cancel(request)

    def _cancel(self, request: Request) -> None:
        """Stop the task once; called from any thread."""
        with suppress(IndexError):
            stop = self._stop.pop()
            self.stopped_by = request
            try:
                stop(request)
            except Exception as error:  # noqa: BLE001  # the thread that receives requests goes on
                log(logging.WARNING, "cannot stop a task: %s", describe_error(error))

    def raise_in_task(self, exception: type[Cancelled]) -> None:
        """Let `check` raise a kind of `Cancelled` that the queue knows."""
        if self._step is not None:
            self._step.reporter.inbox.exception = exception

    def close_scope(self) -> None:
        """Let no reader stop the task any more: it has ended."""
        self.has_ended = True
        self._stop.clear()
        if self._step is not None:
            self._step.reporter.inbox.scopes.pop(self._cancel, None)

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
        for variable, value in self._outer:
            variable.set(value)


def retry_count(value: Any) -> int:
    """Return the number of retries that a message has; 0 if it is no number: a message may have any value."""
    with suppress(TypeError, ValueError, OverflowError):
        return max(0, int(value))
    return 0


def report_loss(task: TaskStep, error: BaseException | str) -> None:
    """Fail a step on behalf of a lost task, which may not even have reported its start."""
    if task.number is not None and not start_thread(_report_loss, task, task.number, error):
        text = "no thread can be started to report that step %s of %r failed"
        log(logging.WARNING, text, task.number, task.session_id)


def _report_loss(task: TaskStep, number: StepRef, error: BaseException | str) -> None:
    try:
        progress = Progress.attach(task.session_id, on_error="raise")
        step = _part_of(progress.step(number), task)
        try:
            step.fail(error)
            progress.close()
        except ReportRefusedError:
            step.take_over()
            step.start()
            step.fail(error)
            progress.close()
    except (ProgressError, TypeError) as failure:  # A TypeError: the step number has another type.
        log(logging.WARNING, "cannot report that step %s of %r failed: %s", number, task.session_id, failure)


def _part_of(step: BaseStep, task: TaskStep) -> BaseStep:
    return step if task.part is None else step.part(task.part)
