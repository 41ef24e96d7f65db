"""Long lists of steps, and long texts: what is folded, and the ways to what is not."""

import pytest
from playwright.async_api import Locator, expect

from tests.browser.conftest import OpenPage
from tests.browser.page_driver import PageDriver
from tests.browser.session_states import every_state, long_list, session, step
from tests.browser.stubbed_session import StubbedSession
from tests.harness.serving import Server

pytestmark = pytest.mark.full

PHONE = {"width": 360, "height": 760}

SHOWN = "all => all.filter((step) => step.offsetParent !== null).map((step) => step.querySelector('.name').textContent)"

EMBEDDING = """<!doctype html><html lang="en"><meta charset="utf-8"><title>embedding</title>
<script type="module" src="/web/define.js"></script>
<main><progress-steps session="{sid}"></progress-steps></main>"""


def fold(shown: PageDriver, text: str) -> Locator:
    """The line that stands for folded steps."""
    return shown.page.get_by_role("button", name=text)


async def names_shown(shown: PageDriver) -> list[str]:
    """The names of the steps that can be seen; a folded one has its line in its place."""
    steps = shown.page.locator(".steps > li:not([data-folded])")
    names: list[str] = await steps.evaluate_all(SHOWN)
    return names


async def test_sixty_steps_fit_on_a_phone(server: Server, open_page: OpenPage, sid: str) -> None:
    """What runs is shown with what comes next; the rest is two lines, which open, also all at once."""
    state = long_list(sid, "d" * 22 + "r" + "w" * 37)
    shown = (await StubbedSession.open(state, server, open_page, viewport=PHONE)).shown
    await expect(fold(shown, "22 steps done")).to_be_visible()
    await expect(fold(shown, "34 steps waiting")).to_be_visible()
    await expect(shown.page.locator(".steps > li[tabindex='0']:visible")).to_have_count(1)
    assert await names_shown(shown) == [f"Part {number}" for number in range(23, 27)]
    await expect(shown.steps).to_have_count(60)
    for number in (0, 22, 59):
        await expect(shown.steps.nth(number)).to_contain_text(f"Part {number + 1}")
    bottom = "document.querySelector('.steps').getBoundingClientRect().bottom <= innerHeight"
    assert await shown.evaluate(bottom)

    done = fold(shown, "22 steps done")
    await expect(done).to_have_attribute("aria-expanded", "false")
    await done.press("Enter")
    await expect(done).to_have_attribute("aria-expanded", "true")
    await expect(done).to_be_focused()
    assert len(await names_shown(shown)) == 26
    await fold(shown, "Show all steps").click()
    assert len(await names_shown(shown)) == 60
    await fold(shown, "Show fewer").click()
    assert len(await names_shown(shown)) == 4


async def test_a_long_name_leaves_room_for_the_bar(server: Server, open_page: OpenPage, sid: str) -> None:
    """The headline has three lines of it, and on paper all; the list has the whole name."""
    state = every_state(sid)["long texts"]
    shown = (await StubbedSession.open(state, server, open_page, viewport=PHONE)).shown
    await expect(shown.headline).to_contain_text("Step 1 of 2")
    lines = "headline => headline.getBoundingClientRect().height / parseFloat(getComputedStyle(headline).lineHeight)"
    assert round(await shown.headline.evaluate(lines)) == 3
    name = shown.step(1).locator(".name")
    assert await name.evaluate("name => name.scrollHeight <= name.clientHeight + 8")
    await shown.page.emulate_media(media="print")
    assert await shown.headline.evaluate(lines) > 4


async def test_all_steps_are_on_paper(server: Server, open_page: OpenPage, sid: str) -> None:
    """Also those that are folded on the screen, with their signs and durations, and without what acts."""
    shown = (await StubbedSession.open(long_list(sid, "d" * 22 + "r" + "w" * 37), server, open_page)).shown
    await expect(fold(shown, "22 steps done")).to_be_visible()
    await shown.page.emulate_media(media="print")
    assert len(await shown.page.locator(".steps > li").evaluate_all(SHOWN)) == 60
    for number in (1, 22, 60):
        for part in (".icon", ".name"):
            await expect(shown.step(number).locator(part)).to_be_visible()
    for part in ("fold", "steps-head", "tools"):
        await expect(shown.part(part).first).to_be_hidden()


async def test_a_list_folds_as_it_moves(server: Server, open_page: OpenPage, sid: str) -> None:
    """An open fold stays open while it grows; what has failed is never folded; the focus goes to the line."""
    stubbed = await StubbedSession.open(long_list(sid, "dddr" + "w" * 9), server, open_page)
    shown = stubbed.shown
    await fold(shown, "3 steps done").click()
    await stubbed.change(**long_list(sid, "ddddr" + "w" * 8))
    await expect(fold(shown, "4 steps done")).to_have_attribute("aria-expanded", "true")
    await fold(shown, "4 steps done").click()
    await shown.page.locator("li[data-status=running]").focus()
    await stubbed.change(**long_list(sid, "dddddr" + "w" * 7))
    await expect(fold(shown, "5 steps done")).to_be_focused()
    await stubbed.change(**long_list(sid, "dddddedddrwww"))
    await expect(shown.headline).to_have_text("Failed at step 6")
    assert await names_shown(shown) == ["Part 6", "Part 10", "Part 11", "Part 12", "Part 13"]
    await expect(fold(shown, "5 steps done")).to_be_visible()
    await expect(fold(shown, "3 steps done")).to_be_visible()


