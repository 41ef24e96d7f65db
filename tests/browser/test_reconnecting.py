"""The tracker while its requests are refused, or answered with something else."""

import asyncio
import re

import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.following import DEADLINE_MS, following, moves_of, response, state_of, until_state, work
from tests.browser.page_driver import SOURCES
from tests.browser.traffic import (
    INTERVAL_MS,
    LATE_MS,
    STREAM,
    address,
    assert_modest,
    assert_spaced,
    next_request,
    now,
    polls,
    since,
)
from tests.conftest import Serve
from tests.harness.chaos import Answer, ChaosProxy, Pass
from tests.harness.rawsse import RawStream
from tests.harness.serving import Worker, eventually, session_path

FULL = [pytest.mark.full, pytest.mark.timeout(300)]

SHORT_JITTER = "Math.random = () => 0.1"
"""Runs before the page's scripts: makes each back-off as short as a test can observe."""


@pytest.mark.protocol("P-8.10")
@pytest.mark.full
async def test_retry_is_honoured(serve: Serve, open_page: OpenPage, sid: str) -> None:
    """SC-05: `retry:` is digits and precedes the first event; after a cut the page is back after that time.

    The time is longer than the three seconds that Chromium waits without a `retry:`.
    """
    retry_s = 4
    server = serve(heartbeat_s=1, retry_ms=retry_s * 1000)
    async with await RawStream.open(server.port, session_path(sid, "events")) as stream:
        await stream.next_event()
        head, _, _ = bytes(stream.body).partition(b"event:")
        assert re.search(rb"^retry: ?4000$", head, re.MULTILINE)
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
            waits_s.append((await next_request(proxy, STREAM, cut_at)).t - cut_at)
        assert min(waits_s) > 0.85 * retry_s
        assert sorted(waits_s)[2] < 1.15 * retry_s + 5
        assert await shown.evaluate("sources.length") == 1  # The browser reconnected by itself.


PORTAL = "<!doctype html><title>Welcome</title><h1>Please log in to the hotel's network</h1>"


@pytest.mark.protocol("P-8.12", "P-8.14")
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
    """SC-10: the page polls meanwhile, retries the stream with a backoff, and streams in the end."""
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
    await until_state(shown, "live", timeout_ms=DEADLINE_MS)
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


@pytest.mark.protocol("P-8.9")
@pytest.mark.parametrize("status", [pytest.param("401 Unauthorized", marks=FULL), "403 Forbidden"])
@pytest.mark.parametrize("when", [pytest.param("at first", marks=FULL), "later"])
async def test_a_refusal_for_lack_of_rights_stops_the_tracker(
    proxy: ChaosProxy, worker: Worker, open_page: OpenPage, sid: str, status: str, when: str
) -> None:
    """SC-10: at 401 and 403 the tracker stops, reports that state, and calls neither `onComplete` nor `onError`."""
    await worker.start(sid, 1)
    refusal = Answer("/api/", response(status, '{"success": false}', "application/problem+json"))
    if when == "at first":
        proxy.use(refusal)
    shown = await open_page(address(proxy), html=following(sid))
    if when == "later":
        await until_state(shown, "live")
        proxy.switch(refusal)
        proxy.cut()
    await until_state(shown, "denied")
    requests = len(proxy.asked())
    await asyncio.sleep(4)  # Time for requests that must not come.
    assert len(proxy.asked()) == requests
    assert await shown.evaluate("[ends, tracker.polling]") == [[], False]
