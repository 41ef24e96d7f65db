"""The site that `make docs` builds: it is strict, it can be searched, and it needs nothing from elsewhere."""

import re
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Literal
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, Route, expect

from tests.browser.axe import AXE, RUN, THEMES

ROOT = Path(__file__).parents[1]
BUILD_S = 900
WAIT_MS = 60_000

FOR_CONTRIBUTORS = re.compile(r"/adr/|adr/README|/architecture|CONTRIBUTING|CHANGELOG|tests/README")

pytestmark = [pytest.mark.full, pytest.mark.timeout(BUILD_S + 60)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    [options] = re.findall(
        r"/sphinx-build (.*) docs/_build/html$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE
    )
    command = [sys.executable, "-m", "sphinx", *options.split(), str(folder)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=BUILD_S, check=False)
    assert built.returncode == 0, built.stderr
    return folder


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Write no line."""


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """Where a plain file server has the site."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_QuietHandler, directory=site)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    """No script, style, image or frame has an address with a host."""
    pages = list(site.rglob("*.html"))
    assert len(pages) > 50
    loaded = re.compile(r"<(?:link|script|img|source|iframe)\b[^>]*?\b(?:src|href|srcset)=\"([^\"]+)\"")
    addresses = {address for page in pages for address in loaded.findall(page.read_text("utf-8"))}
    assert any(address.endswith(".css") or ".css?" in address for address in addresses)
    assert {address for address in addresses if urlsplit(address).netloc} == set()


async def test_a_search_finds_a_word(address: str, chromium: Browser) -> None:
    """In no page for contributors, and without any other host, and so do the first pages of a visit."""
    elsewhere: list[str] = []

    async def watch(route: Route) -> None:
        if route.request.url.startswith((address, "data:")):
            await route.continue_()
        else:
            elsewhere.append(route.request.url)
            await route.abort()

    async with await chromium.new_page() as page:
        await page.route("**/*", watch)
        await page.goto(address)
        await page.wait_for_url("**/docs/index.html")
        await page.get_by_role("link", name="Troubleshooting").first.click()
        await expect(page.get_by_role("heading", level=1)).to_contain_text("Troubleshooting", timeout=WAIT_MS)
        await page.goto(f"{address}/search.html?q=heartbeat")
        results = page.locator("#search-results li a")
        await expect(results.filter(has_text="Settings")).to_have_count(1, timeout=WAIT_MS)
        await expect(page.locator(".search-summary")).to_contain_text("found")  # Results come one by one.
        found = await results.evaluate_all("links => links.map((link) => link.href)")
    assert elsewhere == []
    assert [link for link in found if FOR_CONTRIBUTORS.search(link)] == []


def test_pages_for_contributors_stand_apart(site: Path) -> None:
    """The first page links to them, and the navigation does not."""
    html = (site / "docs" / "index.html").read_text("utf-8")
    navigation, _, page = html.partition("<article")
    assert "how-to/deploy.html" in navigation
    assert not FOR_CONTRIBUTORS.search(navigation)
    assert len(FOR_CONTRIBUTORS.findall(page)) == 5


DOCS = ("index", "tutorial/first-job", "protocol", "guarantees", "reference/python-client", "adr/README")
PAGES = (*(f"docs/{name}.html" for name in DOCS), "genindex.html", "search.html?q=heartbeat")
"""A page of each kind, with text, code, pictures, tables and results."""


@pytest.mark.parametrize("scheme", THEMES)
async def test_axe_finds_nothing(address: str, chromium: Browser, scheme: Literal["light", "dark"]) -> None:
    """On a screen of a usual width, and of a telephone."""
    async with await chromium.new_page(color_scheme=scheme, reduced_motion="reduce") as page:
        for path in PAGES:
            await page.goto(f"{address}/{path}")
            await expect(page.locator("link[rel~=icon]")).to_have_count(1)
            for width in (1280, 390):
                await page.set_viewport_size({"width": width, "height": 800})
                await page.evaluate(AXE)
                assert await page.evaluate(RUN) == [], (path, width)


def test_the_index_for_language_models_leads_to_files_of_the_site(site: Path) -> None:
    """The Markdown of each page lies beside it."""
    links = re.findall(r"\]\((docs/[^)]+)\)", (site / "llms.txt").read_text("utf-8"))
    assert links
    assert [link for link in links if not (site / link).is_file()] == []
