"""Permissions at a real server: during open streams, from foreign pages, in logs, over several processes."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from playwright.async_api import Browser, BrowserContext, Page, Response

from tests.conftest import RunRedis, Serve
from tests.harness.http1 import HOST, Connection
from tests.harness.rawsse import RawStream
from tests.harness.redis import RedisServer
from tests.harness.serving import Server, Worker, eventually
from tests.harness.tokens import CLOSED, KEY, PUBLISH_TOKEN, bearer, make_token
from tests.live.asgi_hosts import serve_only

SPARE_S = 5
"""Seconds after the end of a permission within which an open stream has to end [SE-02]."""


async def buy_ticket(server: Server, token: str) -> str:
    async with httpx.AsyncClient(base_url=server.url) as client:
        response = await client.post("/api/tickets", headers=bearer(token))
        return str(response.json()["ticket"])


@pytest.mark.protocol("P-15.9")
@pytest.mark.full
async def test_an_open_stream_ends_with_its_permission(serve: Serve) -> None:
    """SE-02: by header, cookie or ticket, a stream ends cleanly with a retry delay, then gets 401; others continue."""
    server = serve(retry_ms=100, **CLOSED)
    expires_at = int(time.time()) + 4
    token = make_token(sessions=["a", "b"], exp=expires_at)
    ticket = await buy_ticket(server, token)
    one, both = "/api/progress/a/events", "/api/events?session_id=a&session_id=b"
    by_header = [("Authorization", f"Bearer {token}")]
    by_cookie = [("Cookie", f"progress_sse={token}")]
    for_longer = [("Authorization", f"Bearer {make_token(sessions=['a'])}")]
    async with (
        Worker.at(server, PUBLISH_TOKEN) as worker,
        await RawStream.open(server.port, one, by_header) as first,
        await RawStream.open(server.port, one, by_cookie) as second,
        await RawStream.open(server.port, f"{one}?ticket={ticket}") as third,
        await RawStream.open(server.port, both, by_header) as fourth,
        await RawStream.open(server.port, one, for_longer) as other,
    ):
        streams = [first, second, third, fourth]
        for stream in [*streams, other]:
            assert (await stream.next_event()).event == "snapshot"
        await worker.start("a", 1)
        for stream in streams:
            while (await stream.next_event()).event != "step":
                pass
            assert await stream.closed(4 + SPARE_S + 10) == "end"
            assert time.time() >= expires_at
            assert stream.retries[-1] == 100
        assert time.time() - expires_at < SPARE_S
        await worker.complete("a", 1)
        await other.wait_until(lambda stream: "success" in (stream.events[-1].data or ""))
        assert other.ending is None
    for target, headers in ((one, by_header), (one, by_cookie), (both, by_header)):
        async with await RawStream.open(server.port, target, headers, last_event_id="x-1") as back:
            assert (await back.received_head()).status == 401


@serve_only  # The order of the checks is the same on every host.
async def test_a_refusal_does_not_depend_on_the_session(serve: Serve, run_redis: RunRedis) -> None:
    """SE-01: the store is not asked, so neither the answer nor its time reveals whether the session exists."""
    redis = run_redis()
    server = serve(store=redis.url, **CLOSED)
    async with Worker.at(server, PUBLISH_TOKEN) as worker:
        await worker.create("here")
    await asyncio.to_thread(redis.kill)  # A look-up that came first would fail, for the session that is gone at least.
    headers = list(bearer(make_token(sessions=["mine"])).items())
    async with await Connection.open(server.port) as connection:
        assert (await connection.request("GET", "/api/progress/mine", headers)).status == 503
        for target in ("/api/progress/{}", "/api/progress/{}/events", "/api/events?session_id=mine&session_id={}"):
            here, gone = [await connection.request("GET", target.format(each), headers) for each in ("here", "gone")]
            assert here.status == 403
            assert (here.body, here.head.without_date()) == (gone.body, gone.head.without_date())


# In a browser


async def blank(context: BrowserContext, origin: str) -> Page:
    page = await context.new_page()
    address = f"{origin}/blank-for-this-test"
    await page.route(address, lambda route: route.fulfill(content_type="text/html", body="<!doctype html>"))
    await page.goto(address)
    return page


@pytest.fixture
async def context(chromium: Browser) -> AsyncIterator[BrowserContext]:
    """A browser without cookies."""
    async with await chromium.new_context() as context:
        yield context


LOG_IN = """async token => {
    const headers = { Authorization: `Bearer ${token}` };
    return (await fetch("/api/cookie", { method: "POST", headers })).status;
}"""


@pytest.mark.full
@serve_only  # A test above covers the differences between the hosts.
async def test_an_event_source_follows_by_its_cookie_until_that_ends(serve: Serve, context: BrowserContext) -> None:
    """SE-02: the browser reconnects by itself, and is refused."""
    server = serve(retry_ms=100, **CLOSED)
    page = await blank(context, server.url)
    assert await page.evaluate(LOG_IN, make_token(sessions=["a"], exp=int(time.time()) + 4)) == 204
    assert await page.evaluate("document.cookie") == ""
    await page.evaluate("""() => {
        window.seen = [];
        const source = new EventSource("/api/progress/a/events");
        source.addEventListener("snapshot", () => seen.push("snapshot"));
        source.onerror = () => seen.push(source.readyState === EventSource.CLOSED ? "closed" : "connecting");
    }""")
    await page.wait_for_function("seen.includes('closed')", timeout=20_000)
    assert await page.evaluate("seen") == ["snapshot", "connecting", "closed"]


FOREIGN_REQUESTS = """async ({ server, bodies }) => {
    const update = `${server}/api/progress/victim/update`;
    const simple = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"];
    for (const target of [update, `${server}/api/tickets`, `${server}/api/progress`, `${server}/api/cookie`])
        for (const type of simple)
            await fetch(target, {
                method: "POST", mode: "no-cors", credentials: "include",
                headers: { "Content-Type": type }, body: bodies[0],
            });
    for (const method of ["POST", "PUT", "DELETE"])
        await fetch(`${server}/api/progress/victim${method === "POST" ? "/update" : ""}`, {
            method, credentials: "include", headers: { "Content-Type": "application/json" }, body: bodies[0],
        }).catch(() => {});
    for (const type of ["text/plain", "application/json"])
        for (const target of [update, `${server}/api/tickets`])
            navigator.sendBeacon(target, new Blob([bodies[0]], { type }));
    for (const target of [update, `${server}/api/tickets`, `${server}/api/progress`])
        for (const enctype of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]) {
            const frame = document.body.appendChild(document.createElement("iframe"));
            frame.name = `${target} ${enctype}`;
            const form = document.body.appendChild(document.createElement("form"));
            Object.assign(form, { method: "POST", action: target, enctype, target: frame.name });
            const [name, value] = bodies[1];
            form.append(Object.assign(document.createElement("input"), { name, value }));
            form.submit();
        }
}"""

FOREIGN_ANSWERS = 4 * 3 + 2 + 3 * 3
"""The number of these requests that the browser sends: simple ones, beacons, forms."""

BODIES = ['{"action":"start","step":1}', ['{"action":"start","step":1,"x":"', '"}']]
"""The body of an update, and a form field that makes the same body in text/plain."""


@serve_only  # On every host the requests are the browser's, and the responses the application's.
@pytest.mark.parametrize(
    "host",
    [
        pytest.param(HOST, id="another port"),  # The browser sends the cookie there too.
        pytest.param("localhost", id="another site", marks=pytest.mark.full),
    ],
)
async def test_foreign_pages_cannot_use_a_visitors_cookie(serve: Serve, context: BrowserContext, host: str) -> None:
    """SE-08: neither a form, a simple request nor a beacon works; the same update from our own page does."""
    server = serve(**CLOSED)
    token = make_token(prefixes=[""], actions=["read", "publish", "list"])
    own = await blank(context, server.url)
    assert await own.evaluate(LOG_IN, token) == 204
    [cookie] = await context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["value"]) == (True, "Strict", token)

    # A page with a loopback address: Chromium keeps pages of made-up public addresses off this machine.
    foreign = await context.new_page()
    await foreign.goto(f"http://{host}:{serve().port}/livez")
    answers: list[tuple[str, str, int]] = []

    def note(response: Response) -> None:
        if response.request.method != "OPTIONS":
            answers.append((response.request.method, response.url, response.status))

    context.on("response", note)
    await foreign.evaluate(FOREIGN_REQUESTS, {"server": server.url, "bodies": BODIES})
    await eventually(lambda: len(answers) >= FOREIGN_ANSWERS, 30)
    assert {status for _, _, status in answers} <= {401, 403, 415}
    if host == HOST:
        assert ("POST", f"{server.url}/api/tickets", 403) in answers  # With the cookie, but the page is not trusted.

    async with Worker.at(server, PUBLISH_TOKEN) as worker:
        assert (await worker.client.get("/api/progress")).json()["sessions"] == []
        update = """async body => (await fetch("/api/progress/victim/update", {
            method: "POST", headers: { "Content-Type": "application/json" }, body,
        })).status"""
        assert await own.evaluate(update, BODIES[0]) == 200
        assert (await worker.poll("victim"))["status"] == "running"


# Traces of tokens


@pytest.mark.protocol("P-15.1")
async def test_no_token_is_ever_written_down(serve: Serve, context: BrowserContext) -> None:
    """PR-01: no log, response or address that a browser remembers or passes on contains one."""
    server = serve(graceful_timeout_s=1, **CLOSED)
    good, expired = make_token(prefixes=[""]), make_token(prefixes=[""], exp=int(time.time()) - 60)
    wrong = make_token("another-secret-that-is-longer-than-32-bytes", prefixes=[""])
    ticket = await buy_ticket(server, good)
    secrets = [good, expired, wrong, PUBLISH_TOKEN, KEY, ticket]
    answers = []
    async with httpx.AsyncClient(base_url=server.url) as client:
        for token in (good, expired, wrong, PUBLISH_TOKEN):
            for headers in (bearer(token), {"cookie": f"progress_sse={token}"}, {"authorization": f"Basic {token}"}):
                answers.append(await client.get("/api/progress/a", headers=headers))
                answers.append(await client.post("/api/progress/a/update", content=b"{", headers=headers))
                answers.append(await client.head("/api/progress/a/events", headers=headers))
                answers.append(await client.get("/api/nothing", headers=headers))
            answers.append(await client.get(f"/api/progress/a/events?ticket={token}"))
            answers.append(await client.get(f"/s/a?ticket={token}"))
            answers.append(await client.get("/api/progress/%00", headers=bearer(token)))
    async with await RawStream.open(server.port, f"/api/progress/a/events?ticket={ticket}") as stream:
        await stream.next_event()
        answers.append(httpx.Response(200, content=bytes(stream.wire)))
    page = await blank(context, server.url)
    addresses: list[str] = []
    context.on("request", lambda request: addresses.extend([request.url, request.headers.get("referer", "")]))
    assert await page.evaluate(LOG_IN, good) == 204
    await page.goto(f"{server.url}/s/a")
    await page.wait_for_load_state("load")
    addresses += [page.url, await page.evaluate("document.referrer")]
    await context.close()
    await asyncio.to_thread(server.terminate)
    assert len(answers) > 60
    assert any("/s/a" in address for address in addresses)
    for secret in secrets:
        assert secret not in server.log()
        assert not any(secret in address for address in addresses)
        for answer in answers:
            assert secret not in answer.text
            assert secret not in str(answer.headers)
    assert "ticket" not in server.log()


@pytest.mark.full
@serve_only  # The number of processes that share a store does not depend on the host.
async def test_a_ticket_counts_once_over_all_servers(serve: Serve, redis_servers: dict[str, RedisServer]) -> None:
    """A ticket bought at one server works at another, for one of twenty simultaneous requests."""
    store: dict[str, Any] = {"store": redis_servers["redis"].url, "redis_prefix": f"tickets-{time.monotonic_ns()}"}
    servers = [serve(**store, **CLOSED) for _ in range(2)]
    ticket = await buy_ticket(servers[0], make_token(sessions=["a"]))
    with redis_servers["redis"].client() as redis:
        [key] = redis.keys(f"{store['redis_prefix']}:slip:*")
        assert ticket.encode() not in key + redis.get(key)
        assert 0 < redis.ttl(key) <= 60
    async with httpx.AsyncClient() as client:
        answers = await asyncio.gather(
            *(client.head(f"{server.url}/api/progress/a/events?ticket={ticket}") for server in servers * 10)
        )
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 19
