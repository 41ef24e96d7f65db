"""Counts the parts of a step that are more than a server lists. Safe for concurrent threads."""

from typing import Final

from progress_sse.core.parts import MAX_PARTS, PartStatus, end_of
from progress_sse.core.updates import Advance, Complete, Envelope, StepRef


class PartTally:
    """Which parts of a step are listed, and how many of all have ended, of a `total` that may be unknown.

    Attributes:
        listed_total: How many parts the server is to expect; `None` where that is unknown, or they are too many.
        is_said: Whether the job was warned that parts are counted.
    """

    def __init__(self, total: int | None) -> None:
        is_small = total is not None and total <= MAX_PARTS
        self.listed_total: Final = total if is_small else None
        self.is_said = False
        self._total: Final = total
        self._room: Final = MAX_PARTS if total is None else 0
        self._may_count = not is_small
        self._listed: dict[str, None] = {}
        self._ended: dict[str, bool] = {}  # Each with whether it has failed.

    def give_way(self) -> None:
        """Note that the job itself reports how far the step is; with a known total its parts do."""
        self._may_count = self._may_count and self._total is not None

    def counts(self, part: str) -> bool:
        """Return whether a part is counted, as others have taken the places in the list."""
        if len(self._listed) < self._room:
            self._listed[part] = None
        return self._may_count and part not in self._listed

    def take(self, part: str, status: PartStatus) -> bool:
        """Record the status of a part; return whether it is counted, and more are to come."""
        if status == "running":
            self._ended.pop(part, None)
        else:
            self._ended[part] = status == "error"
        return self.counts(part) and (self._total is None or len(self._ended) < self._total)

    def update(self, step: StepRef, envelope: Envelope) -> Advance | Complete:
        """Return the present count as a report, or the end of the step with the last part."""
        ended, failed, total = len(self._ended), sum(self._ended.copy().values()), self._total
        if total is None or ended < total:
            return Advance(step, ended, total, f"{failed:,} failed" if failed else "", envelope=envelope)
        status, error = end_of(failed, total)
        return Complete(step, status == "success", error=error, envelope=envelope)
