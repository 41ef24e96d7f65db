"""A logging handler that makes each record the message of the running step.

::

    logging.getLogger("importer").addHandler(StepHandler(logging.INFO))
"""

import logging

from progress_sse.client.errors import REPORTING_ERRORS
from progress_sse.client.handle import running_step

__all__ = ["StepHandler"]


class StepHandler(logging.Handler):
    """Reports the latest record of a step as its message, ten times a second at most.

    Records outside of steps, in threads without a step, and of our own client are not reported.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Report the formatted record.

        Raises:
            ReportError: Only where the step's progress was made with ``on_error="raise"``.
        """
        step = running_step()
        if step is None or record.name.startswith("progress_sse."):
            return
        try:
            message = self.format(record)
        except TimeoutError:  # A time limit of the job.
            raise
        except REPORTING_ERRORS:  # The arguments do not fit the format; every handler reports that so.
            self.handleError(record)
            return
        step.advance(0, message=message)
