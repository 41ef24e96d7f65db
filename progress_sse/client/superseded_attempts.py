"""The attempts at steps that a later attempt has replaced. Pure."""

from progress_sse.client.reports import Latest, Log, Queueable, own_lease
from progress_sse.core.updates import StepRef, StepUpdate


class SupersededAttempts:
    """The attempts of one session; any thread may ask whether a report is of one.

    Where log lines alone were refused, the reports of the step go on: their own refusal is told to the job.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self._attempts: dict[tuple[StepRef | None, str], None] = {}
        self._of_lines: dict[tuple[StepRef | None, str], None] = {}

    def add(self, report: StepUpdate) -> None:
        """Record that a later attempt has the step of a report."""
        lease = own_lease(report)
        assert lease is not None
        lease.attempt.is_superseded = True
        self._attempts[report.step, lease.attempt_id] = None

    def add_lines(self, log: Log) -> None:
        """Record that a later attempt has the step of these lines, or where they are of none, the session."""
        if log.lease is not None:
            self._of_lines[log.step, log.lease.attempt_id] = None

    def __contains__(self, report: Queueable) -> bool:
        """Return whether a report is of such an attempt."""
        if report.lease is None or not isinstance(report, StepUpdate | Latest | Log):
            return False
        attempt = report.step, report.lease.attempt_id
        return attempt in self._attempts or (isinstance(report, Log) and attempt in self._of_lines)

    def copy(self) -> "SupersededAttempts":
        """Return the same attempts, for a child process."""
        other = SupersededAttempts()
        other._attempts, other._of_lines = dict(self._attempts), dict(self._of_lines)
        return other
