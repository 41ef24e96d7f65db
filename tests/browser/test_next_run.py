"""A page that was left open after its job's end follows the next run under the same id."""

import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.page_driver import PageDriver
from tests.browser.session_page import COMPLETED, page_of
from tests.harness.serving import Server, Worker

LEAP_MS = 90_000
"""More than the page waits before it looks again, and enough for a clock that was set.

A leap of less than a minute looks like an event that a proxy has held back.
"""

TO_HIDDEN = """(state) => {
    Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
}"""

EMBEDDING = """<!doctype html><meta charset="utf-8"><title>embedding</title>
<script type="module" src="/web/define.js"></script><progress-steps session="{}"></progress-steps>"""


async def run_once(worker: Worker, session_id: str) -> None:
    """Run a job of one step, in place of any before."""
    await worker.create(session_id, total_steps=1, replace=True)
    await worker.run(session_id, 1)


async def open_after_the_end(server: Server, worker: Worker, open_page: OpenPage, session_id: str) -> PageDriver:
    """Run a job, and open its page, which has a clock of its own."""
    await run_once(worker, session_id)
    shown = await open_page("about:blank")
    await shown.page.clock.install()
    await shown.page.goto(page_of(server, session_id))
    await expect(shown.connection).to_have_text("finished")
    return shown


def polls(shown: PageDriver, session_id: str) -> int:
    return len([url for url in shown.requests if url.endswith(f"/api/progress/{session_id}")])


@pytest.mark.parametrize("where", ["page", pytest.param("element", marks=pytest.mark.full)])
async def test_the_next_run_is_followed(
    server: Server, worker: Worker, open_page: OpenPage, sid: str, where: str
) -> None:
    """Until it begins, the page asks about once a minute, whether the session has changed."""
    await run_once(worker, sid)
    shown = await open_page("about:blank")
    await shown.page.clock.install()
    if where == "page":
        await shown.page.goto(page_of(server, sid))
    else:
        await shown.go(f"{server.url}/embedding", EMBEDDING.format(sid))
    await expect(shown.part("headline")).to_have_text(COMPLETED)
    await expect(shown.part("connection")).to_have_text("finished")
    loaded = int(where == "page")  # The page's state is loaded with it.
    assert polls(shown, sid) == loaded
    for count, statuses in ((1, {200, 304}), (2, {304}), (3, {304})):
        async with shown.page.expect_response(f"**/api/progress/{sid}") as response:
            await shown.page.clock.fast_forward(LEAP_MS)
        assert (await response.value).status in statuses
        assert polls(shown, sid) == loaded + count
    await expect(shown.part("connection")).to_have_text("finished")

    await worker.create(sid, total_steps=2, replace=True)
    await worker.start(sid, 1)
    await shown.page.clock.fast_forward(LEAP_MS)
    await expect(shown.part("headline")).to_contain_text("Step 1 of 2")
    await expect(shown.part("connection")).to_have_text("live")
    await expect(shown.part("note")).to_be_hidden()
    await worker.complete(sid, 1)
    await expect(shown.part("percent")).to_have_text("50%")
    assert polls(shown, sid) == loaded + 4
    assert shown.errors == []


async def test_links_that_come_after_the_end_are_shown(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """Their session was completed by its last step, at which its streams ended."""
    shown = await open_after_the_end(server, worker, open_page, sid)
    links = [{"label": "Report", "url": "https://reports.example/1"}]
    assert (await worker.update(sid, action="describe", links=links)).status_code == 200
    await shown.page.clock.fast_forward(4000)
    await expect(shown.page.get_by_role("link", name="Report")).to_be_visible()
    await expect(shown.connection).to_have_text("finished")


@pytest.mark.full
async def test_a_token_that_expires_after_the_end_changes_nothing(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """The page goes on to show the run that it was allowed to see, and asks for no token."""
    shown = await open_after_the_end(server, worker, open_page, sid)
    path = f"**/api/progress/{sid}"
    await shown.page.route(path, lambda route: route.fulfill(status=401))
    async with shown.page.expect_response(path):
        await shown.page.clock.fast_forward(LEAP_MS)
    await shown.next_frames()
    await expect(shown.connection).to_have_text("finished")
    await expect(shown.headline).to_have_text(COMPLETED)
    await expect(shown.page.locator("#entrance")).to_be_hidden()
    await shown.page.unroute(path)
    await worker.create(sid, total_steps=2, replace=True)
    await shown.page.clock.fast_forward(LEAP_MS)
    await expect(shown.steps).to_have_count(2)
    await expect(shown.connection).to_have_text("live")


async def test_a_hidden_page_asks_when_it_is_seen_again(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """It costs nothing while it is not looked at; a deletion is seen, too."""
    shown = await open_after_the_end(server, worker, open_page, sid)
    await shown.evaluate(TO_HIDDEN, "hidden")
    await worker.delete(sid)
    loaded = polls(shown, sid)
    await shown.page.clock.fast_forward(600_000)
    assert polls(shown, sid) == loaded
    await shown.evaluate(TO_HIDDEN, "visible")
    await expect(shown.headline).to_have_text("This job was deleted")
    await expect(shown.connection).to_have_text("live")
    await expect(shown.page.locator("#notify")).to_be_visible()
    await run_once(worker, sid)
    await expect(shown.headline).to_have_text(COMPLETED)
    await expect(shown.page.locator("#notify")).to_be_hidden()
    assert shown.errors == []
