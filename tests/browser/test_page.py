"""The state of a session on the page, driven by POSTs from another process."""

import asyncio
import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import Route, expect

from tests.browser.conftest import OpenPage
from tests.browser.page_driver import PageDriver
from tests.browser.session_page import COMPLETED, page_of, run
from tests.harness.serving import Server, Worker


async def test_page_moves_when_another_process_posts(
    server: Server, worker: Worker, shown: PageDriver, sid: str
) -> None:
    """It follows from before the start to the end; nothing loads from another origin, and the console has no errors."""
    await expect(shown.headline).to_have_text("Waiting for the job to start")
    await expect(shown.connection).to_have_text("live")
    await expect(shown.bar).to_have_text("0%")
    await expect(shown.progressbar).not_to_have_attribute("aria-valuenow", re.compile(""))
    await expect(shown.progressbar).to_have_accessible_name("Progress of the job")

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
        await worker.run(sid, step)
    await expect(shown.headline).to_have_text(COMPLETED)
    await expect(shown.bar).to_have_text("100%")
    await expect(shown.connection).to_have_text("finished")
    assert shown.errors == []
    assert [url for url in shown.requests if not url.startswith((f"{server.url}/", "data:"))] == []


async def test_the_bar_is_empty_without_a_state(server: Server, open_page: OpenPage, sid: str) -> None:
    """This holds before the first response."""
    shown = await open_page("about:blank")

    is_over = asyncio.Event()

    async def hold(route: Route) -> None:
        await is_over.wait()
        await route.abort()

    await shown.page.route("**/api/**", hold)
    await shown.page.goto(page_of(server, sid))
    await expect(shown.headline).to_have_text("Connecting")
    await expect(shown.bar).to_have_text("0%")
    assert await shown.bar.evaluate("bar => bar.getBoundingClientRect().width") == 0
    await expect(shown.progressbar).not_to_have_attribute("aria-valuenow", re.compile(""))
    is_over.set()  # Else the requests wait for their answers still while other tests run.
    await shown.page.unroute_all(behavior="wait")


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
    await expect(shown.part("time-left")).to_have_text("about 4 min left")
    await expect(shown.part("note")).to_be_hidden()
    assert await shown.part("elapsed").first.evaluate("e => getComputedStyle(e).fontVariantNumeric") == "tabular-nums"


async def test_session_id_is_text_too(server: Server, worker: Worker, open_page: OpenPage) -> None:
    """Its page and the commands find it, whatever characters it contains."""
    session_id = """<b>it's "100%" ?#&+ $HOME `id` 原稿"""
    shown = await open_page(page_of(server, session_id))
    assert await shown.page.locator("#session-id").inner_text() == session_id
    for offer in ("steps", "start", "complete"):
        run(await shown.offered(offer))
    await expect(shown.bar).to_have_text("33%")
    assert (await worker.poll(session_id))["percentage"] == 33


async def test_a_bare_percent_sign_in_the_address_stands_for_itself(
    server: Server, worker: Worker, open_page: OpenPage
) -> None:
    """People type such addresses, and the server reads them in the same way."""
    shown = await open_page(f"{server.url}/s/100% sure")
    assert await shown.page.locator("#session-id").inner_text() == "100% sure"
    await worker.run("100% sure", 1)
    await expect(shown.bar).to_have_text("14%")
    assert shown.errors == []


async def test_a_failure_is_shown_until_a_retry(worker: Worker, shown: PageDriver, sid: str) -> None:
    """An alert has the step and its text with line breaks. A failed step is not done."""
    await worker.create(sid, total_steps=1)
    await expect(shown.headline).to_have_text("About to start")
    await worker.run(sid, 1, success=False, message="gave up", error="line 1\n  line 2")
    await expect(shown.headline).to_have_text("Failed at step 1")
    await expect(shown.bar).to_have_text("0%")
    alert = shown.page.get_by_role("alert")
    await expect(alert).to_contain_text("Step 1, 原稿生成, failed")
    assert await alert.locator("pre").inner_text() == "line 1\n  line 2"
    await expect(shown.step(1)).to_contain_text("❌")
    await expect(shown.connection).to_have_text("live")
    failed_look = await shown.bar.evaluate("bar => getComputedStyle(bar).backgroundImage")

    await worker.start(sid, 1)
    await expect(alert).to_be_empty()
    await expect(shown.part("note")).to_have_text("Step 1 is being tried again")
    await expect(shown.bar).to_have_text("0%")
    await worker.complete(sid, 1)
    await expect(shown.headline).to_have_text(COMPLETED)
    assert await shown.bar.evaluate("bar => getComputedStyle(bar).backgroundImage") != failed_look


async def test_a_deleted_session_says_so(worker: Worker, shown: PageDriver, sid: str) -> None:
    """Only a page that knew the session can tell; the session may start again."""
    await worker.start(sid, 1)
    await expect(shown.steps).to_have_count(7)
    await worker.delete(sid)
    await expect(shown.headline).to_have_text("This job was deleted")
    await expect(shown.steps).to_have_count(0)
    await expect(shown.progressbar).not_to_have_attribute("aria-valuenow", re.compile(""))
    await worker.create(sid, total_steps=3)
    await expect(shown.steps).to_have_count(3)


