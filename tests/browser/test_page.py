"""What a person sees on the page, driven by POSTs from another process."""

from __future__ import annotations

import re
import subprocess
from itertools import pairwise
from typing import Any
from urllib.parse import quote

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Open
from tests.browser.visit import POLLING_ONLY, Visit
from tests.conftest import Serve
from tests.harness.serving import Server, Worker

MARKUP = [
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    '"><script>alert(1)</script>',
    "javascript:alert(1) {{7*7}} ${7*7} &amp;",
    "abc \u202e\u2069 def",
]


def page_of(server: Server, session_id: str) -> str:
    """The page of a session."""
    return f"{server.url}/s/{quote(session_id, safe='')}"


def run(command: str, **environment: str) -> None:
    """Run a line as somebody does who pasted it into a shell."""
    result = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, timeout=30, env={"PATH": "/usr/bin:/bin", **environment}
    )
    assert '"success":true' in result.stdout.replace(" ", ""), result


async def texts(visit: Visit, selector: str) -> list[str]:
    """What the elements hold, as it was written."""
    return await visit.page.locator(selector).all_text_contents()


async def test_page_moves_when_another_process_posts(server: Server, worker: Worker, visit: Open, sid: str) -> None:
    """From before the job starts until it is done; nothing comes from elsewhere, and nothing is complained about."""
    shown = await visit(page_of(server, sid))
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


async def test_bar_gets_its_name_from_the_page(server: Server, visit: Open, sid: str) -> None:
    """A screen reader says whose bar it is."""
    shown = await visit(page_of(server, sid))
    await expect(shown.progressbar).to_have_accessible_name("Progress of the job")


async def test_running_step_ticks(server: Server, worker: Worker, visit: Open, sid: str) -> None:
    """Each second, without a word from the worker; the client alone would have it drawn every other second."""
    shown = await visit(page_of(server, sid))
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


async def test_own_session_of_a_visitor_is_moved_by_the_commands_shown(server: Server, visit: Open) -> None:
    """On `/` there is a session of its own, which outlives a reload; pasted commands move its bar, step by step."""
    shown = await visit(server.url)
    session_id = await shown.page.locator("#session-id").inner_text()
    assert re.fullmatch(r"[0-9a-z]{4}(-[0-9a-z]{4}){2}", session_id)
    assert shown.page.url == page_of(server, session_id)
    await expect(shown.headline).to_have_text("Waiting for the job to start")
    start, complete = await shown.commands()
    assert start == (
        f"curl -X POST {server.url}/api/progress/{session_id}/update"
        """ -H 'Content-Type: application/json' -d '{"action":"start","step":1}'"""
    )
    run(start)
    await expect(shown.headline).to_contain_text("Step 1 of 7")
    run(complete)
    await expect(shown.bar).to_have_text("14%")
    await expect(shown.page.locator("#commands code").first).to_contain_text('"step":2')

    await shown.page.reload()
    await expect(shown.bar).to_have_text("14%")
    assert await shown.page.locator("#session-id").inner_text() == session_id
    assert shown.complaints == []


async def test_two_visitors_get_two_sessions(server: Server, visit: Open) -> None:
    """And so does one who comes again."""
    first, second = await visit(server.url), await visit(server.url)
    assert first.page.url != second.page.url


async def test_commands_take_the_token_from_the_environment(serve: Serve, visit: Open) -> None:
    """Where workers need one the page says so; it does not know it."""
    server = serve(publish_token="s3cret")
    shown = await visit(server.url)
    await expect(shown.page.locator("#token-hint")).to_be_visible()
    start, complete = await shown.commands()
    assert '-H "Authorization: Bearer $PROGRESS_SSE_TOKEN"' in start
    assert "s3cret" not in await shown.page.content()
    run(start, PROGRESS_SSE_TOKEN="s3cret")
    run(complete, PROGRESS_SSE_TOKEN="s3cret")
    await expect(shown.bar).to_have_text("14%")


@pytest.mark.parametrize(
    "script", ["", "Object.defineProperty(navigator, 'clipboard', {value: undefined})"], ids=["secure", "insecure"]
)
async def test_copy_copies_the_command(server: Server, visit: Open, script: str) -> None:
    """In a secure context, and over plain HTTP on a network, where there is no clipboard interface."""
    shown = await visit(server.url, scripts=(script,), permissions=["clipboard-read", "clipboard-write"])
    button = shown.page.get_by_role("button", name="Copy: Complete step 1")
    await button.click()
    await expect(button).to_have_text("Copied")
    await shown.evaluate("document.body.append(document.createElement('textarea'))")
    pasted = shown.page.locator("textarea")
    await pasted.press("Control+V")
    assert await pasted.input_value() == (await shown.commands())[1]
    await expect(button).to_have_text("Copy")


