"""What can go wrong between us and Redis, in our words; and a log that says so once."""

import logging
import time
from typing import Final

from redis import exceptions

from progress_sse.errors import ProblemError, StoreFullError, StoreUnavailableError

logger = logging.getLogger(__name__)

QUIET_S: Final = 1.0
"""Seconds without an error after which all is well again: trouble that comes and goes is one trouble."""

CONNECTION_ERRORS = (exceptions.RedisError, OSError, EOFError)
"""What a connection that is made or used may raise, and redis-py is not consistent about."""


_NOTHING_WRITTEN: Final = frozenset(
    {
        *("NOAUTH", "NOPERM", "NOSCRIPT", "LOADING", "BUSY", "CLUSTERDOWN", "MASTERDOWN", "MOVED", "ASK", "TRYAGAIN"),
        *("CROSSSLOT", "OOM", "READONLY", "MISCONF", "NOREPLICAS", "WRONGTYPE"),
    }
)
"""How errors begin that a script meets before its first write, or before it runs at all."""


def may_have_written(refusal: exceptions.RedisError) -> bool:
    """Whether a script that ended in an error may have changed something before."""
    code = getattr(refusal, "status_code", None) or str(refusal).partition(" ")[0]
    return code not in _NOTHING_WRITTEN


def translated(refusal: exceptions.RedisError) -> ProblemError:
    """Return what a client is told when the server answered a call with an error, and so has changed nothing."""
    problem: ProblemError
    if isinstance(refusal, exceptions.OutOfMemoryError):
        problem = StoreFullError("The memory of the store is full.")
    else:
        problem = StoreUnavailableError("The store refuses to work.")
    problem.__cause__ = refusal
    return problem


class Health:
    """Logs when trouble begins and when it ends, not each time that it shows."""

    def __init__(self, subject: str) -> None:
        """Speak of `subject`, which begins each line."""
        self._subject = subject
        self._failed_at: float | None = None

    def note(self, error: BaseException | None) -> None:
        """Take notice of an error, or of a success."""
        if error is not None:
            if self._failed_at is None:
                logger.warning("%s: %s", self._subject, str(error) or type(error).__name__)
            self._failed_at = time.monotonic()
        elif self._failed_at is not None and time.monotonic() - self._failed_at >= QUIET_S:
            logger.warning("%s: all is well again.", self._subject)
            self._failed_at = None
