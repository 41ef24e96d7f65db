"""What the runs of each profile taught, in the memory of one process."""

from collections import OrderedDict
from collections.abc import Collection
from typing import Final

from progress_sse.core.history import BUCKETS, MAX_CELLS, MAX_PROFILES, RUNS, Cell, History, Lesson
from progress_sse.core.model import MAX_SAFE_INTEGER, is_text

MAX_STORED_CELLS: Final = 2 * MAX_CELLS
"""Cells of a profile beyond which a store takes no new ones, until its surplus is forgotten."""


def is_count_of_cell(cell: Cell, count: int) -> bool:
    """Return whether runs can have taught a stored cell so often: any program may have written anything there."""
    week, name, bucket = cell
    if not (all(type(each) is int for each in (week, bucket, count)) and is_text(name)):
        return False
    return 0 <= week <= MAX_SAFE_INTEGER and RUNS <= bucket < BUCKETS and 0 < count <= MAX_SAFE_INTEGER


class LocalHistories:
    """The histories of a store that one process uses, in the order in which they were taught last."""

    def __init__(self) -> None:
        self._histories: OrderedDict[str, dict[Cell, int]] = OrderedDict()

    def teach(self, lesson: Lesson) -> None:
        """Add a lesson; where there are too many profiles, forget the one that was taught last the longest ago."""
        history = self._histories.setdefault(lesson.profile, {})
        self._histories.move_to_end(lesson.profile)
        for cell in lesson.cells:
            if cell in history or len(history) < MAX_STORED_CELLS:
                history[cell] = history.get(cell, 0) + 1
        if len(self._histories) > MAX_PROFILES:
            self._histories.popitem(last=False)

    async def load(self, profile: str) -> History:
        """Return the history of a profile."""
        return dict(self._histories.get(profile, {}))

    async def forget(self, profile: str, cells: Collection[Cell] | None = None) -> None:
        """Forget cells of a profile, or all of it; see `Histories.forget`."""
        history = self._histories.get(profile, {})
        for cell in tuple(history) if cells is None else cells:
            history.pop(cell, None)
        if not history:
            self._histories.pop(profile, None)
