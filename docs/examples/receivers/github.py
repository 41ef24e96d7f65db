"""The status of a commit on GitHub, of sessions with the labels `repo` and `sha`."""

import os
from typing import Any

import httpx

API = os.environ.get("GITHUB_API", "https://api.github.com")
STATES = {"completed": "success", "failed": "failure", "cancelled": "error"}


def notify(event: str, data: dict[str, Any]) -> None:
    """Set the status."""
    session, labels = data["session"], data["session"].get("labels", {})
    if not {"repo", "sha"} <= labels.keys():
        return
    status = {"state": STATES.get(event, "pending"), "context": session["session_id"], "description": event}
    status |= {"target_url": data["page"]} if "page" in data else {}
    url = f"{API}/repos/{labels['repo']}/statuses/{labels['sha']}"
    headers = {"Authorization": f"Bearer {os.environ['GITHUB_TOKEN']}"}
    httpx.post(url, json=status, headers=headers).raise_for_status()
