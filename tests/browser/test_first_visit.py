"""What a browser transfers at its first visit of a page, headers included, and that it loads the state once."""

from typing import Any, Self

import pytest
from playwright.async_api import CDPSession, Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.page_driver import TIMEOUT_S
from tests.harness.serving import Server, Worker, eventually

MAX_BYTES = 40 * 1024
MAX_FILES = 3


class Transfers:
    """The files of a page that have been transferred, and their sizes on the wire. What the API answers is no file."""

    def __init__(self, network: CDPSession) -> None:
        self.sizes: dict[str, int] = {}
        self.open: dict[str, str] = {}
        network.on("Network.requestWillBeSent", self._on_request)
        network.on("Network.loadingFinished", self._on_finished)

    @classmethod
    async def of(cls, page: Page) -> Self:
        """Record what the page loads from now on."""
        network = await page.context.new_cdp_session(page)
        await network.send("Network.enable")
        return cls(network)

    def _on_request(self, event: dict[str, Any]) -> None:
        url: str = event["request"]["url"]
        if url.startswith("http") and "/api/" not in url:
            self.open[event["requestId"]] = url

    def _on_finished(self, event: dict[str, Any]) -> None:
        if url := self.open.pop(event["requestId"], None):
            self.sizes[url] = event["encodedDataLength"]


@pytest.mark.parametrize("path", ["/", "/s/{sid}"])
async def test_a_first_visit_is_small(server: Server, worker: Worker, open_page: OpenPage, sid: str, path: str) -> None:
    """At most 40 KB in three files, for a job that runs and is shown with its bars of time."""
    await worker.start(sid, 1)
    shown = await open_page("about:blank")
    transfers = await Transfers.of(shown.page)
    await shown.page.goto(server.url + path.format(sid=sid))
    seen = shown.page.get_by_role("link", name=sid) if path == "/" else shown.part("timeline")
    await expect(seen.first).to_be_visible()
    await eventually(lambda: not transfers.open, TIMEOUT_S)
    assert sum(transfers.sizes.values()) <= MAX_BYTES, transfers.sizes
    assert len(transfers.sizes) <= MAX_FILES
    assert len([url for url in shown.requests if url.endswith(f"/api/progress/{sid}")]) == (path != "/")
    assert shown.errors == []
