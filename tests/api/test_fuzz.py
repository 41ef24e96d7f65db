"""Any request that a server may pass to the application gets a described response, and never a 500."""

import asyncio
import contextlib
from collections.abc import Iterator
from urllib.parse import quote, unquote

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.types import ASGIApp, Message

from progress_sse import create_app
from progress_sse.settings import load_settings
from tests.harness.described import DOCUMENT, check_answer
from tests.harness.tokens import KEY, make_token

SETTINGS = [{}, {"publish_token": "secret", "read": "token", "token_key": KEY}]

WORDS = ["api", "progress", "events", "update", "updates", "steps", "cookie", "tickets", "s", "web", "tracker.js"]
KNOWN = [
    (method.upper(), path.replace("{session_id}", "s").replace("{file}", "tracker.js"))
    for path, item in DOCUMENT["paths"].items()
    for method in item
    if method != "parameters"
]
PARAMETERS = [b"session_id", b"last_event_id", b"heartbeat", b"ticket", b"replace", b"status", b"limit", b"after"]
CREDENTIALS = [b"authorization", b"cookie", b"origin", b"sec-fetch-site", b"host", b"x-forwarded-for"]
CONDITIONS = [b"if-none-match", b"last-event-id", b"idempotency-key", b"range", b"if-range", b"if-modified-since"]
CONTENTS = [b"content-type", b"content-length", b"content-encoding", b"accept", b"accept-encoding"]
BEARERS = [b"Bearer secret", b"Bearer " + make_token(prefixes=[""]).encode(), b"Basic \xff", b"progress_sse=%ff%00"]
VALUES = [
    b"*",
    b"application/json",
    b"bytes=0-",
    b"bytes=9-1,",
    b"gzip",
    b"same-origin",
    b"https://a.example",
    b"9" * 20,
]

raw = st.binary(max_size=12)
segments = st.sampled_from(WORDS) | st.text("a.%/?#\\:;2fFe0\u00e9", max_size=6)
paths = st.lists(segments, max_size=4).map(lambda parts: "/" + "/".join(parts))
pairs = st.tuples(st.sampled_from(PARAMETERS), raw | st.sampled_from([b"a", b"true", b"1", b"%ff", b"event"]))
queries = st.lists(pairs, max_size=4).map(lambda pairs: b"&".join(b"=".join(pair) for pair in pairs)) | raw
values = st.sampled_from(BEARERS + VALUES) | raw.map(lambda value: value.translate(None, b"\r\n\0").strip())
headers = st.lists(st.tuples(st.sampled_from(CREDENTIALS + CONDITIONS + CONTENTS), values), max_size=5)
methods = st.sampled_from(["HEAD", "PATCH", "OPTIONS", "TRACE", "X"])
known = st.sampled_from(KNOWN)
targets = known | known | st.tuples(methods, known.map(lambda target: target[1])) | st.tuples(st.just("GET"), paths)
bodies = raw | st.sampled_from([b"{}", b'{"action":"start","step":1}', b'{"updates":[{}]}'])


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module", params=SETTINGS, ids=["open", "guarded"])
def app(request: pytest.FixtureRequest, runner: asyncio.Runner) -> Iterator[ASGIApp]:
    app = create_app(load_settings(store="memory://", **request.param))
    lifespan = contextlib.AsyncExitStack()
    runner.run(lifespan.enter_async_context(app.router.lifespan_context(app)))
    yield app
    runner.run(lifespan.aclose())


async def ask(
    app: ASGIApp, method: str, path: str, query: bytes, headers: list[tuple[bytes, bytes]], body: bytes
) -> httpx.Response:
    """Send a request as a server does, and disconnect after the first bytes, which ends a stream."""
    received: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
    sent: list[Message] = []
    is_answered = asyncio.Event()

    async def receive() -> Message:
        if received:
            return received.pop()
        await is_answered.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)
        if message["type"] == "http.response.body":
            is_answered.set()

    raw_path = quote(path, safe="/%:;\\")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(raw_path),
        "raw_path": raw_path.encode(),
        "root_path": "",
        "query_string": query,
        "headers": headers,
        "client": ("192.0.2.1", 50000),
        "server": ("127.0.0.1", 8000),
    }
    await app(scope, receive, send)
    head, *rest = sent
    content = b"".join(message.get("body", b"") for message in rest)
    return httpx.Response(head["status"], headers=head["headers"], content=content)


@settings(max_examples=120)
@given(targets, queries, headers, bodies)
def test_any_request_gets_a_described_response(
    app: ASGIApp,
    runner: asyncio.Runner,
    target: tuple[str, str],
    query: bytes,
    headers: list[tuple[bytes, bytes]],
    body: bytes,
) -> None:
    """SE-05: for paths, queries, headers and bodies of any kind, also those that our own server refuses."""
    method, path = target
    response = runner.run(ask(app, method, path, query, headers, body))
    assert response.status_code < 500
    check_answer(method, unquote(path), response)
