"""The steps that a job has started itself: any of its threads may report, so each method is a single call into C."""

from progress_sse.client.lease import Lease
from progress_sse.client.reports import StepRef


class OwnSteps:
    """See the module."""

    def __init__(self) -> None:
        """Begin without steps."""
        self._leases: dict[StepRef, Lease | None] = {}
        self._running: dict[StepRef, None] = {}
        self._ended: set[StepRef] = set()

    def start(self, step: StepRef, lease: Lease | None) -> None:
        """Record that the job starts a step, by this attempt."""
        self._leases[step] = lease
        self._running[step] = None

    def end(self, step: StepRef) -> None:
        """Record that the job ends a step."""
        self._running.pop(step, None)
        self._ended.add(step)

    def lease_of(self, step: StepRef) -> Lease | None:
        """Return the attempt by which the job has started the step last; `None` if another one may have it."""
        return self._leases.get(step)

    def running_lease_of(self, step: StepRef) -> Lease | None:
        """Return the attempt by which the job runs the step; `None` if it does not run, or without attempts."""
        return self._leases.get(step) if step in self._running else None

    def has_ended(self, step: StepRef) -> bool:
        """Return whether the job has ended the step."""
        return step in self._ended

    @property
    def is_empty(self) -> bool:
        """Whether the job has started no step."""
        return not self._leases

    @property
    def running(self) -> list[StepRef]:
        """The steps that the job has started and not ended."""
        return list(self._running)
