"""What the home page shows to visitors with different rights."""

from typing import Any

import pytest
from playwright.async_api import expect

from tests.browser.axe import axe_violations, check_themes
from tests.browser.conftest import OpenPage
from tests.browser.home_page import names_of
from tests.browser.page_driver import PageDriver
from tests.browser.session_page import page_of
from tests.conftest import Serve
from tests.harness.serving import Server, Worker
from tests.harness.tokens import CLOSED, PUBLISH_TOKEN, make_token

LISTING = ["read", "list"]


@pytest.fixture(scope="module")
def server_settings() -> dict[str, Any]:
    """The server requires a token for everything."""
    return {"heartbeat_s": 1, "retry_ms": 300, **CLOSED}


async def enter(shown: PageDriver, token: str) -> None:
    await shown.page.locator("#entrance-token").fill(token)
    await shown.page.locator("#entrance").get_by_role("button").click()


async def test_a_visitor_sees_the_sessions_of_the_own_prefix(
    server: Server, worker: Worker, open_page: OpenPage
) -> None:
    """Nothing of others is listed, now or later; a prefix beyond the right shows the other ways."""
    for name in ("alice-1", "bob-1"):
        await worker.start(name, 1)
    shown = await open_page(server.url)
    await expect(shown.page.get_by_role("heading", name="Open a job")).to_be_visible()
    await enter(shown, make_token(prefixes=["alice-"], actions=LISTING))
    await expect(names_of(shown)).to_have_text(["alice-1"])
    await expect(shown.part("connection")).to_have_text("live")
    await worker.start("bob-2", 1)
    await worker.start("alice-2", 1)
    await expect(names_of(shown)).to_have_text(["alice-2", "alice-1"])
    assert shown.errors == []
    await shown.page.goto(f"{server.url}/?prefix=bob-")
    await expect(shown.page.get_by_text("You are not allowed to list these jobs")).to_be_visible()
    await expect(shown.page.locator("#open-id")).to_be_visible()
    assert await axe_violations(shown) == []
    await expect(names_of(shown)).to_have_count(0)
    await shown.page.get_by_role("button", name="Show all").click()
    await expect(names_of(shown)).to_have_text(["alice-2", "alice-1"])
    await expect(shown.page.locator("#open")).to_be_hidden()
    await expect(shown.page.locator("#list-tools")).to_be_visible()
    await shown.page.go_back()
    await expect(shown.page.locator("#open-id")).to_be_visible()


@pytest.mark.full
async def test_a_visitor_who_comes_from_another_site_sees_the_list(
    server: Server, worker: Worker, open_page: OpenPage
) -> None:
    """The browser sends no cookie with that visit, and the page asks once more."""
    await worker.start("dora-1", 1)
    shown = await open_page(server.url)
    await enter(shown, make_token(prefixes=["dora-"], actions=LISTING))
    await expect(names_of(shown)).to_have_text(["dora-1"])
    elsewhere = server.url.replace("127.0.0.1", "localhost") + "/elsewhere"
    await shown.go(elsewhere, f'<!doctype html><title>elsewhere</title><a href="{server.url}/">jobs</a>')
    async with shown.page.expect_response(f"{server.url}/") as visit:
        await shown.page.get_by_role("link").click()
    assert "dora-" not in await (await visit.value).text()
    await expect(names_of(shown)).to_have_text(["dora-1"])


@pytest.mark.full
async def test_a_visitor_of_several_prefixes_chooses_one(server: Server, worker: Worker, open_page: OpenPage) -> None:
    """The first one comes first."""
    for name in ("cara-1", "team-1"):
        await worker.start(name, 1)
    shown = await open_page(server.url)
    await enter(shown, make_token(prefixes=["cara-", "team-"], actions=LISTING))
    await expect(names_of(shown)).to_have_text(["cara-1"])
    await shown.page.get_by_label("Jobs of").select_option("team-")
    await expect(names_of(shown)).to_have_text(["team-1"])
    assert shown.page.url == f"{server.url}/?prefix=team-"


@pytest.mark.full
async def test_the_ways_of_a_visitor_without_the_right_are_accessible(server: Server, open_page: OpenPage) -> None:
    """In Japanese too, with the form for a token."""
    shown = await open_page(server.url, locale="ja-JP", viewport={"width": 360, "height": 760})
    await expect(shown.page.locator("#open-id")).to_be_visible()
    await expect(shown.page.locator("#entrance-token")).to_be_visible()
    await check_themes(shown)


async def test_a_visitor_without_the_right_opens_sessions_by_their_ids(serve: Serve, open_page: OpenPage) -> None:
    """Those that this browser has shown are offered, and need no token to be read."""
    server = serve(publish_token=PUBLISH_TOKEN)
    async with Worker.at(server, PUBLISH_TOKEN) as worker:
        await worker.start("night ly", 1)
    shown = await open_page(server.url)
    await expect(shown.page.locator("#recent")).to_be_hidden()
    await shown.page.get_by_label("Id of the job").fill(" night ly ")
    await shown.page.get_by_role("button", name="Open").click()
    await expect(shown.headline).to_contain_text("Step 1")
    assert shown.page.url == page_of(server, "night ly")
    await shown.page.goto(server.url)
    await expect(shown.page.locator("#recent a")).to_have_text(["night ly"])
    await check_themes(shown)
    await enter(shown, PUBLISH_TOKEN)
    await expect(names_of(shown)).to_have_text(["night ly"])
    await expect(shown.page.locator("#recent")).to_be_hidden()
    assert shown.errors == []
