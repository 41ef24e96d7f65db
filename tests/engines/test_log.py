"""The log of a session in each engine: on its page, and as the tracker hands it on."""

from pathlib import Path
from typing import Any

import pytest

from tests.browser.page_driver import MARKUP
from tests.browser.test_log import COLOURED, write
from tests.engines.browser import Tab
from tests.engines.conftest import OpenTab
from tests.engines.pages import write_following_page
from tests.harness.chaos import ChaosProxy
from tests.harness.serving import Server, Worker

pytestmark = [pytest.mark.full, pytest.mark.alone]

KEPT_LINES = 200
PANEL = ".steps > li:nth-child(1) .log"
AT_END = f"(({{scrollTop, clientHeight, scrollHeight}}) => scrollTop + clientHeight >= scrollHeight - 2)(\
document.querySelector('{PANEL} .log-rows'))"
FOLLOWING = """void (() => {
  window.lines = [], window.missed = [];
  tracker.followLog((update) => {
    lines.push(...update.lines.map(({text}) => text));
    if (update.missed) missed.push(update.missed);
  });
})()"""


@pytest.fixture(scope="module")
def server_settings(pages: Path) -> dict[str, Any]:
    """The server keeps few lines."""
    return {"heartbeat_s": 1, "retry_ms": 300, "log_lines": KEPT_LINES, "www": pages}


async def open_log(open_tab: OpenTab, url: str) -> Tab:
    """Open the page of a session, and in it the panel of the step that runs."""
    tab = await open_tab(url)
    await tab.click(f"{PANEL} summary")
    await tab.until(f"document.querySelector('{PANEL}').open")
    return tab


async def write_numbers(worker: Worker, session_id: str, numbers: range) -> list[str]:
    """Write a line for each number, a hundred at a time, and return the lines."""
    lines = [f"line {number}" for number in numbers]
    for first in range(0, len(lines), 100):
        await write(worker, session_id, *lines[first : first + 100], step=1)
    return lines


async def test_lines_come_live_and_nothing_of_them_acts(
    server: Server, worker: Worker, open_tab: OpenTab, sid: str
) -> None:
    """Levels are words, colours of terminals are classes, and everything else of a line is text or gone."""
    await worker.start(sid, 1)
    await write(worker, sid, "one", step=1)
    tab = await open_log(open_tab, f"{server.url}/s/{sid}")
    await tab.until_texts(f"{PANEL} .log-text", ["one"])
    await write(worker, sid, {"text": "hot", "level": "warning"}, COLOURED, *MARKUP, step=1)
    shown = [text.replace("\u202e\u2069", "") for text in MARKUP]
    await tab.until_texts(f"{PANEL} .log-text", ["one", "hot", "ok done", *shown])
    assert await tab.evaluate(f"document.querySelector('{PANEL} .log-level').textContent") == "warning"
    assert await tab.evaluate(f"document.querySelector('{PANEL} .ansi-green.ansi-bold').textContent") == "ok"
    assert await tab.evaluate(f"document.querySelectorAll('{PANEL} :is(script, img, svg)').length") == 0
    assert await tab.evaluate("document.title") != "title"
    await tab.type("l")
    await tab.until(f"!document.querySelector('{PANEL}').open")


async def test_a_panel_follows_the_end_until_the_reader_goes_up(
    server: Server, worker: Worker, open_tab: OpenTab, sid: str
) -> None:
    """What comes meanwhile moves nothing, and a button leads back to the end."""
    await worker.start(sid, 1)
    lines = await write_numbers(worker, sid, range(100))
    tab = await open_log(open_tab, f"{server.url}/s/{sid}")
    await tab.until_texts(f"{PANEL} .log-text", lines)
    await tab.until(AT_END)
    lines += await write_numbers(worker, sid, range(100, 110))
    await tab.until_texts(f"{PANEL} .log-text", lines)
    await tab.until(AT_END)
    await tab.evaluate(f"document.querySelector('{PANEL} .log-rows').scrollTo(0, 100)")
    await tab.until(f"!document.querySelector('{PANEL} .log-end').hidden")
    lines += await write_numbers(worker, sid, range(110, 120))
    await tab.until_texts(f"{PANEL} .log-text", lines)
    assert await tab.evaluate(f"document.querySelector('{PANEL} .log-rows').scrollTop") == 100
    await tab.click(f"{PANEL} .log-end")
    await tab.until(AT_END)


@pytest.mark.guarantee("O")
async def test_a_tracker_hands_on_each_line_once_across_reconnects(
    proxy: ChaosProxy, pages: Path, worker: Worker, open_tab: OpenTab, sid: str
) -> None:
    """In order, also those that were written while the connection was broken; those that are not kept are counted."""
    await worker.start(sid, 1)
    written = await write_numbers(worker, sid, range(5))
    tab = await open_tab(f"http://localhost:{proxy.port}{write_following_page(pages, sid)}")
    await tab.evaluate(FOLLOWING)
    await tab.until(f"lines.length === {len(written)}")
    for _ in range(3):
        proxy.cut()
        written += await write_numbers(worker, sid, range(len(written), len(written) + 50))
        await tab.until(f"lines.length === {len(written)}")
    assert await tab.evaluate("[lines, missed]") == [written, []]
    proxy.refuse()
    proxy.cut()
    after = await write_numbers(worker, sid, range(len(written), len(written) + 30 + KEPT_LINES))
    await proxy.listen()
    await tab.until(f"lines.length === {len(written) + KEPT_LINES}")
    assert await tab.evaluate("[lines, missed, errors]") == [[*written, *after[-KEPT_LINES:]], [30], []]
