"""A message in a Discord channel, by the URL of its webhook."""

import os
from typing import Any

import httpx

COLOURS = {"completed": 0x2EB67D, "failed": 0xE01E5A, "stalled": 0xECB22E}


def notify(event: str, data: dict[str, Any]) -> None:
    """Send an embed."""
    session = data["session"]
    embed = {
        "title": session.get("title", session["session_id"]),
        "description": f"{event}: {data.get('step', session).get('error') or ''}",
        "color": COLOURS.get(event, 0x808080),
    }
    embed |= {"url": data["page"]} if "page" in data else {}
    httpx.post(os.environ["DISCORD_WEBHOOK"], json={"embeds": [embed]}).raise_for_status()
