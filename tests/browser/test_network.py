"""The tracker on networks that delay, hold back, refuse, or answer with something else."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.following import (
    AGES_MS,
    SOURCES,
    following,
    moves_of,
    response,
    state_of,
    until,
    until_state,
    work,
)
from tests.browser.page_driver import POLLING_ONLY, PageDriver
from tests.conftest import Serve
from tests.harness.chaos import Answer, Blackhole, ChaosProxy, Delay, Mode, Pass, Request, Slice, Throttle
from tests.harness.nginx import BUFFERING, HONOURING, PIECEMEAL, Nginx
from tests.harness.rawsse import RawStream
from tests.harness.serving import Server, Worker, eventually, session_path
from tests.live.browsing import Playback

STREAM = "/events?"
INTERVAL_MS = 2000
LATE_MS = 2 * INTERVAL_MS + 2000
"""How late the right state may come after the network has recovered: two intervals, and a margin for load."""

SHORT_JITTER = "Math.random = () => 0.1"
"""Runs before the page's scripts: makes each back-off as short as a test can observe."""

FULL = [pytest.mark.full, pytest.mark.timeout(300)]


@pytest.fixture
async def proxy(server: Server) -> AsyncIterator[ChaosProxy]:
    """The proxy between the browser and the server."""
    async with ChaosProxy(server.port) as proxy:
        yield proxy


def address(proxy: ChaosProxy) -> str:
    """A page beyond the proxy."""
    return f"http://127.0.0.1:{proxy.port}/page"


def now() -> float:
    """The clock of the proxy's record of requests."""
    return asyncio.get_running_loop().time()


def polls(requests: list[Request]) -> list[Request]:
    """The requests for a session's state."""
    return [request for request in requests if re.fullmatch(r"/api/progress/[^/]+", request.target)]


def since(requests: list[Request], t: float) -> list[Request]:
    """The requests after this time."""
    return [request for request in requests if request.t > t]


async def the_next(proxy: ChaosProxy, part: str, t: float) -> Request:
    """Wait for the first request after this time whose target contains this, and return it."""
    await eventually(lambda: bool(since(proxy.asked(part), t)), 20)
    return since(proxy.asked(part), t)[0]


def assert_spaced(requests: list[Request]) -> None:
    """Check that attempts are a second apart, within the precision of a busy machine."""
    assert all(later.t - earlier.t > 0.8 for earlier, later in itertools.pairwise(requests)), requests


def assert_modest(proxy: ChaosProxy, t: float) -> None:
    """Check that since then there was at most a poll per interval, a stream attempt per second, and a few more."""
    assert len(since(proxy.asked(), t)) <= (now() - t) * (1 + 1000 / (0.9 * INTERVAL_MS)) + 5


# Rough networks


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
        await expect(state_of(shown)).to_have_text("running 71%", timeout=AGES_MS)
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
async def test_page_comes_up_byte_by_byte(proxy: ChaosProxy, worker: Worker, open_page: OpenPage, sid: str) -> None:
    """CL-03: every transition arrives, in order."""
    proxy.use(Slice(1))
    await worker.create(sid, total_steps=3)
    shown = await open_page(address(proxy), html=following(sid))
    await expect(state_of(shown)).to_have_text("pending 0%", timeout=AGES_MS)
    await until_state(shown, "live")
    await work(worker, sid, 1, 2, 3)
    await expect(state_of(shown)).to_have_text("completed 100%")
    assert await shown.evaluate("moves") == moves_of(3, 3)


