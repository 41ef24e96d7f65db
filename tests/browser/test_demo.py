"""The demo's page: its jobs, and the faults that its buttons cause."""

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.async_api import Locator, Page, expect

from tests.browser.axe import axe_violations
from tests.browser.conftest import OpenPage
from tests.harness.serving import Server, Worker, eventually

pytestmark = pytest.mark.full

GAP_PX = 16
"""Between two cards."""

DEADLINE_MS = 60_000
"""Long enough for a job, for the back-off and for a busy machine."""

COMMAND = [sys.executable, "-m", "progress_sse", "demo"]
JOBS = ("agent", "export", "film", "load")


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path / "demo", command=[*COMMAND, "--no-open", "--port", "{port}"]) as running:
        yield running
        running.terminate()


def connection(page: Page, job: str) -> Locator:
    return page.locator(f"#{job} [data-connection]")


async def expect_connections(page: Page, state: str) -> None:
    for job in JOBS:
        await expect(connection(page, job)).to_have_attribute("data-connection", state, timeout=DEADLINE_MS)


async def percentage(page: Page, job: str) -> int:
    """The percentage that the page shows of a job."""
    value = await page.locator(f"#{job}").get_by_role("progressbar").first.get_attribute("aria-valuenow")
    return int(value or 0)


async def expect_to_move(page: Page, job: str) -> None:
    """Wait until the page shows another percentage than now."""
    before = await percentage(page, job)
    async with asyncio.timeout(DEADLINE_MS / 1000):
        while await percentage(page, job) == before:  # noqa: ASYNC110 - asks the browser
            await asyncio.sleep(0.05)


def session_of(page: Page, job: str) -> Locator:
    return page.locator(f"#{job}")


async def test_jobs_move_and_begin_again(demo: Server, open_page: OpenPage) -> None:
    """Nothing loads from another origin, the console has no errors, and each job's next session is shown."""
    shown = await open_page(f"{demo.url}/")
    await expect_connections(shown.page, "live")
    for job in ("film", "load"):
        await expect_to_move(shown.page, job)
    for job, session_id in (("agent", "agent-2"), ("load", "load-6"), ("film", "film-2")):
        await expect(session_of(shown.page, job)).to_have_attribute("session", session_id, timeout=DEADLINE_MS)
    await expect_to_move(shown.page, "film")
    assert shown.errors == []
    assert [url for url in shown.requests if not url.startswith((f"{demo.url}/", "data:"))] == []


async def test_agent_grows_and_its_log_is_open(demo: Server, open_page: OpenPage) -> None:
    """Steps are appended, lines follow with their colours, and its end has links. A visitor may close the log."""
    shown = await open_page(f"{demo.url}/")
    agent = session_of(shown.page, "agent")
    steps = agent.locator(".steps > li")
    await expect(agent.locator(".log-line")).not_to_have_count(0, timeout=DEADLINE_MS)
    assert await agent.locator(".card > .log .log-rows").evaluate("rows => rows.offsetHeight <= 112"), "empty room"
    before = await steps.count()
    await expect(steps.nth(before)).to_be_visible(timeout=DEADLINE_MS)
    await expect(agent.locator(".log-line .ansi-green").first).to_be_visible(timeout=DEADLINE_MS)
    await expect(agent.get_by_role("link", name="The whole log")).to_be_visible(timeout=DEADLINE_MS)
    await agent.locator(".card > .log > summary").click()
    await expect(agent).not_to_have_attribute("session", "agent-1", timeout=DEADLINE_MS)
    await expect(agent.locator(".steps > li").nth(1)).to_be_visible(timeout=DEADLINE_MS)
    await expect(agent.locator(".log-line").first).to_be_hidden()


