"""Trouble with a store: a log that says so once, and what tells that something in it is damaged."""

import logging
import time
from typing import Final

logger = logging.getLogger(__name__)

QUIET_S: Final = 1.0
"""Seconds without an error after which all is well again: trouble that comes and goes is one trouble."""

UNREADABLE: Final = (ValueError, LookupError, TypeError)
"""What comes of decoding something else than what was written."""


class DamageError(Exception):
    """Raised when what is kept of a session is not what was written."""

    def __init__(self, cause: Exception) -> None:
        """Say what came of decoding it."""
        super().__init__(f"what is kept of a session is damaged ({type(cause).__name__}: {cause})")


class HealthLog:
    """Logs when trouble begins and when it ends, not each time that it shows."""

    def __init__(self, subject: str) -> None:
        """Speak of `subject`, which begins each line."""
        self._subject = subject
        self._failed_at: float | None = None

    def record(self, error: BaseException | None) -> None:
        """Take notice of an error, or of a success."""
        if error is not None:
            if self._failed_at is None:
                logger.warning("%s: %s", self._subject, str(error) or type(error).__name__)
            self._failed_at = time.monotonic()
        elif self._failed_at is not None and time.monotonic() - self._failed_at >= QUIET_S:
            logger.warning("%s: all is well again.", self._subject)
            self._failed_at = None
