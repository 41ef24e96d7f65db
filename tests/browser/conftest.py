from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
from playwright.async_api import Browser

from tests.browser.page_driver import PageDriver
from tests.harness.chaos import ChaosProxy
from tests.harness.serving import Server, Worker

OpenPage = Callable[..., Awaitable[PageDriver]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that the tests of a module share, each with its own sessions."""
    with Server(tmp_path_factory.mktemp("server"), heartbeat_s=1, retry_ms=300) as running:
        yield running


@pytest.fixture
async def worker(server: Server) -> AsyncIterator[Worker]:
    """A worker of the shared server, in another process than the server and the browser."""
    async with Worker.at(server) as at_server:
        yield at_server


@pytest.fixture
async def proxy(server: Server) -> AsyncIterator[ChaosProxy]:
    async with ChaosProxy(server.port) as proxy:
        yield proxy


@pytest.fixture
async def open_page(chromium: Browser) -> AsyncIterator[OpenPage]:
    """Open addresses, each in its own browser context: `open_page(url, locale="ja-JP")`; options are the context's.

    `beside` is an earlier page, in whose context the new tab opens.
    """
    drivers: list[PageDriver] = []

    async def open_driver(
        url: str, *, scripts: tuple[str, ...] = (), html: str = "", beside: PageDriver | None = None, **options: Any
    ) -> PageDriver:
        context = beside.page.context if beside else await chromium.new_context(**{"locale": "en-GB", **options})
        for script in scripts:
            await context.add_init_script(script)
        drivers.append(PageDriver(await context.new_page()))
        await drivers[-1].go(url, html)
        return drivers[-1]

    yield open_driver
    for opened in drivers:
        await opened.page.context.close()
