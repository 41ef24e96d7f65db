"""One Slack message for each session, which updates itself."""

import json
import os
from pathlib import Path
from typing import Any

import httpx

API = os.environ.get("SLACK_API", "https://slack.com/api")
MESSAGES = Path("slack.json")  # Of each session the `ts` of its message.


def notify(event: str, data: dict[str, Any]) -> None:
    """Post a message, or update the one that is there."""
    session, known = data["session"], json.loads(MESSAGES.read_text()) if MESSAGES.exists() else {}
    name = session["session_id"]
    text = f"{session.get('title', name)}: {event}, {session['percentage']} % <{data.get('page', '')}|Open>"
    message = {"channel": os.environ["SLACK_CHANNEL"], "text": text}
    method = f"{API}/chat.update" if name in known else f"{API}/chat.postMessage"
    message |= {"ts": known[name]} if name in known else {}
    headers = {"Authorization": f"Bearer {os.environ['SLACK_TOKEN']}"}
    answer = httpx.post(method, json=message, headers=headers).raise_for_status().json()
    assert answer["ok"], answer
    MESSAGES.write_text(json.dumps(known | {name: answer["ts"]}))
