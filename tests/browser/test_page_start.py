"""A session that is reported by hand: its page, and the commands on it."""

import re
from typing import Any

import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.page_driver import PageDriver
from tests.browser.session_page import page_of, run
from tests.conftest import Serve
from tests.harness.serving import Server, Worker


async def open_by_hand(url: str, open_page: OpenPage, **options: Any) -> PageDriver:
    shown = await open_page(url, **options)
    panel = shown.page.locator("#start")
    await panel.evaluate("panel => { panel.open = true; }")  # A page without jobs opens it, too.
    await panel.get_by_role("link", name="Report one by hand").click()
    return shown


async def test_the_shown_commands_move_a_session_of_the_visitors_own(server: Server, open_page: OpenPage) -> None:
    """The session outlives a reload; pasted commands move its bar, step by step."""
    shown = await open_by_hand(server.url, open_page)
    session_id = await shown.page.locator("#session-id").inner_text()
    assert re.fullmatch(r"[0-9a-z]{4}(-[0-9a-z]{4}){2}", session_id)
    assert shown.page.url == page_of(server, session_id)
    await expect(shown.headline).to_have_text("Waiting for the job to start")
    start = await shown.offered("start")
    assert start == (
        f"curl -X POST {server.url}/api/progress/{session_id}/update"
        """ -H 'Content-Type: application/json' -d '{"action":"start","step":1}'"""
    )
    run(start)
    await expect(shown.headline).to_contain_text("Step 1 of 7")
    run(await shown.offered("complete"))
    await expect(shown.bar).to_have_text("14%")
    await expect(shown.command).to_contain_text('"action":"start","step":2')

    await shown.page.reload()
    await expect(shown.bar).to_have_text("14%")
    assert await shown.page.locator("#session-id").inner_text() == session_id
    assert shown.errors == []


@pytest.mark.full
async def test_two_visitors_get_two_sessions(server: Server, open_page: OpenPage) -> None:
    """Each opened page makes up an id."""
    first, second = await open_by_hand(server.url, open_page), await open_by_hand(server.url, open_page)
    assert first.page.url != second.page.url


async def test_commands_take_the_token_from_the_environment(serve: Serve, open_page: OpenPage) -> None:
    """The page says that workers need a token, and does not contain it."""
    server = serve(publish_token="s3cret")
    shown = await open_page(page_of(server, "by-hand"))
    await expect(shown.page.locator(".token-hint")).to_be_visible()
    start = await shown.offered("start")
    assert '-H "Authorization: Bearer $PROGRESS_SSE_TOKEN"' in start
    assert "s3cret" not in await shown.page.content()
    run(start, PROGRESS_SSE_TOKEN="s3cret")
    run(await shown.offered("complete"), PROGRESS_SSE_TOKEN="s3cret")
    await expect(shown.bar).to_have_text("14%")


@pytest.mark.parametrize(
    "script",
    ["", pytest.param("Object.defineProperty(navigator, 'clipboard', {value: undefined})", marks=pytest.mark.full)],
    ids=["secure", "insecure"],
)
async def test_copy_copies_the_command(server: Server, open_page: OpenPage, script: str) -> None:
    """It does so in a secure context, and over plain HTTP, where there is no clipboard interface."""
    permissions = ["clipboard-read", "clipboard-write"]
    shown = await open_by_hand(server.url, open_page, scripts=(script,), permissions=permissions)
    button = shown.page.get_by_role("button", name="Copy: Start step 1")
    await button.click()
    await expect(button).to_have_text("Copied")
    await shown.evaluate("document.body.append(document.createElement('textarea'))")
    pasted = shown.page.locator("textarea")
    await pasted.press("Control+V")
    assert await pasted.input_value() == await shown.offered("start")
    await expect(button).to_have_text("Copy")


async def test_the_page_works_without_storage(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> None:
    """A browser may deny storage by an exception."""
    denied = "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('denied'); }})"
    shown = await open_by_hand(server.url, open_page, scripts=(denied,))
    await expect(shown.headline).to_have_text("Waiting for the job to start")
    await shown.page.goto(page_of(server, sid))
    await worker.start(sid, 1)
    await expect(shown.headline).to_contain_text("Step 1")
    assert shown.errors == []
