"""The steps of a session that run under a lease of this process, and when each needs its next sign of life. Pure."""

import math
from collections.abc import Container
from dataclasses import dataclass

from progress_sse.client.lease import Lease
from progress_sse.client.reports import Log, Report, by, own_lease
from progress_sse.core.updates import Advance, Beat, Complete, Finish, ReportPart, Skip, Start, StepRef


@dataclass(slots=True)
class _RunningStep:
    lease: Lease
    heard_at: float


class RunningSteps:
    """See the module; used by the one thread or task that sends."""

    def __init__(self) -> None:
        """Begin without steps."""
        self._steps: dict[StepRef, _RunningStep] = {}

    def __len__(self) -> int:
        """Return how many steps run."""
        return len(self._steps)

    def note(self, report: Report, now: float) -> None:
        """Record that the server has applied a report, which is a sign of life of its step."""
        match report:
            case Start(step):
                self._start(step, own_lease(report), now)
            case Advance(step):
                if step in self._steps:
                    self._steps[step].heard_at = now
                elif report.lease is not None:  # It was started before a fork.
                    self._start(step, own_lease(report), now)
            case ReportPart(step) | Log(step=step) if step in self._steps:
                self._steps[step].heard_at = now
            case Complete(step) | Skip(step):
                self.forget(step)
            case Finish():
                self._steps.clear()

    def _start(self, step: StepRef, lease: Lease | None, now: float) -> None:
        if lease is None or lease.lease_ms is None:
            self.forget(step)
        else:
            self._steps[step] = _RunningStep(lease, now)

    def has(self, step: StepRef, lease: Lease | None) -> bool:
        """Return whether the step still runs under this lease."""
        return step in self._steps and self._steps[step].lease is lease

    def forget(self, step: StepRef) -> None:
        """Give no more signs of life of a step."""
        self._steps.pop(step, None)

    def due_at(self, held: Container[StepRef] = ()) -> float:
        """Return when the next sign of life is due, of a step that is not `held`; infinity without such steps."""
        due = (each.heard_at + each.lease.interval_s for step, each in self._steps.items() if step not in held)
        return min(due, default=math.inf)

    def take_due(self, now: float, held: Container[StepRef] = (), most: float = math.inf) -> list[Beat]:
        """Return at most so many signs of life that are due, but of the steps that are `held`.

        They are due again after the same time, sent or not.
        """
        beats: list[Beat] = []
        for step, each in self._steps.items():
            if len(beats) < most and step not in held and each.heard_at + each.lease.interval_s <= now:
                each.heard_at = now
                beats.append(Beat(step, envelope=by(each.lease)))
        return beats
