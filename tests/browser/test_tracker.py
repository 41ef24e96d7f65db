"""`tracker.js` in third-party pages, also in those that were written before the server could stream."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.following import DEADLINE_MS, following, moves_of, response, state_of, until, until_state, work
from tests.browser.page_driver import POLLING_ONLY, PageDriver
from tests.harness.chaos import Answer, ChaosProxy, Mode, Pass
from tests.harness.oracle import PENDING_KEYS, POLL_KEYS, STEP_KEYS
from tests.harness.serving import Server, Worker, eventually

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
<progress-steps session="SESSION"></progress-steps><progress-list></progress-list>
<script type="module" src="/web/define-list.js"></script>
<script type="module" src="/web/define.js"></script>
<script type="module">
  import { ProgressTracker, checkTimeout } from "/web/index.js";
  const tracker = new ProgressTracker("SESSION", {
    onUpdate: (data) => (document.getElementById("state").textContent = data.status),
  });
  await tracker.start();
  window.loaded = [ProgressTracker === globalThis.ProgressTracker, typeof checkTimeout, ProgressTracker.baseUrl];
</script>"""

COUNTERS = """
const timers = new Set(), sources = [];
let requests = 0;
for (const kind of ["Timeout", "Interval"]) {
  const set = window[`set${kind}`], clear = window[`clear${kind}`];
  window[`set${kind}`] = (action, ...rest) => {
    const timer = set(() => {
      if (kind === "Timeout") timers.delete(timer);
      action();
    }, ...rest);
    timers.add(timer);
    return timer;
  };
  window[`clear${kind}`] = (timer) => {
    timers.delete(timer);
    clear(timer);
  };
}
window.EventSource &&= class extends EventSource {
  constructor(...args) {
    super(...args);
    sources.push(this);
  }
};
const {fetch} = window;
window.fetch = async (...args) => {
  requests += 1;
  try {
    return await fetch(...args);
  } finally {
    requests -= 1;
  }
};
window.leftovers = async () => {
  const {held = [], pending = []} = (await navigator.locks?.query()) ?? {};
  const streams = sources.filter((source) => source.readyState !== 2).length;
  return {timers: timers.size, requests, streams, locks: held.length + pending.length};
};
"""
"""Runs before the page's scripts: counts its open timers, requests, streams and locks."""

NOTHING = {"timers": 0, "requests": 0, "streams": 0, "locks": 0}
NOTHING_IS_LEFT = "leftovers().then((left) => Object.values(left).every((count) => count === 0))"

UNAVAILABLE = response("503 Service Unavailable")


def old_page(session_id: str) -> str:
    return OLD_PAGE.replace("SESSION", json.dumps(session_id))


def keys(data: dict[str, Any]) -> tuple[str, ...]:
    return tuple(data)


@pytest.mark.parametrize(
    "scripts", [pytest.param((), id="stream"), pytest.param((POLLING_ONLY,), id="polling", marks=pytest.mark.full)]
)
async def test_an_old_page_still_works(
    server: Server, worker: Worker, open_page: OpenPage, sid: str, scripts: tuple[str, ...]
) -> None:
    """CL-01: a plain script and the old options; each update has the polling shape, and the end comes once."""
    await worker.create(sid, total_steps=2)
    shown = await open_page(f"{server.url}/old-page", html=old_page(sid), scripts=scripts)
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
    assert shown.errors == []


