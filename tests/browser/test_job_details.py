"""What a job says besides "step n, start, complete", on the page."""

import json
import re
from datetime import datetime, timedelta
from typing import Any

from playwright.async_api import Route, expect

from tests.browser.conftest import OpenPage
from tests.browser.page_driver import MARKUP, POLLING_ONLY, PageDriver
from tests.browser.session_page import COMPLETED, page_of, texts
from tests.harness.serving import Server, Worker

ANIMATED = "document.getAnimations().filter(({ effect }) => effect.target.closest('.card')).length"

REL = "noopener noreferrer nofollow"


async def say(worker: Worker, session_id: str, **update: Any) -> None:
    response = await worker.update(session_id, **update)
    assert response.status_code == 200, response.text


async def test_signs_of_life_have_words_of_their_own(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """A healthy long step causes no alarm; a stalled step and a lost one do not look alive."""
    await worker.create(sid, steps=[{"name": "Parse", "timeout_ms": 9_000_000}, {"name": "Save"}])
    await worker.start(sid, 1)
    polled = await worker.poll(sid)
    step = polled["steps"][0]

    async def answer(route: Route) -> None:
        await route.fulfill(json=polled)

    shown = await open_page("about:blank", scripts=(POLLING_ONLY,), timezone_id="UTC", reduced_motion="no-preference")
    await shown.page.clock.install()
    await shown.page.route("**/api/progress/*", answer)
    note = shown.part("note")

    step["liveness"] = {"state": "live", "since": step["started_at"]}
    await shown.page.goto(page_of(server, sid))
    await expect(shown.headline).to_have_text("Step 1 of 2: Parse")
    await shown.page.clock.fast_forward(40_000)
    await shown.next_frames()
    await expect(note).to_be_hidden()
    await shown.page.clock.fast_forward(280_000)
    await expect(note).to_have_text("worker alive, nothing new for 5 min")
    assert await shown.evaluate(ANIMATED) > 0

    step["liveness"] = {"state": "stalled", "since": step["started_at"]}
    await shown.page.clock.fast_forward(3000)
    await expect(note).to_have_text(f"no sign of life since {step['started_at'][11:16]}")
    await expect(shown.step(1)).to_contain_text(f" s) {await note.text_content()}")
    await expect(shown.step(1).get_by_role("img", name="stalled")).to_be_visible()
    await shown.until(f"{ANIMATED} === 0")

    del step["liveness"]
    step |= {"status": "error", "completed_at": step["started_at"], "error": "no sign", "conclusion": "lost"}
    polled |= {"status": "error", "conclusion": "lost"}
    await shown.page.clock.fast_forward(3000)
    await expect(shown.headline).to_have_text("Lost at step 1")
    await expect(shown.step(1)).to_have_text("❌ Parse (0.0s) lost")
    await expect(shown.page.get_by_role("alert")).to_have_text("Step 1, Parse, was lostno sign")
    await expect(note).to_be_hidden()

    ended = datetime.fromisoformat(step["started_at"]) + timedelta(minutes=4)
    step |= {"status": "success", "completed_at": ended.isoformat(), "elapsed_ms": 240_000, "error": ""}
    del step["conclusion"], polled["conclusion"]
    polled["status"] = "completed"
    await shown.page.clock.fast_forward(3000)
    await expect(shown.headline).to_have_text("Completed in 4 min")
    await expect(shown.bar).to_have_text("100%")
    assert shown.errors == []


async def test_skipped_steps_are_done_and_cancelled_ones_are_not(worker: Worker, shown: PageDriver, sid: str) -> None:
    """The icons stay those of the status, and a word says the rest. The session's own error is shown beside."""
    await worker.create(sid, steps=[{"name": name} for name in ("Find", "Resize", "Upload")])
    await worker.run(sid, 1)
    await say(worker, sid, action="skip", step=2, message="nothing to resize")
    await expect(shown.step(2)).to_have_text("✅ Resize skippednothing to resize")
    await expect(shown.bar).to_have_text("66%")
    await worker.start(sid, 3)
    await worker.progress(sid, 3, 1, total=2)
    await expect(shown.headline).to_have_text("Step 3 of 3: Upload")
    running_look = await shown.bar.evaluate("bar => getComputedStyle(bar).backgroundImage")
    await worker.complete(sid, 3, success=False, error="stopped", conclusion="cancelled")
    await expect(shown.headline).to_have_text("Cancelled at step 3")
    await expect(shown.step(3)).to_have_text(re.compile(r"^❌ Upload \(\d\.\ds\) cancelled$"))
    cancelled_look = await shown.bar.evaluate("bar => getComputedStyle(bar).backgroundImage")
    await say(worker, sid, action="finish", success=False, error="the disk is full")
    await expect(shown.page.get_by_role("alert")).to_contain_text("the disk is full")
    await worker.run(sid, 3, success=False, error="no")
    await expect(shown.headline).to_have_text("Failed at step 3")
    failed_look = await shown.bar.evaluate("bar => getComputedStyle(bar).backgroundImage")
    assert len({running_look, cancelled_look, failed_look}) == 3
    assert shown.errors == []


async def test_an_open_ended_job_grows(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> None:
    """Its bar moves without a number, and is full at the end only. Between two steps none is named."""
    shown = await open_page(page_of(server, sid), reduced_motion="no-preference")
    await worker.create(sid, open_ended=True)
    await expect(shown.headline).to_have_text("About to start")
    await say(worker, sid, action="start", name="Find")
    await say(worker, sid, action="complete", name="Find")
    await expect(shown.headline).to_have_text("1 step so far")
    await say(worker, sid, action="start", name="Resize")
    await expect(shown.headline).to_have_text("Step 2: Resize")
    await expect(shown.bar).to_have_text("")
    await expect(shown.progressbar).not_to_have_attribute("aria-valuenow", re.compile(""))
    await expect(shown.page).to_have_title(f"Resize \N{EN DASH} {sid}")
    assert await shown.bar.evaluate("bar => bar.getAnimations().length") == 1
    await expect(shown.part("counted")).to_have_text("2 steps so far")
    await expect(shown.part("note")).to_be_hidden()
    await say(worker, sid, action="finish")
    await expect(shown.headline).to_have_text(COMPLETED)
    await expect(shown.bar).to_have_text("100%")
    await expect(shown.part("counted")).to_have_text("2 steps")
    assert shown.errors == []


async def test_title_and_links_are_shown_as_text(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> None:
    """They follow the worker. A link opens without a referrer and without a handle on the page."""
    links = [{"label": MARKUP[0], "url": "https://example.com/a?b"}, {"label": "Log", "url": "/logs/1"}]
    shown = await open_page(page_of(server, sid))
    await worker.create(sid, total_steps=1, title=MARKUP[1], links=links)
    await expect(shown.part("title")).to_have_text(MARKUP[1])
    assert await texts(shown, ".links li") == [MARKUP[0], "Log"]
    anchors = "all => all.map(({ href, rel, target }) => [href, rel, target])"
    assert await shown.page.locator(".links a").evaluate_all(anchors) == [
        ["https://example.com/a?b", REL, "_blank"],
        [f"{server.url}/logs/1", REL, "_blank"],
    ]
    await expect(shown.page).to_have_title(f"0% \N{EN DASH} {MARKUP[1]}")
    await say(worker, sid, action="describe", title="Photos", links=None)
    await expect(shown.part("title")).to_have_text("Photos")
    await expect(shown.part("links")).to_be_hidden()
    await expect(shown.page.locator("#session-id")).to_have_text(sid)
    assert shown.errors == []


async def test_links_that_a_page_must_not_open_are_left_out(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """The server accepts no such link, and the page does not rely on that."""
    polled = await worker.create(sid, total_steps=1)
    polled["links"] = [{"label": "x", "url": url} for url in ("javascript:alert(1)", "//example.com", "/ok")]

    async def answer(route: Route) -> None:
        await route.fulfill(body=json.dumps(polled), content_type="application/json")

    shown = await open_page("about:blank", scripts=(POLLING_ONLY,))
    await shown.page.route("**/api/progress/*", answer)
    await shown.page.goto(page_of(server, sid))
    await expect(shown.page.locator(".links a")).to_have_count(1)
    assert await shown.page.locator(".links a").get_attribute("href") == "/ok"
