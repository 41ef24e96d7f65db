"""A bar by time, and the words about the end of a job."""

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from playwright.async_api import expect

from tests.browser.axe import axe_violations
from tests.browser.conftest import OpenPage
from tests.browser.page_driver import PageDriver
from tests.browser.stubbed_session import StubbedSession
from tests.harness.serving import Server, Worker

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS

EMBEDDING = """<!doctype html><html lang="{lang}"><meta charset="utf-8"><title>embedding</title>
<script type="module" src="/web/define.js"></script>
<main><h1>Jobs</h1><progress-steps session="{sid}" timeline></progress-steps></main>"""

LEARNED = [
    {"name": "Import", "learned": {"runs": 6, "p50_ms": 20 * MINUTE_MS, "p90_ms": 30 * MINUTE_MS}},
    {"name": "Index", "learned": {"runs": 6, "p50_ms": 40 * MINUTE_MS, "p90_ms": 50 * MINUTE_MS}},
]


def time_of(state: dict[str, Any], percentage: int, *minutes: int) -> dict[str, Any]:
    """The time of a session that ends so many minutes after its first step began: half of all runs, and nine of ten."""
    begin = datetime.fromisoformat(state["steps"][0]["started_at"])
    p50, p90 = ((begin + timedelta(minutes=each)).isoformat() for each in minutes)
    return {"percentage": percentage, "finish_at": {"p50": p50, "p90": p90}, "basis": "history", "runs": 6}


async def started(worker: Worker, session_id: str, **step: Any) -> dict[str, Any]:
    """A session of two steps, of which the first runs, as the server shows it."""
    await worker.create(session_id, steps=[{"name": "Import"} | step, {"name": "Index"} | step])
    await worker.start(session_id, 1)
    state: dict[str, Any] = await worker.poll(session_id)
    return state


async def test_the_bar_moves_by_time(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> None:
    """Evenly, without an update. Screen readers hear quarters. It waits for a step that takes longer."""
    session = await StubbedSession.open(await started(worker, sid, estimated_ms=HOUR_MS), server, open_page)
    shown, clock = session.shown, session.shown.page.clock
    region = shown.page.locator("[aria-live=polite][aria-atomic=true]")
    await expect(shown.bar).to_have_text("0%")
    await expect(shown.part("time-left")).to_have_text(re.compile(r"^done about \d\d:\d\d$"))
    await expect(shown.page.locator(".segment-end")).to_have_count(1)
    assert await shown.page.locator(".segment-end").evaluate("end => end.style.left") == "50%"

    await clock.fast_forward(30 * MINUTE_MS)
    await expect(shown.bar).to_have_text("25%")
    await expect(region).to_have_text(re.compile(r"^25 percent, done about \d\d:\d\d$"))
    await expect(shown.page).to_have_title(re.compile("^25% Import"))
    await clock.fast_forward(19 * MINUTE_MS + 12_000)
    await expect(shown.bar).to_have_text("41%")
    await expect(shown.progressbar).to_have_attribute("aria-valuenow", "25")

    await clock.fast_forward(20 * MINUTE_MS)
    await expect(shown.bar).to_have_text("50%")
    await expect(shown.part("time-left")).to_have_text("taking longer than expected")
    await expect(region).to_have_text("50 percent, taking longer than expected")
    await session.change(time=time_of(session.state, 90, 73, 75))
    await expect(shown.bar).to_have_text("90%")
    await expect(shown.part("time-left")).to_have_text(re.compile("^usually [34].[56] min left$"))
    await clock.fast_forward(10 * MINUTE_MS)
    await expect(shown.part("time-left")).to_have_text("taking longer than usual")
    await session.change(status="completed", time=session.state["time"] | {"percentage": 100, "finish_at": None})
    await expect(shown.bar).to_have_text("100%")
    await expect(shown.part("time-left")).to_be_empty()
    assert shown.errors == []


async def test_a_job_of_unknown_length_shows_no_number(worker: Worker, shown: PageDriver, sid: str) -> None:
    """Steps that declared nothing have no estimate, whatever the server counts for them."""
    async with shown.page.expect_response("**/api/steps") as response:
        assert (await started(worker, sid))["estimated_remaining_ms"] > 0
    await (await response.value).finished()
    await expect(shown.headline).to_have_text("Step 1 of 2: Import")
    await shown.next_frames()
    await expect(shown.part("time-left")).to_be_empty()
    await expect(shown.page.locator(".segment-end")).to_have_count(0)


@pytest.mark.parametrize(
    ("lang", "usual", "words"),
    [
        ("en", ", usually 20 min", re.compile("^usually 40.4[89] min left$")),
        pytest.param("ja", "、通常 20 分", re.compile("^通常、残り40.4[89] ?分$"), marks=pytest.mark.full),
    ],
)
async def test_earlier_runs_are_shown_behind_the_steps(
    server: Server, worker: Worker, open_page: OpenPage, sid: str, lang: str, usual: str, words: re.Pattern[str]
) -> None:
    """What was learned is asked once. The steps are segments, and their bars of time have what they usually take."""
    state = await started(worker, sid)
    state["time"] = time_of(state, 10, 60, 80)
    html = EMBEDDING.format(sid=sid, lang=lang)
    session = await StubbedSession.open(state, server, open_page, html, learned=LEARNED)
    shown = session.shown
    await expect(shown.page.locator(".segment-end")).to_have_count(1)
    await expect(shown.page.get_by_role("img", name=usual)).to_have_count(1)
    widths = [await shown.part(part).first.evaluate("e => e.offsetWidth") for part in ("timeline-expected", "timeline")]
    assert widths[0] == widths[1]
    state["steps"][0]["message"] = "row 1000"
    await session.change(time=time_of(state, 40, 60, 80))
    await expect(shown.part("message").first).to_have_text("row 1000")
    await shown.page.clock.fast_forward(31 * MINUTE_MS)
    await expect(shown.part("time-left")).to_have_text(words)
    assert [each for each in session.requests if "steps" in each] == ["GET /steps"]
    assert await axe_violations(shown) == []


async def test_the_number_of_the_bar_is_readable(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> None:
    """Also while the bar grows to its new length, and where a segment ends behind the number."""
    session = await StubbedSession.open(await started(worker, sid, estimated_ms=HOUR_MS), server, open_page)
    shown, state = session.shown, session.state
    number, ends = shown.bar.locator(".percent"), shown.page.locator(".segment-end")
    await expect(shown.bar).to_have_text("0%")
    await shown.bar.evaluate("bar => bar.style.transition = 'width 600s'")
    await session.change(time=time_of(state, 50, 100, 110))
    await expect(shown.bar).to_have_text("50%")
    assert await number.evaluate("number => number.offsetLeft >= 0")

    await shown.bar.evaluate("bar => bar.style.transition = 'none'")
    first, second = (step | {"status": "success"} for step in state["steps"])
    steps = [first | {"elapsed_ms": 940}, second | {"elapsed_ms": 60}]
    await session.change(status="completed", steps=steps, time=state["time"] | {"percentage": 100, "finish_at": None})
    await expect(shown.bar).to_have_text("100%")
    await expect(ends).to_have_count(1)
    with_end = await number.screenshot()
    await ends.evaluate("end => end.hidden = true")
    await expect(ends).to_be_hidden()
    assert await number.screenshot() == with_end
