"""Tasks of Celery as steps: each that was declared with one reports its start, its end, its retries and its loss.

::

    app = Celery("importer", broker="redis://…")
    report_tasks()

    @app.task(progress_step=2)
    def parse(path: str) -> None:
        for row in tqdm(rows(path)):    # inside the task its step runs
            ...

    chain(download.s(url), parse.s(), save.si()).apply_async(headers={"progress_session": "import-42"})

``progress_step``, ``progress_cancel`` and ``progress_profile`` are declared, or headers of a call; ``progress_session``
and ``progress_part`` are headers. Without a ``progress_session`` the session has the root task's id. Tasks that a task
sends belong to its session, so the header of a canvas's first task applies to all.

A task that is retried is another attempt at its step. One that ends by `Ignore` completes it. One that is replaced by a
task of the same step leaves it to that one.

A task with ``progress_cancel=True`` may be cancelled by readers: it is revoked and terminated. Where its pool cannot do
that, ``current().check()`` ends it. ``progress_part`` makes a task of a group a part of its step, which the caller has
started with ``parts_total``.

Where a task creates its session, the server learns from it under the name of the task, or that of ``progress_profile``.
"""

import sys
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from celery import Celery, current_app, signals
from celery.app.task import Context
from celery.exceptions import Ignore
from celery.states import IGNORED, REJECTED
from celery.utils.dispatch import Signal

from progress_sse.bridges.attempts import (
    DECLARED,
    SESSION_KEY,
    STEP_KEY,
    TaskAttempt,
    TaskStep,
    report_loss,
    running_attempt,
    task_step,
)
from progress_sse.client.errors import Cancelled
from progress_sse.client.inbox import Request
from progress_sse.client.report_queue import start_thread
from progress_sse.client.thread_sender import thread_sender

__all__ = ["report_tasks"]


def report_tasks() -> None:
    """Report the tasks of this process from now on; call it where the app is made. A second call does nothing."""
    for signal, receiver in _RECEIVERS:
        signal.connect(receiver, weak=False, dispatch_uid=f"progress_sse.{receiver.__name__}")


_attempts: Final[dict[str, list[TaskAttempt]]] = {}
"""The attempts that run in this process, by task id; a task may run its replacement itself, under the same id."""

_received: Final[weakref.WeakValueDictionary[str, Any]] = weakref.WeakValueDictionary()
"""The requests in a worker's main process, by task id: the signal of a lost child has the id alone."""


class TaskCancelled(Cancelled, Ignore):
    """Raised by `check` inside a task: one that a reader has cancelled ends as by `Ignore`, and is not tried again."""


def _step_of(task: Any, request: Context) -> TaskStep:
    declared = {key: getattr(task, key) for key in DECLARED if hasattr(task, key)}
    return task_step(declared | (request.headers or {}), request.root_id or request.id or "", task.name)


def _remember(request: Any, **_: Any) -> None:
    _received[request.id] = request


def _begin(task: Any, task_id: str, **_: Any) -> None:
    attempt = TaskAttempt(_step_of(task, task.request))
    attempt.raise_in_task(TaskCancelled)
    _attempts.setdefault(task_id, []).append(attempt)
    attempt.begin(task.request.retries, None if task.request.is_eager else partial(_stop, task.app, task_id))


def _stop(app: Celery, task_id: str, _: Request) -> None:
    """Revoke a task; a worker whose pool cannot end it leaves that to the task's own checks."""
    start_thread(partial(app.control.revoke, task_id, terminate=True))


def _attempt_of(task_id: str | None) -> TaskAttempt | None:
    running = _attempts.get(task_id or "")
    return running[-1] if running else None


def _succeed(sender: Any, **_: Any) -> None:
    if attempt := _attempt_of(sender.request.id):
        attempt.complete()


def _retry(request: Context, reason: Any, **_: Any) -> None:
    if attempt := _attempt_of(request.id):
        attempt.wait(reason.exc or str(reason))


def _fail(sender: Any, task_id: str, exception: BaseException, **_: Any) -> None:
    if attempt := _attempt_of(task_id):
        attempt.fail(exception)
    elif request := _received.get(task_id):  # The child that it ran in was lost, or killed at the time limit.
        report_loss(_step_of(sender, Context(request.request_dict)), exception)


def _revoke(sender: Any, request: Context, terminated: bool, expired: bool, **_: Any) -> None:
    task = _step_of(sender, request)
    reason = "terminated" if terminated else "expired" if expired else "revoked"
    report_loss(task, Cancelled() if terminated and task.may_cancel else reason)


def _leave(task: Any, task_id: str, state: str | None = None, retval: Any = None, **_: Any) -> None:
    attempt = _attempt_of(task_id)
    if attempt is None:
        return
    _attempts[task_id].pop()
    if not _attempts[task_id]:
        del _attempts[task_id]
    if not attempt.is_settled:
        _settle(attempt, state, retval, sys.exception() if task.request.is_eager else None)
    attempt.leave()


def _settle(attempt: TaskAttempt, state: str | None, retval: Any, raised: BaseException | None) -> None:
    """Report the end of an attempt for which there is no other signal."""
    if isinstance(retval, Cancelled):
        attempt.fail(retval)
    elif state == IGNORED:
        if attempt.has_successor:
            attempt.hand_on("replaced by another task")
        else:
            attempt.complete()
    elif state == REJECTED:
        reason = f"rejected: {retval.reason}" if retval.reason else "rejected"
        if retval.requeue:
            attempt.wait(reason)
        else:
            attempt.fail(reason)
    elif raised is not None:  # Into the caller of a task that runs at once.
        attempt.fail(raised)


def _pass_on(headers: dict[str, Any], sender: str | None = None, **_: Any) -> None:
    attempt = running_attempt.get()
    if attempt is None:
        return
    headers.setdefault(SESSION_KEY, attempt.task.session_id)
    step = headers.get(STEP_KEY, getattr(current_app.tasks.get(sender or ""), STEP_KEY, None))
    attempt.has_successor |= (headers[SESSION_KEY], step) == attempt.task[:2]


def _send_last(**_: Any) -> None:
    thread_sender().end()  # The children of a worker run no `atexit` functions.


_RECEIVERS: Final[list[tuple[Signal, Callable[..., None]]]] = [
    (signals.task_received, _remember),
    (signals.task_prerun, _begin),
    (signals.task_success, _succeed),
    (signals.task_retry, _retry),
    (signals.task_failure, _fail),
    (signals.task_revoked, _revoke),
    (signals.task_postrun, _leave),
    (signals.before_task_publish, _pass_on),
    (signals.worker_process_shutdown, _send_last),
]
