"""A logging handler that makes each record the message of the step in which it was logged.

::

    logging.getLogger("importer").addHandler(StepHandler(logging.INFO))
"""

import logging

from progress_sse.client.errors import OUR_TROUBLES
from progress_sse.client.handle import running_step

__all__ = ["StepHandler"]


class StepHandler(logging.Handler):
    """Shows the latest record of a step as its message, ten a second at most.

    Records from outside of steps, and from threads that do not know theirs, are left out; so is what our client itself
    has to say.
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
        except OUR_TROUBLES:  # As every handler does: the arguments do not fit, and logging says so.
            self.handleError(record)
            return
        step.advance(0, message=message)
