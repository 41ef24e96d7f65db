"""A visitor's view of a page: its content, its requests, and its errors in the console."""

import asyncio
from typing import Any

from playwright.async_api import ConsoleMessage, Dialog, Locator, Page, Request, Route, expect

POLLING_ONLY = "delete window.EventSource"
"""Runs before the page's scripts: makes the browser one without streams."""

SOURCES = """
window.sources = [];
window.EventSource = class extends EventSource {
  constructor(...args) {
    super(...args);
    sources.push(this);
  }
};
"""
"""Runs before the page's scripts: records each EventSource that the page makes."""

TIMEOUT_S = 20
"""The deadline of each wait for a page."""

MARKUP = [
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    '"><script>alert(1)</script>',
    "javascript:alert(1) {{7*7}} ${7*7} &amp;",
    "abc \u202e\u2069 def",
]
"""Texts that a worker may send to a page; the last one reverses its neighbours unless its direction is isolated."""


class PageDriver:
    """One page in a browser as a person sees it.

    `errors` are the console's errors and warnings, exceptions and dialogs.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []
        self.requests: list[str] = []
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("dialog", self._on_dialog)
        page.on("request", self._on_request)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.errors.append(message.text)

    async def _on_dialog(self, dialog: Dialog) -> None:
        self.errors.append(f"dialog: {dialog.message}")
        await dialog.dismiss()

    def _on_request(self, request: Request) -> None:
        self.requests.append(request.url)

    async def go(self, url: str, html: str) -> None:
        """Go to an address; with `html`, that replaces the server's response."""
        if html:

            async def answer(route: Route) -> None:
                await route.fulfill(content_type="text/html; charset=utf-8", body=html)

            await self.page.route(url, answer)
        await self.page.goto(url)

    @property
    def bar(self) -> Locator:
        """The bar's filled part, with the number in it."""
        return self.page.locator("#progress-bar")

    @property
    def progressbar(self) -> Locator:
        """The bar as assistive technology sees it."""
        return self.page.get_by_role("progressbar")

    @property
    def headline(self) -> Locator:
        """What state a session is in."""
        return self.part("headline")

    @property
    def connection(self) -> Locator:
        return self.page.locator("#connection")

    @property
    def steps(self) -> Locator:
        return self.page.locator("ol#step-list > li")

    def step(self, number: int) -> Locator:
        return self.steps.nth(number - 1)

    def part(self, name: str) -> Locator:
        """The part with this name in each shown session, in the page and in the element: `time-left`."""
        return self.page.locator(f".{name}")

    @property
    def command(self) -> Locator:
        return self.page.locator("#drive .command:not([hidden]) code")

    async def offered(self, action: str) -> str:
        await expect(self.command).to_contain_text(f'"{action}"')
        return await self.command.text_content() or ""

    async def bar_width(self) -> str:
        """The width that the bar's style sets."""
        width: str = await self.bar.evaluate("bar => bar.style.width")
        return width

    async def until(self, condition: str) -> None:
        """Wait until an expression is true in the page. Playwright's own needs `eval`, which a policy may forbid."""
        async with asyncio.timeout(TIMEOUT_S):
            await self.evaluate(
                f"async () => {{ while (!({condition})) await new Promise((next) => setTimeout(next, 20)); }}"
            )

    async def next_frames(self) -> None:
        """Wait until the latest changes are drawn and their transitions have begun."""
        await self.evaluate("() => new Promise((next) => requestAnimationFrame(() => requestAnimationFrame(next)))")

    async def evaluate(self, expression: str, argument: Any = None) -> Any:
        return await self.page.evaluate(expression, argument)
