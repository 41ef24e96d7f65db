"""A live update on the phone by the app of Home Assistant."""

import os
from typing import Any

import httpx


def notify(event: str, data: dict[str, Any]) -> None:
    """Send a notification that replaces the former one of its session."""
    session = data["session"]
    details = {
        "tag": session["session_id"],
        "live_update": event not in ("completed", "failed", "cancelled"),
        "progress": session["percentage"],
        "progress_max": 100,
    }
    details |= {"clickAction": data["page"], "url": data["page"]} if "page" in data else {}
    body = {"title": session.get("title", session["session_id"]), "message": event, "data": details}
    url = f"{os.environ['HOME_ASSISTANT']}/api/services/notify/{os.environ['NOTIFY_SERVICE']}"
    headers = {"Authorization": f"Bearer {os.environ['HOME_ASSISTANT_TOKEN']}"}
    httpx.post(url, json=body, headers=headers).raise_for_status()
