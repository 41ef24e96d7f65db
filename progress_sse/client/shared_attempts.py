"""The attempt that all reporters of a process have at a session, so that none replaces another.

A library may report on the session of the job that calls it, and a command on that of `progress-sse run`, which hands
its attempt down in the environment.
"""

import os
from collections.abc import Mapping
from typing import Final
from weakref import WeakValueDictionary

from progress_sse.client.lease import AttemptId, Lease
from progress_sse.core.details import MAX_ATTEMPT_ID_CHARS

ATTEMPT: Final = "PROGRESS_SSE_ATTEMPT"
"""The variable that hands an attempt down to a command; it is one at the session of `PROGRESS_SSE_SESSION`."""

_attempts: Final[WeakValueDictionary[str, AttemptId]] = WeakValueDictionary()
"""The newest attempt at each session, as long as a reporter has it."""


def share(session_id: str, lease: Lease) -> None:
    """Let later reporters on the session have this attempt, too."""
    _attempts[session_id] = lease.attempt


def joined(session_id: str, lease: Lease, environ: Mapping[str, str] = os.environ) -> Lease:
    """Return the lease as one of the attempt that the process has at the session; else it is a new attempt."""
    attempt = _attempts.get(session_id)
    if attempt is not None and not attempt.is_superseded:
        return lease.joined(attempt)
    handed_down = environ.get(ATTEMPT, "")
    is_ours = environ.get("PROGRESS_SSE_SESSION") == session_id and 0 < len(handed_down) <= MAX_ATTEMPT_ID_CHARS
    if is_ours and handed_down.isprintable():
        lease = lease.joined(AttemptId(handed_down))
    share(session_id, lease)
    return lease
