from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.engines.browser import Browser, Tab
from tests.engines.chromium import Chromium
from tests.engines.firefox import Firefox
from tests.engines.webkit import WebKit

OpenTab = Callable[..., Awaitable[Tab]]


@pytest.fixture(scope="session", params=[Chromium, Firefox, WebKit], ids=["chromium", "firefox", "webkit"])
async def browser(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    """A browser of each engine, one after the other, for all tests of this folder."""
    async with request.param(tmp_path_factory.mktemp("browser")) as running:
        yield running


@pytest.fixture
async def open_tab(browser: Browser) -> AsyncIterator[OpenTab]:
    """Open addresses, each in a tab that is closed after the test: `open_tab(url, is_hidden=True)`."""
    tabs: list[Tab] = []

    async def open_one(url: str, *, is_hidden: bool = False) -> Tab:
        tabs.append(await browser.open(url, is_hidden=is_hidden))
        return tabs[-1]

    yield open_one
    for tab in tabs:
        await tab.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of pages that the servers of a module's tests serve beside their own."""
    return tmp_path_factory.mktemp("pages")


@pytest.fixture(scope="module")
def server_settings(pages: Path) -> dict[str, Any]:
    return {"heartbeat_s": 1, "retry_ms": 300, "www": pages}
