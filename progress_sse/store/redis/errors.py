"""What can go wrong between us and Redis, in our words."""

from typing import Final

from redis import exceptions

from progress_sse.core.errors import ProblemError, StoreFullError, StoreUnavailableError
from progress_sse.store.health import UNREADABLE

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
    return _code(refusal) not in _NOTHING_WRITTEN


def is_damage(error: BaseException) -> bool:
    """Whether it comes of what is kept of one session, and not of a server that is away."""
    cause = error.__cause__
    return isinstance(cause, UNREADABLE) or (isinstance(cause, exceptions.RedisError) and _code(cause) == "WRONGTYPE")


def _code(refusal: exceptions.RedisError) -> str:
    return getattr(refusal, "status_code", None) or str(refusal).partition(" ")[0]


def translated(refusal: exceptions.RedisError) -> ProblemError:
    """Return what a client is told when the server answered a call with an error, and so has changed nothing."""
    problem: ProblemError
    if isinstance(refusal, exceptions.OutOfMemoryError):
        problem = StoreFullError("The memory of the store is full.")
    else:
        problem = StoreUnavailableError("The store refuses to work.")
    problem.__cause__ = refusal
    return problem
