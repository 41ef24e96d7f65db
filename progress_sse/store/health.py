"""The health of a store: log lines when failures begin and end, and the error of damaged data."""

import logging
import time
from typing import Final

logger = logging.getLogger(__name__)

QUIET_S: Final = 1.0
"""Seconds without an error after which failures count as over, so that intermittent ones are logged once."""

UNREADABLE: Final = (ValueError, LookupError, TypeError)
"""The exceptions that decoding damaged data raises."""


class DamageError(Exception):
    """Raised when a stored session is not as it was written."""

    def __init__(self, cause: Exception) -> None:
        """Name the cause, which decoding raised."""
        super().__init__(f"a stored session is damaged ({type(cause).__name__}: {cause})")


class HealthLog:
    """Logs when failures begin and when they end, instead of each failure."""

    def __init__(self, subject: str) -> None:
        """Begin each line with `subject`."""
        self._subject = subject
        self._failed_at: float | None = None

    def record(self, error: BaseException | None) -> None:
        """Record an error, or a success (`None`)."""
        if error is not None:
            if self._failed_at is None:
                logger.warning("%s: %s", self._subject, str(error) or type(error).__name__)
            self._failed_at = time.monotonic()
        elif self._failed_at is not None and time.monotonic() - self._failed_at >= QUIET_S:
            logger.warning("%s: working again.", self._subject)
            self._failed_at = None
