"""The look of lists, their texts for assistive technology, and their cost, with a stream that the test controls."""

import asyncio
import re
from collections.abc import Iterable
from typing import Any, Literal

import pytest
from playwright.async_api import expect

from tests.browser.axe import axe_violations
from tests.browser.conftest import OpenPage
from tests.browser.home_page import FAKE_STREAM, entry, names_of, row_of, rows_of, state_button
from tests.browser.page_driver import PageDriver
from tests.harness.serving import Server

Scheme = Literal["light", "dark"]

STATES: list[dict[str, Any]] = [
    entry(1, title="Import", labels={"team": "web"}, links=[{"label": "Report", "url": "/r"}]),
    entry(2, status="pending", current_step=0, percentage=0),
    entry(3, status="completed", percentage=100),
    entry(4, status="error", error="no more rows"),
    entry(5, status="error", error="stopped", conclusion="cancelled"),
    entry(6, status="error", error="no sign of it", conclusion="lost"),
]


async def send(shown: PageDriver, name: str, **data: Any) -> None:
    await shown.evaluate("([name, data]) => streams.at(-1).send(name, data)", [name, data])


async def open_list(
    server: Server, open_page: OpenPage, sessions: Iterable[dict[str, Any]], *, more: bool = False, **options: Any
) -> PageDriver:
    shown = await open_page(server.url, scripts=(FAKE_STREAM,), **options)
    await shown.until("streams.length === 1")
    await send(shown, "list", sessions=list(sessions), more=more)
    return shown


@pytest.mark.parametrize("locale", ["en-GB", pytest.param("ja-JP", marks=pytest.mark.full)])
@pytest.mark.parametrize("scheme", [pytest.param("light", marks=pytest.mark.full), "dark"])
async def test_axe_finds_nothing_in_the_home_page(
    server: Server, open_page: OpenPage, scheme: Scheme, locale: str
) -> None:
    """It is checked on a desk and on a phone, with sessions and without."""
    shown = await open_list(server, open_page, STATES, more=True, locale=locale, color_scheme=scheme)
    await expect(rows_of(shown)).to_have_count(len(STATES))
    await shown.page.locator(".list-row .chip").first.hover()
    assert await axe_violations(shown) == []
    await shown.page.set_viewport_size({"width": 360, "height": 800})
    assert await axe_violations(shown) == []
    await send(shown, "list", sessions=[], more=False)
    await expect(shown.page.locator("#start code").first).to_be_visible()
    assert await axe_violations(shown) == []


async def test_a_list_is_a_table_that_the_keyboard_walks(server: Server, open_page: OpenPage) -> None:
    """Its layout as a grid takes no role away. A row that goes hands on the focus, one that moves keeps it."""
    shown = await open_list(server, open_page, STATES)
    table = shown.page.get_by_role("table", name="Jobs")
    await expect(table.get_by_role("columnheader")).to_have_text(["State", "Job", "Progress", "Created", "Time"])
    await expect(table.get_by_role("rowheader")).to_have_count(len(STATES))
    await expect(table.get_by_role("row").nth(1).get_by_role("cell")).to_have_count(4)
    await names_of(shown).first.focus()
    for key, name in [("ArrowDown", "job-2"), ("End", "job-6"), ("ArrowUp", "job-5"), ("Home", "Import")]:
        await shown.page.keyboard.press(key)
        await expect(names_of(shown).filter(has_text=name)).to_be_focused()
    await send(shown, "removed", session_id="job-1")
    await expect(names_of(shown).filter(has_text="job-2")).to_be_focused()
    await shown.page.keyboard.press("ArrowDown")
    await send(shown, "session", session=entry(0, session_id="job-3"))
    await expect(names_of(shown).first).to_have_text("job-3")
    await expect(names_of(shown).first).to_be_focused()


@pytest.mark.full
async def test_the_live_region_says_what_began_and_ended(server: Server, open_page: OpenPage) -> None:
    """It is silent on progress, and sums up what comes at once."""
    shown = await open_page("about:blank", scripts=(FAKE_STREAM,))
    await shown.page.clock.install()
    await shown.go(server.url, "")
    await shown.until("streams.length === 1")
    await send(shown, "list", sessions=STATES, more=False)
    region = shown.page.locator("#milestone")
    await send(shown, "session", session={**STATES[0], "percentage": 66})
    await shown.page.clock.run_for(1000)
    await expect(row_of(shown, "Import")).to_contain_text("66%")
    await expect(region).to_be_empty()
    await send(shown, "session", session={**STATES[0], "status": "completed", "percentage": 100})
    await shown.page.clock.run_for(1000)
    await expect(region).to_have_text("Import is done")
    for number in (1, 2, 3):
        await send(shown, "session", session=entry(0, session_id=f"new-{number}", created_at=f"2026-01-0{number + 1}"))
    await send(shown, "session", session={**STATES[1], "status": "error"})
    await shown.page.clock.run_for(15_000)
    await expect(region).to_have_text("job-2 has failed, 3 started")


