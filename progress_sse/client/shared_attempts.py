"""The attempt that all reporters of a process have at a session, so that none replaces another.

A library may report on the session of the job that calls it, and a command on that of `progress-sse run`, which hands
its attempt down in the environment.
"""

from typing import Final
from weakref import WeakValueDictionary

from progress_sse.client.config import handed_down_attempt
from progress_sse.client.lease import AttemptId, Lease

_attempts: Final[WeakValueDictionary[str, AttemptId]] = WeakValueDictionary()
"""The newest attempt at each session, as long as a reporter has it."""


def share(session_id: str, lease: Lease) -> None:
    """Let later reporters on the session have this attempt, too."""
    _attempts[session_id] = lease.attempt


def joined(session_id: str, lease: Lease) -> Lease:
    """Return the lease as one of the attempt that the process has at the session; else it is a new attempt."""
    attempt = _attempts.get(session_id)
    if attempt is not None and not attempt.is_superseded:
        return lease.joined(attempt)
    handed_down = handed_down_attempt(session_id)
    if handed_down is not None:
        lease = lease.joined(AttemptId(handed_down))
    share(session_id, lease)
    return lease
