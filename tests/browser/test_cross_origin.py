"""Pages of another origin than the server's."""

import contextlib
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.following import DEADLINE_MS, following, moves_of, response, state_of, work
from tests.browser.page_driver import POLLING_ONLY, PageDriver
from tests.browser.traffic import INTERVAL_MS, STREAM, assert_modest, assert_spaced, now, polls, since
from tests.harness.chaos import ChaosProxy
from tests.harness.serving import Server, Worker, eventually
from tests.live.browsing import Playback

FULL = [pytest.mark.full, pytest.mark.timeout(300)]


class ForeignServer(NamedTuple):
    """The proxy to a server of another origin, a worker there, its address, and the page's origin."""

    proxy: ChaosProxy
    worker: Worker
    url: str
    origin: str


@contextlib.asynccontextmanager
async def across_origins(folder: Path, page: Callable[[str], str], *, is_listed: bool) -> AsyncIterator[ForeignServer]:
    """A server, a proxy before it, and a site of another origin whose page reads from the server."""
    server = Server(folder, heartbeat_s=1, retry_ms=300)
    async with ChaosProxy(server.port) as proxy:
        html = response("200 OK", page(f"http://127.0.0.1:{proxy.port}"), "text/html")
        async with Playback(html) as site:
            origin = f"http://127.0.0.1:{site.port}"
            server.settings["allow_origins"] = origin if is_listed else "https://unlisted.example"
            with server:
                async with Worker.at(server) as worker:
                    yield ForeignServer(proxy, worker, f"http://127.0.0.1:{proxy.port}", origin)


async def open_with_cookie(open_page: OpenPage, foreign: ForeignServer, scripts: tuple[str, ...] = ()) -> PageDriver:
    shown = await open_page(f"{foreign.url}/livez", scripts=scripts)
    await shown.page.context.add_cookies([{"name": "who", "value": "me", "url": foreign.url}])
    shown.errors.clear()
    await shown.page.goto(foreign.origin)
    return shown


def sent(proxy: ChaosProxy, method: str) -> list[bytes]:
    whole = [part for link in proxy.links for part in re.split(rb"(?<=\r\n\r\n)", bytes(link.requests))]
    return [part.lower() for part in whole if part.startswith(f"{method} /api/".encode())]


@pytest.mark.parametrize(
    ("scripts", "with_credentials"),
    [
        pytest.param((), True, id="stream, cookies"),
        pytest.param((POLLING_ONLY,), False, id="polling, no cookies", marks=FULL),
        pytest.param((), False, id="stream, no cookies", marks=FULL),
        pytest.param((POLLING_ONLY,), True, id="polling, cookies", marks=FULL),
    ],
)
async def test_a_page_of_a_listed_origin_follows_the_session(
    open_page: OpenPage, sid: str, tmp_path: Path, scripts: tuple[str, ...], with_credentials: bool
) -> None:
    """SC-11: it gets every update, with cookies if it requests them; after a cut it comes back with the last id."""

    def page(url: str) -> str:
        transport = "auto" if scripts else "sse"  # A poll may pass over a move.
        return following(sid, url, withCredentials=with_credentials, transport=transport)

    async with across_origins(tmp_path / "server", page, is_listed=True) as foreign:
        proxy, worker = foreign.proxy, foreign.worker
        await worker.create(sid, total_steps=3)
        shown = await open_with_cookie(open_page, foreign, scripts)
        await expect(state_of(shown)).to_have_text("pending 0%")
        await work(worker, sid, 1)
        await expect(state_of(shown)).to_have_text("running 33%")
        cut_at = now()
        proxy.cut()
        await work(worker, sid, 2)
        await expect(state_of(shown)).to_have_text("running 66%", timeout=DEADLINE_MS)
        if scripts:
            assert any(b"if-none-match: " in request for request in sent(proxy, "GET"))
            assert sent(proxy, "OPTIONS")
        else:
            assert await shown.evaluate("moves") == moves_of(3, 2)
            assert since(proxy.asked(STREAM), cut_at)
            assert re.search(rb"last-event-id: \S|last_event_id=[^\s&]", sent(proxy, "GET")[-1])
        assert {b"cookie: who=me" in request for request in sent(proxy, "GET")} == {with_credentials}
        await work(worker, sid, 3)
        await expect(state_of(shown)).to_have_text("completed 100%", timeout=DEADLINE_MS)
        assert await shown.evaluate("ends") == ["complete"]


@pytest.mark.full
@pytest.mark.timeout(300)
@pytest.mark.parametrize("with_credentials", [True, False], ids=["cookies", "no cookies"])
async def test_a_page_of_an_unlisted_origin_gets_nothing(
    open_page: OpenPage, sid: str, tmp_path: Path, with_credentials: bool
) -> None:
    """SC-11: the browser withholds the responses, and the page does not flood the server."""

    def page(url: str) -> str:
        return following(sid, url, withCredentials=with_credentials, interval=INTERVAL_MS)

    async with across_origins(tmp_path / "server", page, is_listed=False) as foreign:
        await foreign.worker.start(sid, 1)
        opened_at = now()
        shown = await open_with_cookie(open_page, foreign)
        await eventually(lambda: len(foreign.proxy.asked(STREAM)) >= 2, 20)
        await eventually(lambda: len(polls(foreign.proxy.asked())) >= 3, 20)
        assert_spaced(foreign.proxy.asked(STREAM))
        assert_modest(foreign.proxy, opened_at)
        assert await shown.evaluate("[updates, ends, tracker.state]") == [[], [], "reconnecting"]
        assert any("blocked by CORS policy" in error for error in shown.errors)


async def test_a_page_of_a_listed_origin_asks_the_worker(open_page: OpenPage, sid: str, tmp_path: Path) -> None:
    """The element reads there too that it may, and its request arrives."""

    def page(url: str) -> str:
        element = f'<progress-steps session="{sid}"></progress-steps>'
        return f'<!doctype html><script type="module" src="{url}/web/define.js"></script>{element}'

    async with across_origins(tmp_path / "server", page, is_listed=True) as foreign:
        await foreign.worker.create(sid, total_steps=3, accepts=["cancel"])
        await foreign.worker.start(sid, 1)
        shown = await open_page(foreign.origin)
        await shown.page.get_by_role("button", name="Cancel", exact=True).click()
        await shown.page.get_by_role("button", name="Cancel the job").click()
        await expect(shown.part("request-text")).to_have_text("Cancellation requested")
        [asked] = (await foreign.worker.poll(sid))["requests"]
        assert (asked["kind"], asked["state"]) == ("cancel", "asked")