@pytest.mark.full
async def test_a_start_that_is_long_ago_has_its_day(server: Server, open_page: OpenPage) -> None:
    """Also in a page that was opened before, and for a session that changes no more."""
    shown = await open_page("about:blank", scripts=(FAKE_STREAM,))
    await shown.page.clock.install()
    await shown.go(server.url, "")
    await shown.until("streams.length === 1")
    began = await shown.evaluate("new Date(Date.now() - 12 * 3600_000 + 30_000).toISOString()")
    await send(shown, "list", sessions=[entry(1, status="completed", created_at=began, updated_at=began)], more=False)
    await shown.page.clock.run_for(1000)
    started = shown.page.locator(".list-started")
    await expect(started).to_have_text(re.compile(r"^\d\d:\d\d$"))
    await shown.page.clock.run_for(61_000)
    await expect(started).to_have_text(re.compile(r"^[A-Z][a-z]+ \d+"))


async def test_more_than_the_list_is_chosen_by_the_server(server: Server, open_page: OpenPage) -> None:
    """A state is asked of the server only where the list has not all sessions; older ones come on request."""
    shown = await open_list(server, open_page, STATES)
    await state_button(shown, "Failed").click()
    await expect(rows_of(shown)).to_have_count(3)
    assert await shown.evaluate("streams.length") == 1
    await send(shown, "list", sessions=STATES, more=True)
    await shown.until("streams.length === 2")
    assert "status=error" in await shown.evaluate("streams[1].url")
    await send(shown, "list", sessions=STATES[3:], more=True)
    await expect(state_button(shown, "Failed")).to_have_text("Failed3+")
    await expect(state_button(shown, "Done")).to_have_text("Done")
    await state_button(shown, "Done").click()
    await expect(shown.part("list-empty")).to_have_text("Connecting")
    await expect(state_button(shown, "Failed")).to_have_text("Failed3+")
    await shown.until("streams.length === 3")
    await send(shown, "list", sessions=[], more=False)
    await expect(shown.part("list-empty")).to_contain_text("No job matches.")
    await state_button(shown, "Failed").click()
    await shown.until("streams.length === 4")
    await send(shown, "list", sessions=STATES[3:], more=True)
    await expect(rows_of(shown)).to_have_count(3)

    older = [entry(number, status="error") for number in range(3, 300)]
    await shown.page.route("**/api/progress?**", lambda route: route.fulfill(json={"sessions": older, "next": None}))
    await shown.page.get_by_role("button", name="Show more").click()
    await expect(rows_of(shown)).to_have_count(297)
    await expect(shown.page.get_by_role("button", name="Show more")).to_be_hidden()
    assert [url for url in shown.requests if "limit=1000" in url and "status=error" in url]


@pytest.mark.full
async def test_a_thousand_rows_do_not_stutter(server: Server, open_page: OpenPage) -> None:
    """While a hundred sessions a second change, no task takes the page more than 50 ms of the processor."""
    sessions = [entry(number) for number in range(1000)]
    shown = await open_list(server, open_page, sessions)
    await expect(rows_of(shown)).to_have_count(len(sessions))
    client = await shown.page.context.new_cdp_session(shown.page)
    trace: list[dict[str, Any]] = []
    is_complete = asyncio.Event()
    client.on("Tracing.dataCollected", lambda data: trace.extend(data["value"]))
    client.on("Tracing.tracingComplete", lambda _: is_complete.set())
    categories = {"includedCategories": ["toplevel", "__metadata"]}
    await client.send("Tracing.start", {"transferMode": "ReportEvents", "traceConfig": categories})
    await shown.evaluate(
        """async (sessions) => {
            for (let sent = 1; sent <= 500; sent++) {
                const session = {...sessions[(37 * sent) % 1000], percentage: sent % 100, title: `no. ${sent}`};
                streams[0].send("session", {session});
                await new Promise((resolve) => setTimeout(resolve, 10));
            }
        }""",
        sessions,
    )
    await expect(names_of(shown).filter(has_text="no. 500")).to_have_count(1)
    await client.send("Tracing.end")
    await is_complete.wait()
    threads = [each for each in trace if each["name"] == "thread_name"]
    mains = {(each["pid"], each["tid"]) for each in threads if each["args"]["name"] == "CrRendererMain"}
    taken_ms = [each["tdur"] / 1000 for each in trace if (each["pid"], each["tid"]) in mains and "tdur" in each]
    assert len(taken_ms) > 500
    assert max(taken_ms) < 50
