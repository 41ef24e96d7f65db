"""Many tabs of one browser, to which HTTP/1.1 allows six connections to a server, all together."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from playwright.async_api import Browser, async_playwright, expect

from tests.browser.cdp_page import CdpPage
from tests.browser.conftest import OpenPage
from tests.browser.following import (
    DEADLINE_MS,
    HOLDS_A_STREAM,
    following,
    moves_of,
    response,
    state_of,
    until,
    until_state,
    work,
)
from tests.browser.page_driver import SOURCES, PageDriver
from tests.browser.traffic import STREAM
from tests.conftest import CHROMIUM, FLAGS
from tests.harness.chaos import Answer, ChaosProxy
from tests.harness.http1 import HOST
from tests.harness.serving import Server, Worker, eventually

SECURE = "localhost"
INSECURE = "lan.test"
"""A name on the network without TLS, where a page has no Web Locks."""

on_both_hosts = pytest.mark.parametrize("host", [SECURE, pytest.param(INSECURE, marks=pytest.mark.full)])


@pytest.fixture(scope="module")
async def chromium() -> AsyncIterator[Browser]:
    """A browser that resolves a second name besides `localhost` to the server."""
    async with async_playwright() as playwright:
        names = f"--host-resolver-rules=MAP {INSECURE} {HOST}"
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, names])
        yield browser
        await browser.close()


async def open_tabs(
    open_page: OpenPage, proxy: ChaosProxy, host: str, session_ids: Sequence[str], **options: str
) -> list[PageDriver]:
    """Open a tab for each session, all in one window.

    The proxy serves their page: one that a test puts into the browser may send no request to this machine.
    """
    tabs: list[PageDriver] = []
    for session_id in session_ids:
        proxy.switch(Answer("/tab", response("200 OK", following(session_id, **options), "text/html")))
        beside, scripts = (tabs[0], ()) if tabs else (None, (SOURCES,))
        tabs.append(await open_page(f"http://{host}:{proxy.port}/tab", beside=beside, scripts=scripts))
    return tabs


async def all_show(tabs: Sequence[PageDriver], text: str) -> None:
    for tab in tabs:
        await expect(state_of(tab)).to_have_text(text, timeout=DEADLINE_MS)


async def stream_holder(tabs: Sequence[PageDriver]) -> PageDriver:
    """Wait until a tab holds the shared stream, and return it."""
    holders: list[PageDriver] = []
    async with asyncio.timeout(20):
        while len(holders) != 1:
            await asyncio.sleep(0.05)
            holders = [tab for tab in tabs if await tab.evaluate(HOLDS_A_STREAM)]
    return holders[0]


async def assert_room_for_more(tab: PageDriver) -> None:
    status = "fetch('/livez', {signal: AbortSignal.timeout(10_000), cache: 'no-store'}).then(answer => answer.status)"
    assert await tab.evaluate(status) == 200


async def test_one_host_has_web_locks_and_the_other_has_not(server: Server, open_page: OpenPage) -> None:
    """Tabs need Web Locks to share a stream."""
    for host, is_secure in ((SECURE, True), (INSECURE, False)):
        shown = await open_page(f"http://{host}:{server.port}/livez")
        assert await shown.evaluate("[isSecureContext, 'locks' in navigator]") == [is_secure, is_secure]


@on_both_hosts
async def test_eight_tabs_follow_eight_sessions(
    server: Server, worker: Worker, open_page: OpenPage, sid: str, host: str
) -> None:
    """CL-02: each tab gets the updates of its own session, and no other."""
    sessions = [f"{sid}-{number}" for number in range(8)]
    async with ChaosProxy(server.port) as proxy:
        tabs = await open_tabs(open_page, proxy, host, sessions)
        await all_show(tabs, "not_found 0%")
        for done, session_id in enumerate(sessions):
            await work(worker, session_id, *range(1, done + 1))
        for tab, percentage in zip(tabs[1:], (14, 28, 42, 57, 71, 85), strict=False):
            await all_show([tab], f"running {percentage}%")
        await all_show(tabs[:1], "not_found 0%")
        await all_show(tabs[7:], "completed 100%")
        await assert_room_for_more(tabs[0])
        for tab, session_id in zip(tabs, sessions, strict=True):
            assert await tab.evaluate("[...new Set(updates.map(text => JSON.parse(text).session_id))]") == [session_id]
            assert tab.errors == []
        await eventually(lambda: proxy.busy_with(STREAM) == 1, 20)


async def test_a_tab_hands_the_stream_over_when_it_stops_or_navigates(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """CL-02: another tab takes the stream over in both cases, and no transition is lost."""
    await worker.create(sid, total_steps=7)
    async with ChaosProxy(server.port) as proxy:
        tabs = await open_tabs(open_page, proxy, SECURE, [sid] * 3, transport="sse")  # A poll may pass over a move.
        await all_show(tabs, "pending 0%")
        stopping = await stream_holder(tabs)
        tabs.remove(stopping)
        await stopping.evaluate("tracker.stop()")
        await work(worker, sid, 1)
        await all_show(tabs, "running 14%")
        leaving = await stream_holder(tabs)
        tabs.remove(leaving)
        await leaving.page.goto(f"http://{SECURE}:{proxy.port}/livez")
        await work(worker, sid, 2)
        await all_show(tabs, "running 28%")
        assert await tabs[0].evaluate("moves") == moves_of(7, 2)
        assert await tabs[0].evaluate(HOLDS_A_STREAM)
        assert proxy.busy_with(STREAM) == 1


async def test_a_frozen_tab_does_not_block_the_others(
    server: Server, worker: Worker, chromium: Browser, sid: str
) -> None:
    """CL-02: the browser freezes the tab that holds the stream; the others detect that, and go on without it."""
    await worker.create(sid, total_steps=7)
    async with ChaosProxy(server.port, [Answer("/tab", response("200 OK", following(sid), "text/html"))]) as proxy:
        url = f"http://{SECURE}:{proxy.port}/tab"
        async with await CdpPage.open(chromium, url, SOURCES) as first:
            await first.until("window.tracker?.state === 'live'")
            async with await CdpPage.open(chromium, url, SOURCES) as second:
                await second.until("window.tracker?.state === 'live'")
                assert await first.evaluate(HOLDS_A_STREAM)
                await first.freeze()
                await work(worker, sid, 1, 2)
                await second.until(f"{HOLDS_A_STREAM} && moves.at(-1) === 'ssppppp'")
                await first.wake()
                await first.until("moves.at(-1) === 'ssppppp'")
                await work(worker, sid, 3)
                for page in (first, second):
                    await page.until("moves.at(-1) === 'ssspppp'")
                assert await second.evaluate("moves") == moves_of(7, 3)
                await eventually(lambda: proxy.busy_with(STREAM) == 1, 20)


@pytest.mark.full
@pytest.mark.parametrize("quiet_s", [2, pytest.param(60, marks=pytest.mark.timeout(240))])
@on_both_hosts
async def test_no_request_follows_the_end(
    server: Server, worker: Worker, open_page: OpenPage, sid: str, host: str, quiet_s: int
) -> None:
    """SC-09: three tabs get the end once, and then no request follows."""
    await worker.create(sid, total_steps=2)
    async with ChaosProxy(server.port) as proxy:
        tabs = await open_tabs(open_page, proxy, host, [sid] * 3)
        await all_show(tabs, "pending 0%")
        await work(worker, sid, 1)
        before = len(proxy.asked())
        await work(worker, sid, 2)
        for tab in tabs:
            await until(tab, "ends.length > 0")
            await until_state(tab, "finished")
        await eventually(lambda: proxy.busy_with(STREAM) == 0, 20)
        requests = len(proxy.asked())
        assert requests <= before + len(tabs)
        await asyncio.sleep(quiet_s)  # Time for requests that must not come.
        assert len(proxy.asked()) == requests
        for tab in tabs:
            assert await tab.evaluate("ends") == ["complete"]
            assert await tab.evaluate(HOLDS_A_STREAM) is False
