"""What is known of the run of a session: its reports and its running steps. Pure.

Where the server loses the session, it is created again, and the reports that count are sent again: of each step its
start, the latest of each of its parts and its end, and of the session its details and its end.
"""

import math
from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from progress_sse.client.attempt import Attempt
from progress_sse.client.reports import Create, Log, Report, own_lease
from progress_sse.core.bounds import Unchanged
from progress_sse.core.updates import (
    Advance,
    Beat,
    Complete,
    Describe,
    Envelope,
    Finish,
    Plan,
    ReportPart,
    Skip,
    Start,
    StepRef,
    Update,
)


class RunningSteps:
    """The steps that run under a lease of this process, and when each needs its next sign of life."""

    def __init__(self) -> None:
        self.steps: dict[StepRef, tuple[Attempt, float]] = {}  # Each with the time of its last sign of life.

    def note(self, report: Report, now: float) -> None:
        """Record that the server has applied a report, which is a sign of life of its step."""
        match report:
            case Start(step):
                self._start(step, own_lease(report), now)
            case Advance(step) if step not in self.steps and report.lease is not None:  # It was started before a fork.
                self._start(step, own_lease(report), now)
            case Advance(step) | ReportPart(step) | Log(step=step) if step in self.steps:
                self.steps[step] = self.steps[step][0], now
            case Complete(step) | Skip(step):
                self.forget(step)
            case Finish():
                self.steps.clear()

    def _start(self, step: StepRef, lease: Attempt | None, now: float) -> None:
        if lease is None or lease.lease_ms is None:
            self.forget(step)
        else:
            self.steps[step] = lease, now

    def has(self, step: StepRef, lease: Attempt | None) -> bool:
        """Return whether the step still runs under this lease."""
        return step in self.steps and self.steps[step][0] is lease

    def forget(self, step: StepRef) -> None:
        """Give no more signs of life of a step."""
        self.steps.pop(step, None)

    def due_at(self, held: Container[StepRef] = ()) -> float:
        """Return when the next sign of life is due, of a step that is not `held`; infinity without such steps."""
        due = (last_at + lease.interval_s for step, (lease, last_at) in self.steps.items() if step not in held)
        return min(due, default=math.inf)

    def take_due(self, now: float, held: Container[StepRef] = (), most: float = math.inf) -> list[Beat]:
        """Return at most so many signs of life that are due, of steps that are not `held`.

        They are due again after the same time, sent or not.
        """
        beats: list[Beat] = []
        for step, (lease, last_at) in self.steps.items():
            if len(beats) < most and step not in held and last_at + lease.interval_s <= now:
                self.steps[step] = lease, now
                beats.append(Beat(step, envelope=Envelope(lease)))
        return beats


_Entry: TypeAlias = list[Start | ReportPart | Complete | Skip | Plan]


@dataclass(slots=True)
class CreatedRun:
    """The run that was created here.

    Attributes:
        creation: The report that creates it. It stays as it is, since all processes that share the run by a fork must
            create it alike.
        key: The idempotency key of its creation, the same in all these processes.
        name: The server's name of the run; empty if the server does not name it.
        losses: How often it was created again since the last applied report.
        lost_at: When it was last lost; minus infinity if it never was.
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
                entry[1:] = [each for each in entry[1:] if getattr(each, "part", None) != report.part] + [report]
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


def _merged(creation: Create, before: Describe | None, change: Describe) -> Describe:
    """Return one report of all changes to the details of a session since its creation.

    A label that was removed is left out, unless the creation has it: then its removal is reported again.
    """
    before = before or Describe()
    title = before.title if isinstance(change.title, Unchanged) else change.title
    links = before.links if isinstance(change.links, Unchanged) else change.links
    labels = change.labels
    if labels is None:
        labels = dict.fromkeys(creation.labels)
    elif not isinstance(before.labels, Unchanged):
        former = before.labels or {}
        changed: Mapping[str, str | None] = {} if isinstance(labels, Unchanged) else labels
        merged = {**former, **changed}
        labels = {key: text for key, text in merged.items() if text is not None or key in creation.labels}
    return replace(change, title=title, labels=labels, links=links)
