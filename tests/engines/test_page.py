"""A session's page, and the element in a page of a user, in each engine."""

from pathlib import Path

import pytest

from tests.browser.following import HOLDS_A_STREAM, work
from tests.browser.traffic import STREAM, polls
from tests.engines.browser import DEADLINE_S
from tests.engines.conftest import OpenTab
from tests.engines.pages import write_element_page, write_following_page
from tests.harness.chaos import ChaosProxy
from tests.harness.serving import Server, Worker, eventually

pytestmark = [pytest.mark.full, pytest.mark.alone]

SIGNS = "[...document.querySelectorAll('#step-list > li')].map((step) => step.textContent.trim()[0]).join('')"
"""The sign of each step."""

TRACKER_IS_LIVE = "window.tracker?.state === 'live'"
"""Also while the page before is still shown."""

IN_ELEMENT = "document.querySelector('progress-steps').shadowRoot.querySelector"


async def test_a_page_streams_a_session_to_its_end(
    proxy: ChaosProxy, worker: Worker, open_tab: OpenTab, sid: str
) -> None:
    """It shows each change at once, from before the session exists, and polls no more once it is loaded."""
    tab = await open_tab(f"http://localhost:{proxy.port}/s/{sid}")
    await tab.until_text("#connection", "live")
    await worker.start(sid, 1)
    await tab.until_text(".headline", "Step 1 of 7: 原稿生成")
    loaded = polls(proxy.asked())
    await worker.complete(sid, 1)
    await tab.until_text("#progress-bar", "14%")
    await work(worker, sid, *range(2, 8))
    await tab.until("/^Completed/.test(document.querySelector('.headline').textContent)")
    await tab.until_text("#connection", "finished")
    assert await tab.evaluate(SIGNS) == "✅" * 7
    assert polls(proxy.asked()) == loaded


async def test_an_element_shows_a_session_to_its_end(
    server: Server, pages: Path, worker: Worker, open_tab: OpenTab, sid: str
) -> None:
    """Its styles, its custom states and its names for assistive technology work."""
    tab = await open_tab(server.url + write_element_page(pages, sid))
    await tab.until("document.querySelector('progress-steps').matches(':state(not_found)')")
    await work(worker, sid, 1)
    await tab.until(f"{IN_ELEMENT}('.percent')?.textContent === '14%'")
    await tab.until("document.querySelector('progress-steps').matches(':state(running)')")
    assert await tab.evaluate(f"getComputedStyle({IN_ELEMENT}('[part~=fill]')).position") == "relative"
    assert await tab.evaluate(f"{IN_ELEMENT}('[role=progressbar]').ariaLabel") == f"Progress of {sid}"
    await work(worker, sid, *range(2, 8))
    await tab.until("document.querySelector('progress-steps').matches(':state(completed)')")
    await tab.until(f"{IN_ELEMENT}('.percent').textContent === '100%'")
    assert await tab.evaluate("errors") == []


async def test_a_reader_cancels_a_session(server: Server, worker: Worker, open_tab: OpenTab, sid: str) -> None:
    """The page asks before, sends the request, and says what becomes of it."""
    await worker.create(sid, total_steps=3, accepts=["cancel"])
    await work(worker, sid, 1)
    await worker.start(sid, 2)
    tab = await open_tab(f"{server.url}/s/{sid}")
    await tab.click(".cancel")
    await tab.until("document.querySelector('dialog').open")
    assert "requests" not in await worker.poll(sid)
    await tab.click("dialog .confirm")
    await tab.until_text(".request-text", "Cancellation requested")
    [request] = (await worker.poll(sid))["requests"]
    assert (request["kind"], request["state"]) == ("cancel", "asked")
    await worker.update(sid, action="acknowledge", request=request["id"], state="seen")
    await tab.until_text(".request-text", "The worker is stopping")
    await worker.complete(sid, 2, success=False, conclusion="cancelled")
    await tab.until_text(".headline", "Cancelled by you")


async def test_a_page_that_was_left_is_right_again_after_the_way_back(
    proxy: ChaosProxy, pages: Path, worker: Worker, open_tab: OpenTab, sid: str
) -> None:
    """It shows what happened meanwhile, and streams on by one connection, whether or not the browser has kept it."""
    tab = await open_tab(f"http://localhost:{proxy.port}{write_following_page(pages, sid)}")
    await tab.until(TRACKER_IS_LIVE)
    for step, text in ((1, "running 14%"), (2, "running 28%"), (3, "running 42%")):
        await work(worker, sid, step)
        await tab.until_text("#state", text)
        await tab.go(f"http://localhost:{proxy.port}/livez")
        await tab.go_back()
        await tab.until(f"{TRACKER_IS_LIVE} && {HOLDS_A_STREAM}")
    await work(worker, sid, 4)
    await tab.until_text("#state", "running 57%")
    await eventually(lambda: proxy.busy_with(STREAM) == 1, DEADLINE_S)
    assert await tab.evaluate("sources.filter(({readyState}) => readyState !== EventSource.CLOSED).length") == 1
