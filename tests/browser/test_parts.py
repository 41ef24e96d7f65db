"""One step that many workers do at once: counts, cells and a list."""

import re
from typing import Any

import pytest
from playwright.async_api import Locator, expect

from tests.browser.axe import axe_violations
from tests.browser.conftest import OpenPage
from tests.browser.page_driver import MARKUP, PageDriver
from tests.browser.stubbed_session import StubbedSession
from tests.harness.serving import Server, Worker

LISTED = 20
RELOADED_MS = 3000


def part(number: int, status: str, **more: Any) -> dict[str, Any]:
    return {"part": f"shard-{number}", "status": status, **more, "elapsed_ms": 0}


def parts_of(all_parts: list[dict[str, Any]], total: int | None) -> dict[str, Any]:
    order = ["error", "running", "success"]
    counts = {status: sum(each["status"] == status for each in all_parts) for status in order}
    listed = sorted(all_parts, key=lambda each: order.index(each["status"]))[:LISTED]
    return {"total": total, **counts, "listed": listed}


def many(ended: int, failed: int = 0, running: int = 10) -> list[dict[str, Any]]:
    """Parts of which the first have ended, some with an error, and others run."""
    statuses = ["error"] * failed + ["success"] * (ended - failed) + ["running"] * running
    return [part(number, status) for number, status in enumerate(statuses)]


async def with_parts(worker: Worker, session_id: str, parts: dict[str, Any]) -> dict[str, Any]:
    await worker.create(session_id, steps=[{"name": name} for name in ("Split", "Render", "Join")])
    await worker.run(session_id, 1)
    await worker.start(session_id, 2)
    polled: dict[str, Any] = await worker.poll(session_id)
    polled["steps"][1]["parts"] = parts
    return polled


def cells(shown: PageDriver) -> Locator:
    return shown.page.locator(".cells > li")


