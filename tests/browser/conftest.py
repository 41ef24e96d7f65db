from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from playwright.async_api import Browser

from tests.browser.page_driver import PageDriver
from tests.browser.session_page import page_of
from tests.harness.serving import Server

OpenPage = Callable[..., Awaitable[PageDriver]]


@pytest.fixture(scope="module")
def server_settings() -> dict[str, Any]:
    return {"heartbeat_s": 1, "retry_ms": 300}


@pytest.fixture
async def open_page(chromium: Browser) -> AsyncIterator[OpenPage]:
    """Open addresses, each in its own browser context: `open_page(url, locale="ja-JP")`; options are the context's.

    Nothing moves, as drawing it takes much of a processor: tests of motion ask for it. `beside` is an earlier page, in
    whose context the new tab opens.
    """
    drivers: list[PageDriver] = []

    async def open_driver(
        url: str, *, scripts: tuple[str, ...] = (), html: str = "", beside: PageDriver | None = None, **options: Any
    ) -> PageDriver:
        options = {"locale": "en-GB", "reduced_motion": "reduce", **options}
        context = beside.page.context if beside else await chromium.new_context(**options)
        for script in scripts:
            await context.add_init_script(script)
        drivers.append(PageDriver(await context.new_page()))
        await drivers[-1].go(url, html)
        return drivers[-1]

    yield open_driver
    for opened in drivers:
        await opened.page.context.close()


@pytest.fixture
async def shown(server: Server, open_page: OpenPage, sid: str) -> PageDriver:
    """The page of the test's own session, which may not exist yet."""
    return await open_page(page_of(server, sid))