@pytest.mark.full
async def test_connections_that_died_silently_are_replaced(
    proxy: ChaosProxy, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """CL-03: a phone changes networks: open connections stay dead, new ones work."""
    await worker.create(sid, total_steps=7)
    shown = await open_page(address(proxy), html=following(sid, interval=INTERVAL_MS))
    await until_state(shown, "live")
    proxy.switch(Blackhole())
    await until_state(shown, "reconnecting")
    await asyncio.sleep(5)  # Connections that it opens meanwhile die, too.
    await work(worker, sid, 1, 2)
    proxy.use(Pass())
    await expect(state_of(shown)).to_have_text("running 28%", timeout=AGES_MS)
    await until_state(shown, "live")
    await work(worker, sid, 3)
    await expect(state_of(shown)).to_have_text("running 42%", timeout=LATE_MS)


async def test_the_page_recovers_after_ten_minutes_of_sleep(
    proxy: ChaosProxy, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """CL-03: after a closed lid timers are ten minutes late and connections dead; the page is soon right again."""
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
        told = await shown.evaluate("updates.length")
        await until(shown, f"updates.length > {told}", LATE_MS)  # One at least per interval, whatever the clock says.
        assert_modest(proxy, jumped_since)
        await work(worker, sid, 2)
        await expect(state_of(shown)).to_have_text("completed 100%")
        assert await shown.evaluate("moves") == moves_of(2, 2)


# A proxy that buffers


@pytest.mark.full
async def test_polls_bridge_a_buffering_nginx_until_it_stops(
    server: Server, worker: Worker, open_page: OpenPage, sid: str, tmp_path: Path
) -> None:
    """CL-03: it ignores the server's header; the page moves within 10 s, and streams once the buffering ends."""
    with Nginx(tmp_path / "nginx", server.port, BUFFERING) as nginx:
        shown = await open_page(f"{nginx.url}/s/{sid}")
        await work(worker, sid, 1)
        await expect(shown.bar).to_have_text("14%", timeout=10_000)
        await expect(shown.connection).to_have_text("updating every 2 s")
        await work(worker, sid, 2)
        await expect(shown.bar).to_have_text("28%", timeout=LATE_MS)
        await asyncio.to_thread(nginx.use, HONOURING)
        await expect(shown.connection).to_have_text("live", timeout=AGES_MS)
        polled = shown.requests.count(f"{nginx.url}/api/progress/{sid}")
        await work(worker, sid, 3, 4, 5, 6, 7, pace_s=0.5)
        await expect(shown.headline).to_have_text("Completed")
        assert shown.requests.count(f"{nginx.url}/api/progress/{sid}") <= polled + 1


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
    """Nginx does not buffer where the server asks it not to: every transition arrives, and no poll is sent."""
    await worker.create(sid, total_steps=3)
    with Nginx(tmp_path / "nginx", server.port, HONOURING) as nginx:
        shown = await open_page(f"{nginx.url}/page", html=following(sid))
        await until_state(shown, "live")
        await work(worker, sid, 1, 2, 3)
        await expect(state_of(shown)).to_have_text("completed 100%")
        assert await shown.evaluate("moves") == moves_of(3, 3)
        assert not any(url.endswith(f"/api/progress/{sid}") for url in shown.requests)


# Reconnecting


@pytest.mark.full
async def test_retry_is_honoured(serve: Serve, open_page: OpenPage, sid: str) -> None:
    """SC-05: `retry:` is digits and precedes the first event; after a cut the page is back after that time."""
    retry_s = 1.5
    server = serve(heartbeat_s=1, retry_ms=int(retry_s * 1000))
    async with await RawStream.open(server.port, session_path(sid, "events")) as stream:
        await stream.next_event()
        head, _, _ = bytes(stream.body).partition(b"event:")
        assert re.search(rb"^retry: ?1500$", head, re.MULTILINE)
        assert all(
            re.fullmatch(rb"retry: ?[0-9]+", line) for line in stream.body.split(b"\n") if line.startswith(b"retry")
        )
    async with ChaosProxy(server.port) as proxy:
        shown = await open_page(address(proxy), html=following(sid), scripts=(SOURCES,))
        waits_s = []
        for _ in range(5):
            await until_state(shown, "live")
            cut_at = now()
            proxy.cut()
            await until_state(shown, "reconnecting")
            waits_s.append((await the_next(proxy, STREAM, cut_at)).t - cut_at)
        assert min(waits_s) > 0.85 * retry_s
        assert sorted(waits_s)[2] < 1.15 * retry_s + 1
        assert await shown.evaluate("sources.length") == 1  # The browser reconnected by itself.


PORTAL = "<!doctype html><title>Welcome</title><h1>Please log in to the hotel's network</h1>"


@pytest.mark.full
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(response("404 Not Found"), id="404"),
        pytest.param(response("429 Too Many Requests", extra="Retry-After: 1\r\n"), id="429"),
        pytest.param(response("500 Internal Server Error"), id="500"),
        pytest.param(response("502 Bad Gateway", PORTAL, "text/html"), id="502"),
        pytest.param(response("503 Service Unavailable", extra="Retry-After: 1\r\n"), id="503"),
        pytest.param(response("200 OK", "data: x\n\n"), id="wrong type"),
        pytest.param(response("200 OK", PORTAL, "text/html"), id="captive portal"),
        pytest.param(response("204 No Content"), id="204"),
        pytest.param(response("200 OK", "retry: 1000\n\n", "text/event-stream"), id="empty stream"),
        pytest.param(b"", id="silence"),
    ],
)
async def test_polls_bridge_a_refused_stream_which_is_retried(
    proxy: ChaosProxy, worker: Worker, open_page: OpenPage, sid: str, answer: bytes
) -> None:
    """SC-10: the page polls meanwhile, retries the stream with back-off, and streams in the end."""
    await worker.create(sid, total_steps=7)
    shown = await open_page(address(proxy), html=following(sid, interval=INTERVAL_MS), scripts=(SHORT_JITTER,))
    await until_state(shown, "live")
    refused_since = now()
    proxy.switch(Answer("/events", answer))
    proxy.cut()
    await until_state(shown, "polling")
    for step, text in ((1, "running 14%"), (2, "running 28%")):
        await work(worker, sid, step)
        await expect(state_of(shown)).to_have_text(text, timeout=LATE_MS)
    attempts = 4 if answer else 2
    await eventually(lambda: len(since(proxy.asked(STREAM), refused_since)) >= attempts, 60)
    assert_spaced(since(proxy.asked(STREAM), refused_since))
    assert_modest(proxy, refused_since)
    proxy.switch(Pass())
    await until_state(shown, "live", timeout_ms=AGES_MS)
    assert_spaced(since(proxy.asked(STREAM), refused_since))
    live_since = now()
    await work(worker, sid, 3, 4, 5, 6)
    await expect(state_of(shown)).to_have_text("running 85%")
    assert (await shown.evaluate("moves"))[-9:] == moves_of(7, 6)[-9:]
    assert len(polls(since(proxy.asked(), live_since))) <= 1  # One may have been under way.
    await work(worker, sid, 7)
    await expect(state_of(shown)).to_have_text("completed 100%")
    assert await shown.evaluate("ends") == ["complete"]


