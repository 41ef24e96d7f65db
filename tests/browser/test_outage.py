"""The page while the server or the network fails."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from playwright.async_api import Browser, async_playwright, expect

from tests.browser.cdp_page import CdpPage
from tests.browser.conftest import OpenPage
from tests.browser.following import work
from tests.browser.session_page import COMPLETED
from tests.conftest import CHROMIUM, FLAGS, Serve
from tests.harness.chaos import Blackhole, ChaosProxy, HalfClose, Link
from tests.harness.event_stream import split_id
from tests.harness.serving import Server, Worker, eventually

RECORDER = """
window.streamed = [];
window.badges = [];
window.interruptions = 0;
window.EventSource = class extends EventSource {
  constructor(...args) {
    super(...args);
    for (const type of ["snapshot", "step"])
      this.addEventListener(type, (event) => streamed.push([type, event.lastEventId]));
    this.addEventListener("error", () => { interruptions += 1; });
  }
};
addEventListener("DOMContentLoaded", () => {
  const badge = document.getElementById("connection");
  new MutationObserver(() => badges.push(badge.textContent)).observe(badge, {childList: true});
});
"""
"""Records each event and each interruption that reached the page, and each text of the badge."""

DEADLINE_MS = 30_000
"""Long enough for the back-off and for a busy machine."""

RIGHT_WITHIN_MS = 10_000
"""Within this the page is right after the network has recovered: `retry_ms` and two seconds, and a wide margin."""


def assert_nothing_missed(streamed: list[tuple[str, str]], last: int) -> None:
    """Check that events are in order without a gap, that a snapshot may replace several, and that the last is there."""
    at = 0
    for event, event_id in streamed:
        _, number = split_id(event_id)
        assert number == at + 1 if event == "step" else number >= at
        at = number
    assert at == last


@pytest.mark.guarantee(2)
async def test_the_page_recovers_after_a_kill_of_the_server(serve: Serve, open_page: OpenPage, sid: str) -> None:
    """The badge shows the outage, the page resumes by itself, and no transition is lost."""
    server = serve(store="sqlite", heartbeat_s=1)
    shown = await open_page(f"{server.url}/s/{sid}", scripts=(RECORDER,))
    async with Worker.at(server) as worker:
        await work(worker, sid, 1, 2)
    await expect(shown.bar).to_have_text("28%")
    await expect(shown.connection).to_have_text("live")

    await asyncio.to_thread(server.kill)
    await expect(shown.connection).to_have_text("reconnecting")
    await expect(shown.bar).to_have_text("28%")
    await asyncio.to_thread(server.start)
    async with Worker.at(server) as worker:
        await work(worker, sid, 3, 4, 5)
        await expect(shown.connection).to_have_text("live", timeout=DEADLINE_MS)
        await expect(shown.bar).to_have_text("71%", timeout=DEADLINE_MS)
        await work(worker, sid, 6, 7)
    await expect(shown.headline).to_have_text(COMPLETED)
    await expect(shown.steps.filter(has_text="✅")).to_have_count(7)
    assert_nothing_missed(await shown.evaluate("streamed"), last=14)
    badges = await shown.evaluate("badges")
    assert badges[0] == "live"
    assert "reconnecting" in badges
    assert badges[-2:] == ["live", "finished"]


@pytest.mark.full
async def test_the_page_recovers_after_a_longer_outage(serve: Serve, open_page: OpenPage, sid: str) -> None:
    """The page also polls by then; when the server is back, the page is soon right, and streams again."""
    server = serve(store="sqlite", heartbeat_s=1)
    shown = await open_page(f"{server.url}/s/{sid}", scripts=(RECORDER,))
    async with Worker.at(server) as worker:
        await work(worker, sid, 1)
    await expect(shown.bar).to_have_text("14%")
    async with shown.page.expect_event(
        "requestfailed", lambda request: request.url.endswith(f"/api/progress/{sid}"), timeout=DEADLINE_MS
    ):
        await asyncio.to_thread(server.kill)
    await expect(shown.connection).to_have_text("reconnecting")
    await asyncio.to_thread(server.start)
    async with Worker.at(server) as worker:
        await work(worker, sid, 2, 3)
        await expect(shown.bar).to_have_text("42%", timeout=DEADLINE_MS)
        await expect(shown.connection).to_have_text("live", timeout=DEADLINE_MS)
        await work(worker, sid, 4)
    await expect(shown.bar).to_have_text("57%")


def half_close(link: Link) -> None:
    """End the stream with the next bytes."""
    link.mode = HalfClose()


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(Link.close, id="FIN"),
        pytest.param(Link.reset, id="RST", marks=pytest.mark.full),
        pytest.param(half_close, id="half-close", marks=pytest.mark.full),
    ],
)
async def test_a_short_interruption_leaves_the_badge_as_it_is(
    server: Server, worker: Worker, open_page: OpenPage, sid: str, end: Callable[[Link], None]
) -> None:
    """FT-11: the browser reconnects within two seconds, and the page shows no change."""
    async with ChaosProxy(server.port) as proxy:
        shown = await open_page(f"http://127.0.0.1:{proxy.port}/s/{sid}", scripts=(RECORDER,))
        await work(worker, sid, 1)
        await expect(shown.bar).to_have_text("14%")
        for link in proxy.links:
            end(link)
        await work(worker, sid, 2)
        await expect(shown.bar).to_have_text("28%")
        assert await shown.evaluate("interruptions") == 1
        assert set(await shown.evaluate("badges")) == {"live"}
        assert_nothing_missed(await shown.evaluate("streamed"), last=4)


async def test_the_page_shows_that_reading_is_not_allowed(server: Server, open_page: OpenPage, sid: str) -> None:
    """An EventSource hides the status of a refusal; one poll shows it, and no further request follows."""
    shown = await open_page(f"{server.url}/livez")
    await shown.page.route("**/api/progress/**", lambda route: route.fulfill(status=403, body="{}"))
    await shown.page.goto(f"{server.url}/s/{sid}")
    await expect(shown.headline).to_have_text("You are not allowed to see this job")
    await expect(shown.connection).to_have_text("no access")


@pytest.mark.full
async def test_browser_without_a_network_says_so(serve: Serve, open_page: OpenPage, sid: str) -> None:
    """The badge differs from that of a server that does not answer."""
    server = serve()
    shown = await open_page(f"{server.url}/s/{sid}")
    await expect(shown.connection).to_have_text("live")
    await asyncio.to_thread(server.kill)
    await shown.page.context.set_offline(True)
    await expect(shown.connection).to_have_text("offline")
    await shown.page.context.set_offline(False)
    await asyncio.to_thread(server.start)
    await expect(shown.connection).to_have_text("live", timeout=DEADLINE_MS)


async def test_the_page_recovers_after_being_offline(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """The page shows that the network is away, and is soon right again when it returns."""
    async with ChaosProxy(server.port) as proxy:
        shown = await open_page(f"http://127.0.0.1:{proxy.port}/s/{sid}", scripts=(RECORDER,))
        await work(worker, sid, 1)
        await expect(shown.bar).to_have_text("14%")
        for step, text in ((2, "28%"), (3, "42%")):
            await shown.page.context.set_offline(True)
            proxy.cut()
            await expect(shown.connection).to_have_text("offline")
            await work(worker, sid, step)
            await shown.page.context.set_offline(False)
            await expect(shown.bar).to_have_text(text, timeout=RIGHT_WITHIN_MS)
            await expect(shown.connection).to_have_text("live", timeout=DEADLINE_MS)
        await work(worker, sid, *range(4, 8))
        await expect(shown.headline).to_have_text(COMPLETED)
        assert_nothing_missed(await shown.evaluate("streamed"), last=14)


def kill_the_stream(proxy: ChaosProxy) -> None:
    """Silence the stream's connection; idle connections are dropped, which a browser notices."""
    for link in proxy.links:
        if link.asked and "/events" in link.asked[-1].target:
            link.mode = Blackhole()
        else:
            link.close()


