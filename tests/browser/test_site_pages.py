"""What a server shows around its pages: error pages, badges, pages in frames of other sites, and pages on paper."""

from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.axe import check_themes
from tests.browser.conftest import OpenPage
from tests.browser.following import response
from tests.browser.session_page import page_of
from tests.harness.serving import Server, Worker, eventually
from tests.live.browsing import Playback


@pytest.mark.parametrize(
    ("locale", "scheme", "title", "home"),
    [
        ("en-GB", "light", "There is no such page", "Start page"),
        pytest.param("ja-JP", "dark", "ページが見つかりません", "トップページ", marks=pytest.mark.full),
    ],
)
async def test_an_error_page_looks_like_the_page(
    server: Server, open_page: OpenPage, locale: str, scheme: str, title: str, home: str
) -> None:
    """In its visitor's language, with the page's style, and for all visitors."""
    shown = await open_page(f"{server.url}/nothing", locale=locale, color_scheme=scheme)
    heading = shown.page.get_by_role("heading", level=1)
    await expect(heading).to_have_text(title)
    await check_themes(shown)
    error_ground = await shown.evaluate("getComputedStyle(document.body).backgroundColor")
    await shown.page.get_by_role("link", name=home).click()
    await expect(heading).not_to_have_text(title)
    await expect(shown.page.locator("body")).to_have_css("background-color", error_ground)


async def test_a_page_on_paper_shows_the_job_alone(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """On white, whatever the screen shows; without what acts, and with the bar."""
    await worker.create(sid, total_steps=2, accepts=["cancel"])
    await worker.start(sid, 1)
    shown = await open_page(page_of(server, sid), color_scheme="dark")
    await expect(shown.page.get_by_role("button", name="Cancel")).to_be_visible()
    await shown.page.emulate_media(media="print")
    for hidden in (shown.page.get_by_role("button", name="Cancel"), shown.connection, shown.page.locator("#drive")):
        await expect(hidden).to_be_hidden()
    for visible in (shown.headline, shown.progressbar, shown.step(1), shown.step(2)):
        await expect(visible).to_be_visible()
    dark = await shown.headline.evaluate(
        "headline => getComputedStyle(headline).color.match(/\\d+/g).slice(0, 3).every((part) => part < 100)"
    )
    assert dark, "the text is light on white paper"
    assert await shown.evaluate("getComputedStyle(document.body).backgroundColor") == "rgba(0, 0, 0, 0)"


@pytest.mark.full
@pytest.mark.parametrize("is_named", [True, False])
async def test_a_page_in_a_frame_of_a_site_that_is_named(
    open_page: OpenPage, sid: str, tmp_path: Path, is_named: bool
) -> None:
    """It is live there, and leads to no other job; on any other site the browser shows nothing of it."""
    server = Server(tmp_path / "server", heartbeat_s=1)
    html = f'<!doctype html><title>wiki</title><iframe src="{server.url}/s/{sid}"></iframe>'
    async with Playback(response("200 OK", html, "text/html")) as site:
        if is_named:
            server.settings["frame_origins"] = f"http://localhost:{site.port}"
        with server:
            async with Worker.at(server) as worker:
                await worker.start(sid, 1)
            shown = await open_page(f"http://localhost:{site.port}/")
            headline = shown.page.frame_locator("iframe").locator(".headline")
            if is_named:
                await expect(headline).to_contain_text("Step 1 of 7")
                await expect(shown.page.frame_locator("iframe").locator(".home-link")).to_be_hidden()
            else:
                await eventually(lambda: any("frame-ancestors" in error for error in shown.errors), 20)
                await expect(headline).to_have_count(0)


async def test_a_page_shows_a_badge(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> None:
    """As an image, in which nothing can be loaded or run, and beside a wide name."""
    await worker.create(sid, total_steps=2, title="夜間バッチ <b>")
    await worker.run(sid, 1)
    html = f'<!doctype html><html lang="en"><title>readme</title><img id="badge" alt="" src="/s/{sid}/badge.svg">'
    shown = await open_page(f"{server.url}/readme", html=html)
    await shown.until("document.getElementById('badge').complete")
    width, height = await shown.evaluate("[badge.naturalWidth, badge.naturalHeight]")
    assert (100 < width < 200, height) == (True, 20)
    assert shown.errors == []
