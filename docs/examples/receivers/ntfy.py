"""A notification on the phone by ntfy, which later ones of its session update in place."""

import os
from hashlib import sha256
from typing import Any

import httpx

SERVER = os.environ.get("NTFY_SERVER", "https://ntfy.sh")


def notify(event: str, data: dict[str, Any]) -> None:
    """Publish a message under an id of the session."""
    session = data["session"]
    message = {
        "topic": os.environ["NTFY_TOPIC"],
        "sequence_id": sha256(session["session_id"].encode()).hexdigest()[:32],
        "title": session.get("title", session["session_id"]),
        "message": f"{event}, {session['percentage']} %",
        "priority": 4 if event in ("failed", "stalled") else 3,
    }
    message |= {"click": data["page"]} if "page" in data else {}
    httpx.post(SERVER, json=message).raise_for_status()
