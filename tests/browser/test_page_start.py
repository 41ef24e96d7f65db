"""The page's own session, its commands, and the sessions that it offers."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.session_page import page_of, run
from tests.conftest import Serve
from tests.harness.serving import Server, Worker


async def test_the_shown_commands_move_the_visitors_own_session(server: Server, open_page: OpenPage) -> None:
    """The session on `/` outlives a reload; pasted commands move its bar, step by step."""
    shown = await open_page(server.url)
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


async def test_two_visitors_get_two_sessions(server: Server, open_page: OpenPage) -> None:
    """Each opened page makes up an id."""
    first, second = await open_page(server.url), await open_page(server.url)
    assert first.page.url != second.page.url


async def test_commands_take_the_token_from_the_environment(serve: Serve, open_page: OpenPage) -> None:
    """The page says that workers need a token, and does not contain it."""
    server = serve(publish_token="s3cret")
    shown = await open_page(server.url)
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
    shown = await open_page(server.url, scripts=(script,), permissions=["clipboard-read", "clipboard-write"])
    button = shown.page.get_by_role("button", name="Copy: Start step 1")
    await button.click()
    await expect(button).to_have_text("Copied")
    await shown.evaluate("document.body.append(document.createElement('textarea'))")
    pasted = shown.page.locator("textarea")
    await pasted.press("Control+V")
    assert await pasted.input_value() == await shown.offered("start")
    await expect(button).to_have_text("Copy")


async def test_recent_sessions_are_offered_at_the_start(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """They are the sessions that existed; one that was never started is not offered."""
    await worker.start(sid, 1)
    shown = await open_page(server.url)
    await expect(shown.page.locator("#recent")).to_be_hidden()
    await shown.page.goto(page_of(server, sid))
    await expect(shown.headline).to_contain_text("Step 1")
    await shown.page.goto(server.url)
    await expect(shown.page.locator("#recent a")).to_have_text([sid])
    await shown.page.locator("#recent a").click()
    await expect(shown.headline).to_contain_text("Step 1")
    assert shown.page.url == page_of(server, sid)


async def test_the_page_works_without_storage(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> None:
    """A browser may deny storage by an exception."""
    denied = "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('denied'); }})"
    shown = await open_page(server.url, scripts=(denied,))
    await expect(shown.headline).to_have_text("Waiting for the job to start")
    await shown.page.goto(page_of(server, sid))
    await worker.start(sid, 1)
    await expect(shown.headline).to_contain_text("Step 1")
    assert shown.errors == []
