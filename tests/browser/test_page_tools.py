"""The page's head, and what it offers beside the session: its link, its theme, its keys, its commands."""

import json
import re

import pytest
from playwright.async_api import Locator, ViewportSize, expect

from tests.browser.axe import axe_violations
from tests.browser.conftest import OpenPage
from tests.browser.page_driver import MARKUP, PageDriver
from tests.browser.session_page import page_of
from tests.browser.session_states import every_state, long_list
from tests.browser.stubbed_session import StubbedSession
from tests.conftest import Serve
from tests.harness.serving import Server, Worker

pytestmark = pytest.mark.full

PHONE: ViewportSize = {"width": 360, "height": 760}

CLIPBOARD = ["clipboard-read", "clipboard-write"]

NO_STORAGE = "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('denied'); }})"


async def ground(shown: PageDriver) -> str:
    colour: str = await shown.page.locator("body").evaluate("body => getComputedStyle(body).backgroundColor")
    return colour


async def middle_of(part: Locator) -> float:
    middle: float = await part.evaluate(
        "part => { const { top, bottom } = part.getBoundingClientRect(); return (top + bottom) / 2; }"
    )
    return middle


async def test_the_head_says_which_job_it_is(server: Server, open_page: OpenPage, sid: str) -> None:
    """Its title, id, labels and start; labels of workers are text. One line below has all about its state.

    A notification of its end is offered while there is one to come.
    """
    state = every_state(sid)["running"] | {"labels": {MARKUP[0]: MARKUP[1], "branch": "main"}}
    stubbed = await StubbedSession.open(state, server, open_page, timezone_id="UTC")
    shown = stubbed.shown
    await expect(shown.page.get_by_role("heading", level=1)).to_have_text("Nightly import")
    await expect(shown.page.locator("#session-id")).to_have_text(sid)
    await expect(shown.part("label")).to_have_text([f"{MARKUP[0]}: {MARKUP[1]}", "branch: main"])
    await expect(shown.part("started")).to_have_text(f"started {state['steps'][0]['started_at'][11:16]}")
    await expect(shown.part("total")).to_have_text(re.compile(r"^running for 5 min( \d+ s)?$"))
    await expect(shown.page.locator("#notify")).to_be_visible()
    await stubbed.change(**every_state(sid)["failed"])
    await expect(shown.part("status")).to_have_text("Failed at step 3after 2 min 25 s 2 of 4 steps done · 1 retried")
    await expect(shown.page.locator("#notify")).to_be_hidden()
    await stubbed.change(**every_state(sid)["completed"])
    await expect(shown.part("status")).to_have_text("Completed in 2 min 25 s 2 steps · 1 retried")
    await stubbed.change(title="")
    await expect(shown.page.get_by_role("heading", level=1)).to_have_text(sid)
    await expect(shown.page.locator("#session-id")).to_have_count(1)
    assert shown.errors == []


