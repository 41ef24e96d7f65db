"""How soon a visitor far away sees how the job is."""

import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.session_page import page_of
from tests.harness.serving import Server, Worker

ROUND_TRIP_MS = 1000  # The time of the processor hardly counts beside it.

RECORD = """
new MutationObserver(() => {
    if (/^Step 1/.test(document.querySelector(".headline")?.textContent)) window.seen ??= performance.now();
}).observe(document, {subtree: true, childList: true, characterData: true});
"""
"""Runs before the page's scripts: records when the headline tells the state, since the navigation began."""


@pytest.mark.full
async def test_the_state_is_seen_soon(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> None:
    """Each request waits a round trip: the page, its script with the style sheet, and the stream."""
    await worker.start(sid, 1)
    shown = await open_page("about:blank", scripts=(RECORD,))
    network = await shown.page.context.new_cdp_session(shown.page)
    await network.send("Network.enable")
    limits = {"offline": False, "latency": ROUND_TRIP_MS, "downloadThroughput": -1, "uploadThroughput": -1}
    await network.send("Network.emulateNetworkConditions", limits)
    await shown.page.goto(page_of(server, sid))
    await expect(shown.headline).to_contain_text("Step 1")
    seen_ms = await shown.evaluate("seen")
    assert 2 < seen_ms / ROUND_TRIP_MS < 4
