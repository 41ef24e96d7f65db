"""The attempts at steps that a later attempt has replaced. Pure."""

from progress_sse.client.reports import Latest, Log, Queueable, StepRef, StepReport


class SupersededAttempts:
    """The attempts of one session; any thread may ask whether a report is of one."""

    def __init__(self) -> None:
        """Begin with none."""
        self._attempts: dict[tuple[StepRef | None, str], None] = {}

    def add(self, report: StepReport | Log) -> None:
        """Record that a later attempt has the step of a report, or where lines are of none, the session."""
        assert report.lease is not None
        report.lease.attempt.is_superseded = True
        self._attempts[report.step, report.lease.attempt_id] = None

    def __contains__(self, report: Queueable) -> bool:
        """Return whether a report is of such an attempt."""
        if not self._attempts or report.lease is None or not isinstance(report, StepReport | Latest | Log):
            return False
        return (report.step, report.lease.attempt_id) in self._attempts

    def copy(self) -> "SupersededAttempts":
        """Return the same attempts, for a child process."""
        other = SupersededAttempts()
        other._attempts = dict(self._attempts)
        return other
