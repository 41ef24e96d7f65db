"""Many tabs of a browser of each engine, which HTTP/1.1 allows six connections to a server, all together."""

import asyncio
from pathlib import Path

import pytest

from tests.browser.following import HOLDS_A_STREAM, moves_of, work
from tests.browser.traffic import STREAM
from tests.engines.browser import DEADLINE_S, Tab
from tests.engines.conftest import OpenTab
from tests.engines.pages import WITHOUT_LOCKS, write_following_page
from tests.harness.chaos import ChaosProxy
from tests.harness.serving import Worker, eventually

pytestmark = [pytest.mark.full, pytest.mark.alone]

with_and_without_locks = pytest.mark.parametrize("script", ["", WITHOUT_LOCKS], ids=["locks", "no-locks"])


async def stream_holder(tabs: list[Tab]) -> Tab:
    """Wait until a single tab holds the shared stream, and return it."""
    holders: list[Tab] = []
    async with asyncio.timeout(DEADLINE_S):
        while len(holders) != 1:
            await asyncio.sleep(0.05)
            holders = [tab for tab in tabs if await tab.evaluate(HOLDS_A_STREAM)]
    return holders[0]


@with_and_without_locks
async def test_eight_tabs_share_one_stream(
    proxy: ChaosProxy, pages: Path, worker: Worker, open_tab: OpenTab, sid: str, script: str
) -> None:
    """CL-02: each tab, all but one of them hidden, follows its own session, and no request waits for a connection."""
    sessions = [f"{sid}-{number}" for number in range(8)]
    urls = [f"http://localhost:{proxy.port}{write_following_page(pages, each, script)}" for each in sessions]
    tabs = [await open_tab(url, is_hidden=number > 0) for number, url in enumerate(urls)]
    assert await tabs[0].evaluate("'locks' in navigator && !!navigator.locks") is not bool(script)
    assert await tabs[7].evaluate("document.visibilityState") == "hidden"
    for tab in tabs:
        await tab.until_text("#state", "not_found 0%")
    for done, session_id in enumerate(sessions):
        await work(worker, session_id, *range(1, done + 1))
    for tab, percentage in zip(tabs[1:], (14, 28, 42, 57, 71, 85), strict=False):
        await tab.until_text("#state", f"running {percentage}%")
    await tabs[7].until_text("#state", "completed 100%")
    await eventually(lambda: proxy.busy_with(STREAM) == 1, DEADLINE_S)
    status = "fetch('/livez', {signal: AbortSignal.timeout(10_000), cache: 'no-store'}).then(({status}) => status)"
    assert await tabs[7].evaluate(status) == 200
    for tab, session_id in zip(tabs, sessions, strict=True):
        assert await tab.evaluate("[...new Set(updates.map((text) => JSON.parse(text).session_id))]") == [session_id]
        assert await tab.evaluate("errors") == []


@with_and_without_locks
async def test_closing_the_tab_that_holds_the_stream_loses_nothing(
    proxy: ChaosProxy, pages: Path, worker: Worker, open_tab: OpenTab, sid: str, script: str
) -> None:
    """CL-02: another tab takes over, though it is hidden, and no transition is lost."""
    await worker.create(sid, total_steps=7)
    await open_tab(f"http://localhost:{proxy.port}/livez")  # Behind this one all stay hidden.
    # A poll may pass over a transition.
    url = f"http://localhost:{proxy.port}{write_following_page(pages, sid, script, transport='sse')}"
    tabs = [await open_tab(url, is_hidden=True) for _ in range(4)]
    for done, text in enumerate(["pending 0%", "running 14%", "running 28%"]):
        for tab in tabs:
            await tab.until_text("#state", text)
        leaving = await stream_holder(tabs)
        tabs.remove(leaving)
        async with asyncio.TaskGroup() as group:
            group.create_task(leaving.close())
            group.create_task(work(worker, sid, done + 1))
    await tabs[0].until_text("#state", "running 42%")
    await eventually(lambda: proxy.busy_with(STREAM) == 1, DEADLINE_S)
    assert await tabs[0].evaluate("[document.visibilityState, errors]") == ["hidden", []]
    assert await tabs[0].evaluate("moves") == moves_of(7, 3)
