"""The page at a server that refuses streams or polls."""

import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.following import following, state_of, until_state, work
from tests.conftest import Serve
from tests.harness.rawsse import RawStream
from tests.harness.serving import Worker, session_path


async def test_a_page_that_gets_no_stream_polls(serve: Serve, open_page: OpenPage, sid: str) -> None:
    """LD-05: it polls until the end of the session, since its stream is refused each time."""
    server = serve(max_streams=1)
    async with await RawStream.open(server.port, session_path(sid, "events")) as taken, Worker.at(server) as worker:
        await taken.next_event()
        await worker.create(sid, total_steps=2)
        shown = await open_page(f"{server.url}/page", html=following(sid))
        await until_state(shown, "polling")
        await work(worker, sid, 1)
        await expect(state_of(shown)).to_have_text("running 50%")
        await work(worker, sid, 2)
        await expect(state_of(shown)).to_have_text("completed 100%")
        assert await shown.evaluate("ends") == ["complete"]


@pytest.mark.full
async def test_a_page_polls_as_often_as_the_server_allows(serve: Serve, open_page: OpenPage, sid: str) -> None:
    """LD-05: these polls are enough to see the end."""
    server = serve(max_streams=1, read_rate="3/second")
    async with await RawStream.open(server.port, session_path(sid, "events")) as taken, Worker.at(server) as worker:
        await taken.next_event()
        shown = await open_page(f"{server.url}/page", html=following(sid, interval=100))
        await until_state(shown, "polling")
        await worker.create(sid, total_steps=1)
        await work(worker, sid, 1)
        await expect(state_of(shown)).to_have_text("completed 100%", timeout=20_000)
