"""Errors of reporting. They are raised in the job only with ``on_error="raise"``.

::

    ProgressError
    └── ReportError
        ├── ReportRefusedError      the server refused a report, which is not retried
        └── ServerAwayError         reports were dropped, as the server was away for too long

`Cancelled` is no error of reporting: a reader has asked the job to stop.
"""

from types import TracebackType
from typing import Final

from progress_sse.core.errors import ProgressError
from progress_sse.core.updates import Conclusion

REPORTING_ERRORS: Final = (
    *(ProgressError, ArithmeticError, AttributeError, ImportError, LookupError, RuntimeError, TypeError, ValueError),
    *(MemoryError, OSError),
)
"""Errors that reporting itself may raise, and that are kept from the job, except `TimeoutError`.

Any other exception comes from the job: for example its time limit, which a signal raises wherever the job is (RQ's and
Celery's are plain exceptions). It must end the job, and not only a report.
"""


class Cancelled(BaseException):
    """Raised inside a job that a reader has asked to stop; its text is the reader's reason, or "cancelled".

    It is no `Exception`, as in asyncio: jobs that log the errors of single rows and go on must not swallow it. A job
    may raise it itself, to end as cancelled.
    """

    def __init__(self, reason: str = "") -> None:
        """Create the exception; `reason` may be empty."""
        super().__init__(reason or "cancelled")
        self.reason = reason


def conclusion_of(error: str | BaseException) -> Conclusion:
    """Return how a failure came about, where it was no error."""
    return "cancelled" if isinstance(error, Cancelled) else None


class SuppressReportingErrors:
    """Suppresses errors of reporting, without a log: ``with SuppressReportingErrors(): …``."""

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> bool:
        return isinstance(error, REPORTING_ERRORS) and not isinstance(error, TimeoutError)


class ReportError(ProgressError):
    """Base class of the errors of reports."""


class ReportRefusedError(ReportError):
    """Raised when the server refused a report.

    Attributes:
        status: The HTTP status of the answer.
        problem: Last segment of the answer's problem type; empty without one.
    """

    def __init__(self, text: str, status: int, problem: str) -> None:
        """Create the error; `text` names the refused report and the reason."""
        super().__init__(text)
        self.status = status
        self.problem = problem


class ServerAwayError(ReportError):
    """Raised when the server was away for so long, or so much was reported meanwhile, that reports were dropped."""
