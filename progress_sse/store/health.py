"""The health of a store: log lines when failures begin and end, and the error of damaged data."""

import logging
import time
from typing import Final

logger = logging.getLogger(__name__)

QUIET_S: Final = 1.0
"""Seconds without an error after which failures count as over, so that intermittent ones are logged once."""

UNREADABLE: Final = (ValueError, LookupError, TypeError)
"""The exceptions that decoding damaged data raises."""

FORGET_S: Final = 600.0
"""Seconds without a read of a damaged value after which the next one is logged and counted again."""

_MAX_KNOWN: Final = 1000


class DamageLog:
    """Logs each damaged session once, and counts them.

    Attributes:
        count: How many were found.
    """

    def __init__(self) -> None:
        self.count = 0
        self._met_at: dict[str, float] = {}

    def record(self, what: object, error: BaseException | None) -> None:
        """Record that a stored value cannot be read; `what` names its session or profile, or is a name in an index."""
        name = str(what)
        now = time.monotonic()
        met_at = self._met_at.pop(name, None)
        self._met_at[name] = now
        if len(self._met_at) > _MAX_KNOWN:
            del self._met_at[next(iter(self._met_at))]
        if met_at is None or now - met_at > FORGET_S:
            self.count += 1
            logger.warning("A stored value of %r is damaged: %s: %s", name, type(error).__name__, str(error))


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