async def test_a_short_list_is_not_folded(server: Server, open_page: OpenPage, sid: str) -> None:
    """Ten steps fit on a screen."""
    shown = (await StubbedSession.open(long_list(sid, "d" * 10), server, open_page)).shown
    await expect(shown.headline).to_contain_text("Completed")
    assert len(await names_shown(shown)) == 10
    await expect(shown.page.locator(".fold")).to_have_count(0)
    await expect(shown.part("steps-head")).to_be_hidden()


@pytest.mark.parametrize(
    ("letters", "button", "number"),
    [
        ("d" * 70 + "r", "running", 71),
        ("ce" + "d" * 70, "failed", 2),
        pytest.param("c" + "d" * 70 + "r", "running", 72, marks=pytest.mark.full),
        pytest.param("c" + "d" * 70, "cancelled", 1, marks=pytest.mark.full),
    ],
)
async def test_a_button_leads_to_what_matters(
    server: Server, open_page: OpenPage, sid: str, letters: str, button: str, number: int
) -> None:
    """It stays in view while the list is scrolled."""
    state = long_list(sid, letters)
    shown = (await StubbedSession.open(state, server, open_page, viewport=PHONE)).shown
    await fold(shown, "70 steps done").click()
    await shown.step(40).scroll_into_view_if_needed()
    await shown.page.get_by_role("button", name=f"Jump to {button}").click()
    await expect(shown.step(number)).to_be_focused()
    await expect(shown.step(number)).to_be_in_viewport()


async def test_the_element_folds_too(server: Server, open_page: OpenPage, sid: str) -> None:
    """Without the signs that the page's list keeps for scripts."""
    state = long_list(sid, "d" * 12 + "r")
    shown = (await StubbedSession.open(state, server, open_page, EMBEDDING.format(sid=sid))).shown
    await expect(fold(shown, "12 steps done")).to_be_visible()
    assert await names_shown(shown) == ["Part 13"]
    assert "🔄" not in await shown.part("steps").inner_text()
    await shown.page.get_by_role("button", name="Jump to running").click()
    await expect(shown.page.locator(".steps > li").nth(12)).to_be_focused()


async def test_of_many_failures_the_first_are_reported(server: Server, open_page: OpenPage, sid: str) -> None:
    """A button shows the others, and the copy has them all."""
    steps = [step(number, "error", error=f"no. {number}") for number in range(1, 31)]
    state = session(sid, "error", steps)
    clipboard = ["clipboard-read", "clipboard-write"]
    shown = (await StubbedSession.open(state, server, open_page, viewport=PHONE, permissions=clipboard)).shown
    errors = shown.page.locator(".error-text:visible")
    await expect(errors).to_have_text(["no. 1", "no. 2", "no. 3"])
    await shown.page.get_by_role("button", name="Show all 30").click()
    await expect(errors).to_have_count(30)
    await expect(shown.page.get_by_role("alert")).not_to_contain_text("no. 4")
    await shown.page.locator(".failure").get_by_role("button", name="Show fewer").click()
    await expect(errors).to_have_count(3)
    await shown.page.locator(".failure .copy").click()
    await expect(shown.page.locator(".failure .copy")).to_have_text("Copied")
    assert "no. 30" in await shown.evaluate("navigator.clipboard.readText()")


async def test_a_long_message_is_cut(server: Server, open_page: OpenPage, sid: str) -> None:
    """A button shows the rest, and stays as it was chosen while the message changes."""
    steps = [step(1, "running", message="a message " * 100), step(2, "success", message="short")]
    stubbed = await StubbedSession.open(session(sid, "running", steps), server, open_page)
    shown, message = stubbed.shown, stubbed.shown.part("message").first
    height = "e => e.getBoundingClientRect().height"
    more = shown.page.get_by_role("button", name="Show more")
    await expect(more).to_have_count(1)
    cut = await message.evaluate(height)
    await more.click()
    assert await message.evaluate(height) > 2 * cut
    steps[0]["message"] = "another one " * 100
    await stubbed.change(steps=steps)
    await expect(message).to_contain_text("another one")
    await expect(shown.page.get_by_role("button", name="Show less")).to_be_visible()
    steps[0]["message"] = "short"
    await stubbed.change(steps=steps)
    await expect(shown.page.get_by_role("button", name="Show less")).to_be_hidden()


async def test_durations_are_for_people(server: Server, open_page: OpenPage, sid: str) -> None:
    """From a minute on they have two units, wherever they are shown."""
    steps = [step(1, "success", took_ms=3_725_000), step(2, "success", took_ms=12_345), step(3, "running")]
    shown = (await StubbedSession.open(session(sid, "running", steps), server, open_page)).shown
    await expect(shown.step(1)).to_have_text("✅ Part 1 (1 h 2 min)")
    await expect(shown.step(2)).to_have_text("✅ Part 2 (12.3s)")
    await expect(shown.step(3)).to_contain_text("(5 min")
    await expect(shown.part("total")).to_contain_text("running for 5 min")
