"""Tasks of a queue as steps of sessions.

A task's message names its session and step, under the same two keys in every queue; the step by its number or its name.
Without them the step is the one that the task was declared with, and the session has the task's id.

A retry of a task starts the same step again, as another attempt, which replaces the former one. Until then the step
stays running, with the reason as its message: the page should not show a failure that a retry takes back.
"""

import logging
from collections import OrderedDict
from contextlib import AbstractContextManager, suppress
from contextvars import ContextVar
from typing import Final

# Imported here and not in a thread: a worker that forks meanwhile would have a child with a half-loaded module.
import progress_sse.client.http  # noqa: F401
from progress_sse.client.errors import ReportRefusedError
from progress_sse.client.handle import BaseStep, inside, is_diverted
from progress_sse.client.report_queue import log, start_thread
from progress_sse.client.reports import StepRef, describe_error
from progress_sse.client.sync import Progress
from progress_sse.core.errors import ProgressError

SESSION_KEY: Final = "progress_session"
STEP_KEY: Final = "progress_step"

MAX_KEPT: Final = 100
"""Sessions whose `Progress` a process keeps."""

_kept: Final[OrderedDict[str, Progress]] = OrderedDict()
"""The latest sessions of this process. Reports of a session keep their order only within one `Progress`."""


def step_of(session_id: str, number: StepRef) -> BaseStep:
    """Return the step of a session, not yet started."""
    if is_diverted():
        return Progress.attach(session_id).step(number)
    progress = _kept.get(session_id) or _kept.setdefault(session_id, Progress.attach(session_id))
    with suppress(KeyError):  # Another thread has just removed it.
        _kept.move_to_end(session_id)
        if len(_kept) > MAX_KEPT:
            _kept.popitem(last=False)
    return progress.step(number)


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
        requeues: How often its message was sent again as it began, for queues that count that.
    """

    def __init__(self, session_id: object, number: StepRef | None) -> None:
        """Prepare an attempt; `number` is the step's, `None` if the task is no step."""
        self.session_id = str(session_id)  # A message may have any value, such as the number of an order.
        self.number = number
        self.is_settled = False
        self.has_successor = False
        self.error: BaseException | None = None
        self.requeues: object = None
        self._step = None if number is None else step_of(self.session_id, number)
        if self._step is not None:
            self._step.take_over()
        self._outer: Attempt | None = None
        self._inside: AbstractContextManager[None] | None = None

    def begin(self, retries: int) -> None:
        """Start the step, and let the task run in it; `retries` attempts came before this one."""
        self._outer = _running.get()
        _running.set(self)
        if self._step is None:
            return
        self._step.start()
        if retries:
            self._step.advance(0, message=f"attempt {retries + 1}")
        self._inside = inside(self._step)
        self._inside.__enter__()

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
        _running.set(self._outer)
        if self._inside is not None:
            self._inside.__exit__(None, None, None)


def report_loss(session_id: object, number: StepRef | None, error: BaseException | str) -> None:
    """Fail a step on behalf of a lost task, which may not even have reported its start."""
    if number is not None and not start_thread(_report_loss, str(session_id), number, error):
        log(logging.WARNING, "no thread can be started to report that step %s of %r failed", number, session_id)


def _report_loss(session_id: str, number: StepRef, error: BaseException | str) -> None:
    try:
        progress = Progress.attach(session_id, on_error="raise")
        step = progress.step(number)
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
