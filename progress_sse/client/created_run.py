"""The run of a session that was created here, and the reports that make up its state. Pure.

Where the server loses the session, it is created again, and the reports that count are sent again: of each step its
start, the latest of each of its parts and its end, and of the session what it says of itself and its end.
"""

import math
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from progress_sse.client.reports import Create, Log
from progress_sse.core.bounds import Unchanged
from progress_sse.core.updates import (
    Advance,
    Complete,
    Describe,
    Finish,
    Plan,
    ReportPart,
    Skip,
    Start,
    StepRef,
    Update,
)

_Entry: TypeAlias = list[Start | ReportPart | Complete | Skip | Plan]


@dataclass(slots=True)
class CreatedRun:
    """The run that was created here.

    Attributes:
        creation: The report that creates it. It stays as it is, since processes that share the run by a fork must
            create it alike.
        key: The key of its creation.
        name: The server's name of it; empty if the server does not name it.
        losses: How often it was created again since the last applied report.
        lost_at: When it was last lost.
    """

    creation: Create
    key: str
    name: str = ""
    losses: int = 0
    lost_at: float = -math.inf
    _entries: list[_Entry] = field(default_factory=list)
    _finish: Finish | None = None
    _description: Describe | None = None

    def renewed(self) -> "CreatedRun":
        """Return the run of a child process, which has applied no report."""
        return replace(self, _entries=[], _finish=None, _description=None)

    def reports(self) -> list[Update]:
        """Return the applied reports that count: of the session, of the steps in the order of their starts, the end."""
        applied: list[Update] = [] if self._description is None else [self._description]
        applied += [report for entry in self._entries for report in entry]
        return applied if self._finish is None else [*applied, self._finish]

    def note(self, report: Update | Log) -> None:
        """Record an applied report."""
        self.losses = 0
        match report:
            case Start():
                self._finish = None
                self._start(report)
            case Complete():
                self._entry_of(report.step)[1:] = [report]
            case Advance():
                entry = self._entry_of(report.step)
                entry[1:] = [each for each in entry[1:] if isinstance(each, ReportPart)]
            case ReportPart():
                entry = self._entry_of(report.step)
                entry[1:] = [each for each in entry[1:] if _is_of_another_part(each, report)] + [report]
            case Skip():
                self._entry_of(report.step)[:] = [report]
            case Plan():
                self._finish = None
                self._entries.append([report])
            case Finish():
                self._finish = report
            case Describe():
                self._description = _merged(self.creation, self._description, report)

    def _start(self, start: Start) -> None:
        before = None if start.append else self._find(start.step)
        if before is not None and isinstance(start.step, str):  # Another place would give it another number.
            before[:] = [start]
            return
        if before is not None:
            self._entries.remove(before)
        self._entries.append([start])

    def _entry_of(self, step: StepRef) -> _Entry:
        """Return the entry of a step; another process may have started it."""
        entry = self._find(step)
        if entry is None:
            entry = [Start(step)]
            self._entries.append(entry)
        elif isinstance(entry[0], Skip):
            entry[:] = [Start(step)]
        return entry

    def _find(self, step: StepRef) -> _Entry | None:
        for entry in reversed(self._entries):
            if not isinstance(entry[0], Plan) and entry[0].step == step:
                return entry
        return None


def _is_of_another_part(report: Start | ReportPart | Complete | Skip | Plan, part: ReportPart) -> bool:
    return not isinstance(report, ReportPart) or report.part != part.part


def _merged(creation: Create, before: Describe | None, change: Describe) -> Describe:
    """Return one report of what was said of a session since its creation."""
    if change.labels is None:
        removed: dict[str, str | None] = dict.fromkeys(creation.labels)
        change = replace(change, labels=removed)
    elif before is not None and not isinstance(before.labels, Unchanged):
        labels = {} if isinstance(change.labels, Unchanged) else change.labels
        merged = {**(before.labels or {}), **labels}
        change = replace(change, labels={k: v for k, v in merged.items() if v is not None or k in creation.labels})
    if before is not None and isinstance(change.title, Unchanged):
        change = replace(change, title=before.title)
    if before is not None and isinstance(change.links, Unchanged):
        change = replace(change, links=before.links)
    return change