async def test_visitor_cancels_the_export(demo: Server, open_page: OpenPage) -> None:
    """The card says that the worker stops, then that it has, and then shows the next run."""
    shown = await open_page(f"{demo.url}/")
    export = session_of(shown.page, "export")
    await expect(export).to_contain_text("Step 1 of 3", timeout=DEADLINE_MS)  # Before, the server cancels by itself.
    await export.get_by_role("button", name="Cancel").click(timeout=DEADLINE_MS)
    await export.get_by_role("dialog").locator(".confirm").click()
    await expect(export).to_contain_text("The worker is stopping", timeout=DEADLINE_MS)
    await expect(export.locator(".headline")).to_contain_text("Cancelled by you", timeout=DEADLINE_MS)
    await expect(export).to_have_attribute("session", "export-2", timeout=DEADLINE_MS)
    await expect(export.get_by_role("button", name="Cancel")).to_be_visible(timeout=DEADLINE_MS)


async def test_failed_export_is_tried_again(demo: Server, open_page: OpenPage) -> None:
    """The failure offers it, and the second attempt is called so."""
    shown = await open_page(f"{demo.url}/")
    export = session_of(shown.page, "export")
    await export.get_by_role("button", name="Retry").click(timeout=DEADLINE_MS)
    await expect(export.locator(".steps > li").nth(2)).to_contain_text("attempt 2", timeout=DEADLINE_MS)


async def test_film_shows_its_parts(demo: Server, open_page: OpenPage) -> None:
    """Some of the 40 fail, and all succeed in the end."""
    shown = await open_page(f"{demo.url}/")
    film = session_of(shown.page, "film")
    await expect(film.locator(".cells > li")).to_have_count(40, timeout=DEADLINE_MS)
    await expect(film.locator('.cells > [data-status="error"]').first).to_be_visible(timeout=DEADLINE_MS)
    await expect(film.locator('.cells > [data-status="success"]')).to_have_count(40, timeout=DEADLINE_MS)
    await expect(film).to_contain_text("40 of 40 done")


async def test_load_knows_how_long_it_usually_takes(demo: Server, open_page: OpenPage) -> None:
    """At first its steps are expected to take what they declare, and once runs were learned from, what these took."""
    shown = await open_page(f"{demo.url}/")
    load = session_of(shown.page, "load")
    await expect(load.get_by_role("img", name=", expected ").first).to_be_visible(timeout=DEADLINE_MS)
    await expect(load).to_have_attribute("session", "load-6", timeout=DEADLINE_MS)
    await expect(load.get_by_role("img", name=", usually ").first).to_be_visible(timeout=DEADLINE_MS)
    await expect(load.locator(".time-left")).to_contain_text("usually", timeout=DEADLINE_MS)


async def test_list_has_all_jobs(demo: Server, open_page: OpenPage) -> None:
    """With their titles and labels, also that of the visitor."""
    async with Worker.at(demo) as worker:
        await worker.create("yours-listed", steps=[{"name": "Look"}], title="Mine")
    shown = await open_page(f"{demo.url}/#yours-listed")
    for title in ("Agent: why do my events arrive late?", "Export of 1,200 photos", "Nightly load, run 5", "Mine"):
        row = shown.page.locator("#list").get_by_role("row").filter(has_text=title)
        await expect(row).to_be_visible(timeout=DEADLINE_MS)
    await expect(shown.page.locator("#list").get_by_role("button", name="job: film")).to_be_visible()


GEOMETRY = """() => {
  const box = (element) => {
    const { left, right, top, bottom } = element.getBoundingClientRect();
    return [left + scrollX, right + scrollX, top + scrollY, bottom + scrollY].map(Math.round);
  };
  const cards = [...document.querySelectorAll(".jobs > progress-steps")].map(box);
  const buttons = [...document.querySelectorAll(".faults .button")].map(box);
  return { jobs: box(document.querySelector(".jobs")), cards, buttons };
}"""
"""The boxes of the jobs, of the cards, and of the buttons: left, right, top and bottom."""


