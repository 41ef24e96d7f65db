"""The steps that a job has started itself: any of its threads may report, so each method is a single call into C."""

from progress_sse.client.lease import Lease
from progress_sse.core.updates import StepRef


class OwnSteps:
    """See the module.

    Attributes:
        has_ended_any: Whether the job has ended or left a step or a part.
    """

    def __init__(self) -> None:
        """Begin without steps."""
        self._leases: dict[StepRef, Lease | None] = {}
        self._running: dict[StepRef, None] = {}
        self._ended: set[StepRef] = set()
        self._failed: dict[StepRef | None, None] = {}
        self._parts: dict[tuple[StepRef, str], None] = {}
        self.has_ended_any = False

    def start(self, step: StepRef, lease: Lease | None) -> None:
        """Record that the job starts a step, by this attempt."""
        self._leases[step] = lease
        self._running[step] = None
        self._failed.pop(step, None)
        self._failed.pop(None, None)

    def end(self, step: StepRef, *, has_failed: bool) -> None:
        """Record that the job ends a step."""
        if has_failed:
            self._failed[step] = None
        else:
            self._failed.pop(step, None)
        self.leave(step)
        self._ended.add(step)

    def skip(self, step: StepRef) -> None:
        """Record that the job does without a step, which may have failed."""
        self._failed.pop(step, None)

    def start_part(self, step: StepRef, part: str) -> None:
        """Record that the job begins a part of a step, which may have been started elsewhere."""
        self._parts[step, part] = None

    def end_part(self, step: StepRef, part: str) -> None:
        """Record that the job ends a part."""
        self._parts.pop((step, part), None)
        self.has_ended_any = True

    def leave(self, step: StepRef) -> None:
        """Record that the job has left a step, which ends by its parts."""
        self._running.pop(step, None)
        self.has_ended_any = True

    def end_all(self, *, has_failed: bool) -> None:
        """Record that the job ends the session."""
        if has_failed:
            self._failed[None] = None
        else:
            self._failed = {}
        for step in self.running:
            self.end(step, has_failed=has_failed)

    def lease_of(self, step: StepRef) -> Lease | None:
        """Return the attempt by which the job has started the step last; `None` if another one may have it."""
        return self._leases.get(step)

    def running_lease_of(self, step: StepRef) -> Lease | None:
        """Return the attempt by which the job runs the step; `None` if it does not run, or without attempts."""
        return self._leases.get(step) if step in self._running else None

    def has_ended(self, step: StepRef) -> bool:
        """Return whether the job has ended the step."""
        return step in self._ended

    def session_lease(self, own: Lease | None) -> Lease | None:
        """Return the attempt that reports on the session: the job's `own`, or that of the steps that run here.

        It is `None` where the server may know neither: the job has started no step by its own, and none or several
        others run.
        """
        if own is None or own in self._leases.copy().values():
            return own
        running = {lease.attempt: lease for lease in map(self.lease_of, self.running) if lease is not None}
        return next(iter(running.values())) if len(running) == 1 else None

    @property
    def are_under_way(self) -> bool:
        """Whether the job runs a step or a part."""
        return bool(self._running) or bool(self._parts)

    @property
    def have_failed(self) -> bool:
        """Whether one of them, or the session as a whole, has ended in failure and was not started again."""
        return bool(self._failed)

    @property
    def running(self) -> list[StepRef]:
        """The steps that the job has started and not ended."""
        return list(self._running)
