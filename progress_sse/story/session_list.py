"""A list of sessions as a follower knows it, newest first. Pure."""

from typing import Any, Final, TypeAlias

from progress_sse.core.model import is_text
from progress_sse.story.session_state import SessionState, is_listed

SessionList: TypeAlias = dict[str, Any]
"""The data of a `list` event [docs/protocol.md]: `sessions`, and whether there are `more`."""

MAX_SESSIONS: Final = 1000
"""Sessions that a list has; more than a terminal shows."""


def list_of(value: Any) -> SessionList:
    """Return the list of a `list` event, or of a page of the list.

    Raises:
        ValueError: It is neither.
    """
    if not isinstance(value, dict):
        raise ValueError("not a list of sessions")
    sessions, more = value.get("sessions"), value["next"] is not None if "next" in value else value.get("more")
    if not isinstance(sessions, list) or not all(map(is_listed, sessions)) or not isinstance(more, bool):
        raise ValueError("not a list of sessions")
    return {"sessions": sessions, "more": more}


def with_session(known: SessionList, session: Any) -> SessionList:
    """Return the list after a session has come or changed.

    Raises:
        ValueError: It is no session.
    """
    if not is_listed(session):
        raise ValueError("not a session")
    others = [each for each in known["sessions"] if each["session_id"] != session["session_id"]]
    sessions = sorted([*others, session], key=_creation, reverse=True)
    return {"sessions": sessions[:MAX_SESSIONS], "more": known["more"] or len(sessions) > MAX_SESSIONS}


def without_session(known: SessionList, session_id: Any) -> SessionList:
    """Return the list after a session has gone.

    Raises:
        ValueError: It is no session's id.
    """
    if not is_text(session_id):
        raise ValueError("not a session id")
    return {**known, "sessions": [each for each in known["sessions"] if each["session_id"] != session_id]}


def _creation(session: SessionState) -> tuple[str, str]:
    return session["created_at"], session["session_id"]
