"""Sessions as lists have them."""

from __future__ import annotations

from typing import Any

from tests.cli.sessions import at


def listed(session_id: str = "nightly", status: str = "running", created_s: float = 0, **more: Any) -> dict[str, Any]:
    """A session of three steps, created so many seconds after `T0`, and changed a minute and a half later."""
    return {
        "session_id": session_id,
        "current_step": 2,
        "total_steps": 3,
        "status": status,
        "percentage": 33,
        "estimated_remaining_ms": 0,
        "created_at": at(created_s),
        "updated_at": at(created_s + 90),
        **more,
    }
