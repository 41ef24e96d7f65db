"""What can go wrong with a report. A job hears of it only where it asked to, by ``on_error="raise"``.

::

    ProgressError
    └── ReportError
        ├── ReportRefusedError      the server said no; it will not be asked again
        └── ServerAwayError         the server did not answer for so long that reports were given up
"""

from types import TracebackType
from typing import Final

from progress_sse.core.errors import ProgressError

OUR_TROUBLES: Final = (
    *(ProgressError, ArithmeticError, AttributeError, ImportError, LookupError, RuntimeError, TypeError, ValueError),
    *(MemoryError, OSError),
)
"""What may come of reporting itself, and is kept from the job, but for a `TimeoutError`.

Whatever else comes out of it was put there: a time limit of the job, which a signal raises wherever the job is (RQ's
and Celery's are plain exceptions), must end the job and no report.
"""


class TroubleKept:
    """Keeps our troubles from the job: ``with TroubleKept(): …``; it says nothing of them."""

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> bool:
        """Keep what is ours."""
        return isinstance(error, OUR_TROUBLES) and not isinstance(error, TimeoutError)


class ReportError(ProgressError):
    """Base of what happens to reports."""


class ReportRefusedError(ReportError):
    """Raised when the server refused a report.

    Attributes:
        status: The HTTP status of its answer.
        problem: Last segment of the answer's problem type; empty where there was none.
    """

    def __init__(self, text: str, status: int, problem: str) -> None:
        """Say what was refused, and why."""
        super().__init__(text)
        self.status = status
        self.problem = problem


class ServerAwayError(ReportError):
    """Raised when the server was away for so long, or so much was reported meanwhile, that something had to go."""
