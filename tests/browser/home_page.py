"""Helpers of the tests of the home page."""

from typing import Any
from urllib.parse import urlencode

from playwright.async_api import Locator

from tests.browser.page_driver import PageDriver
from tests.harness.serving import Server

FAKE_STREAM = """
window.streams = [];
window.EventSource = class extends EventTarget {
  readyState = 1;
  constructor(url) {
    super();
    this.url = url;
    streams.push(this);
    queueMicrotask(() => this.send("heartbeat", {now: new Date().toISOString(), interval_ms: 600_000}));
  }
  send(type, data) {
    this.dispatchEvent(new MessageEvent(type, {data: JSON.stringify(data), lastEventId: ""}));
  }
  close() { this.readyState = 2; }
};
"""
"""Runs before the page's scripts: the test sends the events of each stream."""


def home_of(server: Server, prefix: str = "", **query: str) -> str:
    search = urlencode({**({"prefix": prefix} if prefix else {}), **query})
    return f"{server.url}/" + (f"?{search}" if search else "")


def rows_of(shown: PageDriver) -> Locator:
    return shown.page.get_by_role("row").and_(shown.page.locator(".list-row"))


def row_of(shown: PageDriver, name: str) -> Locator:
    return rows_of(shown).filter(has=shown.page.get_by_role("link", name=name, exact=True))


def names_of(shown: PageDriver) -> Locator:
    return shown.page.locator(".list-link")


def state_button(shown: PageDriver, name: str) -> Locator:
    """A button that chooses a state; its name ends with a count."""
    return shown.page.locator("#states button").filter(has_text=name)


def entry(number: int, **changes: Any) -> dict[str, Any]:
    """A session as lists have it; a larger number is older."""
    created_at = f"2026-01-01T{23 - number // 3600:02}:{59 - number // 60 % 60:02}:{59 - number % 60:02}+00:00"
    return {
        "session_id": f"job-{number}",
        "current_step": 1,
        "total_steps": 3,
        "status": "running",
        "percentage": 33,
        "estimated_remaining_ms": 0,
        "created_at": created_at,
        "updated_at": created_at,
        **changes,
    }