async def test_page_speaks_japanese(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> None:
    """A browser that prefers Japanese gets it."""
    shown = await open_page(page_of(server, sid), locale="ja-JP")
    await expect(shown.headline).to_have_text("ジョブの開始を待っています")
    await expect(shown.page.locator("html")).to_have_attribute("lang", "ja")
    await expect(shown.connection).to_have_text("ライブ")
    await worker.start(sid, 1)
    await expect(shown.headline).to_have_text("ステップ 1 / 7「原稿生成」")


async def test_progress_within_a_step_is_shown_where_its_worker_reported_it(
    worker: Worker, shown: PageDriver, sid: str
) -> None:
    """There are a thin bar and the numbers; without a total, the number alone."""
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


async def test_step_over_its_limit_says_so(worker: Worker, shown: PageDriver, sid: str) -> None:
    """It does so by the server's clock, without a report of the worker."""
    await worker.start(sid, 1, timeout_ms=1000)
    await expect(shown.step(1)).to_contain_text("over its limit of 1 s")
    await worker.complete(sid, 1)
    await expect(shown.step(1)).not_to_contain_text("over its limit")


async def test_several_jobs_are_on_one_page(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> None:
    """Each has its bar, its name, and its steps, which are closed at first; it moves independently."""
    names = [f"{sid}-{letter}" for letter in "ab"]
    shown = await open_page(f"{server.url}/?session_id={names[0]}&session_id={names[1]}")
    await expect(shown.page.get_by_role("heading", level=1)).to_have_text("2 jobs")
    await expect(shown.part("session-id")).to_have_text(names)
    await worker.create(names[0], total_steps=2)
    await worker.create(names[1], total_steps=4)
    for name in names:
        await worker.run(name, 1)
    await expect(shown.part("percent")).to_have_text(["50%", "25%"])
    await expect(shown.page).to_have_title("37% \N{EN DASH} 2 jobs")
    await expect(shown.part("name").first).to_be_hidden()
    await shown.page.locator("summary", has_text="Steps").first.click()
    await expect(shown.part("name").first).to_be_visible()
    for absent in ("#drive", ".copy-link >> nth=1"):
        await expect(shown.page.locator(absent)).to_be_hidden()
    streams = [url for url in shown.requests if "/events?" in url]
    assert len(streams) == 1
    assert all(f"session_id={name}" in streams[0] for name in names)
    assert shown.errors == []


async def test_failure_can_be_copied(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> None:
    """The copied text has the step, for a bug report. There is no Retry, since the page cannot do it."""
    shown = await open_page(page_of(server, sid), permissions=["clipboard-read", "clipboard-write"])
    await worker.run(sid, 1, success=False, error="line 1\n  line 2")
    await shown.page.locator(".failure").get_by_role("button", name="Copy").click()
    await expect(shown.page.locator(".failure .copy")).to_have_text("Copied")
    assert await shown.evaluate("navigator.clipboard.readText()") == "Step 1, 原稿生成, failed\nline 1\n  line 2"
    await expect(shown.page.get_by_role("button", name="Retry")).to_be_hidden()


@pytest.mark.full
async def test_the_end_is_notified_where_the_visitor_asked_for_it(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """Visitors who did not ask get none, nor do those who look at the page. The button requests the permission."""
    stub = """
        window.requested = 0;
        window.notified = [];
        document.hasFocus = () => window.isLooking ?? false;
        window.Notification = class {
            static permission = "default";
            static async requestPermission() { requested += 1; return this.permission = "granted"; }
            constructor(...args) { if (Notification.permission === "granted") notified.push(args); }
            close() {}
        };
    """
    asking, looking, other = [await open_page(page_of(server, sid), scripts=(stub,)) for _ in range(3)]
    assert await asking.evaluate("requested") == 0
    for shown in (asking, looking):
        await shown.page.get_by_role("button", name="Notify me when it ends").click()
        await expect(shown.page.locator("#notify")).to_have_text("You will be notified")
    await looking.evaluate("window.isLooking = true")
    await worker.create(sid, total_steps=1)
    await worker.run(sid, 1)
    for shown in (asking, looking, other):
        await expect(shown.headline).to_have_text(COMPLETED)
    [[title, options]] = await asking.evaluate("notified")
    assert COMPLETED.search(title)
    assert options == {"body": sid, "tag": sid}
    assert await looking.evaluate("notified") == []
    assert await other.evaluate("[requested, notified.length]") == [0, 0]


async def test_no_notification_is_offered_where_a_page_cannot_give_one(
    server: Server, open_page: OpenPage, sid: str
) -> None:
    """In Chromium on Android the class exists and its constructor throws, with permission too.

    A computer is not tried with permission: it would show a notification.
    """
    stub = "window.Notification = class { static permission = 'PERMISSION'; constructor() { throw new TypeError(); } }"
    android = "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36"
    for permission, options, is_offered in (
        ("default", {}, False),
        ("granted", {"user_agent": android}, False),
        ("granted", {}, True),
    ):
        script = stub.replace("PERMISSION", permission)
        shown = await open_page(page_of(server, sid), scripts=(script,), **options)
        await expect(shown.connection).to_have_text("live")
        await expect(shown.page.locator("#notify")).to_be_visible(visible=is_offered)
        assert shown.errors == []