def assert_without_holes(geometry: Any) -> None:
    """Cards side by side are as high, and no place between cards, or at an edge, is larger than a gap."""
    left, right, top, bottom = geometry["jobs"]
    begins_and_ends = [{card[place] for card in geometry["cards"]} for place in (2, 3)]
    assert len(set(map(len, begins_and_ends))) == 1
    columns = [list(cards) for _, cards in groupby(sorted(geometry["cards"]), key=itemgetter(0))]
    starts, ends = [column[0][0] for column in columns], [column[0][1] for column in columns]
    assert (starts[0], ends[-1]) == (left, right)
    assert [start - end for end, start in zip(ends, starts[1:], strict=False)] == [GAP_PX] * (len(columns) - 1)
    for column in columns:
        assert {tuple(card[:2]) for card in column} == {tuple(column[0][:2])}
        ends = [top - GAP_PX, *(card[3] for card in column)]
        begins = [*(card[2] for card in column), bottom + GAP_PX]
        assert {begin - end for begin, end in zip(begins, ends, strict=True)} == {GAP_PX}


WATCH = f"""
window.boxes = [];
setInterval(() => {{
  const json = JSON.stringify(({GEOMETRY})());
  if (json !== boxes.at(-1)) boxes.push(json);
}}, 50);
"""
"""Collects the geometry of the page whenever it changes."""


async def test_cards_stay_where_they_are(demo: Server, open_page: OpenPage) -> None:
    """While jobs start, grow, fail and end, no card and no button moves, however wide the page is."""
    places = ((1280, "en-GB"), (1024, "ja-JP"), (768, "en-GB"), (390, "ja-JP"))
    pages = {
        width: await open_page(f"{demo.url}/", locale=locale, viewport={"width": width, "height": 800})
        for width, locale in places
    }
    for shown in pages.values():
        await expect_connections(shown.page, "live")
        await shown.evaluate(f"() => {{ {WATCH} }}")
    for shown in pages.values():
        for job in JOBS:
            await expect(session_of(shown.page, job)).to_have_attribute(
                "session", re.compile(r"-([6-9]|1\d)$" if job == "load" else r"-[2-9]$"), timeout=2 * DEADLINE_MS
            )
    for width, shown in pages.items():
        boxes = [json.loads(each) for each in await shown.evaluate("boxes")]
        assert len(boxes) == 1, width
        assert_without_holes(boxes[0])


MOVES = """
const parts = new Map();
const look = () => {
  for (const { id, shadowRoot } of document.querySelectorAll("progress-steps"))
    for (const fill of shadowRoot?.querySelectorAll(".fill, .gauge-fill") ?? []) {
      if (!fill.checkVisibility()) continue;
      const part = fill.getBoundingClientRect().width / fill.parentElement.getBoundingClientRect().width;
      if (part > (parts.get(fill) ?? part)) window.moved_ms ??= performance.timeOrigin + performance.now();
      parts.set(fill, part);
    }
  requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""
"""Runs before the page's scripts: records when a bar that was visible first grew."""


async def test_a_bar_moves_after_the_start(
    tmp_path: Path, open_page: OpenPage, record_property: Callable[[str, object], None]
) -> None:
    """The command opens the browser at its page. `moves_after_s` is measured: two seconds on an idle machine."""
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}.new && mv {opened}.new {opened}\n')
    browser.chmod(0o755)
    shown = await open_page("about:blank", scripts=(MOVES,))
    started_s = time.time()
    environment = {**os.environ, "BROWSER": str(browser)}
    command = await asyncio.create_subprocess_exec(*COMMAND, env=environment, stdout=subprocess.DEVNULL)
    try:
        await eventually(opened.exists, DEADLINE_MS / 1000)
        await shown.page.goto(opened.read_text().strip())
        await shown.until("window.moved_ms")
        moves_after_s = await shown.evaluate("moved_ms") / 1000 - started_s
    finally:
        command.terminate()
        await command.wait()
    record_property("moves_after_s", round(moves_after_s, 2))
    assert moves_after_s > 0


