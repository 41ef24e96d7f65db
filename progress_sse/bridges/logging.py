"""Logging handlers that report the records of a job.

::

    logging.getLogger("importer").addHandler(LogHandler(logging.INFO))

`LogHandler` adds each record to the log of the session. `StepHandler` makes the latest one the message of the running
step. Both can be used together.
"""

import logging
from typing import Final

from progress_sse.client.errors import REPORTING_ERRORS
from progress_sse.client.own_log import is_sending
from progress_sse.client.reporter import Reporter, active_reporter
from progress_sse.client.steps import running_step
from progress_sse.core.log_lines import LogLevel

__all__ = ["LogHandler", "StepHandler"]


class _RecordHandler(logging.Handler):
    """Formats the records of the job; those of our own client are not reported, as each report would cause another."""

    def _text(self, record: logging.LogRecord) -> str | None:
        """Return the formatted record; `None` if it is not to be reported."""
        if record.name.startswith("progress_sse.") or is_sending.get():
            return None
        try:
            return self.format(record)
        except TimeoutError:  # A time limit of the job.
            raise
        except REPORTING_ERRORS:  # The arguments do not fit the format; every handler reports that so.
            self.handleError(record)
            return None


class StepHandler(_RecordHandler):
    """Reports the latest record of a step as its message, ten times a second at most.

    Records outside of steps, in threads without a step, and of our own client are not reported.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Report the formatted record.

        Raises:
            ReportError: Only where the step's progress was made with ``on_error="raise"``.
        """
        step = running_step.get()
        if step is not None and (message := self._text(record)) is not None:
            step.advance(0, message=message)


class LogHandler(_RecordHandler):
    """Adds records to the log of the session, each line of a record as a line of its own.

    A record is of the step in whose block it is logged. All readers of the session read it. Records of our own client
    are not reported. See `Reporter.log` for what becomes of a flood.
    """

    def __init__(self, level: int | str = logging.NOTSET, progress: Reporter | None = None) -> None:
        """Take records of this level, or more important ones.

        Args:
            level: The level.
            progress: Whose log they are added to. `None`: that of the `Progress` in whose block they are logged, so
                that those outside of blocks, and in threads that a block has started, are not reported.
        """
        super().__init__(level)
        self._progress = progress

    def emit(self, record: logging.LogRecord) -> None:
        """Add the formatted record.

        Raises:
            ReportError: Only where the progress was made with ``on_error="raise"``: a report before it was refused.
        """
        progress = self._progress or active_reporter.get()
        if progress is not None and (text := self._text(record)) is not None:
            level: LogLevel = next((level for lowest, level in _LEVELS if record.levelno >= lowest), "debug")
            progress.log(text, level)


_LEVELS: Final[tuple[tuple[int, LogLevel], ...]] = (
    (logging.ERROR, "error"),
    (logging.WARNING, "warning"),
    (logging.INFO, "info"),
)
