"""The tracker behind nginx, with buffering and without."""

from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.following import following, moves_of, state_of, until_state, work
from tests.browser.traffic import INTERVAL_MS, LATE_MS
from tests.conftest import Serve
from tests.harness.nginx import BUFFERING, HONOURING, PIECEMEAL, Nginx
from tests.harness.serving import Server, Worker


@pytest.mark.guarantee(43)
@pytest.mark.full
async def test_polls_alone_finish_a_session_behind_a_buffering_nginx(
    server: Server, worker: Worker, open_page: OpenPage, sid: str, tmp_path: Path
) -> None:
    """CL-03: the events that the proxy releases at the end change nothing."""
    await worker.create(sid, total_steps=7)
    with Nginx(tmp_path / "nginx", server.port, BUFFERING) as nginx:
        shown = await open_page(f"{nginx.url}/page", html=following(sid, interval=INTERVAL_MS))
        await work(worker, sid, *range(1, 7))
        await expect(state_of(shown)).to_have_text("running 85%", timeout=10_000)
        await until_state(shown, "polling")
        await work(worker, sid, 7)
        await expect(state_of(shown)).to_have_text("completed 100%", timeout=LATE_MS)
        assert await shown.evaluate("[ends, tracker.state]") == [["complete"], "finished"]
        # The events that nginx released at the end are old, and the page must not go back.
        moves = await shown.evaluate("moves")
        assert moves == [move for move in moves_of(7, 7) if move in moves]


@pytest.mark.guarantee(43)
@pytest.mark.full
@pytest.mark.timeout(300)
@pytest.mark.parametrize("total_steps", [7, 40])
async def test_a_stream_in_late_batches_does_not_count_as_live(
    serve: Serve, open_page: OpenPage, sid: str, tmp_path: Path, total_steps: int
) -> None:
    """CL-03: nginx passes a few kilobytes at a time; the page falls back to polls."""
    heartbeat_s = 5
    server = serve(heartbeat_s=heartbeat_s)
    async with Worker.at(server) as worker:
        await worker.create(sid, total_steps=total_steps)
        with Nginx(tmp_path / "nginx", server.port, PIECEMEAL) as nginx:
            shown = await open_page(f"{nginx.url}/page", html=following(sid, interval=INTERVAL_MS))
            for done in (2, 4):
                await work(worker, sid, *range(done - 1, done + 1))
                text = f"running {100 * done // total_steps}%"
                await expect(state_of(shown)).to_have_text(text, timeout=(heartbeat_s + 7) * 1000)
        moves = await shown.evaluate("moves")
        assert moves == [move for move in moves_of(total_steps, total_steps) if move in moves]


async def test_the_page_streams_through_nginx_with_its_defaults(
    server: Server, worker: Worker, open_page: OpenPage, sid: str, tmp_path: Path
) -> None:
    """Nginx does not buffer if the server asks it not to: every transition arrives, and no poll is sent."""
    await worker.create(sid, total_steps=3)
    with Nginx(tmp_path / "nginx", server.port, HONOURING) as nginx:
        shown = await open_page(f"{nginx.url}/page", html=following(sid))
        await until_state(shown, "live")
        await work(worker, sid, 1, 2, 3)
        await expect(state_of(shown)).to_have_text("completed 100%")
        assert await shown.evaluate("moves") == moves_of(3, 3)
        assert not any(url.endswith(f"/api/progress/{sid}") for url in shown.requests)