async def test_a_deleted_session_comes_back(demo: Server, open_page: OpenPage) -> None:
    """Its job creates it again, with what it has reported, and the page follows it."""
    shown = await open_page(f"{demo.url}/")
    await expect_to_move(shown.page, "film")
    async with Worker.at(demo) as worker:
        before = (await worker.poll_raw("film-1")).headers["etag"]
        await worker.delete("film-1")
        async with asyncio.timeout(DEADLINE_MS / 1000):
            while (await worker.poll("film-1"))["status"] != "running":  # noqa: ASYNC110 - asks the server
                await asyncio.sleep(0.05)
        assert (await worker.poll_raw("film-1")).headers["etag"] != before
    await expect_to_move(shown.page, "film")
    await expect(session_of(shown.page, "film")).to_have_attribute("session", "film-1")


async def test_cut_stream_comes_back(demo: Server, open_page: OpenPage) -> None:
    """The badge shows the cut, and the bars go on."""
    shown = await open_page(f"{demo.url}/")
    await expect_connections(shown.page, "live")
    await shown.page.get_by_role("button", name="Cut my stream").click()
    await expect_connections(shown.page, "reconnecting")
    await expect_connections(shown.page, "live")
    await expect_to_move(shown.page, "film")


async def test_buffering_proxy_is_bridged_by_polls(demo: Server, open_page: OpenPage) -> None:
    """The bars keep moving meanwhile, and a second click ends the buffering."""
    shown = await open_page(f"{demo.url}/")
    await expect_connections(shown.page, "live")
    button = shown.page.get_by_role("button", name="Buffer like a bad proxy")
    await button.click()
    await expect(button).to_have_attribute("aria-pressed", "true")
    await expect_connections(shown.page, "polling")
    await expect_to_move(shown.page, "film")
    await expect(button).to_have_attribute("aria-pressed", "true")
    await button.click()
    await expect(button).to_have_attribute("aria-pressed", "false")
    await expect_connections(shown.page, "live")


async def test_buffering_ends_by_itself(demo: Server, open_page: OpenPage) -> None:
    """No second click is needed."""
    shown = await open_page(f"{demo.url}/")
    button = shown.page.get_by_role("button", name="Buffer like a bad proxy")
    await button.click()
    await expect_connections(shown.page, "polling")
    await expect(button).to_have_attribute("aria-pressed", "false", timeout=DEADLINE_MS)
    await expect_connections(shown.page, "live")


async def test_restarted_server_is_found_again(demo: Server, open_page: OpenPage) -> None:
    """The badge shows the outage, and the bars go on from their last state."""
    shown = await open_page(f"{demo.url}/")
    await expect_connections(shown.page, "live")
    await expect_to_move(shown.page, "film")
    await shown.page.get_by_role("button", name="Restart the server").click()
    await expect(connection(shown.page, "film")).to_have_attribute(
        "data-connection", re.compile("reconnecting|polling"), timeout=DEADLINE_MS
    )
    before = await percentage(shown.page, "film")
    await expect_connections(shown.page, "live")
    assert await percentage(shown.page, "film") >= before
    await expect_to_move(shown.page, "film")


async def test_visitor_moves_a_bar_by_each_command_shown(demo: Server, open_page: OpenPage) -> None:
    """By curl, then Python, then JavaScript: each tab shows the next update of the visitor's own session."""
    shown = await open_page(f"{demo.url}/")
    drive = shown.page.locator("#drive")
    session_id = await session_of(shown.page, "yours").get_attribute("session")
    assert session_id is not None
    runners = {"curl": ["sh", "-c"], "Python": [sys.executable, "-c"], "JavaScript": ["node", "-e"]}
    titles = ["Create the job", "Start step 1", "Complete step 1"]
    for (name, runner), title in zip(runners.items(), titles, strict=True):
        await drive.get_by_role("tab", name=name).click()
        panel = drive.get_by_role("tabpanel")
        await expect(panel.get_by_role("heading")).to_have_text(title)
        code = await panel.locator("code").text_content()
        assert code is not None
        assert session_id in code
        await asyncio.to_thread(subprocess.run, [*runner, code], check=True, timeout=60, capture_output=True)
    await expect(drive.get_by_role("tabpanel").get_by_role("heading")).to_have_text("Start step 2")
    assert await percentage(shown.page, "yours") == 33
    await shown.page.reload()
    await expect(session_of(shown.page, "yours")).to_have_attribute("session", session_id)


