"""The look of lists, their texts for assistive technology, and their cost, with a stream that the test controls."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Literal

import pytest
from playwright.async_api import expect

from tests.browser.axe import axe_violations
from tests.browser.conftest import OpenPage
from tests.browser.home_page import FAKE_STREAM, entry, names_of, row_of, rows_of, state_button
from tests.browser.page_driver import PageDriver
from tests.harness.serving import Server

pytestmark = pytest.mark.full

Scheme = Literal["light", "dark"]

STATES: list[dict[str, Any]] = [
    entry(1, title="Import", labels={"team": "web"}, links=[{"label": "Report", "url": "/r"}]),
    entry(2, status="pending", current_step=0, percentage=0),
    entry(3, status="completed", percentage=100),
    entry(4, status="error", error="no more rows"),
    entry(5, status="error", error="stopped", conclusion="cancelled"),
    entry(6, status="error", error="no sign of it", conclusion="lost"),
    entry(7, liveness={"state": "stalled", "since": "2026-01-01T12:03:00+00:00"}),
    entry(8, idle_since="2026-01-01T12:03:00+00:00"),
    entry(9, open_ended=True),
]
NEED_ATTENTION = [STATES[3], STATES[5], STATES[6]]


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
    table = shown.page.get_by_role("table", name="Jobs, those that need attention first")
    await expect(table.get_by_role("columnheader")).to_have_text(["State", "Job", "Progress", "Created", "Time"])
    await expect(table.get_by_role("rowheader")).to_have_count(len(STATES))
    await expect(table.get_by_role("row").nth(1).get_by_role("cell")).to_have_count(4)
    await names_of(shown).first.focus()
    await send(shown, "removed", session_id="job-4")
    await expect(names_of(shown).filter(has_text="job-6")).to_be_focused()
    await send(shown, "session", session=entry(0, session_id="job-6"))
    await expect(names_of(shown).nth(1)).to_have_text("job-6")
    await expect(names_of(shown).nth(1)).to_be_focused()
    for key, name in [("ArrowDown", "Import"), ("End", "job-9"), ("ArrowUp", "job-8"), ("Home", "job-7")]:
        await shown.page.keyboard.press(key)
        await expect(names_of(shown).filter(has_text=name)).to_be_focused()


async def test_a_row_stays_where_a_visitor_points(server: Server, open_page: OpenPage) -> None:
    """It changes there, and what comes, goes or needs attention now moves when the pointer leaves."""
    shown = await open_list(server, open_page, [entry(1), entry(2), entry(3)])
    await row_of(shown, "job-2").hover()
    await send(shown, "removed", session_id="job-1")
    await send(shown, "session", session=entry(0))
    await send(shown, "session", session=entry(3, status="error"))
    await expect(row_of(shown, "job-3")).to_contain_text("Failed")
    await expect(names_of(shown)).to_have_text(["job-1", "job-2", "job-3"])
    await shown.page.mouse.move(1, 1)
    await expect(names_of(shown)).to_have_text(["job-3", "job-0", "job-2"])


async def test_each_state_has_its_sign_and_its_words(server: Server, open_page: OpenPage) -> None:
    """In a line, which on a phone is two, however long its texts are."""
    labels = {f"label-{number}": "v" * 40 for number in range(5)}
    long = entry(10, status="error", title="t " * 90, labels=labels, error="e " * 150)
    shown = await open_list(server, open_page, [*STATES, long], viewport={"width": 1280, "height": 800})
    for name, word, sign, said in (
        ("job-4", "Failed", "error", "no more rows"),
        ("job-5", "Cancelled", "cancelled", "33%"),
        ("job-6", "Lost", "lost", "33%"),
        ("job-7", "Stalled", "stalled", "no sign of life since"),
        ("job-8", "Running", "pending", "1 of 3 steps done"),
        ("job-8", "Running", "pending", "nothing runs now"),
        ("job-9", "Running", "running", "3 steps so far"),
    ):
        await expect(row_of(shown, name).locator(".list-word")).to_have_text(word)
        await expect(row_of(shown, name).locator(f".drawing-{sign}")).to_be_visible()
        await expect(row_of(shown, name)).to_contain_text(said)
    await expect(row_of(shown, "job-9")).not_to_contain_text("%")
    assert await row_of(shown, "job-9").get_by_role("progressbar").get_attribute("aria-valuenow") is None
    heights = "[...document.querySelectorAll('.list-row')].map((row) => row.getBoundingClientRect().height)"
    assert set(await shown.evaluate(heights)) == {44}
    await shown.page.set_viewport_size({"width": 390, "height": 800})
    assert max(await shown.evaluate(heights)) <= 72
    await shown.page.get_by_role("button", name="+4").click()
    await expect(shown.page.locator("[data-open] .chip:visible")).to_have_count(5)


async def test_a_search_names_what_it_searched(server: Server, open_page: OpenPage) -> None:
    """Enter opens the job of that id where no row matches, and else only one that is listed."""
    shown = await open_list(server, open_page, STATES, more=True)
    search = shown.page.locator("#search")
    await search.fill("imp")
    await search.press("Enter")
    await expect(names_of(shown)).to_have_text(["Import"])
    await expect(search).to_have_accessible_description(re.compile("^Searched in the newest 9."))
    await search.fill("job-77")
    link = shown.page.get_by_role("link", name="Open job “job-77”")
    assert await link.get_attribute("href") == f"{server.url}/s/job-77"
    await search.press("Enter")
    await shown.page.wait_for_url(f"{server.url}/s/job-77")


async def test_the_live_region_says_what_began_and_ended(server: Server, open_page: OpenPage) -> None:
    """It is silent on progress, and sums up what comes at once. A start of half a day ago gets its day meanwhile."""
    shown = await open_page("about:blank", scripts=(FAKE_STREAM,))
    await shown.page.clock.install()
    await shown.go(server.url, "")
    await shown.until("streams.length === 1")
    began = await shown.evaluate("new Date(Date.now() - 12 * 3600_000 + 9_000).toISOString()")
    done = entry(11, status="completed", created_at=began, updated_at=began)
    await send(shown, "list", sessions=[*STATES, done], more=False)
    region = shown.page.locator("#milestone")
    await send(shown, "session", session={**STATES[0], "percentage": 66})
    await shown.page.clock.run_for(1000)
    await expect(row_of(shown, "Import")).to_contain_text("66%")
    await expect(region).to_be_empty()
    started = row_of(shown, "job-11").locator(".list-started")
    await expect(started).to_have_text(re.compile(r"^\d\d:\d\d$"))
    await send(shown, "session", session={**STATES[0], "status": "completed", "percentage": 100})
    await shown.page.clock.run_for(1000)
    await expect(region).to_have_text("Import has completed")
    for number in (1, 2, 3):
        await send(shown, "session", session=entry(0, session_id=f"new-{number}", created_at=f"2026-01-0{number + 1}"))
    await send(shown, "session", session={**STATES[1], "status": "error"})
    await shown.page.clock.run_for(15_000)
    await expect(region).to_have_text("job-2 has failed, 3 started")
    await shown.page.clock.run_for(61_000)
    await expect(started).to_have_text(re.compile(r"^[A-Z][a-z]+ \d+"))


async def test_more_than_the_list_is_chosen_by_the_server(server: Server, open_page: OpenPage) -> None:
    """A state is asked of the server only where the list has not all sessions; older ones come on request.

    What was not counted has no number, and no tab moves.
    """
    shown = await open_list(server, open_page, STATES)
    places = "[...document.querySelectorAll('#states button')].map((tab) => tab.getBoundingClientRect().x).join()"
    before = await shown.evaluate(places)
    attention = state_button(shown, "Needs attention")
    await attention.click()
    await expect(rows_of(shown)).to_have_count(3)
    assert await shown.evaluate("streams.length") == 1
    await send(shown, "list", sessions=STATES, more=True)
    await shown.until("streams.length === 2")
    assert "status=failed&status=lost&status=stalled" in await shown.evaluate("streams[1].url")
    await send(shown, "list", sessions=NEED_ATTENTION, more=True)
    counts = ["Needs attention 3+", "All", "Running", "Waiting", "Failed 1+", "Cancelled", "Completed"]
    await expect(shown.page.locator("#states button")).to_have_text(counts)
    await state_button(shown, "Completed").click()
    await expect(shown.part("list-empty")).to_have_text("Connecting")
    await expect(attention).to_have_text("Needs attention 3+")
    await shown.until("streams.length === 3")
    await send(shown, "list", sessions=[], more=False)
    await expect(shown.part("list-empty")).to_contain_text("No job matches.")
    await expect(state_button(shown, "Completed")).to_have_text("Completed 0")
    assert await shown.evaluate(places) == before
    await attention.click()
    await shown.until("streams.length === 4")
    await send(shown, "list", sessions=NEED_ATTENTION, more=True)
    await expect(rows_of(shown)).to_have_count(3)

    older = [entry(number, status="error") for number in range(3, 300)]
    await shown.page.route("**/api/progress?**", lambda route: route.fulfill(json={"sessions": older, "next": None}))
    await shown.page.get_by_role("button", name="Show more").click()
    await expect(rows_of(shown)).to_have_count(297)
    await expect(shown.page.get_by_role("button", name="Show more")).to_be_hidden()
    assert [url for url in shown.requests if "limit=1000" in url and "status=stalled" in url]


async def task_times(shown: PageDriver, act: Callable[[], Awaitable[object]]) -> list[float]:
    """What the tasks of the page take of the processor meanwhile, in milliseconds."""
    client = await shown.page.context.new_cdp_session(shown.page)
    trace: list[dict[str, Any]] = []
    is_complete = asyncio.Event()
    client.on("Tracing.dataCollected", lambda data: trace.extend(data["value"]))
    client.on("Tracing.tracingComplete", lambda _: is_complete.set())
    categories = {"includedCategories": ["toplevel", "__metadata"]}
    await client.send("Tracing.start", {"transferMode": "ReportEvents", "traceConfig": categories})
    await act()
    await client.send("Tracing.end")
    await is_complete.wait()
    mains = {(each["pid"], each["tid"]) for each in trace if each["args"].get("name") == "CrRendererMain"}
    return [each["tdur"] / 1000 for each in trace if (each["pid"], each["tid"]) in mains and "tdur" in each]


@pytest.mark.alone
async def test_a_thousand_rows_do_not_stutter(server: Server, open_page: OpenPage) -> None:
    """While a hundred sessions a second change, no task takes an eighth of what it takes to draw all of them."""
    shown = await open_list(server, open_page, [])
    await shown.evaluate("(given) => window.given = given", [entry(number) for number in range(1000)])

    async def draw() -> None:
        await shown.evaluate("() => streams[0].send('list', {sessions: given, more: false})")
        await expect(rows_of(shown)).to_have_count(1000)

    async def change() -> None:
        await shown.evaluate(
            """async () => {
                for (let sent = 1; sent <= 500; sent++) {
                    const session = {...given[(37 * sent) % 1000], percentage: sent % 100, title: `no. ${sent}`};
                    streams[0].send("session", {session});
                    await new Promise((resolve) => setTimeout(resolve, 10));
                }
            }"""
        )
        await expect(names_of(shown).filter(has_text="no. 500")).to_have_count(1)

    drawn, changed = [await task_times(shown, act) for act in (draw, change)]
    assert len(changed) > 500
    assert max(changed) < sum(drawn) / 8
