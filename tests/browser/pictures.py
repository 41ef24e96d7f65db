"""Take a picture of every state that pages draw, and look at them: `make pictures` writes them to build/pictures."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

from playwright.async_api import Browser, Page, Route, async_playwright, expect

from tests.browser.home_page import FAKE_STREAM, entry
from tests.browser.page_driver import POLLING_ONLY
from tests.browser.session_page import page_of
from tests.browser.session_states import every_state
from tests.conftest import CHROMIUM, FLAGS
from tests.harness.serving import ROOT, Server, Worker

FOLDER: Final = ROOT / "build" / "pictures"

_DESK: Final = {"width": 1000, "height": 800}
LOOKS: Final[dict[str, dict[str, Any]]] = {
    "light": {"viewport": _DESK},
    "dark": {"viewport": _DESK, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 800}},
    "ja": {"viewport": _DESK, "locale": "ja-JP"},
}

EMBEDDING: Final = """<!doctype html><html lang="en"><meta name="viewport" content="width=device-width">
<title>embedding</title><body style="{style}"><script type="module" src="/web/define.js"></script>
<progress-steps session="{sid}" timeline></progress-steps>"""
STYLES: Final = {"light": "", "dark": "color-scheme: dark; background: #111", "centred": "text-align: center"}

LISTS: Final = (0, 12, 300)
KINDS: Final[list[dict[str, Any]]] = [
    {"title": "Nightly import", "labels": {"customer": "acme", "branch": "main"}},
    {"status": "pending", "current_step": 0, "percentage": 0},
    {"status": "completed", "percentage": 100, "links": [{"label": "Report", "url": "/report"}]},
    {"status": "error", "error": "disk full", "steps_done": 1},
    {"status": "error", "error": "stopped by hand", "conclusion": "cancelled", "steps_done": 1},
    {"status": "error", "error": "", "conclusion": "lost", "steps_done": 1},
    {"liveness": {"state": "stalled", "since": "2026-01-01T11:58:00+00:00"}},
    {"idle_since": "2026-01-01T00:00:00+00:00"},
    {"open_ended": True, "title": "Agent"},
]
LINES: Final = 2000


async def main() -> None:
    """Take all of them, one after the other."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder)) as server:
        await write_log(server)
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            for look, options in LOOKS.items():
                await take_pages(browser, server, look, options)
                await take_home(browser, server, look, options)
            await take_elements(browser, server)
            await browser.close()


async def write_log(server: Server) -> None:
    """Let a job with a long log fail."""
    async with Worker.at(server) as worker:
        await worker.create("log", steps=["Build", "Test"], title="Release 4.2")
        await worker.start("log", 1)
        lines = [f"line {number}" for number in range(LINES - 1)]
        for first in range(0, LINES, 100):
            await worker.update("log", action="log", step=1, lines=lines[first : first + 100])
        await worker.update("log", action="log", step=1, lines=[{"text": "link failed: disk full", "level": "error"}])
        await worker.complete("log", 1, success=False, error="disk full")


async def take_pages(browser: Browser, server: Server, look: str, options: dict[str, Any]) -> None:
    """Take the page in each state, and that with the log."""
    for name, state in every_state("nightly").items():
        async with opened(browser, options, state) as page:
            await page.goto(page_of(server, "nightly"))
            await expect(page.locator("article")).to_have_attribute("data-status", state["status"])
            await take(page, f"page {name} {look}")
    async with opened(browser, options) as page:
        await page.goto(page_of(server, "log"))
        await expect(page.locator(".log-line").last).to_be_visible()
        await take(page, f"page log {look}")


async def take_home(browser: Browser, server: Server, look: str, options: dict[str, Any]) -> None:
    for count in LISTS:
        sessions = [entry(number) | KINDS[number % len(KINDS)] for number in range(count)]
        async with opened(browser, options, script=FAKE_STREAM) as page:
            await page.goto(server.url)
            await page.wait_for_function("window.streams?.length === 1")
            shown = {"sessions": sessions[:100], "more": count > 100}
            await page.evaluate("data => streams[0].send('list', data)", shown)
            await expect(page.locator(".list-row")).to_have_count(min(count, 100))
            await take(page, f"home {count} {look}", is_whole=False)


async def embed(style: str, route: Route) -> None:
    html = EMBEDDING.format(style=style, sid="nightly")
    await route.fulfill(content_type="text/html; charset=utf-8", body=html)


async def take_elements(browser: Browser, server: Server) -> None:
    """Take the element in pages of other styles."""
    for name, style in STYLES.items():
        for state in ("running", "failed", "completed"):
            async with opened(browser, LOOKS["light"], every_state("nightly")[state]) as page:
                await page.route("**/embedding", partial(embed, style))
                await page.goto(f"{server.url}/embedding")
                await expect(page.locator("article")).to_be_visible()
                await take(page, f"element {state} {name}")


@asynccontextmanager
async def opened(
    browser: Browser, options: dict[str, Any], state: dict[str, Any] | None = None, script: str = POLLING_ONLY
) -> AsyncIterator[Page]:
    """Open a page without motion, whose polls are answered by the `state`, if there is one."""
    page = await browser.new_page(**{"bypass_csp": True, "locale": "en-GB", "reduced_motion": "reduce", **options})
    await page.add_init_script(script)
    if state is not None:

        async def answer(route: Route) -> None:
            await route.fulfill(json=state)

        await page.route("**/api/progress/*", answer)
    yield page
    await page.close()


async def take(page: Page, name: str, *, is_whole: bool = True) -> None:
    await page.screenshot(path=FOLDER / f"{name.replace(' ', '-').replace(',', '')}.png", full_page=is_whole)


if __name__ == "__main__":
    asyncio.run(main())