RETURNS = {
    "visible": "document.dispatchEvent(new Event('visibilitychange'))",
    "online": "dispatchEvent(new Event('online'))",
    "pageshow": "dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))",
}


@pytest.mark.parametrize(
    "event", ["visible", *(pytest.param(each, marks=pytest.mark.full) for each in ("online", "pageshow"))]
)
async def test_the_page_checks_at_once_when_its_user_returns(
    serve: Serve, open_page: OpenPage, sid: str, event: str
) -> None:
    """Its stream has died silently, which timers would notice minutes later; but a person is looking now."""
    server = serve(heartbeat_s=60)
    async with Worker.at(server) as worker, ChaosProxy(server.port) as proxy:
        shown = await open_page(f"http://127.0.0.1:{proxy.port}/s/{sid}")
        await work(worker, sid, 1)
        await expect(shown.bar).to_have_text("14%")
        kill_the_stream(proxy)
        await work(worker, sid, 2)
        await shown.evaluate(RETURNS[event])
        await expect(shown.bar).to_have_text("28%", timeout=DEADLINE_MS)


@pytest.fixture(scope="module")
async def returning() -> AsyncIterator[Browser]:
    """A browser with its back/forward cache, which test browsers disable."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=FLAGS, ignore_default_args=["--disable-back-forward-cache"]
        )
        yield browser
        await browser.close()


BAR = "document.getElementById('progress-bar')?.textContent"
BADGE = "document.getElementById('connection')?.textContent"

LIFECYCLE = """
window.lifecycle = [];
for (const type of ["freeze", "resume", "pagehide", "pageshow"])
  addEventListener(type, (event) => lifecycle.push(event.persisted ? `${type} persisted` : type));
