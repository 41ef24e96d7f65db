"""Debian's Chromium, driven by its own protocol."""

from pathlib import Path
from typing import Any

from playwright.async_api import Browser as PlaywrightBrowser
from playwright.async_api import Playwright, async_playwright

from tests.browser.cdp_page import CdpPage
from tests.conftest import CHROMIUM, FLAGS
from tests.engines.browser import Browser, Tab


class ChromiumTab(Tab):
    """One tab outside Playwright's contexts, which can therefore be hidden."""

    def __init__(self, page: CdpPage) -> None:
        self._page = page

    async def go(self, url: str) -> None:
        await self._page.send("Page.navigate", url=url)
        await self._page.until("document.readyState === 'complete'")

    async def evaluate(self, expression: str) -> Any:
        return await self._page.evaluate(expression)

    async def press(self, x: int, y: int) -> None:
        """Press the pointer's button, and release it, at a place in the window, in pixels."""
        for kind in ("mousePressed", "mouseReleased"):
            await self._page.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    async def type(self, text: str) -> None:
        for letter in text:
            await self._page.send("Input.dispatchKeyEvent", type="keyDown", key=letter, text=letter)
            await self._page.send("Input.dispatchKeyEvent", type="keyUp", key=letter)

    async def close_page(self) -> None:
        """Close the tab, with its page; called once."""
        await self._page.aclose()


class Chromium(Browser):
    """One process of Chromium, with its children, without a window."""

    def __init__(self, folder: Path) -> None:
        """Prepare a browser; Playwright gives it a folder of its own."""
        super().__init__(folder)
        self._playwright: Playwright | None = None
        self._browser: PlaywrightBrowser | None = None

    async def start(self) -> None:
        self._playwright = await async_playwright().start()
        self._browser = await self._playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)

    async def open(self, url: str, *, is_hidden: bool = False) -> ChromiumTab:
        """Open an address in a tab in front of others, or in one that stays behind others."""
        assert self._browser is not None, "it was not started"
        tab = ChromiumTab(await CdpPage.open(self._browser, "about:blank", is_hidden=is_hidden))
        await tab.go(url)
        return tab

    async def end(self) -> None:
        if self._browser is not None:
            await self._browser.close()
        if self._playwright is not None:
            await self._playwright.stop()