@pytest.mark.full
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(response("500 Internal Server Error"), id="500"),
        pytest.param(response("503 Service Unavailable"), id="503"),
        pytest.param(response("404 Not Found", PORTAL, "text/html"), id="404"),
        pytest.param(response("200 OK", PORTAL, "text/html"), id="captive portal"),
        pytest.param(response("200 OK", "{}", "application/json"), id="another service"),
    ],
)
async def test_the_page_recovers_after_all_requests_were_refused(
    proxy: ChaosProxy, worker: Worker, open_page: OpenPage, sid: str, answer: bytes
) -> None:
    """SC-10: refused streams and polls are no failure of the job, and the page is soon right again."""
    await worker.create(sid, total_steps=7)
    shown = await open_page(address(proxy), html=following(sid, interval=INTERVAL_MS), scripts=(SHORT_JITTER,))
    await until_state(shown, "live")
    refused_since = now()
    proxy.switch(Answer("/api/", answer))
    proxy.cut()
    await until_state(shown, "reconnecting")
    await work(worker, sid, 1, 2)
    await eventually(lambda: len(polls(since(proxy.asked(), refused_since))) >= 3, 60)
    assert_spaced(since(proxy.asked(STREAM), refused_since))
    assert_modest(proxy, refused_since)
    proxy.switch(Pass())
    await expect(state_of(shown)).to_have_text("running 28%", timeout=LATE_MS)
    await until_state(shown, "live")
    assert await shown.evaluate("ends") == []


