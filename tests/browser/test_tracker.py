"""`tracker.js` in pages of other people, as they loaded it before the server could stream."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Open
from tests.browser.visit import POLLING_ONLY
from tests.harness.oracle import PENDING_KEYS, POLL_KEYS, STEP_KEYS
from tests.harness.serving import Server, Worker

OLD_PAGE = """<!doctype html><title>old page</title>
<p id="state"></p>
<script src="/web/tracker.js"></script>
<script>
  var seen = [], ends = [], started = false;
  var tracker = new ProgressTracker(SESSION, {
    interval: 500,
    onUpdate: function (data) {
      seen.push(JSON.stringify(data));
      document.getElementById("state").textContent =
        data.status + " " + data.percentage + "% over time: " + data.steps.filter(checkTimeout).length;
    },
    onComplete: function (data) { ends.push("complete " + data.percentage); },
    onError: function (data) { ends.push("error " + data.status); },
  });
  tracker.start().then(function () { started = seen.length; });
</script>"""

MODULE_PAGE = """<!doctype html><title>module page</title>
<p id="state"></p>
<script type="module">
  import { ProgressTracker, checkTimeout } from "/web/index.js";
  const tracker = new ProgressTracker(SESSION, {
    onUpdate: (data) => (document.getElementById("state").textContent = data.status),
  });
  await tracker.start();
  window.loaded = [ProgressTracker === globalThis.ProgressTracker, typeof checkTimeout, ProgressTracker.baseUrl];
</script>"""


def old_page(session_id: str) -> str:
    """The page that follows a session."""
    return OLD_PAGE.replace("SESSION", json.dumps(session_id))


def keys(data: dict[str, Any]) -> tuple[str, ...]:
    """The keys in their order."""
    return tuple(data)


@pytest.mark.parametrize("scripts", [(), (POLLING_ONLY,)], ids=["stream", "polling"])
async def test_old_page_goes_on_working(
    server: Server, worker: Worker, visit: Open, sid: str, scripts: tuple[str, ...]
) -> None:
    """CL-01: a plain script and the old options; each update has the polling shape, and the end is told once."""
    await worker.create(sid, total_steps=2)
    shown = await visit(f"{server.url}/old-page", html=old_page(sid), scripts=scripts)
    state = shown.page.locator("#state")
    await expect(state).to_contain_text("pending 0%")
    await worker.start(sid, 1, timeout_ms=1)
    await expect(state).to_have_text("running 0% over time: 1")
    await worker.complete(sid, 1, message="one")
    await expect(state).to_contain_text("running 50%")
    await worker.start(sid, 2)
    public = "[started, tracker.polling, tracker.sessionId, tracker.interval]"
    assert await shown.evaluate(public) == [1, True, sid, 500]
    await worker.complete(sid, 2)
    await expect(state).to_contain_text("completed 100%")
    assert await shown.evaluate("ends") == ["complete 100"]
    assert await shown.evaluate("tracker.polling") is False

    seen = [json.loads(text) for text in await shown.evaluate("seen")]
    assert {keys(data) for data in seen} == {tuple(POLL_KEYS)}
    assert {keys(step) for data in seen for step in data["steps"]} == {tuple(STEP_KEYS), tuple(PENDING_KEYS)}
    last = (await worker.poll_raw(sid)).text
    assert await shown.evaluate("JSON.stringify(JSON.parse(seen.at(-1)))") == await shown.evaluate(
        "text => JSON.stringify(JSON.parse(text))", last
    )
    assert shown.complaints == []


async def test_old_page_hears_of_a_failure_once(server: Server, worker: Worker, visit: Open, sid: str) -> None:
    """With the data of the session, and then no more."""
    shown = await visit(f"{server.url}/old-page", html=old_page(sid))
    await worker.start(sid, 1)
    await worker.complete(sid, 1, success=False)
    await expect(shown.page.locator("#state")).to_contain_text("error 14%")
    assert await shown.evaluate("ends") == ["error error"]
    assert await shown.evaluate("[tracker.polling, tracker.state]") == [False, "finished"]


async def test_update_comes_at_least_each_interval(server: Server, worker: Worker, visit: Open, sid: str) -> None:
    """A step runs over its time although nothing is sent: pages check limits in `onUpdate`."""
    shown = await visit(f"{server.url}/old-page", html=old_page(sid))
    await worker.start(sid, 1, timeout_ms=1500)
    await expect(shown.page.locator("#state")).to_have_text("running 0% over time: 0")
    await expect(shown.page.locator("#state")).to_have_text("running 0% over time: 1")


async def test_modules_import_it(server: Server, worker: Worker, visit: Open, sid: str) -> None:
    """And it finds the server that the module came from."""
    await worker.start(sid, 1)
    shown = await visit(f"{server.url}/module-page", html=MODULE_PAGE.replace("SESSION", json.dumps(sid)))
    await expect(shown.page.locator("#state")).to_have_text("running")
    await shown.page.wait_for_function("window.loaded")
    assert await shown.evaluate("loaded") == [True, "function", server.url]
    assert shown.complaints == []