async def test_parts_are_counted_and_named(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> None:
    """The failed ones come first. The pointer and the arrow keys show the text of a cell, in a place of its own."""
    failed = part(0, "error") | {"part": MARKUP[0], "error": MARKUP[1]}
    all_parts = [*many(37)[1:], failed, part(99, "running", progress={"current": 2, "total": 5}, message="page 2")]
    session = await StubbedSession.open(await with_parts(worker, sid, parts_of(all_parts, 50)), server, open_page)
    shown, page = session.shown, session.shown.page
    await expect(shown.part("parts-count")).to_have_text("36 of 50 done, 1 failed")
    await expect(page.get_by_role("list", name="36 of 50 done, 1 failed")).to_be_visible()
    await expect(cells(shown)).to_have_count(50)
    await expect(shown.part("count").first).to_be_empty()

    height = await shown.step(2).evaluate("step => step.offsetHeight")
    readout = shown.part("part-readout")
    await expect(readout).to_be_empty()
    await cells(shown).first.hover()
    await expect(readout).to_have_text(f"{MARKUP[0]}: failed, {MARKUP[1]}")
    await shown.headline.hover()
    await expect(readout).to_be_empty()
    await cells(shown).first.focus()
    await page.keyboard.press("ArrowRight")
    await expect(cells(shown).nth(1)).to_be_focused()
    await expect(readout).to_have_text(re.compile(r"^shard-\d+: running"))
    await page.keyboard.press("End")
    await expect(readout).to_have_text("waiting")
    await page.keyboard.press("ArrowRight")
    await expect(cells(shown).last).to_be_focused()
    await page.keyboard.press("Home")
    await expect(cells(shown).first).to_be_focused()
    assert await shown.step(2).evaluate("step => step.offsetHeight") == height
    tab_stops = "document.querySelectorAll('.cells > li[tabindex=\"0\"]').length"
    assert await shown.evaluate(tab_stops) == 1

    step = session.state["steps"][1]
    await page.keyboard.press("End")
    fewer = [*many(20, running=0)[1:], failed]
    step["parts"] = parts_of(fewer, None)
    await session.change()
    await expect(cells(shown)).to_have_count(20)
    await expect(cells(shown).last).to_be_focused()
    await page.keyboard.press("Home")
    await expect(cells(shown).first).to_be_focused()
    assert await shown.evaluate(tab_stops) == 1

    ended = {"completed_at": step["started_at"], "error": "1 of 50 parts failed"}
    step |= {"status": "error", "parts": parts_of([*many(50, running=0)[1:], failed], 50), **ended}
    await session.change(status="error")
    await expect(shown.part("parts-count")).to_have_text("49 of 50 done, 1 failed")
    del step["parts"]
    await session.change(status="running")
    await expect(shown.part("parts")).to_be_hidden()
    assert shown.errors == []


async def test_200_parts_move_nothing(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> None:
    """From the first report to the last, the grid has one size, on a phone too."""
    state = await with_parts(worker, sid, parts_of([], 200))
    session = await StubbedSession.open(state, server, open_page, viewport={"width": 360, "height": 800})
    shown, heights = session.shown, set()
    for ended, failed, running in ((0, 0, 0), (0, 0, 50), (60, 3, 50), (150, 3, 50), (200, 3, 0)):
        state["steps"][1]["parts"] = parts_of(many(ended, failed, running), 200)
        await session.change()
        await expect(shown.part("parts-count")).to_contain_text(f"{ended - failed} of 200 done")
        await expect(cells(shown)).to_have_count(200)
        heights.add(await shown.page.locator("article").evaluate("article => article.offsetHeight"))
        assert await shown.evaluate("document.documentElement.scrollWidth") <= 360
    assert len(heights) == 1
    assert shown.errors == []


@pytest.mark.full
async def test_all_parts_are_loaded_on_request(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> None:
    """Polls list 20. Those that were loaded are loaded again when parts have changed."""
    session = await StubbedSession.open(await with_parts(worker, sid, parts_of(many(30, 2), 50)), server, open_page)
    shown, page = session.shown, session.shown.page
    items = page.locator(".parts-list > li")
    await page.get_by_text("List of parts").click()
    await expect(items).to_have_count(LISTED)
    await expect(items.first).to_have_text("shard-0: failed")
    session.parts = many(30, 2)
    await page.get_by_role("button", name="Show all 40").focus()
    await page.keyboard.press("Enter")
    await expect(items).to_have_count(40)
    await expect(page.get_by_role("list", name="List of parts")).to_be_focused()
    assert session.requests.count("GET /parts?step=2") == 1

    session.parts = many(35, 2)
    session.state["steps"][1]["parts"] = parts_of(session.parts, 50)
    await session.change()
    await page.clock.fast_forward(RELOADED_MS)
    await expect(items).to_have_count(45)
    assert session.requests.count("GET /parts?step=2") == 2
    await session.change()
    await page.clock.fast_forward(RELOADED_MS)
    assert session.requests.count("GET /parts?step=2") == 2
    assert shown.errors == []


@pytest.mark.parametrize("locale", ["en-GB", "ja-JP"])
@pytest.mark.full
async def test_axe_finds_nothing_in_parts(
    server: Server, worker: Worker, open_page: OpenPage, sid: str, locale: str
) -> None:
    """The list is open; it is checked light and dark."""
    state = await with_parts(worker, sid, parts_of(many(30, 2), 50))
    for scheme in ("light", "dark"):
        session = await StubbedSession.open(state, server, open_page, locale=locale, color_scheme=scheme)
        await session.shown.page.locator(".parts-details > summary").click()
        await cells(session.shown).first.hover()
        assert await axe_violations(session.shown) == [], scheme


@pytest.mark.full
async def test_cells_are_distinct_under_forced_colours(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """With the few colours of a system the shapes remain."""
    state = await with_parts(worker, sid, parts_of([part(1, "error"), part(2, "running"), part(3, "success")], 4))
    session = await StubbedSession.open(state, server, open_page, forced_colors="active", color_scheme="dark")
    await expect(cells(session.shown)).to_have_count(4)
    assert len({await cells(session.shown).nth(number).screenshot() for number in range(4)}) == 4
