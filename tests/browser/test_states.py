"""Every state that a page draws: accessible in each theme and language, and inside the width of a phone."""

from typing import Any

import pytest
from playwright.async_api import expect

from tests.browser.axe import check_themes
from tests.browser.conftest import OpenPage
from tests.browser.session_states import every_state
from tests.browser.stubbed_session import StubbedSession
from tests.harness.serving import Server

PHONE = {"width": 360, "height": 760}

STATES = list(every_state("x"))

FULL = pytest.mark.full

SMALL = """() => [...document.querySelectorAll("a, button, summary, label, input:not(.visually-hidden)")]
    .filter((each) => each.offsetParent && (each.offsetWidth < 24 || each.offsetHeight < 24))
    .map((each) => [each.outerHTML, each.offsetWidth, each.offsetHeight])"""
"""Targets of a pointer that are smaller than 24 pixels [WCAG 2.5.8]."""


@pytest.mark.parametrize("locale", ["en-GB", pytest.param("ja-JP", marks=FULL)])
@pytest.mark.parametrize("state", [each if each == "completed" else pytest.param(each, marks=FULL) for each in STATES])
async def test_the_page_is_accessible_in_every_state(
    server: Server, open_page: OpenPage, sid: str, state: str, locale: str
) -> None:
    """On a phone, where the least room is."""
    polled = every_state(sid)[state]
    stubbed = await StubbedSession.open(polled, server, open_page, locale=locale, viewport=PHONE)
    await expect(stubbed.shown.page.locator("article")).to_have_attribute("data-status", polled["status"])
    await expect(stubbed.shown.connection).to_be_visible()
    await check_themes(stubbed.shown, state)
    assert await stubbed.shown.evaluate(SMALL) == []


@FULL
@pytest.mark.parametrize("locale", ["en-GB", "ja-JP"])
async def test_the_page_is_accessible_without_a_connection(
    server: Server, open_page: OpenPage, sid: str, locale: str
) -> None:
    """It keeps what it has, and says that it reconnects."""
    stubbed = await StubbedSession.open(every_state(sid)["running"], server, open_page, locale=locale, viewport=PHONE)
    shown = stubbed.shown
    await expect(shown.page.locator("article")).to_have_attribute("data-connection", "polling")
    await shown.page.route("**/api/progress/**", lambda route: route.abort())
    async with shown.page.expect_event("requestfailed"):
        await shown.page.clock.fast_forward(3000)
    await shown.page.clock.run_for(3000)
    await expect(shown.page.locator("article")).to_have_attribute("data-connection", "reconnecting")
    await check_themes(shown, "disconnected")


@FULL
@pytest.mark.parametrize("locale", ["en", "ja"])
@pytest.mark.parametrize("attribute", ["timeline", "compact"])
async def test_the_element_is_accessible_in_every_state(
    server: Server, open_page: OpenPage, sid: str, locale: str, attribute: str
) -> None:
    """As a whole, and in its compact form."""
    html = (
        f'<!doctype html><html lang="{locale}"><title>embedding</title><meta name="color-scheme" content="light dark">'
        '<meta name="viewport" content="width=device-width"><script type="module" src="/web/define.js"></script>'
        f'<main><h1>Jobs</h1><progress-steps session="{sid}" {attribute}></progress-steps></main>'
    )
    states: dict[str, dict[str, Any]] = every_state(sid)
    stubbed = await StubbedSession.open(dict(states["pending"]), server, open_page, html, viewport=PHONE)
    # A page asks rarely for what follows the end.
    for state, polled in sorted(states.items(), key=lambda each: each[0] == "completed"):
        stubbed.state.clear()
        await stubbed.change(**polled)
        if polled["status"] != "not_found":
            await expect(stubbed.shown.page.locator("article")).to_have_attribute("data-status", polled["status"])
        await check_themes(stubbed.shown, state)