for (const type of ["freeze", "resume", "visibilitychange"])
  document.addEventListener(type, () => lifecycle.push(type === "visibilitychange" ? document.visibilityState : type));
"""
"""Records the browser's lifecycle events."""


async def test_a_page_from_the_back_forward_cache_is_live_again(
    server: Server, worker: Worker, returning: Browser, sid: str
) -> None:
    """FT-11: a cached page holds no stream; restored, it is soon right, and live."""
    async with ChaosProxy(server.port) as proxy:
        url = f"http://127.0.0.1:{proxy.port}"
        await work(worker, sid, 1)
        async with await CdpPage.open(returning, f"{url}/s/{sid}", LIFECYCLE) as page:
            await page.until(f"{BAR} === '14%' && {BADGE} === 'live'")
            await page.evaluate("location.href = '/livez'")
            await page.until("location.pathname === '/livez'")
            await eventually(lambda: proxy.busy_with("/events") == 0, 20)
            await work(worker, sid, 2)
            await page.evaluate("history.back()")
            await page.until(f"location.pathname.startsWith('/s/') && {BAR} === '28%'")
            assert "pageshow persisted" in await page.evaluate("lifecycle")
            await page.until(f"{BADGE} === 'live'")
            await work(worker, sid, 3)
            await page.until(f"{BAR} === '42%'")


async def test_a_frozen_page_is_right_when_shown_again(serve: Serve, returning: Browser, sid: str) -> None:
    """FT-11: the browser freezes a hidden page, and its connection dies; shown again, it has every change."""
    server = serve(heartbeat_s=60)
    async with Worker.at(server) as worker, ChaosProxy(server.port) as proxy:
        await work(worker, sid, 1)
        async with await CdpPage.open(returning, f"http://127.0.0.1:{proxy.port}/s/{sid}", LIFECYCLE) as page:
            await page.until(f"{BAR} === '14%' && {BADGE} === 'live'")
            await page.freeze()
            kill_the_stream(proxy)
            await work(worker, sid, 2)
            await page.wake()
            await page.until(f"{BAR} === '28%'")
            lifecycle = await page.evaluate("lifecycle")
            assert "freeze" in lifecycle
            assert lifecycle[-1] == "visible"
            await work(worker, sid, 3)
            await page.until(f"{BAR} === '42%'")