@pytest.mark.parametrize("scripts", [(), (POLLING_ONLY,)], ids=["stream", "polling"])
async def test_what_workers_write_is_text(
    server: Server, worker: Worker, visit: Open, sid: str, scripts: tuple[str, ...]
) -> None:
    """SE-11: markup in names, messages and errors is shown as it was written, and cannot turn its neighbours round."""
    shown = await visit(page_of(server, sid), scripts=scripts)
    elements = await shown.evaluate("document.querySelectorAll('img, svg, script, iframe, a').length")
    await worker.create(sid, steps=[{"name": text} for text in MARKUP])
    for step, text in enumerate(MARKUP, 1):
        await worker.start(sid, step)
        await worker.complete(sid, step, success=step < len(MARKUP), message=text, error=text)
    await expect(shown.headline).to_have_text("Failed at step 5")
    assert await texts(shown, "#step-list .name") == MARKUP
    assert await texts(shown, "#step-list .message") == MARKUP
    assert await texts(shown, "#failure pre") == MARKUP[-1:]
    assert await shown.evaluate("document.querySelectorAll('img, svg, script, iframe, a').length") == elements
    holders = "#step-list .name, #step-list .message, #failure bdi"
    isolation = await shown.page.locator(holders).evaluate_all("all => all.map(e => getComputedStyle(e).unicodeBidi)")
    assert len(isolation) > 2 * len(MARKUP)
    assert set(isolation) == {"isolate"}
    assert shown.complaints == []


async def test_session_id_is_text_too(server: Server, worker: Worker, visit: Open) -> None:
    """Whatever it contains, its page finds it, and so do the commands."""
    session_id = """<b>it's "100%" ?#&+ $HOME `id` 原稿"""
    shown = await visit(page_of(server, session_id))
    assert await shown.page.locator("#session-id").inner_text() == session_id
    start, complete = await shown.commands()
    run(start)
    run(complete)
    await expect(shown.bar).to_have_text("14%")
    assert (await worker.poll(session_id))["percentage"] == 14


async def test_a_bare_percent_sign_in_the_address_stands_for_itself(
    server: Server, worker: Worker, visit: Open
) -> None:
    """People type addresses; the server reads it so too."""
    shown = await visit(f"{server.url}/s/100% sure")
    assert await shown.page.locator("#session-id").inner_text() == "100% sure"
    await worker.start("100% sure", 1)
    await worker.complete("100% sure", 1)
    await expect(shown.bar).to_have_text("14%")
    assert shown.complaints == []


async def test_failure_is_told_and_a_retry_takes_it_back(server: Server, worker: Worker, visit: Open, sid: str) -> None:
    """Which step, and its text with line breaks kept, in an alert; at 100 percent the bar does not look done."""
    shown = await visit(page_of(server, sid))
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


async def test_deleted_session_is_waited_for(server: Server, worker: Worker, visit: Open, sid: str) -> None:
    """As before it started, and it may start again."""
    shown = await visit(page_of(server, sid))
    await worker.start(sid, 1)
    await expect(shown.steps).to_have_count(7)
    await worker.delete(sid)
    await expect(shown.headline).to_have_text("Waiting for the job to start")
    await expect(shown.steps).to_have_count(0)
    await worker.create(sid, total_steps=3)
    await expect(shown.steps).to_have_count(3)


async def test_polling_client_sees_the_same_numbers(server: Server, worker: Worker, visit: Open, sid: str) -> None:
    """A browser without streams shows what the other one shows, and what a poll says."""
    streaming = await visit(page_of(server, sid))
    polling = await visit(page_of(server, sid), scripts=(POLLING_ONLY,))
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


async def test_page_speaks_japanese(server: Server, worker: Worker, visit: Open, sid: str) -> None:
    """To those whose browser does."""
    shown = await visit(page_of(server, sid), locale="ja-JP")
    await expect(shown.headline).to_have_text("ジョブの開始を待っています")
    await expect(shown.page.locator("html")).to_have_attribute("lang", "ja")
    await expect(shown.connection).to_have_text("ライブ")
    await worker.start(sid, 1)
    await expect(shown.headline).to_have_text("ステップ 1 / 7「原稿生成」")


@pytest.mark.parametrize("width", [320, 390, 1280])
async def test_nothing_sticks_out_sideways(server: Server, worker: Worker, visit: Open, sid: str, width: int) -> None:
    """Not on a small telephone either, and not with words that have no end."""
    shown = await visit(page_of(server, sid), viewport={"width": width, "height": 700})
    await expect(shown.page.locator("#drive")).to_be_visible()
    await worker.create(sid, steps=[{"name": "n" * 300}, {"name": "short"}])
    await worker.start(sid, 1)
    await worker.complete(sid, 1, success=False, message="m" * 300, error="e" * 300)
    await expect(shown.page.get_by_role("alert")).to_contain_text("eee")
    inside: dict[str, Any] = await shown.evaluate(
        "({scroll: document.documentElement.scrollWidth, client: document.documentElement.clientWidth})"
    )
    assert inside["scroll"] <= inside["client"]


async def test_milestones_are_said_and_clocks_are_not(server: Server, worker: Worker, visit: Open, sid: str) -> None:
    """A polite region tells what happens, the progressbar is none, and what was there at first is not repeated."""
    shown = await visit(page_of(server, sid))
    region = shown.page.locator("[aria-live=polite]")
    await expect(shown.connection).to_have_text("live")
    await expect(region).to_be_empty()
    await worker.start(sid, 1)
    await expect(region).to_have_text("Step 1 of 7: 原稿生成")
    assert await shown.page.locator("[aria-live]").count() == 1


async def test_reduced_motion_is_honoured(server: Server, worker: Worker, visit: Open, sid: str) -> None:
    """Nothing moves that need not."""
    shown = await visit(page_of(server, sid), reduced_motion="reduce")
    await worker.start(sid, 1)
    await expect(shown.step(1)).to_contain_text("🔄")
    moving = "document.getAnimations().filter(animation => animation.playState === 'running').length"
    assert await shown.evaluate(moving) == 0
