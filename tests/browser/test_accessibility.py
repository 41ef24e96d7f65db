"""axe-core on a page of several jobs; and forced colours. `test_states.py` has all states."""

import pytest
from playwright.async_api import expect

from tests.browser.axe import axe_violations, check_themes
from tests.browser.conftest import OpenPage
from tests.browser.page_driver import PageDriver
from tests.harness.serving import Server, Worker

HEADLINES = {
    "running": ("Step 2 of 3: Parse", "ステップ 2 / 3「Parse」"),
    "error": ("Failed at step 2", "ステップ 2 で失敗しました"),
}
RUNNING = "li[data-status=running]"
VISIBLE = (
    ".fill",
    ".percent",
    ".segment-end",
    ".icon",
    f"{RUNNING} .gauge",
    f"{RUNNING} .gauge-fill",
    ".timeline-ran",
    ".timeline-expected",
)
"""Parts that must stay visible when the system chooses the colours."""

STEPS = [{"name": name, "estimated_ms": 60_000, "timeout_ms": 20_000} for name in ("Download", "Parse", "Save")]


async def bring_to_state(worker: Worker, session_id: str, state: str) -> None:
    await worker.create(session_id, steps=STEPS)
    await worker.run(session_id, 1, message="12 files")
    await worker.start(session_id, 2)
    await worker.progress(session_id, 2, 3120, total=8000, message="rows")
    if state == "error":
        await worker.complete(session_id, 2, success=False, error="Traceback:\n  no more rows")


@pytest.mark.parametrize("locale", ["en-GB", pytest.param("ja-JP", marks=pytest.mark.full)])
async def test_axe_finds_nothing_in_a_page_of_several_jobs(
    server: Server, worker: Worker, open_page: OpenPage, sid: str, locale: str
) -> None:
    """Each job's parts have distinct names. It is checked light and dark."""
    for state in ("running", "error"):
        await bring_to_state(worker, f"{sid}-{state}", state)
    shown = await open_page(f"{server.url}/?session_id={sid}-running&session_id={sid}-error", locale=locale)
    headlines = [HEADLINES[state][locale == "ja-JP"] for state in ("running", "error")]
    await expect(shown.part("headline")).to_have_text(headlines)
    await check_themes(shown)


async def test_axe_finds_a_fault_that_is_there(shown: PageDriver) -> None:
    """The check itself works on this page, under its content security policy."""
    await expect(shown.connection).to_be_visible()
    await shown.evaluate("document.querySelector('.bar').removeAttribute('aria-label')")
    assert [name for name, *_ in await axe_violations(shown)] == ["aria-progressbar-name"]


async def pictures(shown: PageDriver, part: str, attribute: str, values: tuple[str, ...]) -> set[bytes]:
    """The look of the bar, or of the badge without its text, in each state of the style sheet."""
    looks = set()
    for value in values:
        await shown.page.locator("article").evaluate(
            "(e, [name, value]) => e.setAttribute(name, value)", [attribute, value]
        )
        looks.add(await shown.part(part).screenshot(animations="disabled"))
    return looks


@pytest.mark.full
async def test_states_are_distinct_under_forced_colours(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """With the few colours of a system the shapes remain, and no part vanishes."""
    await bring_to_state(worker, sid, "running")
    shown = await open_page(f"{server.url}/s/{sid}", forced_colors="active")
    await expect(shown.connection).to_have_text("live")
    await expect(shown.part("count").nth(1)).to_have_text("3,120 / 8,000")
    # The page no longer draws, so only this test changes it.
    await shown.evaluate("() => { window.requestAnimationFrame = () => 1; }")
    await shown.bar.evaluate("bar => { bar.style.width = '46%'; }")
    for part in VISIBLE:
        drawn = shown.page.locator(part).first
        seen = await drawn.screenshot()
        await drawn.evaluate("e => e.style.setProperty('opacity', '0')")
        assert await drawn.screenshot() != seen, part
        await drawn.evaluate("e => e.style.removeProperty('opacity')")
    bars = ("running", "error")
    assert len(await pictures(shown, "bar", "data-status", bars)) == len(bars)
    await shown.evaluate("document.querySelector('.connection').textContent = ''")
    badges = ("live", "reconnecting", "polling", "offline", "finished")
    assert len(await pictures(shown, "connection", "data-connection", badges)) == len(badges)
    rows = ("success", "running", "error")
    looks = set()
    for row in rows:
        await shown.step(1).evaluate("(step, row) => step.dataset.status = row", row)
        looks.add(await shown.part("timeline").first.screenshot())
    assert len(looks) == len(rows)
