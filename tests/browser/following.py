"""Pages that follow sessions by a tracker and record its callbacks, and helpers that read them."""

import asyncio
import json
from typing import Any

from playwright.async_api import Locator

from tests.browser.page_driver import PageDriver
from tests.harness.serving import Worker

DEADLINE_MS = 40_000
"""Long enough for the longest back-off, and for a busy machine."""

_PAGE = """<!doctype html><meta charset="utf-8"><title>following</title>
<link rel="icon" href="data:,">
<p id="state"></p>
<script src="BASE/web/tracker.js"></script>
<script>
  // All are oldest first. A move is a state of the session, a letter per step: "srp" has done one, and runs the next.
  var updates = [], moves = [], states = [], ends = [];
  var options = {
    interval: 500,
    onUpdate: function (data) {
      updates.push(JSON.stringify(data));
      var move = data.steps.map(function (step) { return step.status[0]; }).join("");
      if (move !== moves[moves.length - 1]) moves.push(move);
      document.getElementById("state").textContent = data.status + " " + data.percentage + "%";
    },
    onComplete: function () { ends.push("complete"); },
    onError: function () { ends.push("error"); },
  };
  var tracker = new ProgressTracker(SESSION, Object.assign(options, OPTIONS));
  tracker.addEventListener("statechange", function () { states.push(tracker.state); });
  tracker.start();
</script>"""

HOLDS_A_STREAM = "sources.some((source) => source.readyState !== EventSource.CLOSED)"


def following(session_id: str, base: str = "", **options: Any) -> str:
    """The page that follows a session of the server at `base`; without `base`, of the page's own server."""
    page = _PAGE.replace("BASE", base).replace("SESSION", json.dumps(session_id))
    return page.replace("OPTIONS", json.dumps(options))


def response(status: str, body: str = "", media_type: str = "text/plain", extra: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {media_type}\r\nContent-Length: {len(body.encode())}\r\n{extra}"
    return f"{head}Connection: close\r\n\r\n{body}".encode()


def state_of(shown: PageDriver) -> Locator:
    """The latest state of the session in the page: `running 14%`."""
    return shown.page.locator("#state")


async def until(shown: PageDriver, expression: str, timeout_ms: float = DEADLINE_MS) -> None:
    await shown.page.wait_for_function(expression, timeout=timeout_ms)


async def until_state(shown: PageDriver, *states: str, timeout_ms: float = DEADLINE_MS) -> None:
    await until(shown, f"{json.dumps(states)}.includes(tracker.state)", timeout_ms)


async def work(worker: Worker, session_id: str, *steps: int, pace_s: float = 0) -> None:
    for step in steps:
        await worker.run(session_id, step)
        await asyncio.sleep(pace_s)


def moves_of(total_steps: int, done: int) -> list[str]:
    """Every state of a session that is created pending, and whose steps then run in order."""
    running = ["s" * step + "r" + "p" * (total_steps - step - 1) for step in range(done)]
    ended = ["s" * step + "p" * (total_steps - step) for step in range(done + 1)]
    return [move for pair in zip(ended, [*running, ""], strict=True) for move in pair if move]
