"""Tasks of Django as steps: each that was declared with one reports its start and its end, on any backend.

::

    from progress_sse.bridges.django_tasks import task

    @task(progress_step=2)
    def parse(path: str) -> None: ...

    parse.enqueue("rows.csv", progress_session="import-42")

``progress_step``, ``progress_cancel`` and ``progress_profile`` are declared, or keywords of a call;
``progress_session`` and ``progress_part`` are keywords of a call. The function itself gets none of them.

Django tries no task again. A task that enqueues one of its own step, such as itself, leaves the step to that one.
A task that readers cancel ends by its own ``current().check()``. Ctrl-C while an ``async`` task runs at once does not
end its step.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial, wraps
from inspect import iscoroutinefunction
from typing import Any, Final, TypeVar, overload

from progress_sse.bridges.attempts import DECLARED, KEYS, TaskAttempt, TaskStep, running_attempt, task_step

try:
    from django.tasks import base, signals
except ImportError:  # before Django 6
    from django_tasks import base, signals

__all__ = ["task"]

T = TypeVar("T")

_declared: Final[dict[Callable[..., Any], dict[str, Any]]] = {}  # by the function of a task
_attempts: Final[dict[str, TaskAttempt]] = {}  # by the id of a task's result

_called_next: Final[ContextVar[Any]] = ContextVar("progress_sse_called_next", default=None)
"""The result of a task that has started, until its function is called; functions also call each other."""


@overload
def task(function: Callable[..., T], /) -> "base.Task[..., T]": ...
@overload
def task(**options: Any) -> "Callable[[Callable[..., T]], base.Task[..., T]]": ...
def task(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Declare a task, as Django's own decorator does, with the options of its step beside those of Django."""
    if function is None:
        return partial(task, **options)
    declared: dict[str, Any] = {key: options.pop(key) for key in DECLARED if key in options}

    def run(*args: Any, **options: Any) -> Any:
        with _interrupted_at_once():
            return function(*args, **_without_keys(options))

    async def run_async(*args: Any, **options: Any) -> Any:
        with _interrupted_at_once():
            return await function(*args, **_without_keys(options))

    made = base.task(**options)(wraps(function)(run_async if iscoroutinefunction(function) else run))
    _declared[made.func] = declared
    return made


def _without_keys(options: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in options.items() if key not in KEYS}


def _step_of(result: Any) -> TaskStep:
    return task_step(_declared[result.task.func] | result.kwargs, result.id, result.task.module_path)


def _note_successor(task_result: Any, **_: Any) -> None:
    attempt = running_attempt.get()
    if attempt is not None and task_result.task.func in _declared:
        attempt.has_successor |= _step_of(task_result)[:3] == attempt.task[:3]


def _begin(task_result: Any, **_: Any) -> None:
    if task_result.task.func in _declared:
        _called_next.set(task_result)
        attempt = TaskAttempt(_step_of(task_result))
        _attempts[task_result.id] = attempt
        attempt.begin(task_result.attempts - 1)


def _end(task_result: Any, **_: Any) -> None:
    if attempt := _attempts.pop(task_result.id, None):
        error = None if task_result.status == "SUCCESSFUL" else sys.exception() or "failed"
        if attempt.has_successor:
            attempt.wait(error or "the task asked for it")
        elif error is None:
            attempt.complete()
        else:
            attempt.fail(error)
        attempt.leave()


@contextmanager
def _interrupted_at_once() -> Iterator[None]:
    """Let Ctrl-C in the function that Django calls end its attempt: the immediate backend sends no signal of that."""
    task_result = _called_next.get()
    _called_next.set(None)
    try:
        yield
    except KeyboardInterrupt:
        if task_result is not None:
            _end(task_result)
        raise


signals.task_enqueued.connect(_note_successor)
signals.task_started.connect(_begin)
signals.task_finished.connect(_end)
