"""What every commit tells those who follow lists: one short message, on one of a few channels."""

from typing import Final, get_args

from progress_sse.core.model import SessionStatus
from progress_sse.store.types import Change, ChangedSession

_REMOVED: Final = "removed"
_STATUSES: Final[dict[str, SessionStatus]] = {each: each for each in get_args(SessionStatus)}


def encode_change(change: Change) -> str:
    """Return the message about a change: the status of the session, and its id; empty if it is invisible."""
    if not change.is_visible:
        return ""
    return f"{_REMOVED if change.record is None else change.record.status} {change.session_id}"


def decode_change(payload: bytes) -> ChangedSession:
    """Return what the message says."""
    status, _, session_id = payload.decode().partition(" ")
    return ChangedSession(session_id, _STATUSES.get(status))