async def test_an_old_page_gets_a_failure_once(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> None:
    """It comes with the session's data, and nothing follows."""
    shown = await open_page(f"{server.url}/old-page", html=old_page(sid))
    await worker.run(sid, 1, success=False)
    await expect(shown.page.locator("#state")).to_contain_text("error 14%")
    assert await shown.evaluate("ends") == ["error error"]
    assert await shown.evaluate("[tracker.polling, tracker.state]") == [False, "finished"]


async def test_update_comes_at_least_each_interval(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """Pages check time limits in `onUpdate`, and a step passes its limit without an event."""
    shown = await open_page(f"{server.url}/old-page", html=old_page(sid))
    await worker.start(sid, 1, timeout_ms=1500)
    await expect(shown.page.locator("#state")).to_have_text("running 0% over time: 0")
    await expect(shown.page.locator("#state")).to_have_text("running 0% over time: 1")


async def test_modules_import_it(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> None:
    """It uses the server that the module came from, and the elements of the page use it and its stream."""
    await worker.start(sid, 1)
    shown = await open_page(f"{server.url}/module-page", html=MODULE_PAGE.replace("SESSION", sid))
    for selector in ("#state", ".list-link >> nth=0", ".steps > li >> nth=0"):
        await expect(shown.page.locator(selector)).not_to_be_empty()
    await shown.page.wait_for_function("window.loaded")
    assert await shown.evaluate("loaded") == [True, "function", server.url]
    assert len([url for url in shown.requests if f"/api/progress/{sid}/events?" in url]) == 1
    assert shown.errors == []


async def latest(shown: PageDriver) -> str:
    text: str = await shown.evaluate("updates.at(-1)")
    return text


@pytest.mark.full
async def test_updates_are_the_same_by_stream_and_by_polls(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """CL-01: in each state of a session a streaming page and a polling page get the same update, key for key."""
    html = following(sid, stopOnError=False)
    streaming = await open_page(f"{server.url}/page", html=html)
    polling = await open_page(f"{server.url}/page", html=html, scripts=(POLLING_ONLY,))
    life: list[tuple[Callable[[], Awaitable[object]], str]] = [
        (lambda: worker.create(sid, steps=[{"name": "読む"}, {"name": "write"}]), "pending 0%"),
        (lambda: worker.start(sid, 1), "running 0%"),
        (lambda: worker.progress(sid, 1, 3, total=4, message="rows"), "running 37%"),
        (lambda: worker.complete(sid, 1, success=False, message="no", error="line 1\nline 2"), "error 50%"),
        (lambda: worker.create(sid, replace=True, total_steps=3), "pending 0%"),
        (lambda: worker.start(sid, 3), "running 0%"),
        (lambda: worker.delete(sid), "not_found 0%"),
    ]
    for shown in (streaming, polling):
        await expect(state_of(shown)).to_have_text("not_found 0%")
    for happen, text in life:
        await happen()
        for shown in (streaming, polling):
            await expect(state_of(shown)).to_have_text(text)
        assert await latest(streaming) == await latest(polling)
        assert json.loads(await latest(polling)) == await worker.poll(sid)
    assert await streaming.evaluate("states.includes('polling')") is False
    assert await polling.evaluate("states.includes('live')") is False


@pytest.mark.parametrize("scripts", [(), (POLLING_ONLY,)], ids=["stream", "polling"])
async def test_each_end_is_reported_once_per_run(
    server: Server, worker: Worker, open_page: OpenPage, sid: str, scripts: tuple[str, ...]
) -> None:
    """CL-01: `onError`, then after a restart `onComplete`: each once, however often the worker reports it."""
    await worker.create(sid, total_steps=1)
    shown = await open_page(f"{server.url}/page", html=following(sid), scripts=scripts)
    await worker.run(sid, 1, success=False, error="first")
    await until(shown, "ends.length > 0")
    await worker.complete(sid, 1, success=False, error="second")
    assert await shown.evaluate("[ends, tracker.polling]") == [["error"], False]
    await worker.start(sid, 1)
    await shown.evaluate("tracker.start()")
    await expect(state_of(shown)).to_have_text("running 0%")
    await worker.complete(sid, 1)
    await until(shown, "ends.length > 1")
    await worker.complete(sid, 1, message="again")
    assert await shown.evaluate("[ends, tracker.state]") == [["error", "complete"], "finished"]
    await shown.evaluate("tracker.start()")
    await until(shown, "ends.length > 2")
    assert await shown.evaluate("ends") == ["error", "complete", "complete"]


@pytest.mark.parametrize(
    ("mode", "scripts", "state"),
    [
        pytest.param(Pass(), (), "live", id="live"),
        pytest.param(Pass(), (POLLING_ONLY,), "polling", id="polling", marks=pytest.mark.full),
        pytest.param(Answer("/events", UNAVAILABLE), (), "polling", id="bridged"),
        pytest.param(Answer("/api/", UNAVAILABLE), (), "reconnecting", id="refused", marks=pytest.mark.full),
        pytest.param(Answer("/api/"), (), "reconnecting", id="silent", marks=pytest.mark.full),
    ],
)
async def test_stop_leaves_nothing(
    server: Server, worker: Worker, open_page: OpenPage, sid: str, mode: Mode, scripts: tuple[str, ...], state: str
) -> None:
    """CL-01: no timer, request, stream or lock is left, in any state; a restart begins anew."""
    await worker.start(sid, 1)
    async with ChaosProxy(server.port, [mode]) as proxy:
        url = f"http://127.0.0.1:{proxy.port}/page"
        shown = await open_page(url, html=following(sid), scripts=(*scripts, COUNTERS))
        await until_state(shown, state)
        assert await shown.evaluate("leftovers()") != NOTHING
        left = await shown.evaluate("(tracker.stop(), tracker.stop(), leftovers())")
        assert (left["timers"], left["streams"]) == (0, 0)
        await until(shown, NOTHING_IS_LEFT)
        await eventually(lambda: proxy.busy_with("/events") == 0, 20)
        updates, requests = await shown.evaluate("updates.length"), len(proxy.asked())
        proxy.switch(Pass())
        await worker.complete(sid, 1)
        assert await shown.evaluate("tracker.state") == "stopped"
        assert (await shown.evaluate("updates.length"), len(proxy.asked())) == (updates, requests)
        await shown.evaluate("tracker.start()")
        await expect(state_of(shown)).to_have_text("running 14%", timeout=DEADLINE_MS)
        await work(worker, sid, *range(2, 8))
        await expect(state_of(shown)).to_have_text("completed 100%", timeout=DEADLINE_MS)
        assert await shown.evaluate("ends") == ["complete"]
        await until(shown, NOTHING_IS_LEFT)


async def test_trackers_of_a_page_share_a_stream(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> None:
    """CL-01: three of them use one stream; each gets its own session, and stopping one leaves the others."""
    mine, other, third = sid, f"{sid}-other", f"{sid}-third"
    for session_id in (mine, other, third):
        await worker.create(session_id, total_steps=3)
    second = """session => {
      const moves = [];
      const tracker = new ProgressTracker(session, {
        onUpdate: (data) => {
          const move = data.steps.map((step) => step.status[0]).join("");
          if (move !== moves.at(-1)) moves.push(move);
        },
      });
      return tracker.start().then(() => (window[session] = {tracker, moves}).moves);
    }"""
    async with ChaosProxy(server.port) as proxy:
        shown = await open_page(f"http://127.0.0.1:{proxy.port}/page", html=following(mine), scripts=(COUNTERS,))
        await expect(state_of(shown)).to_have_text("pending 0%")
        assert await shown.evaluate(second, other) == moves_of(3, 0)
        assert await shown.evaluate(second, third) == moves_of(3, 0)
        await eventually(lambda: proxy.busy_with("/events?") == 1, 20)
        await work(worker, other, 1)
        await work(worker, mine, 1, 2)
        await until(shown, f"window['{other}'].moves.length === 3")
        await expect(state_of(shown)).to_have_text("running 66%")
        await shown.evaluate("tracker.stop()")
        await work(worker, mine, 3)
        await work(worker, other, 2)
        await work(worker, third, 1, 2, 3)
        await until(shown, f"window['{third}'].tracker.state === 'finished'")
        await until(shown, f"window['{other}'].moves.length === 5")
        await eventually(lambda: proxy.busy_with("/events?") == 1, 20)
        await work(worker, other, 3)
        await until(shown, f"window['{other}'].tracker.state === 'finished'")
        assert await shown.evaluate("moves") == moves_of(3, 2)
        assert await shown.evaluate(f"window['{other}'].moves") == moves_of(3, 3)
        assert await shown.evaluate(f"window['{third}'].moves") == moves_of(3, 3)
        assert [request.target for request in proxy.asked("/api/progress/") if "/events" not in request.target] == []
        await until(shown, NOTHING_IS_LEFT)
