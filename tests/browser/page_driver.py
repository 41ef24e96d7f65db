"""A visitor's view of a page: what it shows, asks for, and complains about."""

from __future__ import annotations

import asyncio
from typing import Any

from playwright.async_api import ConsoleMessage, Dialog, Locator, Page, Request, Route, expect

POLLING_ONLY = "delete window.EventSource"
"""Runs before the page's scripts: a browser (or a network) without streams."""

PATIENCE_S = 20
"""Within this a page must come to what it is waited for."""

MARKUP = [
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    '"><script>alert(1)</script>',
    "javascript:alert(1) {{7*7}} ${7*7} &amp;",
    "abc \u202e\u2069 def",
]
"""What a worker may write to somebody else's page; the last turns its neighbours round where it is not isolated."""


class Visit:
    """One page in a browser, as a person sees it, and what went on behind."""

    def __init__(self, page: Page) -> None:
        """Listen to a page before it goes anywhere."""
        self.page = page
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", self._on_dialog)
        page.on("request", self._on_request)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    async def _on_dialog(self, dialog: Dialog) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        await dialog.dismiss()

    def _on_request(self, request: Request) -> None:
        self.requests.append(request.url)

    async def go(self, url: str, html: str) -> None:
        """Go to an address; with `html`, it answers that instead of what the server has there."""
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
        """The bar as assistive technology has it."""
        return self.page.get_by_role("progressbar")

    @property
    def headline(self) -> Locator:
        """What is going on, in one line."""
        return self.page.get_by_role("heading", level=1)

    @property
    def connection(self) -> Locator:
        """The badge that tells how the page is connected."""
        return self.page.locator("#connection")

    @property
    def steps(self) -> Locator:
        """The steps, in order."""
        return self.page.locator("ol#step-list > li")

    def step(self, number: int) -> Locator:
        """One step of the list."""
        return self.steps.nth(number - 1)

    def shown(self, name: str) -> Locator:
        """What bears a name in every session that is shown, in the page and in the element: `time-left`."""
        return self.page.locator(f".{name}")

    @property
    def command(self) -> Locator:
        """The command that the page offers."""
        return self.page.locator("#drive .command:not([hidden]) code")

    async def offered(self, action: str) -> str:
        """The command, once it is one for this."""
        await expect(self.command).to_contain_text(f'"{action}"')
        return await self.command.text_content() or ""

    async def bar_width(self) -> str:
        """How wide the bar says it is."""
        width: str = await self.bar.evaluate("bar => bar.style.width")
        return width

    async def until(self, condition: str) -> None:
        """Wait until something is so in the page. Playwright's own waiting needs `eval`, which a policy may forbid."""
        async with asyncio.timeout(PATIENCE_S):
            await self.evaluate(
                f"async () => {{ while (!({condition})) await new Promise((next) => setTimeout(next, 20)); }}"
            )

    async def next_frames(self) -> None:
        """Wait until what was written is drawn, and its transitions have begun."""
        await self.evaluate("() => new Promise((next) => requestAnimationFrame(() => requestAnimationFrame(next)))")

    async def evaluate(self, expression: str, argument: Any = None) -> Any:
        """The value of an expression in the page."""
        return await self.page.evaluate(expression, argument)
