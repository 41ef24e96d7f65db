"""Tasks of Celery as steps: each that was declared with one reports its start, its end, its retries and its loss.

::

    app = Celery("importer", broker="redis://…")
    report_tasks()

    @app.task(progress_step=2)
    def parse(path: str) -> None:
        for row in tqdm(rows(path)):    # inside the task its step runs
            ...

    chain(download.s(url), parse.s(), save.si()).apply_async(headers={"progress_session": "import-42"})

A header ``progress_step`` says for one call which step the task is. Without a ``progress_session`` the session is that
of the root task's id. What a task sends from inside belongs to the same session, so that the first task of a canvas
carries the header to the others.
"""

import weakref
from collections.abc import Callable
from typing import Any, Final

from celery import current_task, signals
from celery.app.task import Context
from celery.utils.dispatch import Signal

from progress_sse.bridges.attempts import SESSION_KEY, STEP_KEY, Attempt, report_loss
from progress_sse.client.sync import sender as progress_sender

__all__ = ["report_tasks"]


def report_tasks() -> None:
    """Report the tasks of this process from now on; call it where the app is made. To call it again changes nothing."""
    for signal, receiver in _RECEIVERS:
        signal.connect(receiver, weak=False, dispatch_uid=f"progress_sse.{receiver.__name__}")


_attempts: Final[dict[str, Attempt]] = {}
"""What runs in this process, by the ids of the tasks."""

_received: Final[weakref.WeakValueDictionary[str, Any]] = weakref.WeakValueDictionary()
"""The requests that the main process of a worker holds, of which it tells only the ids when a child is lost."""


def _place_of(task: Any, request: Context) -> tuple[str, int] | None:
    """Return the session and the step that a task is, if it is one."""
    headers = request.headers or {}
    number = headers.get(STEP_KEY, getattr(task, STEP_KEY, None))
    if number is None:
        return None
    return headers.get(SESSION_KEY) or request.root_id or request.id or "", number


def _remember(request: Any, **_: Any) -> None:
    _received[request.id] = request


def _begin(task: Any, task_id: str, **_: Any) -> None:
    if place := _place_of(task, task.request):
        _attempts[task_id] = Attempt(*place)
        _attempts[task_id].begin(task.request.retries or 0)


def _succeed(sender: Any, **_: Any) -> None:
    if attempt := _attempts.get(sender.request.id):
        attempt.step.complete()


def _retry(request: Context, reason: Any, **_: Any) -> None:
    if attempt := _attempts.get(request.id or ""):
        attempt.wait(reason.exc or str(reason))


def _fail(sender: Any, task_id: str, exception: BaseException, **_: Any) -> None:
    if attempt := _attempts.get(task_id):
        attempt.step.fail(exception)
    elif task_id in _received:  # The child that it ran in was lost, or killed at the time limit.
        place = _place_of(sender, Context(_received[task_id].request_dict))
        if place is not None:
            report_loss(*place, exception)


def _revoke(sender: Any, request: Context, terminated: bool, expired: bool, **_: Any) -> None:
    if place := _place_of(sender, request):
        report_loss(*place, "terminated" if terminated else "expired" if expired else "revoked")


def _leave(task_id: str, **_: Any) -> None:
    if attempt := _attempts.pop(task_id, None):
        attempt.leave()


def _pass_on(headers: dict[str, Any], **_: Any) -> None:
    task_id = current_task.request.id if current_task else None  # type: ignore[truthy-bool]  # a proxy, of `None` too
    if attempt := _attempts.get(task_id or ""):
        headers.setdefault(SESSION_KEY, attempt.session_id)


def _tell_all(**_: Any) -> None:
    progress_sender().end()  # The children of a worker run no `atexit` functions.


_RECEIVERS: Final[list[tuple[Signal, Callable[..., None]]]] = [
    (signals.task_received, _remember),
    (signals.task_prerun, _begin),
    (signals.task_success, _succeed),
    (signals.task_retry, _retry),
    (signals.task_failure, _fail),
    (signals.task_revoked, _revoke),
    (signals.task_postrun, _leave),
    (signals.before_task_publish, _pass_on),
    (signals.worker_process_shutdown, _tell_all),
]
