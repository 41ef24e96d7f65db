"""One Slack message for each session, which updates itself."""

import json
import os
from html import escape
from pathlib import Path
from typing import Any

import httpx

API = os.environ.get("SLACK_API", "https://slack.com/api")
MESSAGES = Path("slack.json")  # Of each session the `ts` of its message.


def notify(event: str, data: dict[str, Any]) -> None:
    """Post a message, or update the one that is there; a title with `<!channel>` must call no one."""
    session, known = data["session"], json.loads(MESSAGES.read_text()) if MESSAGES.exists() else {}
    name, link = session["session_id"], f" <{data['page']}|Open>" if "page" in data else ""
    text = f"{escape(session.get('title', name), quote=False)}: {event}, {session['percentage']} %{link}"
    method, more = ("chat.update", {"ts": known[name]}) if name in known else ("chat.postMessage", {})
    message = {"channel": os.environ["SLACK_CHANNEL"], "text": text} | more
    headers = {"Authorization": f"Bearer {os.environ['SLACK_TOKEN']}"}
    answer = httpx.post(f"{API}/{method}", json=message, headers=headers).raise_for_status().json()
    assert answer["ok"], answer
    MESSAGES.write_text(json.dumps(known | {name: answer["ts"]}))
