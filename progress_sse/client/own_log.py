"""The log of the client, which harms no job."""

import logging
from typing import Final

from progress_sse.client.errors import SuppressReportingErrors
from progress_sse.client.own_requests import sending

_logger: Final = logging.getLogger("progress_sse.client")


def log(level: int, text: str, *args: object) -> None:
    """Log, and suppress errors of logging, for example of a closed stderr.

    A handler may log the record again by another name, as those do that log what comes to stderr.
    """
    with SuppressReportingErrors(), sending():
        _logger.log(level, text, *args, stacklevel=2)
