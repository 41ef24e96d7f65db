"""The log of a session on the page and in the element."""

import re
from typing import Any

import pytest
from playwright.async_api import Locator, ViewportSize, expect

from tests.browser.axe import axe_violations, check_themes
from tests.browser.conftest import OpenPage
from tests.browser.page_driver import MARKUP, POLLING_ONLY, PageDriver
from tests.browser.session_page import COMPLETED, page_of
from tests.harness.serving import Server, Worker

pytestmark = pytest.mark.full

STEPS = [{"name": name} for name in ("Read", "Parse", "Save")]
COLOURED = "\x1b[1;32mok\x1b[0m \x1b]0;title\x07\x1b[2Jdone"

SHRINK = """async (box) => {
  box.style.maxHeight = "6rem";
  for (let frames = 0; frames < 2; frames++) await new Promise(requestAnimationFrame);
}"""

IS_IN_VIEW = """(row) => {
  const [{ top, bottom }, box] = [row, row?.parentElement].map((each) => each?.getBoundingClientRect() ?? {});
  return box.top <= top && bottom <= box.bottom;
}"""

LOADED = ".card > .log:not([hidden])"
"""The log of a session, once its script is loaded and its state is drawn; it may be in closed details."""


async def write(worker: Worker, session_id: str, *lines: str | dict[str, Any], **more: Any) -> None:
    response = await worker.update(session_id, action="log", lines=list(lines), **more)
    assert response.status_code == 200, response.text


async def running(worker: Worker, session_id: str) -> None:
    await worker.create(session_id, steps=STEPS)
    await worker.run(session_id, 1)
    await worker.start(session_id, 2)


def log_of(shown: PageDriver, step: int) -> Locator:
    return shown.page.locator(f".steps > li:nth-child({step}) .log")


def rows(panel: Locator) -> Locator:
    return panel.locator(".log-line, .log-gap")


def texts(panel: Locator) -> Locator:
    return panel.locator(".log-text")


async def open_log(panel: Locator) -> None:
    await panel.locator("summary").click()
    await expect(panel.locator(".log-rows")).to_be_visible()