async def test_an_address_with_an_invalid_fragment_is_given_a_session(demo: Server, open_page: OpenPage) -> None:
    """The fragment may be malformed, or decode to an invalid id."""
    for fragment in ("%", "%ff", "..", "a%2Fb"):
        shown = await open_page(f"{demo.url}/#{fragment}")
        await expect(session_of(shown.page, "yours").locator(".headline")).to_have_text("Waiting for the job to start")
        assert re.search(r"#yours-\w{8}$", shown.page.url), fragment
        assert shown.errors == []


async def test_tabs_are_operable_by_keys_and_copy(demo: Server, open_page: OpenPage) -> None:
    """They follow the tabs pattern: one stop for Tab, arrows, Home and End; the button copies the shown command."""
    shown = await open_page(f"{demo.url}/", permissions=["clipboard-read", "clipboard-write"])
    drive = shown.page.locator("#drive")
    tabs = drive.get_by_role("tab")
    await expect(drive.get_by_role("tablist")).to_have_accessible_name("Move this bar from your terminal")
    await tabs.first.focus()
    for key, name in [("ArrowLeft", "JavaScript"), ("ArrowRight", "curl"), ("End", "JavaScript"), ("Home", "curl")]:
        await shown.page.keyboard.press(key)
        await expect(drive.get_by_role("tab", selected=True)).to_have_text(name)
        await expect(drive.get_by_role("tab", selected=True)).to_be_focused()
        await expect(drive.get_by_role("tabpanel")).to_have_accessible_name(name)
    await shown.page.keyboard.press("Tab")
    copy = drive.get_by_role("button", name="Copy: Create the job")
    await expect(copy).to_be_focused()
    await shown.page.keyboard.press("Enter")
    await expect(drive.get_by_role("status")).to_have_text("Copied")
    copied = await shown.evaluate("navigator.clipboard.readText()")
    assert copied == await drive.get_by_role("tabpanel").locator("code").text_content()


async def test_page_speaks_japanese(demo: Server, open_page: OpenPage) -> None:
    """A browser that prefers Japanese gets it, in the cards and in the list. There are no holes between the cards."""
    shown = await open_page(f"{demo.url}/", locale="ja-JP")
    await expect(shown.page.get_by_role("button", name="サーバーを再起動")).to_be_visible()
    await expect(session_of(shown.page, "film")).to_contain_text("4 つのワーカーが分担するステップ")
    await expect(shown.page.locator("#list").get_by_role("columnheader", name="ジョブ")).to_be_visible()
    assert_without_holes(await shown.evaluate(GEOMETRY))


BORDER = "button => getComputedStyle(button).borderTopColor"


@pytest.mark.parametrize("locale", ["ja-JP", "en-GB"])
async def test_axe_finds_nothing(demo: Server, open_page: OpenPage, locale: str) -> None:
    """It is checked light and dark, also while a button is pressed."""
    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    for scheme in schemes:
        shown = await open_page(f"{demo.url}/", locale=locale, color_scheme=scheme)
        await expect_connections(shown.page, "live")
        button = shown.page.locator("#buffer")
        borders = [await each.evaluate(BORDER) for each in (button, shown.page.locator("#drive .button").first)]
        assert len(set(borders)) == 1, "it looks like an alarm"
        await button.click()
        await expect(button).to_have_attribute("aria-pressed", "true")
        assert await axe_violations(shown) == [], scheme
        await button.click()
        await expect(button).to_have_attribute("aria-pressed", "false")
