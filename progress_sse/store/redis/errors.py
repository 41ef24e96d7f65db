"""Errors of Redis, translated into those of the store."""

from typing import Final

from redis import exceptions

from progress_sse.core.errors import ProblemError, StoreFullError, StoreUnavailableError
from progress_sse.store.health import UNREADABLE

CONNECTION_ERRORS: Final = (exceptions.RedisError, OSError, EOFError)
"""The errors that a connection may raise when it is made or used; redis-py is not consistent about them."""

_NOTHING_WRITTEN: Final = frozenset(
    {
        *("NOAUTH", "NOPERM", "NOSCRIPT", "LOADING", "BUSY", "CLUSTERDOWN", "MASTERDOWN", "MOVED", "ASK", "TRYAGAIN"),
        *("CROSSSLOT", "OOM", "READONLY", "MISCONF", "NOREPLICAS", "WRONGTYPE"),
        "DAMAGED",
    }
)
"""Codes of errors that a script meets before its first write, or before it runs at all."""

_OF_DAMAGE: Final = frozenset({"WRONGTYPE", "DAMAGED"})
"""Codes of errors that foreign values cause; the second one is of our scripts."""


def may_have_written(error: exceptions.RedisError) -> bool:
    """Whether a script that ended in an error may have changed something before."""
    return _code(error) not in _NOTHING_WRITTEN


def is_damage(error: BaseException) -> bool:
    """Whether stored values of one session caused the error, and not a server that is away."""
    cause = error.__cause__
    return isinstance(cause, UNREADABLE) or (isinstance(cause, exceptions.RedisError) and _code(cause) in _OF_DAMAGE)


def _code(error: exceptions.RedisError) -> str:
    return getattr(error, "status_code", None) or str(error).partition(" ")[0]


def to_problem(error: exceptions.RedisError) -> ProblemError:
    """Return the problem to report when the server replied with an error and has changed nothing."""
    problem: ProblemError
    if isinstance(error, exceptions.OutOfMemoryError):
        problem = StoreFullError("The memory of the store is full.")
    else:
        problem = StoreUnavailableError("The store refuses to work.")
    problem.__cause__ = error
    return problem
