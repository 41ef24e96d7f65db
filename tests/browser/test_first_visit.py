"""What a browser transfers for a page or an element at first, headers included, and that it loads the state once."""

from typing import Any, Self

import pytest
from playwright.async_api import CDPSession, Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.page_driver import TIMEOUT_S, PageDriver
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


async def visit(shown: PageDriver, url: str, *seen: str, html: str = "") -> Transfers:
    """Go to a page, until these elements of it are seen and nothing more is loaded."""
    transfers = await Transfers.of(shown.page)
    await shown.go(url, html)
    for each in seen:
        await expect(shown.page.locator(each).first).to_be_visible()
    await eventually(lambda: not transfers.open, TIMEOUT_S)
    assert shown.errors == []
    return transfers


@pytest.mark.parametrize(
    ("path", "locale", "seen"),
    [("/", "en-GB", ".list-link"), ("/s/{sid}", "en-GB", "#step-list > li"), ("/s/{sid}", "ja-JP", "#step-list > li")],
    ids=["home", "en", "ja"],
)
async def test_a_first_visit_is_small(
    server: Server, worker: Worker, open_page: OpenPage, sid: str, path: str, locale: str, seen: str
) -> None:
    """At most 40 KB in three files, for a job that runs."""
    await worker.start(sid, 1)
    shown = await open_page("about:blank", locale=locale)
    transfers = await visit(shown, server.url + path.format(sid=sid), seen)
    assert sum(transfers.sizes.values()) <= MAX_BYTES, transfers.sizes
    assert len(transfers.sizes) <= MAX_FILES
    assert len([url for url in shown.requests if url.endswith(f"/api/progress/{sid}")]) == (path != "/")
    assert await shown.evaluate("document.documentElement.lang") == locale[:2]


async def test_a_page_whose_language_the_server_does_not_know_loads_its_texts(
    server: Server, open_page: OpenPage, sid: str
) -> None:
    """A proxy may keep back which languages its visitor reads."""
    shown = await open_page("about:blank", locale="ja-JP")
    url = server.url + f"/s/{sid}"
    await shown.page.route(url, lambda route: route.continue_(headers={"accept-language": "en"}))
    await shown.page.goto(url)
    await expect(shown.headline).to_have_text("ジョブの開始を待っています")
    assert [url for url in shown.requests if "/texts-ja-" in url]


ELEMENTS = {
    "element": '<script type="module" src="/web/define.js"></script><progress-steps session="{sid}"></progress-steps>',
    "list": '<script type="module" src="/web/define-list.js"></script><progress-list prefix="{sid}"></progress-list>',
}
SEEN = {"element": ".steps > li", "list": ".list-link"}
MAX_MORE_BYTES = 12 * 1024
"""What the second element on a page costs."""


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("names", [["element"], ["list"], ["element", "list"]], ids="-".join)
async def test_an_element_costs_three_files(
    server: Server, worker: Worker, open_page: OpenPage, sid: str, names: list[str], language: str
) -> None:
    """Of 40 KB; the texts of the surrounding language are a file that English pages do not load."""
    await worker.start(sid, 1)
    shown = await open_page("about:blank")
    content = "".join(ELEMENTS[name].format(sid=sid) for name in names)
    html = f'<!doctype html><html lang="{language}"><link rel="icon" href="data:,">{content}'
    transfers = await visit(shown, f"{server.url}/embedding", *(SEEN[name] for name in names), html=html)
    sizes = {url: size for url, size in transfers.sizes.items() if "/web/" in url}
    others = len(names) - 1
    assert sum(sizes.values()) <= MAX_BYTES + MAX_MORE_BYTES * others, sizes
    assert len(sizes) <= MAX_FILES + others
    assert len([url for url in sizes if "/texts-ja-" in url]) == (language == "ja")
