"""The parts of a step, from their workers to the page."""

import asyncio
import re
from typing import Any

import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.session_page import COMPLETED, page_of
from tests.harness.serving import Server, Worker

PARTS = 200
FAILING = (3, 77)


@pytest.mark.full
async def test_200_parts_of_many_workers_fill_a_grid(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """Each is one cell from the first report to the last; the failed ones come first. A new start forgets all."""

    async def report(number: int, **more: Any) -> None:
        response = await worker.update(sid, action="part", step=1, part=f"shard-{number}", **more)
        assert response.status_code == 200, response.text

    async def work(number: int) -> None:
        await report(number, status="running", current=1, total=2)
        outcome = {"status": "error", "error": "disk full"} if number in FAILING else {"status": "success"}
        await report(number, **outcome)

    await worker.create(sid, steps=[{"name": "Render"}])
    shown = await open_page(page_of(server, sid))
    await worker.start(sid, 1, parts_total=PARTS)
    cells = shown.page.locator(".cells > li")
    await expect(cells).to_have_count(PARTS)
    height = await shown.step(1).evaluate("step => step.offsetHeight")
    await asyncio.gather(*map(work, range(PARTS)))
    await expect(shown.part("parts-count")).to_have_text("198 of 200 done, 2 failed")
    await expect(shown.headline).to_have_text("Failed at step 1")
    await expect(cells).to_have_count(PARTS)
    await expect(shown.page.locator(".cells > [data-status=error]")).to_have_count(2)
    assert await shown.step(1).evaluate("step => step.offsetHeight") == height

    await shown.page.get_by_text("List of parts").click()
    await shown.page.get_by_role("button", name="Show all 200").click()
    items = shown.page.locator(".parts-list > li")
    await expect(items).to_have_count(PARTS)
    await expect(items.first).to_have_text(re.compile(r"^shard-(3|77): failed, disk full$"))

    await worker.start(sid, 1, parts_total=len(FAILING))
    await expect(cells).to_have_count(len(FAILING))
    await expect(items).to_have_count(0)
    for number in FAILING:
        await report(number, status="success")
    await expect(shown.headline).to_have_text(COMPLETED)
    await expect(shown.part("parts-count")).to_have_text("2 of 2 done")
    await expect(items).to_have_count(len(FAILING))
    assert shown.errors == []