async def test_lines_come_live_under_their_step(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> None:
    """Lines of no step have a panel of their own; the server sends lines only while one of them is open."""
    await running(worker, sid)
    shown = await open_page(page_of(server, sid))
    own = shown.page.locator(".card > .log")
    await expect(shown.headline).to_have_text("Step 2 of 3: Parse")
    await expect(own).to_be_hidden()
    await write(worker, sid, "one", step=1)
    await write(worker, sid, "two", {"text": "hot", "level": "warning"}, step=2)
    await write(worker, sid, "of none")
    await expect(own).to_be_visible()
    assert not any("log=1" in url or url.endswith("/log") for url in shown.requests)
    await open_log(log_of(shown, 2))
    await expect(texts(log_of(shown, 2))).to_have_text(["two", "hot"])
    await expect(log_of(shown, 2).locator(".log-level")).to_have_text("warning")
    await expect(log_of(shown, 1).locator("summary")).to_have_text("Log 1")
    await expect(own.locator("summary")).to_have_text("Log of the job 1")
    await expect(log_of(shown, 3)).to_have_count(0)
    await write(worker, sid, "three", step=2)
    await expect(texts(log_of(shown, 2))).to_have_text(["two", "hot", "three"])
    await write(worker, sid, "saved", step=3)
    await open_log(log_of(shown, 3))
    await worker.complete(sid, 2)
    await worker.start(sid, 3)
    await write(worker, sid, "last", step=3)
    await worker.complete(sid, 3)
    await expect(shown.headline).to_have_text(COMPLETED)
    await expect(texts(log_of(shown, 3))).to_have_text(["saved", "last"])
    assert shown.errors == []


async def test_a_page_that_polls_has_the_log_too(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> None:
    """Also one that is opened after the end."""
    await running(worker, sid)
    await write(worker, sid, "one", step=2)
    shown = await open_page(page_of(server, sid), scripts=(POLLING_ONLY,))
    await open_log(log_of(shown, 2))
    await expect(texts(log_of(shown, 2))).to_have_text(["one"])
    await write(worker, sid, "two", step=2)
    await expect(texts(log_of(shown, 2))).to_have_text(["one", "two"])
    for step in (2, 3):
        await worker.run(sid, step)
    late = await open_page(page_of(server, sid))
    await expect(late.page.locator(LOADED)).to_have_count(1)
    await expect(late.headline).to_have_text(COMPLETED)
    await late.page.keyboard.press("l")
    await expect(late.page.locator(".card > .log .log-empty")).to_have_text("Lines of a step are under the step.")
    await open_log(log_of(late, 2))
    await expect(texts(log_of(late, 2))).to_have_text(["one", "two"])


async def test_nothing_of_a_line_acts(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> None:
    """Markup is text, colours of terminals are classes, and directions stay within their line."""
    await running(worker, sid)
    await write(worker, sid, *MARKUP, COLOURED, step=2)
    shown = await open_page(page_of(server, sid))
    await open_log(log_of(shown, 2))
    await expect(texts(log_of(shown, 2))).to_have_count(len(MARKUP) + 1)
    shown_texts = await texts(log_of(shown, 2)).all_text_contents()
    assert shown_texts == [*MARKUP[:-1], MARKUP[-1].replace("\u202e\u2069", ""), "ok done"]
    assert await log_of(shown, 2).locator("script, img, svg").count() == 0
    colour = log_of(shown, 2).locator(".ansi-green.ansi-bold")
    await expect(colour).to_have_text("ok")
    assert await shown.evaluate("document.title") != "title"
    assert shown.errors == []


async def test_it_follows_the_end_until_the_reader_goes_up(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """A thousand lines are there at once; a button leads back to the end."""
    await running(worker, sid)
    for batch in range(10):
        await write(
            worker, sid, *(f"line {100 * batch + number} {'x' * (number % 80)}" for number in range(100)), step=2
        )
    shown = await open_page(page_of(server, sid), viewport={"width": 390, "height": 800})
    await open_log(log_of(shown, 2))
    panel = log_of(shown, 2)
    await expect(rows(panel)).to_have_count(1000)
    at_end = "(({scrollTop, clientHeight, scrollHeight}) => scrollTop + clientHeight >= scrollHeight - 2)"
    box = panel.locator(".log-rows")
    assert await box.evaluate(at_end)
    await write(worker, sid, "next", step=2)
    await expect(rows(panel)).to_have_count(1001)
    assert await box.evaluate(at_end)
    await expect(panel.locator(".log-end")).to_be_hidden()
    await box.evaluate("box => box.scrollTo(0, 100)")
    await expect(panel.locator(".log-end")).to_be_visible()
    await write(worker, sid, "unseen", step=2)
    await expect(rows(panel)).to_have_count(1002)
    assert await box.evaluate("box => box.scrollTop") == 100
    await panel.locator(".log-end").click()
    await expect(panel.locator(".log-end")).to_be_hidden()
    assert await box.evaluate(at_end)
    await box.evaluate(SHRINK)
    assert await box.evaluate(at_end)


async def test_the_log_of_a_step_that_fails_opens_at_its_first_error(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """Of its last attempt. What the visitor has closed stays so, and among several sessions none opens."""
    await running(worker, sid)
    shown, other = await open_page(page_of(server, sid)), await open_page(page_of(server, sid))
    several = await open_page(f"{server.url}/?session_id={sid}&session_id={sid}-b")
    many = [f"line {number}" for number in range(49)]

    async def fail(text: str) -> None:
        await worker.start(sid, 2)
        await write(
            worker, sid, *many, {"text": text, "level": "error"}, *many, {"text": "x", "level": "error"}, step=2
        )
        await worker.complete(sid, 2, success=False, error=text)

    for text in ("first", "second"):
        await fail(text)
        for page in (shown, other):
            row = log_of(page, 2).locator("[aria-current=true]")
            await expect(row).to_have_text(re.compile(f"{text}$"))
            await page.until(f"({IS_IN_VIEW})(document.querySelector('[aria-current=true]'))")
    await log_of(shown, 2).locator("summary").click()
    await fail("third")
    await expect(log_of(other, 2).locator("[aria-current=true]")).to_have_text(re.compile("third$"))
    for page in (shown, several):
        await expect(page.page.get_by_role("alert").first).to_contain_text("third")
        await page.next_frames()
        await expect(page.page.locator(".log[open]")).to_have_count(0)
    assert shown.errors == []


async def test_the_log_gets_the_window(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> None:
    """Escape and a button give it back, with the focus, and the rows stay where they were."""
    await running(worker, sid)
    await write(worker, sid, *(f"line {number}" for number in range(100)), step=2)
    size: ViewportSize = {"width": 390, "height": 800}
    shown = await open_page(page_of(server, sid), viewport=size, permissions=["clipboard-read", "clipboard-write"])
    panel, window = log_of(shown, 2), shown.page.get_by_role("dialog", name="Log of step 2, Parse")
    expand = panel.get_by_role("button", name="Expand")
    await open_log(panel)
    await expect(rows(panel)).to_have_count(100)
    await panel.locator(".log-rows").evaluate("box => box.scrollTo(0, 300)")
    for key in ("Escape", "Enter"):
        await expand.press("Enter")
        await expect(window.locator(".log-rows")).to_be_focused()
        assert await window.bounding_box() == {"x": 0, "y": 0, **size}
        assert await axe_violations(shown) == []
        if key == "Enter":
            await window.get_by_role("button", name="Close").focus()
        await shown.page.keyboard.press(key)
        await expect(window).to_be_hidden()
        await expect(expand).to_be_focused()
        assert await panel.locator(".log-rows").evaluate("box => box.scrollTop") == 300
    assert shown.errors == []


async def test_lines_are_searched_copied_and_downloaded(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """What is found is counted and marked, also across colours; copies are plain, with times."""
    await running(worker, sid)
    await write(worker, sid, "Row 1 is \x1b[31mempty\x1b[0m", "row 2", {"text": "<row> 3", "level": "error"}, step=2)
    await write(worker, sid, "other", step=2)
    shown = await open_page(page_of(server, sid), permissions=["clipboard-read", "clipboard-write"])
    panel = log_of(shown, 2)
    await open_log(panel)
    await panel.get_by_role("searchbox", name="Search: Log of step 2, Parse").fill("ROW")
    await expect(panel.get_by_role("status")).to_have_text("3 lines found")
    await expect(panel.locator("mark")).to_have_text(["Row", "row", "row"])
    await write(worker, sid, "row 4", step=2)
    await expect(panel.get_by_role("status")).to_have_text("4 lines found")
    await panel.get_by_role("searchbox").fill("is empty")
    await expect(panel.get_by_role("status")).to_have_text("1 line found")
    await expect(panel.locator("mark")).to_have_text(["is ", "empty"])
    await panel.get_by_role("searchbox").fill("")
    await expect(rows(panel)).to_have_count(5)
    await panel.get_by_role("button", name="Copy").click()
    await expect(panel.get_by_role("button", name="Copied")).to_be_visible()
    copied = await shown.evaluate("navigator.clipboard.readText()")
    assert [line.split("Z ", 1)[1] for line in copied.splitlines()] == [
        "Row 1 is empty",
        "row 2",
        "ERROR <row> 3",
        "other",
        "row 4",
    ]
    await shown.evaluate("window.revoked = []; URL.revokeObjectURL = (url) => revoked.push(url); null")
    async with shown.page.expect_download() as downloading:
        await panel.get_by_role("button", name="Download").click()
    download = await downloading.value
    assert download.suggested_filename == f"{sid}-2.log.txt"
    assert (await download.path()).read_text("utf-8") == copied
    assert await shown.evaluate("revoked") == [], "a browser may read it later than at the click"


async def test_lines_that_are_not_kept_are_counted(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """They stand before the first one that is kept, and are no lines that are found."""
    await running(worker, sid)
    for batch in range(52):
        await write(worker, sid, *(f"line {100 * batch + number}" for number in range(100)), step=2)
    shown = await open_page(page_of(server, sid))
    panel = log_of(shown, 2)
    await open_log(panel)
    await expect(rows(panel).first).to_have_text("… 200 lines not kept")
    await expect(texts(panel).first).to_have_text("line 200")
    await panel.get_by_role("searchbox").fill("kept")
    await expect(panel.get_by_role("status")).to_have_text("0 lines found")


async def test_the_next_run_has_a_log_of_its_own(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> None:
    """Lines of the run before are forgotten."""
    await running(worker, sid)
    await write(worker, sid, "former", step=2)
    shown = await open_page(page_of(server, sid))
    await open_log(log_of(shown, 2))
    await expect(texts(log_of(shown, 2))).to_have_text(["former"])
    await worker.create(sid, replace=True, steps=[STEPS[0], {**STEPS[1], "name": "Renamed"}, *STEPS[2:]])
    await worker.start(sid, 2)
    await expect(log_of(shown, 2)).to_be_hidden()
    await write(worker, sid, "new", step=2)
    await expect(texts(log_of(shown, 2))).to_have_text(["new"])
    await expect(log_of(shown, 2).get_by_role("group", name="Renamed")).to_have_count(1)
    await expect(log_of(shown, 2).get_by_role("searchbox", name="Renamed")).to_have_count(1)


async def test_a_run_that_finds_its_steps_anew_has_their_logs(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """It begins without steps; a panel that was open stays open."""
    await worker.create(sid, open_ended=True)
    await worker.update(sid, action="start", name="Read")
    await write(worker, sid, "former", step=1)
    shown = await open_page(page_of(server, sid))
    await open_log(log_of(shown, 1))
    await expect(texts(log_of(shown, 1))).to_have_text(["former"])
    await worker.create(sid, replace=True, open_ended=True)
    await expect(shown.steps).to_have_count(0)
    await worker.update(sid, action="start", name="Read")
    await write(worker, sid, "new", step=1)
    await expect(texts(log_of(shown, 1))).to_have_text(["new"])


async def test_a_key_opens_and_closes_the_log(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> None:
    """It leads to the step that runs; while the reader writes it is a letter."""
    await running(worker, sid)
    shown = await open_page(page_of(server, sid))
    await expect(shown.headline).to_have_text("Step 2 of 3: Parse")
    await shown.page.keyboard.press("l")
    await expect(shown.part("log-rows")).to_have_count(0)
    await write(worker, sid, "one", step=2)
    await expect(log_of(shown, 2)).to_be_visible()
    await shown.page.keyboard.press("l")
    panel = log_of(shown, 2)
    await expect(texts(panel)).to_have_text(["one"])
    await expect(panel.locator("summary")).to_be_focused()
    await panel.get_by_role("searchbox").focus()
    await shown.page.keyboard.press("l")
    await expect(panel.get_by_role("searchbox")).to_have_value("l")
    await panel.locator("summary").focus()
    await shown.page.keyboard.press("l")
    await expect(texts(panel)).to_have_count(0)


@pytest.mark.parametrize("locale", ["en-GB", pytest.param("ja-JP", marks=pytest.mark.full)])
async def test_the_log_is_accessible(
    server: Server, worker: Worker, open_page: OpenPage, sid: str, locale: str
) -> None:
    """Every colour of a terminal is legible on the ground of each level, in both themes."""
    await running(worker, sid)
    colours = [f"\x1b[{code}mcolour {code}\x1b[0m \x1b[2mdim\x1b[0m" for code in range(30, 38)]
    levels = ["debug", "info", "warning", "error"]
    await write(worker, sid, *({"text": text, "level": level} for text in colours for level in levels), step=2)
    shown = await open_page(page_of(server, sid), locale=locale, viewport={"width": 360, "height": 760})
    panel = log_of(shown, 2)
    await open_log(panel)
    tools = panel.locator(".log-tools > :not(.log-found, .log-expand)")
    edges = await tools.evaluate_all("all => all.map((e) => [e.offsetTop, e.offsetTop + e.offsetHeight])")
    assert max(top for top, _ in edges) < min(bottom for _, bottom in edges), "the tools stand in one line"
    await panel.get_by_role("searchbox").fill("colour 3")
    await expect(panel.locator("mark")).to_have_count(32)
    await check_themes(shown)


async def test_an_open_log_is_whole_on_paper(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> None:
    """Without what acts, and without the logs that are closed; a link of the job has its address."""
    await running(worker, sid)
    await worker.update(sid, action="describe", links=[{"label": "Report", "url": "/report"}])
    for step in (1, 2):
        await write(worker, sid, *(f"line {number}" for number in range(100)), step=step)
    shown = await open_page(page_of(server, sid))
    await open_log(log_of(shown, 2))
    await expect(rows(log_of(shown, 2))).to_have_count(100)
    await expect(log_of(shown, 1)).to_be_visible()
    await shown.page.emulate_media(media="print")
    fits = "rows => rows.scrollHeight - rows.clientHeight"
    assert await log_of(shown, 2).locator(".log-rows").evaluate(fits) <= 1
    for hidden in (log_of(shown, 1), log_of(shown, 2).get_by_role("searchbox"), shown.part("home-link")):
        await expect(hidden).to_be_hidden()
    address = "link => getComputedStyle(link, '::after').content"
    assert "/report" in await shown.part("link").evaluate(address)


async def test_the_element_has_the_log(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> None:
    """Its panels are in its shadow root, and are parts that a page can style."""
    await running(worker, sid)
    await write(worker, sid, "inside", step=2)
    html = f"""<!doctype html><title>t</title><script type="module" src="/web/define.js"></script>
        <style>progress-steps::part(log-rows) {{ border-color: rgb(1, 2, 3); }}</style>
        <progress-steps session="{sid}"></progress-steps>"""
    shown = await open_page(f"{server.url}/embedding", html=html)
    panel = shown.page.locator(".steps > li:nth-child(2) .log")
    await open_log(panel)
    await expect(texts(panel)).to_have_text(["inside"])
    await expect(panel.locator(".log-rows")).to_have_css("border-color", "rgb(1, 2, 3)")
    assert shown.errors == []


async def test_without_an_open_panel_the_stream_brings_no_lines(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """It is opened again when the last panel closes."""
    await running(worker, sid)
    await write(worker, sid, "one", step=2)
    shown = await open_page(page_of(server, sid))
    async with shown.page.expect_request(lambda request: "log=1" in request.url):
        await open_log(log_of(shown, 2))
    async with shown.page.expect_request(lambda request: "/events" in request.url and "log=1" not in request.url):
        await log_of(shown, 2).locator("summary").click()


async def test_the_key_opens_the_logs_of_several_sessions(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """Their steps are closed at first, and their logs with them."""
    ids = [f"{sid}-1", f"{sid}-2"]
    for each in ids:
        await running(worker, each)
        await write(worker, each, f"of {each}", step=2)
    shown = await open_page(f"{server.url}/?session_id={ids[0]}&session_id={ids[1]}")
    await expect(shown.part("headline")).to_have_text(["Step 2 of 3: Parse"] * 2)
    await expect(shown.page.locator(LOADED)).to_have_count(2)
    await expect(shown.page.locator(LOADED).first).to_be_hidden()
    await shown.page.keyboard.press("l")
    await expect(shown.page.locator(".log-text")).to_have_text([f"of {each}" for each in ids])
    await expect(shown.page.locator(".log-text").first).to_be_visible()