async def test_the_head_begins_with_the_way_to_all_jobs(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """It is the first that the keyboard reaches. It stands above the name; on a phone it is an icon before the name."""
    await worker.create(sid, title="Nightly import")
    shown = await open_page(page_of(server, sid), viewport={"width": 1280, "height": 800})
    link = shown.page.get_by_role("link", name="All jobs")
    await expect(link).to_have_text("All jobs")
    await shown.page.keyboard.press("Tab")
    await expect(link).to_be_focused()
    badge, title = shown.connection, shown.part("title")
    assert abs(await middle_of(link) - await middle_of(badge)) <= 1 < await middle_of(title) - await middle_of(link)
    await shown.page.set_viewport_size(PHONE)
    assert abs(await middle_of(link) - await middle_of(title)) <= 1 < await middle_of(link) - await middle_of(badge)
    assert 24 <= await link.evaluate("link => Math.min(link.offsetWidth, link.offsetHeight)") <= 32
    await link.click()
    await expect(shown.page.get_by_role("heading", name="Jobs", exact=True)).to_be_visible()
    assert shown.page.url == f"{server.url}/"


async def test_results_come_first_once_a_job_has_ended(server: Server, open_page: OpenPage, sid: str) -> None:
    """Its links are above its bar and its steps at any time; then as buttons, the first of them filled."""
    stubbed = await StubbedSession.open(every_state(sid)["running"], server, open_page)
    shown, first = stubbed.shown, stubbed.shown.part("link").first
    transparent = "rgba(0, 0, 0, 0)"
    await expect(first).to_have_css("background-color", transparent)
    await stubbed.change(**every_state(sid)["completed"])
    await expect(first).not_to_have_css("background-color", transparent)
    tops = [await shown.part(part).first.evaluate("e => e.getBoundingClientRect().top") for part in ("link", "bar")]
    assert tops[0] < tops[1]


async def test_icons_show_the_state_at_a_glance(server: Server, open_page: OpenPage, sid: str) -> None:
    """Each state has a drawing of its own, and each step; none is a character of a font."""
    stubbed = await StubbedSession.open(every_state(sid)["running"], server, open_page)
    drawing = stubbed.shown.page.locator(".state-icon > svg")
    seen = set()
    for name, icon in {
        "pending": "pending",
        "running": "running",
        "stalled": "stalled",
        "failed": "error",
        "cancelled": "cancelled",
        "lost": "lost",
        "skipped": "pending",
        "completed": "success",
    }.items():
        stubbed.state.clear()
        await stubbed.change(**every_state(sid)[name])
        await expect(drawing).to_have_class(f"drawing drawing-{icon}")
        if name != "skipped":
            seen.add(await drawing.screenshot(animations="disabled"))
        else:
            await expect(stubbed.shown.headline).to_have_text("3 of 4 steps done, nothing runs now")
            await expect(stubbed.shown.step(3).locator("svg")).to_have_class("drawing drawing-skipped")
            await expect(stubbed.shown.step(3).locator(".icon")).to_have_accessible_name("done")
    assert len(seen) == 7


async def test_the_link_of_the_page_is_copied_without_what_may_be_secret(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """Everything after a # stays out of it; a screen reader hears that it was copied."""
    await worker.create(sid)
    shown = await open_page(f"{page_of(server, sid)}#secret", permissions=CLIPBOARD)
    await shown.page.get_by_role("button", name="Copy link").click()
    await expect(shown.page.get_by_role("button", name="Link copied")).to_be_focused()
    await expect(shown.page.locator("#milestone")).to_have_text("Link copied")
    assert await shown.evaluate("navigator.clipboard.readText()") == page_of(server, sid)
    await expect(shown.page.get_by_role("button", name="Copy link")).to_be_visible()


async def test_the_theme_is_remembered_in_this_browser(server: Server, open_page: OpenPage, sid: str) -> None:
    """It is the system's until the visitor chooses; the choice wins over the system, also after a reload."""
    shown = await open_page(page_of(server, sid), color_scheme="light")
    await expect(shown.page.get_by_role("radio", name="As the system")).to_be_checked()
    light = await ground(shown)
    await shown.page.emulate_media(color_scheme="dark")
    dark = await ground(shown)
    assert dark != light
    await shown.page.get_by_text("Light", exact=True).locator("..").click()
    assert await ground(shown) == light
    await shown.page.reload()
    await expect(shown.page.get_by_role("radio", name="Light")).to_be_checked()
    assert await ground(shown) == light
    await shown.page.get_by_role("radio", name="Light").press("ArrowRight")
    await expect(shown.page.get_by_role("radio", name="As the system")).to_be_checked()
    assert await ground(shown) == dark
    assert await shown.evaluate("localStorage.getItem('progress-sse:theme')") is None


async def test_tools_work_without_storage(server: Server, open_page: OpenPage, sid: str) -> None:
    """A browser may deny storage by an exception; the choice then lasts as long as the page."""
    shown = await open_page(page_of(server, sid), scripts=(NO_STORAGE,), color_scheme="light")
    light = await ground(shown)
    await shown.page.get_by_text("Dark", exact=True).locator("..").click()
    assert await ground(shown) != light
    await shown.page.keyboard.press("?")
    await shown.page.get_by_label("Use these keys").uncheck()
    assert shown.errors == []


async def test_keys_go_from_step_to_step(server: Server, open_page: OpenPage, sid: str) -> None:
    """At first to the one that runs; over folded steps; and from what failed or was cancelled to the next such step."""
    state = long_list(sid, "dddderdcw" + "w" * 8)
    shown = (await StubbedSession.open(state, server, open_page, permissions=CLIPBOARD)).shown
    await expect(shown.headline).to_contain_text("Failed")
    press = shown.page.keyboard.press
    for key, number in [("j", 6), ("j", 7), ("k", 6), ("k", 5), ("k", 1), ("k", 1), ("f", 5), ("f", 8), ("f", 5)]:
        await press(key)
        await expect(shown.step(number)).to_be_focused()
    await press("c")
    await expect(shown.page.get_by_role("button", name="Link copied")).to_be_visible()
    await press("Control+j")
    await expect(shown.step(5)).to_be_focused()
    assert shown.errors == []


async def test_help_lists_the_keys_and_turns_them_off(shown: PageDriver) -> None:
    """Speech input may press them. The choice is remembered, and the focus returns when the dialog is closed."""
    dialog = shown.page.get_by_role("dialog", name="Keyboard")
    button = shown.page.get_by_role("button", name="Keyboard")
    await button.focus()
    await shown.page.keyboard.press("?")
    await expect(dialog.locator("kbd")).to_have_text(["j", "k", "f", "l", "c", "?"])
    assert await axe_violations(shown) == []
    await dialog.get_by_label("Use these keys").uncheck()
    await shown.page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await expect(button).to_be_focused()
    await shown.page.reload()
    await expect(shown.connection).to_be_visible()
    await shown.page.keyboard.press("?")
    await expect(dialog).to_be_hidden()
    await button.click()
    await dialog.get_by_label("Use these keys").check()
    await dialog.get_by_role("button", name="Close").click()
    await shown.page.keyboard.press("?")
    await expect(dialog).to_be_visible()


async def test_keys_do_nothing_while_the_visitor_writes(serve: Serve, open_page: OpenPage, sid: str) -> None:
    """Tokens and texts contain such letters."""
    server = serve(token_key="k" * 32, read="token")
    shown = await open_page(page_of(server, sid))
    field = shown.page.locator("#entrance-token")
    await field.click()
    await field.press_sequentially("jkflc?")
    await expect(field).to_have_value("jkflc?")
    await expect(field).to_be_focused()
    await expect(shown.page.get_by_role("dialog")).to_have_count(0)


@pytest.mark.parametrize(
    ("settings", "is_shown"), [pytest.param({}, True, marks=pytest.mark.full), ({"publish_token": "t"}, False)]
)
async def test_commands_for_developers_are_not_shown_to_others(
    serve: Serve, open_page: OpenPage, sid: str, settings: dict[str, str], is_shown: bool
) -> None:
    """Others see them while there is no session: they may be the first to develop it."""
    server = serve(**settings)
    shown = await open_page(page_of(server, sid))
    panel = shown.page.locator("#drive")
    await expect(panel).to_be_visible()
    async with Worker.at(server, **({"token": "t"} if settings else {})) as worker:
        await worker.start(sid, 1)
    await expect(shown.headline).to_contain_text("Step 1")
    await expect(panel).to_be_visible(visible=is_shown)


TIMES = """[...document.querySelectorAll(".timeline")]
    .map((bar) => getComputedStyle(bar, "::after").content.split('"')[1] ?? "").join("")"""
"""The times that are shown on demand."""


async def test_a_bar_of_time_has_details(server: Server, open_page: OpenPage, sid: str) -> None:
    """With pointer, finger and focus: when the step ran, what it should have taken, and which attempt it is."""
    state = every_state(sid)["running"]
    state["steps"][1]["estimated_ms"] = 60_000
    shown = (await StubbedSession.open(state, server, open_page, has_touch=True)).shown
    details = re.compile(r"^\d\d:\d\d:\d\d–\d\d:\d\d:\d\d, expected 1 min, attempt 2$")
    bar = shown.step(2).get_by_role("img", name=details)
    await expect(bar.locator(".timeline-former > span")).to_have_count(1)
    assert await shown.evaluate(TIMES) == ""
    for show in (bar.hover, shown.step(2).locator(".duration").hover, shown.step(2).locator(".name").tap):
        await show()
        await shown.until(f"{TIMES} === {json.dumps(await bar.get_attribute('aria-label'))}")
        await shown.page.keyboard.press("Escape")
        assert await shown.evaluate(TIMES) == ""
        await shown.headline.hover()
    await shown.step(2).focus()
    await shown.page.keyboard.press("Tab")
    await expect(shown.step(3)).to_be_focused()
    assert re.fullmatch(r"since \d\d:\d\d:\d\d", await shown.evaluate(TIMES))
    await shown.page.keyboard.press("Escape")
    assert await shown.evaluate(TIMES) == ""
