"""The tracker on networks that delay or drop bytes, and on machines that sleep or change their clock."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.following import DEADLINE_MS, following, moves_of, state_of, until, until_state, work
from tests.browser.traffic import INTERVAL_MS, LATE_MS, address, assert_modest, now
from tests.conftest import Serve
from tests.harness.chaos import Blackhole, ChaosProxy, Delay, Mode, Pass, Slice, Throttle
from tests.harness.serving import Worker

FULL = [pytest.mark.full, pytest.mark.timeout(300)]


@pytest.mark.parametrize(
    "mode",
    [
        pytest.param(Slice(1), id="byte by byte", marks=FULL),
        pytest.param(Throttle(1024), id="1 KB a second", marks=FULL),
        pytest.param(Delay(10), id="10 s late", marks=FULL),
        pytest.param(Blackhole(), id="nothing moves", marks=FULL),
    ],
)
async def test_a_rough_network_ends_in_the_right_state(
    proxy: ChaosProxy, worker: Worker, open_page: OpenPage, sid: str, mode: Mode
) -> None:
    """CL-03: updates that arrive are shown; the page recovers with the network, and the server is not flooded."""
    await worker.create(sid, total_steps=7)
    shown = await open_page(address(proxy), html=following(sid, interval=INTERVAL_MS))
    await until_state(shown, "live")
    rough_since = now()
    proxy.switch(mode)
    await work(worker, sid, *range(1, 6), pace_s=1)
    if not isinstance(mode, Blackhole):
        await expect(state_of(shown)).to_have_text("running 71%", timeout=DEADLINE_MS)
    await work(worker, sid, 6)
    await asyncio.sleep(5)  # The network stays bad for a while, during which a flood would show.
    assert_modest(proxy, rough_since)
    proxy.switch(Pass())
    await expect(state_of(shown)).to_have_text("running 85%", timeout=LATE_MS)
    assert_modest(proxy, rough_since)
    await until_state(shown, "live")
    await work(worker, sid, 7)
    await expect(state_of(shown)).to_have_text("completed 100%", timeout=LATE_MS)
    assert await shown.evaluate("ends") == ["complete"]


@pytest.mark.full
async def test_connections_that_died_silently_are_replaced(
    proxy: ChaosProxy, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """CL-03: after a phone has changed networks, open connections stay dead, and new ones work."""
    await worker.create(sid, total_steps=7)
    shown = await open_page(address(proxy), html=following(sid, interval=INTERVAL_MS))
    await until_state(shown, "live")
    proxy.switch(Blackhole())
    await until_state(shown, "reconnecting")
    await asyncio.sleep(5)  # Connections that it opens meanwhile die, too.
    await work(worker, sid, 1, 2)
    proxy.use(Pass())
    await expect(state_of(shown)).to_have_text("running 28%", timeout=DEADLINE_MS)
    await until_state(shown, "live")
    await work(worker, sid, 3)
    await expect(state_of(shown)).to_have_text("running 42%", timeout=LATE_MS)


@pytest.mark.guarantee(42)
@pytest.mark.full
async def test_the_page_recovers_after_ten_minutes_of_sleep(
    proxy: ChaosProxy, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """CL-03: timers are ten minutes late and connections dead after it; the page is soon right again."""
    await worker.create(sid, total_steps=7)
    shown = await open_page(f"http://127.0.0.1:{proxy.port}/livez")
    await shown.page.clock.install()
    await shown.go(address(proxy), following(sid, interval=INTERVAL_MS))
    await until_state(shown, "live")
    proxy.switch(Blackhole())
    await work(worker, sid, 1, 2, 3)
    proxy.use(Pass())
    awake_since = now()
    await shown.page.clock.fast_forward(600_000)
    await expect(state_of(shown)).to_have_text("running 42%", timeout=LATE_MS)
    await until_state(shown, "live")
    assert_modest(proxy, awake_since)
    await work(worker, sid, *range(4, 8))
    await expect(state_of(shown)).to_have_text("completed 100%", timeout=LATE_MS)
    assert await shown.evaluate("ends") == ["complete"]


@pytest.mark.guarantee(60)
@pytest.mark.full
@pytest.mark.timeout(300)
@pytest.mark.parametrize("jump", [timedelta(hours=6), timedelta(hours=-1)], ids=["ahead", "back"])
async def test_the_page_survives_a_clock_that_jumps(
    serve: Serve, open_page: OpenPage, sid: str, jump: timedelta
) -> None:
    """CL-03: events go on, and time limits follow the server's time from its next message on."""
    server = serve(heartbeat_s=3)
    async with ChaosProxy(server.port) as proxy, Worker.at(server) as worker:
        await worker.create(sid, total_steps=2)
        shown = await open_page(f"http://127.0.0.1:{proxy.port}/livez")
        await shown.page.clock.install()
        await shown.go(address(proxy), following(sid, interval=INTERVAL_MS))
        await until_state(shown, "live")
        await worker.start(sid, 1, timeout_ms=1_800_000)
        await expect(state_of(shown)).to_have_text("running 0%")
        jumped_since = now()
        await shown.page.clock.set_system_time(datetime.now(UTC) + jump)
        await until(shown, f"Math.abs(tracker.now() - {datetime.now(UTC).timestamp() * 1000}) < 60_000", 9_000)
        assert await shown.evaluate("JSON.parse(updates.at(-1)).steps.filter(checkTimeout).length") == 0
        await worker.complete(sid, 1)
        await expect(state_of(shown)).to_have_text("running 50%", timeout=LATE_MS)
        updates = await shown.evaluate("updates.length")
        await until(shown, f"updates.length > {updates}", LATE_MS)  # Each interval brings one, by any clock.
        assert_modest(proxy, jumped_since)
        await work(worker, sid, 2)
        await expect(state_of(shown)).to_have_text("completed 100%")
        assert await shown.evaluate("moves") == moves_of(2, 2)
