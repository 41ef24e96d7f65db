"""Counts the parts of a step that are more than a server lists. Safe for concurrent threads."""

from typing import Final

from progress_sse.core.parts import MAX_PARTS, PartStatus, end_of
from progress_sse.core.updates import Advance, Complete, Envelope, StepRef


class PartTally:
    """Which parts of a step are listed, and how many of all have ended, of a `total` that may be unknown.

    Attributes:
        is_used: Whether it is: a server counts a smaller total, and the job may report itself how far the step is.
        is_said: Whether the job was warned that parts are counted.
    """

    def __init__(self, total: int | None) -> None:
        self.total: Final = total
        self.is_used = total is None or total > MAX_PARTS
        self.is_said = False
        self._room: Final = MAX_PARTS if total is None else 0
        self._listed: dict[str, None] = {}
        self._ended: dict[str, bool] = {}  # Each with whether it has failed.

    def counts(self, part: str) -> bool:
        """Return whether a part is counted, as others have taken the places in the list."""
        if len(self._listed) < self._room:
            self._listed[part] = None
        return self.is_used and part not in self._listed

    def take(self, part: str, status: PartStatus) -> bool:
        """Record the status of a part; return whether it is counted, and more are to come."""
        if status == "running":
            self._ended.pop(part, None)
        else:
            self._ended[part] = status == "error"
        return self.counts(part) and (self.total is None or len(self._ended) < self.total)

    def update(self, step: StepRef, envelope: Envelope) -> Advance | Complete:
        """Return the present count as a report, or the end of the step with the last part."""
        ended = len(self._ended)
        failed = sum(self._ended.copy().values())
        total = self.total
        if total is None or ended < total:
            return Advance(step, ended, total, f"{failed:,} failed" if failed else "", envelope=envelope)
        status, error = end_of(failed, total)
        return Complete(step, status == "success", error=error, envelope=envelope)
