"""The parts of a step that many workers do at once, each its own.

They are frozen values, with the numbers that are computed from them. For what a report changes, see ``step_rules``.
"""

from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple, TypeAlias

PartStatus: TypeAlias = Literal["running", "success", "error"]
EndStatus: TypeAlias = Literal["success", "error"]

MAX_PARTS: Final = 200
"""Parts that a step may have."""

MAX_SESSION_PARTS: Final = 1000
"""Parts that all steps of a session may have together."""

MAX_LISTED_PARTS: Final = 20
"""Parts that polls and events show of a step."""

MAX_PART_CHARS: Final = 100
MAX_PART_TEXT_CHARS: Final = 200
"""Characters of a part's name, and of its message or error."""

_PLACES: Final[Mapping[PartStatus, int]] = {"error": 2, "running": 1, "success": 0}


class Part(NamedTuple):
    """A part that a worker has reported; times are those of its newest attempt.

    Attributes:
        part: Its name, which its worker chose.
        status: What it was reported as last.
        current: How far it is, of `total` units; `None` where no worker reported it.
        total: `None` where it is unknown.
        started_at: The time stamp of the report with which it began.
        completed_at: The time stamp of the report that ended it; `None` while it runs.
        elapsed_ms: Milliseconds between the two; 0 while it runs.
    """

    part: str
    status: PartStatus
    current: int | None
    total: int | None
    message: str
    error: str
    started_at: str
    completed_at: str | None = None
    elapsed_ms: int = 0

    @property
    def newest_time(self) -> str:
        """The time stamp at which it got its status."""
        return self.completed_at or self.started_at


class PartCounts(NamedTuple):
    """How many parts have each status."""

    running: int
    success: int
    error: int

    @property
    def ended(self) -> int:
        """How many do not run any more."""
        return self.success + self.error


def end_of(failed: int, total: int) -> tuple[EndStatus, str]:
    """Return how a step ends with its last part, and its error."""
    return ("error", f"{failed} of {total} parts failed.") if failed else ("success", "")


class Parts(NamedTuple):
    """The parts of a step.

    Attributes:
        total: How many there will be; `None` where no worker reported it.
        by_name: Those that were reported, in the order of their first report.
    """

    total: int | None
    by_name: Mapping[str, Part]

    @property
    def counts(self) -> PartCounts:
        """How many parts have each status."""
        statuses = [part.status for part in self.by_name.values()]
        return PartCounts(statuses.count("running"), statuses.count("success"), statuses.count("error"))

    @property
    def are_complete(self) -> bool:
        """Whether as many were reported as there will be, and all have ended."""
        return self.total is not None and self.counts.ended == self.total

    def listed(self) -> Sequence[Part]:
        """Return the parts that polls and events show: the failed ones, the running ones, the newest of the others.

        Among those of one status the newest is the first.
        """
        newest_last = sorted(self.by_name.values(), key=lambda part: (_PLACES[part.status], part.newest_time))
        return newest_last[: -MAX_LISTED_PARTS - 1 : -1]
