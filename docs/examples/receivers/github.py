"""The status of a commit on GitHub, of sessions with the labels `repo` and `sha`."""

import os
import re
from typing import Any

import httpx

API = os.environ.get("GITHUB_API", "https://api.github.com")
STATES = {"completed": "success", "failed": "failure", "cancelled": "error"}


def notify(event: str, data: dict[str, Any]) -> None:
    """Set the status."""
    session, labels = data["session"], data["session"].get("labels", {})
    path = f"{labels.get('repo')}/statuses/{labels.get('sha')}"  # Labels are of workers, the token is not.
    if not re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*/statuses/[0-9a-f]{40}", path, re.ASCII):
        return
    status = {"state": STATES.get(event, "pending"), "context": session["session_id"], "description": event}
    status |= {"target_url": data["page"]} if "page" in data else {}
    headers = {"Authorization": f"Bearer {os.environ['GITHUB_TOKEN']}"}
    httpx.post(f"{API}/repos/{path}", json=status, headers=headers).raise_for_status()