@pytest.mark.parametrize("status", [pytest.param("401 Unauthorized", marks=FULL), "403 Forbidden"])
@pytest.mark.parametrize("comes", [pytest.param("at first", marks=FULL), "later"])
async def test_a_refusal_for_lack_of_rights_stops_the_tracker(
    proxy: ChaosProxy, worker: Worker, open_page: OpenPage, sid: str, status: str, comes: str
) -> None:
    """SC-10: at 401 and 403 the tracker stops, reports that state, and calls neither `onComplete` nor `onError`."""
    await worker.start(sid, 1)
    refusal = Answer("/api/", response(status, '{"success": false}', "application/problem+json"))
    if comes == "at first":
        proxy.use(refusal)
    shown = await open_page(address(proxy), html=following(sid))
    if comes == "later":
        await until_state(shown, "live")
        proxy.switch(refusal)
        proxy.cut()
    await until_state(shown, "denied")
    asked = len(proxy.asked())
    await asyncio.sleep(4)  # Time for requests that must not come.
    assert len(proxy.asked()) == asked
    assert await shown.evaluate("[ends, tracker.polling]") == [[], False]


@pytest.mark.full
async def test_retry_after_is_obeyed(proxy: ChaosProxy, worker: Worker, open_page: OpenPage, sid: str) -> None:
    """SC-10: no request, polls included, comes within the 5 s that the server asks for."""
    await worker.start(sid, 1)
    proxy.use(Answer("/api/", response("429 Too Many Requests", extra="Retry-After: 5\r\n")))
    shown = await open_page(address(proxy), html=following(sid))
    await eventually(lambda: len(polls(proxy.asked())) >= 3, 60)
    first, second, third, *_ = polls(proxy.asked())
    assert second.t - first.t > 4.5
    assert third.t - second.t > 4.5
    proxy.switch(Pass())
    await expect(state_of(shown)).to_have_text("running 0%", timeout=AGES_MS)


# Pages of another origin


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


class ForeignServer(NamedTuple):
    """The proxy to a server of another origin, a worker there, its address, and the page's origin."""

    proxy: ChaosProxy
    worker: Worker
    url: str
    origin: str


async def open_with_cookie(open_page: OpenPage, foreign: ForeignServer, scripts: tuple[str, ...] = ()) -> PageDriver:
    """Go to the other origin's page with a cookie of the server."""
    shown = await open_page(f"{foreign.url}/livez", scripts=scripts)
    await shown.page.context.add_cookies([{"name": "who", "value": "me", "url": foreign.url}])
    shown.complaints.clear()
    await shown.page.goto(foreign.origin)
    return shown


def sent(proxy: ChaosProxy, method: str) -> list[bytes]:
    """Each request to the API, in lower case."""
    whole = [part for link in proxy.links for part in re.split(rb"(?<=\r\n\r\n)", bytes(link.requests))]
    return [part.lower() for part in whole if part.startswith(f"{method} /api/".encode())]


@pytest.mark.parametrize(
    ("scripts", "with_credentials"),
    [
        pytest.param((), True, id="stream, cookies"),
        pytest.param((POLLING_ONLY,), False, id="polling, no cookies"),
        pytest.param((), False, id="stream, no cookies", marks=FULL),
        pytest.param((POLLING_ONLY,), True, id="polling, cookies", marks=FULL),
    ],
)
async def test_a_page_of_a_listed_origin_follows_the_session(
    open_page: OpenPage, sid: str, tmp_path: Path, scripts: tuple[str, ...], with_credentials: bool
) -> None:
    """SC-11: it gets every update, with cookies if it asks for them; after a cut it comes back with the last id."""

    def page(url: str) -> str:
        return following(sid, url, withCredentials=with_credentials)

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
        await expect(state_of(shown)).to_have_text("running 66%", timeout=AGES_MS)
        if scripts:
            assert any(b"if-none-match: " in request for request in sent(proxy, "GET"))
            assert sent(proxy, "OPTIONS")
        else:
            assert await shown.evaluate("moves") == moves_of(3, 2)
            assert since(proxy.asked(STREAM), cut_at)
            assert re.search(rb"last-event-id: \S|last_event_id=[^\s&]", sent(proxy, "GET")[-1])
        assert {b"cookie: who=me" in request for request in sent(proxy, "GET")} == {with_credentials}
        await work(worker, sid, 3)
        await expect(state_of(shown)).to_have_text("completed 100%", timeout=AGES_MS)
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
        assert any("blocked by CORS policy" in complaint for complaint in shown.complaints)
