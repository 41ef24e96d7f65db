"""The tracker of each engine while the server or the network fails."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.browser.following import moves_of, response, work
from tests.browser.traffic import STREAM
from tests.conftest import Serve
from tests.engines.conftest import OpenTab
from tests.engines.pages import write_following_page
from tests.harness.chaos import Answer, ChaosProxy, HalfClose, Link, Pass
from tests.harness.nginx import BUFFERING, HONOURING, Nginx
from tests.harness.serving import Server, Worker

pytestmark = [pytest.mark.full, pytest.mark.alone]

UNAVAILABLE = response("503 Service Unavailable")


async def test_pages_recover_after_a_kill_of_the_server(serve: Serve, pages: Path, open_tab: OpenTab, sid: str) -> None:
    """A visible and a hidden tab say so, and are soon right and live again, without a step back."""
    server = serve(store="sqlite", heartbeat_s=1, retry_ms=300, www=pages)
    url = f"http://localhost:{server.port}{write_following_page(pages, sid)}"
    async with Worker.at(server) as worker:
        await worker.create(sid, total_steps=7)
        tabs = [await open_tab(url), await open_tab(url, is_hidden=True)]
        await work(worker, sid, 1)
    for tab in tabs:
        await tab.until_text("#state", "running 14%")
    await asyncio.to_thread(server.kill)
    for tab in tabs:
        await tab.until("tracker.state === 'reconnecting'")
    await asyncio.to_thread(server.start)
    async with Worker.at(server) as worker:
        await work(worker, sid, 2, 3)
        for tab in tabs:
            await tab.until("tracker.state === 'live'")
            await tab.until_text("#state", "running 42%")
            moves = await tab.evaluate("moves")
            assert moves == [move for move in moves_of(7, 3) if move in moves]  # A poll may pass over some of them.
            assert await tab.evaluate("[ends, errors]") == [[], []]
        await work(worker, sid, 4)
        for tab in tabs:
            await tab.until_text("#state", "running 57%")


def half_close(link: Link) -> None:
    """End the stream with the next bytes."""
    link.mode = HalfClose()


@pytest.mark.parametrize("end", [Link.close, Link.reset, half_close], ids=["FIN", "RST", "half-close"])
async def test_a_cut_stream_resumes(
    proxy: ChaosProxy, pages: Path, worker: Worker, open_tab: OpenTab, sid: str, end: Callable[[Link], None]
) -> None:
    """The browser itself reconnects, with the last id, and misses nothing."""
    await worker.create(sid, total_steps=3)
    path = write_following_page(pages, sid, transport="sse")  # A poll may pass over a transition.
    tab = await open_tab(f"http://localhost:{proxy.port}{path}")
    await tab.until_text("#state", "pending 0%")
    await work(worker, sid, 1)
    await tab.until_text("#state", "running 33%")
    for link in [link for link in proxy.links if link.is_open]:
        end(link)
    await work(worker, sid, 2)
    await tab.until_text("#state", "running 66%")
    assert await tab.evaluate("[moves, sources.length, errors]") == [moves_of(3, 2), 1, []]
    last = next(link for link in reversed(proxy.links) if STREAM in link.requests.decode())
    assert "\r\nlast-event-id: " in last.requests.decode().lower()


async def test_polls_bridge_a_refused_stream(
    proxy: ChaosProxy, pages: Path, worker: Worker, open_tab: OpenTab, sid: str
) -> None:
    """An error in place of the stream ends the browser's own attempts; the tracker polls, and streams again later."""
    await worker.create(sid, total_steps=3)
    proxy.switch(Answer("/events", UNAVAILABLE))
    tab = await open_tab(f"http://localhost:{proxy.port}{write_following_page(pages, sid)}")
    await tab.until("tracker.state === 'polling'")
    await work(worker, sid, 1)
    await tab.until_text("#state", "running 33%")
    proxy.switch(Pass())
    await tab.until("tracker.state === 'live'")
    await work(worker, sid, 2, 3)
    await tab.until_text("#state", "completed 100%")
    assert await tab.evaluate("[ends, errors]") == [["complete"], []]


async def test_polls_bridge_a_buffering_nginx_until_it_stops(
    server: Server, worker: Worker, open_tab: OpenTab, sid: str, tmp_path: Path
) -> None:
    """CL-03: nginx holds the stream back; the page moves by polls, and streams once the buffering ends."""
    with Nginx(tmp_path / "nginx", server.port, BUFFERING) as nginx:
        tab = await open_tab(f"{nginx.url}/s/{sid}")
        await work(worker, sid, 1)
        await tab.until_text("#progress-bar", "14%")
        await tab.until_text("#connection", "updating every 2 s")
        await work(worker, sid, 2)
        await tab.until_text("#progress-bar", "28%")
        await asyncio.to_thread(nginx.use, HONOURING)
        await tab.until_text("#connection", "live")
        await work(worker, sid, *range(3, 8))
        await tab.until_text("#connection", "finished")
        await tab.until_text("#progress-bar", "100%")
