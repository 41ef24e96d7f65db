"""A `rich.progress.Progress` whose tasks are reported, too.

::

    with progress.step(2), ReportingProgress() as bars:
        task = bars.add_task("Rows", total=len(rows))
        for row in rows:
            parse(row)
            bars.advance(task)
"""

from functools import lru_cache
from typing import Any

from rich.errors import MarkupError
from rich.progress import Progress, TaskID
from rich.text import Text

from progress_sse.bridges.units import report_units
from progress_sse.client.steps import BaseStep, running_step

__all__ = ["ReportingProgress"]


class ReportingProgress(Progress):
    """Bars that report to the step in whose block they are added, with a terminal or without one.

    The tasks of a step are added up, so they should count the same units, such as the bytes of several files. The total
    is unknown while one of theirs is. Removed tasks do not count.
    """

    def add_task(
        self,
        description: str,
        start: bool = True,
        total: float | None = 100.0,
        completed: int = 0,
        visible: bool = True,
        **fields: Any,
    ) -> TaskID:
        """Add a task, with the arguments of rich.

        Args:
            description: The task's description, which becomes the message of the step.
            start: See rich.
            total: Its units; `None` where that is not known.
            completed: How many of them are done.
            visible: See rich.
            fields: See rich. One of them is for us: ``step``, the step to report to, by default the running one (which
                other threads do not know); with ``step=None`` the task is not reported.
        """
        fields.setdefault("step", running_step.get())
        task_id = super().add_task(description, start, total, completed, visible, **fields)
        self._report(task_id)
        return task_id

    def update(self, task_id: TaskID, **changes: Any) -> None:
        """Change a task, see rich, and report it."""
        super().update(task_id, **changes)
        self._report(task_id)

    def advance(self, task_id: TaskID, advance: float = 1) -> None:
        """Count `advance` more units of a task, and report them."""
        super().advance(task_id, advance)
        self._report(task_id)

    def reset(self, task_id: TaskID, **changes: Any) -> None:
        """Let a task begin again, see rich, and report that."""
        with self._lock:
            changes.setdefault("step", self._tasks[task_id].fields["step"])
            super().reset(task_id, **changes)
        self._report(task_id)

    def _report(self, task_id: TaskID) -> None:
        with self._lock:
            task = self._tasks[task_id]
            step: BaseStep | None = task.fields["step"]
            counted = [each for each in self._tasks.values() if each.fields["step"] is step]
            done = [each.completed for each in counted]
            totals = [each.total for each in counted]
        # Without the lock: this may log, and a log handler that draws here needs the lock.
        if step is not None:
            report_units(step, done, totals, _plain(str(task.description)))


@lru_cache(maxsize=100)
def _plain(description: str) -> str:
    try:
        return Text.from_markup(description).plain
    except MarkupError:
        return description
