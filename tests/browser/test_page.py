"""The page as a person sees it, driven by POSTs from another process."""

from __future__ import annotations

import re
import subprocess
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from urllib.parse import quote

import pytest
from playwright.async_api import Route, expect

from tests.browser.conftest import OpenPage
from tests.browser.page_driver import MARKUP, POLLING_ONLY, PageDriver
from tests.conftest import Serve
from tests.harness.chaos import ChaosProxy
from tests.harness.serving import Server, Worker, session_path

LAST_SOURCE = """
window.EventSource = class extends EventSource {
  constructor(...args) { super(...args); window.source = this; }
};
"""
"""Runs before the page's scripts: records the latest EventSource of the page."""


def page_of(server: Server, session_id: str) -> str:
    """The page of a session."""
    return f"{server.url}/s/{quote(session_id, safe='')}"


def run(command: str, **environment: str) -> None:
    """Run a line as if it were pasted into a shell."""
    result = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, timeout=30, env={"PATH": "/usr/bin:/bin", **environment}
    )
    assert '"success":true' in result.stdout.replace(" ", ""), result


async def texts(open_page: PageDriver, selector: str) -> list[str]:
    """The texts of the elements, unchanged."""
    return await open_page.page.locator(selector).all_text_contents()


async def test_page_moves_when_another_process_posts(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """It follows from before the start to the end; nothing loads from another origin, and the console has no errors."""
    shown = await open_page(page_of(server, sid))
    await expect(shown.headline).to_have_text("Waiting for the job to start")
    await expect(shown.connection).to_have_text("live")
    await expect(shown.bar).to_have_text("0%")
    await expect(shown.progressbar).not_to_have_attribute("aria-valuenow", re.compile(""))

    await worker.start(sid, 1)
    await expect(shown.headline).to_have_text("Step 1 of 7: 原稿生成")
    await expect(shown.step(1)).to_contain_text("🔄")
    await expect(shown.step(1)).to_have_attribute("aria-current", "step")
    await expect(shown.step(2)).to_have_text("⏳ メニュー登録 ")
    await worker.complete(sid, 1, message="12 件")
    await expect(shown.step(1)).to_have_text(re.compile(r"^✅ 原稿生成 \(\d+\.\ds\)12 件$"))
    await expect(shown.bar).to_have_text("14%")
    await expect(shown.progressbar).to_have_attribute("aria-valuenow", "14")
    assert await shown.bar_width() == "14%"

    for step in range(2, 8):
        await worker.start(sid, step)
        await worker.complete(sid, step)
    await expect(shown.headline).to_have_text("Completed")
    await expect(shown.bar).to_have_text("100%")
    await expect(shown.connection).to_have_text("finished")
    assert shown.complaints == []
    assert [url for url in shown.requests if not url.startswith((f"{server.url}/", "data:"))] == []


@pytest.mark.parametrize("status", [0, 403], ids=["no answer", "no access"])
async def test_the_bar_is_empty_without_a_state(server: Server, open_page: OpenPage, sid: str, status: int) -> None:
    """This holds before the first response, and where there will be none."""
    shown = await open_page("about:blank")

    async def answer(route: Route) -> None:
        if status:
            await route.fulfill(status=status)

    await shown.page.route("**/api/**", answer)
    await shown.page.goto(page_of(server, sid))
    headline = "You are not allowed to see this job" if status else "Connecting"
    await expect(shown.headline).to_have_text(headline)
    await expect(shown.bar).to_have_text("0%")
    assert await shown.bar.evaluate("bar => bar.getBoundingClientRect().width") == 0
    await expect(shown.progressbar).not_to_have_attribute("aria-valuenow", re.compile(""))


async def test_bar_gets_its_name_from_the_page(server: Server, open_page: OpenPage, sid: str) -> None:
    """A screen reader reads the bar's session."""
    shown = await open_page(page_of(server, sid))
    await expect(shown.progressbar).to_have_accessible_name("Progress of the job")


async def test_running_step_ticks(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> None:
    """It is drawn each second without a report of the worker; the tracker alone would draw it every other second."""
    shown = await open_page(page_of(server, sid))
    await worker.start(sid, 1)
    await expect(shown.step(1)).to_contain_text("s)")
    ticks = await shown.evaluate(
        """() => new Promise((resolve) => {
            const elapsed = document.querySelector("#step-list .elapsed");
            const ticks = new Set();
            new MutationObserver(() => {
                ticks.add(parseInt(elapsed.textContent.slice(1)));
                if (ticks.size === 4) resolve([...ticks]);
            }).observe(elapsed, {childList: true});
        })"""
    )
    assert 1 in {later - earlier for earlier, later in pairwise(ticks)}


async def test_shown_times_follow_the_servers_clock(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """A visitor's clock may be wrong. Digits have equal widths, so that a change moves no text."""
    shown = await open_page("about:blank")
    await shown.page.clock.install(time=datetime.now(UTC) + timedelta(hours=1))
    await shown.page.goto(page_of(server, sid))
    await expect(shown.connection).to_have_text("live")
    await worker.start(sid, 1)
    await expect(shown.step(1)).to_have_text(re.compile(r"^🔄 原稿生成 \(\ds\)$"))
    await expect(shown.shown("time-left")).to_have_text("about 4 min left")
    await expect(shown.shown("note")).to_be_hidden()
    assert await shown.shown("elapsed").first.evaluate("e => getComputedStyle(e).fontVariantNumeric") == "tabular-nums"


async def test_a_short_interruption_leaves_the_badge_as_it_is(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """The badge does not change if the connection is back within two seconds."""
    async with ChaosProxy(server.port) as proxy:
        shown = await open_page(f"http://127.0.0.1:{proxy.port}/s/{sid}", scripts=(LAST_SOURCE,))
        await expect(shown.connection).to_have_text("live")
        await shown.evaluate(
            """() => {
                window.said = [];
                window.trouble = 0;
                source.addEventListener("error", () => { trouble += 1; });
                const badge = document.getElementById("connection");
                new MutationObserver(() => said.push(badge.textContent)).observe(badge, {childList: true});
            }"""
        )
        for link in proxy.links:
            link.close()
        await worker.start(sid, 1)
        await expect(shown.step(1)).to_contain_text("🔄")
        assert await shown.evaluate("[trouble, said]") == [1, []]


async def test_the_shown_commands_move_the_visitors_own_session(server: Server, open_page: OpenPage) -> None:
    """The session on `/` outlives a reload; pasted commands move its bar, step by step."""
    shown = await open_page(server.url)
    session_id = await shown.page.locator("#session-id").inner_text()
    assert re.fullmatch(r"[0-9a-z]{4}(-[0-9a-z]{4}){2}", session_id)
    assert shown.page.url == page_of(server, session_id)
    await expect(shown.headline).to_have_text("Waiting for the job to start")
    start = await shown.offered("start")
    assert start == (
        f"curl -X POST {server.url}/api/progress/{session_id}/update"
        """ -H 'Content-Type: application/json' -d '{"action":"start","step":1}'"""
    )
    run(start)
    await expect(shown.headline).to_contain_text("Step 1 of 7")
    run(await shown.offered("complete"))
    await expect(shown.bar).to_have_text("14%")
    await expect(shown.command).to_contain_text('"action":"start","step":2')

    await shown.page.reload()
    await expect(shown.bar).to_have_text("14%")
    assert await shown.page.locator("#session-id").inner_text() == session_id
    assert shown.complaints == []


async def test_two_visitors_get_two_sessions(server: Server, open_page: OpenPage) -> None:
    """A visitor that comes again gets another one, too."""
    first, second = await open_page(server.url), await open_page(server.url)
    assert first.page.url != second.page.url


async def test_commands_take_the_token_from_the_environment(serve: Serve, open_page: OpenPage) -> None:
    """Where workers need a token the page says so, without knowing it."""
    server = serve(publish_token="s3cret")
    shown = await open_page(server.url)
    await expect(shown.page.locator(".token-hint")).to_be_visible()
    start = await shown.offered("start")
    assert '-H "Authorization: Bearer $PROGRESS_SSE_TOKEN"' in start
    assert "s3cret" not in await shown.page.content()
    run(start, PROGRESS_SSE_TOKEN="s3cret")
    run(await shown.offered("complete"), PROGRESS_SSE_TOKEN="s3cret")
    await expect(shown.bar).to_have_text("14%")


@pytest.mark.parametrize(
    "script", ["", "Object.defineProperty(navigator, 'clipboard', {value: undefined})"], ids=["secure", "insecure"]
)
async def test_copy_copies_the_command(server: Server, open_page: OpenPage, script: str) -> None:
    """It does so in a secure context, and over plain HTTP, where there is no clipboard interface."""
    shown = await open_page(server.url, scripts=(script,), permissions=["clipboard-read", "clipboard-write"])
    button = shown.page.get_by_role("button", name="Copy: Start step 1")
    await button.click()
    await expect(button).to_have_text("Copied")
    await shown.evaluate("document.body.append(document.createElement('textarea'))")
    pasted = shown.page.locator("textarea")
    await pasted.press("Control+V")
    assert await pasted.input_value() == await shown.offered("start")
    await expect(button).to_have_text("Copy")


@pytest.mark.parametrize("scripts", [(), (POLLING_ONLY,)], ids=["stream", "polling"])
async def test_texts_of_workers_are_text(
    server: Server, worker: Worker, open_page: OpenPage, sid: str, scripts: tuple[str, ...]
) -> None:
    """SE-11: markup in names, messages and errors is shown as written, and cannot reverse its neighbours."""
    shown = await open_page(page_of(server, sid), scripts=scripts)
    elements = await shown.evaluate("document.querySelectorAll('img, svg, script, iframe, a').length")
    await worker.create(sid, steps=[{"name": text} for text in MARKUP])
    for step, text in enumerate(MARKUP, 1):
        await worker.start(sid, step)
        await worker.complete(sid, step, success=step < len(MARKUP), message=text, error=text)
    await expect(shown.headline).to_have_text("Failed at step 5")
    assert await texts(shown, "#step-list .name") == MARKUP
    assert await texts(shown, "#step-list .message") == MARKUP
    assert await texts(shown, "#failure pre") == MARKUP[-1:]
    assert await texts(shown, "#failure p bdi") == ["5", MARKUP[-1]]
    assert await shown.evaluate("document.querySelectorAll('img, svg, script, iframe, a').length") == elements
    holders = "#step-list .name, #step-list .message, #failure bdi"
    isolation = await shown.page.locator(holders).evaluate_all("all => all.map(e => getComputedStyle(e).unicodeBidi)")
    assert len(isolation) > 2 * len(MARKUP)
    assert set(isolation) == {"isolate"}
    assert shown.complaints == []


async def test_session_id_is_text_too(server: Server, worker: Worker, open_page: OpenPage) -> None:
    """Its page and the commands find it, whatever characters it contains."""
    session_id = """<b>it's "100%" ?#&+ $HOME `id` 原稿"""
    shown = await open_page(page_of(server, session_id))
    assert await shown.page.locator("#session-id").inner_text() == session_id
    run(await shown.offered("start"))
    run(await shown.offered("complete"))
    await expect(shown.bar).to_have_text("14%")
    assert (await worker.poll(session_id))["percentage"] == 14


async def test_a_bare_percent_sign_in_the_address_stands_for_itself(
    server: Server, worker: Worker, open_page: OpenPage
) -> None:
    """People type addresses; the server reads them in the same way."""
    shown = await open_page(f"{server.url}/s/100% sure")
    assert await shown.page.locator("#session-id").inner_text() == "100% sure"
    await worker.start("100% sure", 1)
    await worker.complete("100% sure", 1)
    await expect(shown.bar).to_have_text("14%")
    assert shown.complaints == []


async def test_a_failure_is_shown_until_a_retry(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> None:
    """An alert has the step and its text with line breaks; at 100 percent the bar does not look done."""
    shown = await open_page(page_of(server, sid))
    await worker.create(sid, total_steps=1)
    await expect(shown.headline).to_have_text("About to start")
    await worker.start(sid, 1)
    await worker.complete(sid, 1, success=False, message="gave up", error="line 1\n  line 2")
    await expect(shown.bar).to_have_text("100%")
    await expect(shown.headline).to_have_text("Failed at step 1")
    alert = shown.page.get_by_role("alert")
    await expect(alert).to_contain_text("Step 1, 原稿生成, failed")
    assert await alert.locator("pre").inner_text() == "line 1\n  line 2"
    await expect(shown.step(1)).to_contain_text("❌")
    await expect(shown.connection).to_have_text("live")
    failed_look = await shown.bar.evaluate("bar => getComputedStyle(bar).backgroundImage")

    await worker.start(sid, 1)
    await expect(alert).to_be_empty()
    await expect(shown.bar).to_have_text("0%")
    await worker.complete(sid, 1)
    await expect(shown.headline).to_have_text("Completed")
    assert await shown.bar.evaluate("bar => getComputedStyle(bar).backgroundImage") != failed_look


async def test_deleted_session_is_waited_for(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> None:
    """It is shown as before its start, and it may start again."""
    shown = await open_page(page_of(server, sid))
    await worker.start(sid, 1)
    await expect(shown.steps).to_have_count(7)
    await worker.delete(sid)
    await expect(shown.headline).to_have_text("Waiting for the job to start")
    await expect(shown.steps).to_have_count(0)
    await worker.create(sid, total_steps=3)
    await expect(shown.steps).to_have_count(3)


async def test_polling_client_sees_the_same_numbers(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """A browser without streams shows the same as one with them, and as the polled state."""
    streaming = await open_page(page_of(server, sid))
    polling = await open_page(page_of(server, sid), scripts=(POLLING_ONLY,))
    await expect(polling.connection).to_have_text("updating every 2 s")
    for step in (1, 2, 3):
        await worker.start(sid, step)
        await worker.complete(sid, step, success=step != 2)
    polled = await worker.poll(sid)
    for shown in (streaming, polling):
        await expect(shown.bar).to_have_text(f"{polled['percentage']}%")
        await expect(shown.headline).to_have_text("Failed at step 2")
    assert await texts(streaming, "#step-list > li") == await texts(polling, "#step-list > li")
    assert not any(url.endswith("/events?heartbeat=event") for url in polling.requests)
    assert polling.complaints == []


async def test_page_speaks_japanese(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> None:
    """A browser that prefers Japanese gets it."""
    shown = await open_page(page_of(server, sid), locale="ja-JP")
    await expect(shown.headline).to_have_text("ジョブの開始を待っています")
    await expect(shown.page.locator("html")).to_have_attribute("lang", "ja")
    await expect(shown.connection).to_have_text("ライブ")
    await worker.start(sid, 1)
    await expect(shown.headline).to_have_text("ステップ 1 / 7「原稿生成」")


async def test_japanese_breaks_between_phrases(server: Server, open_page: OpenPage, sid: str) -> None:
    """自動で動きます is not broken at any width of a phone."""
    shown = await open_page(page_of(server, sid), locale="ja-JP", viewport={"width": 320, "height": 700})
    await expect(shown.shown("counted")).to_have_text("ワーカーから報告があると、このページは自動で動きます。")
    for width in range(320, 430, 10):
        await shown.page.set_viewport_size({"width": width, "height": 700})
        lines = await shown.shown("counted").evaluate(
            """counted => {
                const text = counted.firstChild, range = document.createRange();
                range.setStart(text, text.data.indexOf("自動で"));
                range.setEnd(text, text.data.indexOf("自動で") + 3);
                return range.getClientRects().length;
            }"""
        )
        assert lines == 1, width


async def test_stacked_combining_marks_cover_no_neighbours(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """SE-11: combining characters exceed their line; the steps above and below look the same."""
    shown = await open_page(page_of(server, sid))
    pictures = []
    for piled in ("", "\u0334" + "\u0319\u0324\u031e\u0349\u035a\u032f\u0320\u034d" * 5):
        await worker.client.delete(session_path(sid))
        await worker.create(sid, steps=[{"name": "above " * 9}, {"name": f"Z{piled}" * 9}, {"name": "below " * 9}])
        await expect(shown.step(2).locator(".name")).to_have_text(f"Z{piled}" * 9)
        await shown.next_frames()
        pictures.append([await shown.step(step).locator(".name").screenshot() for step in (1, 3)])
    assert pictures[0] == pictures[1]


@pytest.mark.parametrize("width", [320, 390, 1280])
async def test_nothing_overflows_sideways(
    server: Server, worker: Worker, open_page: OpenPage, sid: str, width: int
) -> None:
    """This holds on a small phone and with very long words."""
    shown = await open_page(page_of(server, sid), viewport={"width": width, "height": 700})
    await expect(shown.page.locator("#drive")).to_be_visible()
    await worker.create(sid, steps=[{"name": "n" * 300}, {"name": "short"}])
    await worker.start(sid, 1)
    await worker.complete(sid, 1, success=False, message="m" * 300, error="e" * 300)
    await expect(shown.page.get_by_role("alert")).to_contain_text("eee")
    inside: dict[str, Any] = await shown.evaluate(
        "({scroll: document.documentElement.scrollWidth, client: document.documentElement.clientWidth})"
    )
    assert inside["scroll"] <= inside["client"]


async def test_badge_leaves_the_bar_in_its_place(server: Server, open_page: OpenPage) -> None:
    """This holds on a phone, too, where a longer text takes the space of the session's id."""
    shown = await open_page(page_of(server, "nightly-import-of-orders"), viewport={"width": 390, "height": 844})
    await expect(shown.connection).to_have_text("live")
    top = "document.querySelector('.card').getBoundingClientRect().top"
    before = await shown.evaluate(top)
    await shown.connection.evaluate("badge => { badge.textContent = 'updating every 2 s'; }")
    assert await shown.evaluate(top) == before


async def test_milestones_are_announced_and_clocks_are_not(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """A polite live region has the milestones, without the first state; the progressbar is no live region."""
    shown = await open_page(page_of(server, sid))
    region = shown.page.locator("[aria-live=polite][aria-atomic=true]")
    await expect(shown.headline).to_have_text("Waiting for the job to start")
    await expect(region).to_be_empty()
    await worker.start(sid, 1)
    await expect(region).to_have_text("Step 1 of 7: 原稿生成")
    assert await shown.page.locator("[aria-live]").count() == 1


async def test_reduced_motion_is_honoured(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> None:
    """No decorative motion is left."""
    shown = await open_page(page_of(server, sid), reduced_motion="reduce")
    await worker.start(sid, 1)
    await expect(shown.step(1)).to_contain_text("🔄")
    moving = "document.getAnimations().filter(animation => animation.playState === 'running').length"
    assert await shown.evaluate(moving) == 0


async def test_progress_within_a_step_is_shown_where_its_worker_reported_it(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """There are a thin bar and the numbers; without a total, the number alone."""
    shown = await open_page(page_of(server, sid))
    await worker.start(sid, 1)
    await expect(shown.step(1)).to_contain_text("🔄")
    await expect(shown.step(1).locator(".inside")).to_be_hidden()
    await worker.progress(sid, 1, 0, message="looking around")
    await expect(shown.step(1)).to_contain_text("looking around")
    await expect(shown.step(1).locator(".inside")).to_be_hidden()
    await worker.progress(sid, 1, 3120, total=8000, message="rows")
    await expect(shown.step(1).locator(".count")).to_have_text("3,120 / 8,000")
    filled = shown.step(1).locator(".gauge-fill")
    assert await filled.evaluate("fill => fill.style.width") == "39%"
    await worker.progress(sid, 1, 3200)
    await expect(shown.step(1).locator(".count")).to_have_text("3,200")
    assert await filled.evaluate("fill => fill.style.width") == ""
    assert "linear-gradient" in await filled.evaluate("fill => getComputedStyle(fill).backgroundImage")
    await worker.complete(sid, 1)
    await expect(shown.step(1).locator(".inside")).to_be_hidden()


async def test_time_left_is_shown_also_to_a_late_visitor(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """It includes the running step's estimate, which is sent only at the step's start."""
    shown = await open_page(page_of(server, sid))
    await worker.create(sid)
    await worker.start(sid, 1)
    await expect(shown.shown("time-left")).to_have_text("about 4 min left")
    late = await open_page(page_of(server, sid))
    await expect(late.shown("time-left")).to_have_text("about 4 min left")
    assert late.complaints == []


async def test_past_the_estimate_there_is_no_number(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """The remaining time of a late step is unknown."""
    shown = await open_page(page_of(server, sid))
    await worker.create(sid, steps=[{"name": "n", "estimated_ms": 500}, {"name": "m", "estimated_ms": 60_000}])
    await expect(shown.headline).to_have_text("About to start")
    await worker.start(sid, 1)
    await expect(shown.shown("time-left")).to_have_text("taking longer than usual")
    await worker.complete(sid, 1)
    await worker.start(sid, 2)
    await expect(shown.shown("time-left")).to_have_text("about 1 min left")
    await worker.complete(sid, 2)
    await expect(shown.shown("time-left")).to_have_text(re.compile(r"^in \d+ sec$"))


async def test_step_over_its_limit_says_so(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> None:
    """It does so by the server's clock, without a report of the worker."""
    shown = await open_page(page_of(server, sid))
    await worker.start(sid, 1, timeout_ms=1000)
    await expect(shown.step(1)).to_contain_text("over its limit of 0:01")
    await worker.complete(sid, 1)
    await expect(shown.step(1)).not_to_contain_text("over its limit")


async def test_silence_of_a_running_job_is_shown(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> None:
    """It is shown after 30 seconds, and the bar stops looking alive, until the next report."""
    alive = "document.getAnimations().filter(({ effect }) => effect.target.closest('.card')).length"
    shown = await open_page(f"{server.url}/livez", scripts=(POLLING_ONLY,))
    await shown.page.clock.install()
    await worker.start(sid, 1)
    await shown.page.goto(page_of(server, sid))
    await expect(shown.bar).to_have_text("0%")
    await expect(shown.shown("note")).to_be_hidden()
    await worker.progress(sid, 1, 1)
    await shown.until(f"{alive} >= 4")
    await shown.page.clock.fast_forward(34_000)
    await expect(shown.shown("note")).to_have_text(re.compile(r"^no update for 3\d sec$"))
    await shown.until(f"{alive} === 0")
    await worker.progress(sid, 1, 2)
    await shown.page.clock.fast_forward(3000)
    await expect(shown.shown("note")).to_be_hidden()


async def test_bar_goes_back_at_a_retry_and_says_so(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """Only a retry sets it back: a worker that counts anew within its step does not."""
    shown = await open_page(page_of(server, sid))
    await worker.create(sid, total_steps=2)
    await worker.start(sid, 1)
    await worker.progress(sid, 1, 80, total=100)
    await expect(shown.bar).to_have_text("40%")
    await worker.progress(sid, 1, 10, total=100, message="second pass")
    await expect(shown.step(1)).to_contain_text("second pass")
    await expect(shown.bar).to_have_text("40%")
    await worker.complete(sid, 1, success=False)
    await expect(shown.bar).to_have_text("50%")
    await worker.start(sid, 1)
    await expect(shown.bar).to_have_text("0%")
    await expect(shown.shown("note")).to_have_text("Step 1 is being tried again, so the bar went back")
    await worker.complete(sid, 1)
    await expect(shown.shown("note")).to_be_hidden()


async def test_a_full_bar_does_not_look_done_before_the_end(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """The step has reached its total and still runs."""
    shown = await open_page(page_of(server, sid))
    await worker.create(sid, total_steps=1)
    await worker.start(sid, 1)
    await worker.progress(sid, 1, 10, total=10)
    await expect(shown.bar).to_have_text("99%")
    await worker.complete(sid, 1)
    await expect(shown.bar).to_have_text("100%")


async def test_title_and_icon_show_the_state(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> None:
    """They show the percentage, the running step, and the outcome, also from another tab."""
    shown = await open_page(page_of(server, sid))
    await expect(shown.page).to_have_title(f"… \N{EN DASH} {sid}")
    await worker.start(sid, 1)
    await worker.complete(sid, 1)
    await worker.start(sid, 2)
    await expect(shown.page).to_have_title(f"14% メニュー登録 \N{EN DASH} {sid}")
    icon = "document.getElementById('favicon').href"
    running = await shown.evaluate(icon)
    assert running.startswith("data:image/svg+xml,")
    await worker.complete(sid, 2, success=False)
    await expect(shown.page).to_have_title(f"✗ \N{EN DASH} {sid}")
    failed = await shown.evaluate(icon)
    for step in range(2, 8):
        await worker.start(sid, step)
        await worker.complete(sid, step)
    await expect(shown.page).to_have_title(f"✓ \N{EN DASH} {sid}")
    assert len({running, failed, await shown.evaluate(icon)}) == 3
    assert shown.complaints == []


async def test_several_jobs_are_on_one_page(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> None:
    """Each has its bar, its steps and its name, and moves independently."""
    names = [f"{sid}-{letter}" for letter in "ab"]
    shown = await open_page(f"{server.url}/?session_id={names[0]}&session_id={names[1]}")
    await expect(shown.headline).to_have_text("2 jobs")
    await expect(shown.shown("session-id")).to_have_text(names)
    await worker.create(names[0], total_steps=2)
    await worker.create(names[1], total_steps=4)
    for name in names:
        await worker.start(name, 1)
        await worker.complete(name, 1)
    await expect(shown.shown("percent")).to_have_text(["50%", "25%"])
    await expect(shown.page).to_have_title("37% \N{EN DASH} 2 jobs")
    await expect(shown.page.locator("#drive")).to_be_hidden()
    streams = [url for url in shown.requests if "/events?" in url]
    assert len(streams) == 1
    assert all(f"session_id={name}" in streams[0] for name in names)
    assert shown.complaints == []


async def test_recent_sessions_are_offered_at_the_start(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """They are the sessions that existed; one that was never started is not offered."""
    await worker.start(sid, 1)
    shown = await open_page(server.url)
    await expect(shown.page.locator("#recent")).to_be_hidden()
    await shown.page.goto(page_of(server, sid))
    await expect(shown.headline).to_contain_text("Step 1")
    await shown.page.goto(server.url)
    await expect(shown.page.locator("#recent a")).to_have_text([sid])
    await shown.page.locator("#recent a").click()
    await expect(shown.headline).to_contain_text("Step 1")
    assert shown.page.url == page_of(server, sid)


async def test_the_page_works_without_storage(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> None:
    """A browser may deny storage by an exception."""
    denied = "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('denied'); }})"
    shown = await open_page(server.url, scripts=(denied,))
    await expect(shown.headline).to_have_text("Waiting for the job to start")
    await shown.page.goto(page_of(server, sid))
    await worker.start(sid, 1)
    await expect(shown.headline).to_contain_text("Step 1")
    assert shown.complaints == []


async def test_the_timeline_is_drawn_and_has_a_table(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """Each started step has a bar; the running one grows, and a closed timeline is up to date when reopened."""
    shown = await open_page(page_of(server, sid))
    await worker.create(sid, steps=[{"name": "原稿生成"}, {"name": "メニュー登録"}])
    await worker.start(sid, 1)
    await worker.complete(sid, 1)
    await worker.start(sid, 2)
    bars = shown.page.locator(".timeline-chart rect")
    await expect(bars).to_have_count(2)
    rows = shown.page.get_by_role("table", name="Timeline").get_by_role("row")
    await expect(rows).to_have_count(3)
    await expect(rows.nth(1)).to_have_text(re.compile(r"原稿生成done\d.*sec"))
    await expect(rows.nth(2)).to_have_text(re.compile(r"メニュー登録running"))
    width = await bars.nth(1).get_attribute("width")
    await expect(bars.nth(1)).not_to_have_attribute("width", width or "")
    summary = shown.page.locator("summary", has_text="Timeline")
    await summary.click()
    await worker.complete(sid, 2)
    await expect(shown.headline).to_have_text("Completed")
    await summary.click()
    await expect(rows.nth(2)).to_have_text(re.compile(r"メニュー登録done"))


async def test_failure_can_be_copied(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> None:
    """The copied text has the step, for a bug report. There is no Retry, since the page cannot do it."""
    shown = await open_page(page_of(server, sid), permissions=["clipboard-read", "clipboard-write"])
    await worker.start(sid, 1)
    await worker.complete(sid, 1, success=False, error="line 1\n  line 2")
    await shown.page.locator(".failure").get_by_role("button", name="Copy").click()
    await expect(shown.page.locator(".failure .copy")).to_have_text("Copied")
    assert await shown.evaluate("navigator.clipboard.readText()") == "Step 1, 原稿生成, failed\nline 1\n  line 2"
    await expect(shown.page.get_by_role("button", name="Retry")).to_be_hidden()


@pytest.mark.full
async def test_the_end_is_notified_where_the_visitor_asked_for_it(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """Others get none, nor does a visible page. The button asks the browser for permission."""
    stub = """
        window.asked = 0;
        window.notified = [];
        document.hasFocus = () => window.isLooking ?? false;
        window.Notification = class {
            static permission = "default";
            static async requestPermission() { asked += 1; return this.permission = "granted"; }
            constructor(...args) { if (Notification.permission === "granted") notified.push(args); }
            close() {}
        };
    """
    asking, looking, other = [await open_page(page_of(server, sid), scripts=(stub,)) for _ in range(3)]
    assert await asking.evaluate("asked") == 0
    for shown in (asking, looking):
        await shown.page.get_by_role("button", name="Notify me when it ends").click()
        await expect(shown.page.locator("#notify")).to_have_text("You will be notified")
    await looking.evaluate("window.isLooking = true")
    await worker.create(sid, total_steps=1)
    await worker.start(sid, 1)
    await worker.complete(sid, 1)
    for shown in (asking, looking, other):
        await expect(shown.headline).to_have_text("Completed")
    assert await asking.evaluate("notified") == [["Completed", {"body": sid, "tag": sid}]]
    assert await looking.evaluate("notified") == []
    assert await other.evaluate("[asked, notified.length]") == [0, 0]


async def test_no_notification_is_offered_where_a_page_cannot_give_one(
    server: Server, open_page: OpenPage, sid: str
) -> None:
    """In Chromium on Android the class exists and its constructor throws."""
    stub = "window.Notification = class { static permission = 'default'; constructor() { throw new TypeError(); } }"
    shown = await open_page(page_of(server, sid), scripts=(stub,))
    await expect(shown.connection).to_have_text("live")
    await expect(shown.page.locator("#notify")).to_be_hidden()
    assert shown.complaints == []


async def test_page_is_light(server: Server, open_page: OpenPage, sid: str) -> None:
    """It loads two files; 60 KB take a second on a slow line."""
    shown = await open_page(page_of(server, sid))
    await expect(shown.connection).to_have_text("live")
    sizes = await shown.evaluate(
        """Object.fromEntries(["navigation", "resource"].flatMap((type) => performance.getEntriesByType(type))
            .map((entry) => [entry.name, entry.transferSize]))"""
    )
    names = {re.sub("-[0-9a-f]{16}", "", name.removeprefix(server.url)) for name in sizes}
    assert names == {f"/s/{sid}", "/web/page.css", "/web/page.js"}
    assert 10_000 < sum(sizes.values()) <= 60 * 1024, sizes


async def test_the_document_changes_once_per_frame(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """The rate of updates does not matter."""
    shown = await open_page(page_of(server, sid), scripts=(LAST_SOURCE,))
    await worker.start(sid, 1)
    await expect(shown.step(1)).to_contain_text("🔄")
    writes, frames, last = await shown.evaluate(
        """async (polled) => {
            const { steps, ...session } = polled;
            let writes = 0, frames = 0, sent = 0;
            new MutationObserver(() => { writes += 1; })
                .observe(document.getElementById("page"), {subtree: true, childList: true, characterData: true});
            const frame = () => { frames += 1; requestAnimationFrame(frame); };
            requestAnimationFrame(frame);
            const { port1, port2 } = new MessageChannel();
            await new Promise((resolve) => {
                port1.onmessage = () => {
                    sent += 1;
                    const data = JSON.stringify({step: {...steps[0], message: `no. ${sent}`}, session});
                    source.dispatchEvent(new MessageEvent("step", {data, lastEventId: `x-${sent}`}));
                    if (sent < 500) port2.postMessage(0); else resolve();
                };
                port2.postMessage(0);
            });
            await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
            return [writes, frames, document.querySelector("#step-list .message").textContent];
        }""",
        await worker.poll(sid),
    )
    assert last == "no. 500"
    assert 0 < writes <= frames + 1


async def test_the_bar_glides_except_to_missed_changes(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """After an outage the bar jumps to the missed state, without a transition that would draw attention."""
    async with ChaosProxy(server.port) as proxy:
        shown = await open_page(f"http://127.0.0.1:{proxy.port}/s/{sid}")
        await shown.evaluate(
            """() => {
                window.glided = 0;
                document.getElementById("progress-bar").addEventListener("transitionrun", () => { glided += 1; });
            }"""
        )
        await worker.start(sid, 1)
        await expect(shown.step(1)).to_contain_text("🔄")
        await worker.complete(sid, 1)
        await expect(shown.bar).to_have_text("14%")
        await shown.until("glided === 1")
        for link in proxy.links:
            link.close()
        await worker.start(sid, 2)
        await worker.complete(sid, 2)
        await expect(shown.bar).to_have_text("28%")
        await shown.next_frames()
        assert await shown.evaluate("glided") == 1
