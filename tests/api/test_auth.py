"""Authorization by tokens, cookies and tickets: the one form of each refusal, and the requests that are allowed."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.requests import Request

from progress_sse import create_app
from progress_sse.auth.authorizer import Authorize
from progress_sse.auth.grants import Action
from progress_sse.settings import load_settings
from progress_sse.store.memory import MemoryBackend
from progress_sse.store.types import Record, StorageLimits
from tests.api.conftest import Connect
from tests.api.test_refusals import assert_problem
from tests.clock import ManualClock
from tests.harness.tokens import DAY_S, KEY, bearer, make_token

START = {"action": "start", "step": 1}
PUBLISH_TOKEN = "for-workers"


def segment(value: Any) -> str:
    """A part of a token that is JSON."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def with_header(header: Any, token: str) -> str:
    """The token with another header, so that its signature is no longer valid."""
    return ".".join([segment(header), *token.split(".")[1:]])


def unsigned(**header: Any) -> str:
    """A token without a signature."""
    claims = segment({"aud": "progress-sse", "exp": int(time.time()) + DAY_S, "prefixes": [""]})
    return f"{segment(header)}.{claims}."


GOOD = make_token(prefixes=[""])

BAD_TOKENS = {
    "of another key": make_token("another-secret-that-is-longer-than-32-bytes", prefixes=[""]),
    "truncated": GOOD[:-1],
    "half of it": GOOD[: len(GOOD) // 2],
    "without its signature": GOOD.rpartition(".")[0] + ".",
    "with a changed claim": ".".join([GOOD.split(".")[0], segment({"prefixes": [""]}), GOOD.split(".")[2]]),
    "expired": make_token(prefixes=[""], exp=int(time.time()) - 1),
    "not yet valid": make_token(prefixes=[""], nbf=int(time.time()) + DAY_S),
    "made in the future": make_token(prefixes=[""], iat=int(time.time()) + DAY_S),
    "without an end": make_token(prefixes=[""], exp=None),
    "ending in words": make_token(prefixes=[""], exp="9999999999"),
    "ending in infinity": make_token(prefixes=[""], exp=float("inf")),
    "for another audience": make_token(prefixes=[""], aud="another-service"),
    "for no audience": make_token(prefixes=[""], aud=None),
    "alg none": unsigned(alg="none", typ="JWT"),
    "alg None": unsigned(alg="None"),
    "alg empty": unsigned(alg=""),
    "no alg": unsigned(typ="JWT"),
    "of another algorithm": make_token(KEY * 2, "HS512", prefixes=[""]),
    "said to be RS256": with_header({"alg": "RS256"}, GOOD),
    "with a critical extension": make_token(prefixes=[""], headers={"crit": ["x"], "x": 1}),
    "a header nested past all reason": "e3siOi" + "W1tb" * 900 + ".e30.e30",
    "naming no list": make_token(sessions="a"),
    "naming numbers": make_token(sessions=[1]),
    "naming a list of lists": make_token(prefixes=[[""]]),
    "allowing no list": make_token(prefixes=[""], actions="read"),
    "huge": make_token(prefixes=[""], sessions=["x" * 128] * 100),
    "a word": "x",
    "dots": "..",
    "not ASCII": "caf\xe9.caf\xe9.caf\xe9",
}


@pytest.fixture
async def closed(connect: Connect) -> AsyncIterator[httpx.AsyncClient]:
    """A server that requires a token for reading too, with a session `a` and a session `b`."""
    async with connect(read="token", token_key=KEY, publish_token=PUBLISH_TOKEN) as client:
        for session_id in ("a", "b"):
            created = await client.put(
                f"/api/progress/{session_id}",
                json={"steps": [{"name": f"secret of {session_id}"}]},
                headers=bearer(PUBLISH_TOKEN),
            )
            assert created.status_code == 201
        yield client


READS = ["/api/progress/a", "/api/progress/a/events", "/api/events?session_id=a"]


@pytest.mark.parametrize("token", BAD_TOKENS.values(), ids=BAD_TOKENS.keys())
async def test_a_bad_token_is_a_401_that_does_not_say_why(closed: httpx.AsyncClient, token: str) -> None:
    """SE-02: the same bytes as without a token, for every kind of request."""
    headers = {b"authorization": f"Bearer {token}".encode("latin-1")}
    requests = [("GET", path) for path in READS]
    requests += [("POST", "/api/progress/a/update"), ("PUT", "/api/progress/a"), ("DELETE", "/api/progress/a")]
    requests += [("POST", "/api/progress"), ("GET", "/api/progress"), ("POST", "/api/tickets"), ("POST", "/api/cookie")]
    for method, path in requests:
        anonymous = await closed.request(method, path)
        response = await closed.request(method, path, headers=headers)
        assert_problem(response, 401, "unauthorized")
        assert response.headers["www-authenticate"].startswith("Bearer")
        assert (response.content, response.headers) == (anonymous.content, anonymous.headers)


async def test_a_valid_token_is_accepted(closed: httpx.AsyncClient) -> None:
    """It differs from the bad ones only in their faults."""
    for path in READS:
        assert (await closed.head(path, headers=bearer(GOOD))).status_code == 200
        assert (await closed.head(path, headers={"authorization": "Basic eDp5"})).status_code == 401


@pytest.mark.parametrize("claims", [{"sessions": ["a"]}, {"prefixes": ["a"]}, {"sessions": ["x", "a"], "prefixes": []}])
async def test_a_session_without_a_right_looks_the_same_whether_it_exists(
    closed: httpx.AsyncClient, claims: dict[str, Any]
) -> None:
    """SE-01: 403 with the same bytes, for every request about a session; and nothing has changed."""
    headers = bearer(make_token(**claims, actions=["read", "publish"]))
    before = (await closed.get("/api/progress/b", headers=bearer(PUBLISH_TOKEN))).content
    assert (await closed.get("/api/progress/a", headers=headers)).json()["status"] == "pending"
    for method, path, body in [
        ("GET", "/api/progress/{}", None),
        ("GET", "/api/progress/{}/events", None),
        ("GET", "/api/progress/{}/events?last_event_id=x-1", None),
        ("GET", "/api/events?session_id=a&session_id={}", None),
        ("POST", "/api/progress/{}/update", START),
        ("PUT", "/api/progress/{}?replace=true", {}),
        ("DELETE", "/api/progress/{}", None),
    ]:
        there = await closed.request(method, path.format("b"), json=body, headers=headers)
        absent = await closed.request(method, path.format("missing"), json=body, headers=headers)
        assert_problem(there, 403, "forbidden")
        assert (there.content, there.headers) == (absent.content, absent.headers)
        assert "secret" not in there.text
    assert (await closed.get("/api/progress/b", headers=bearer(PUBLISH_TOKEN))).content == before


async def test_each_action_must_be_granted(closed: httpx.AsyncClient) -> None:
    """SE-02: a reader's token publishes nothing, a worker's reads nothing, and neither lists."""
    reader, worker = bearer(make_token(prefixes=[""])), bearer(make_token(prefixes=[""], actions=["publish"]))
    assert_problem(await closed.post("/api/progress/a/update", json=START, headers=reader), 403, "forbidden")
    for body in (b'{"updates": [{}]}', b'{"updates": []}', b"{", b""):  # None of these is even read.
        assert_problem(await closed.post("/api/updates", content=body, headers=reader), 403, "forbidden")
    assert (await closed.post("/api/progress/a/update", json=START, headers=worker)).status_code == 200
    assert_problem(await closed.get("/api/progress/a", headers=worker), 403, "forbidden")
    assert (await closed.get("/api/progress/a", headers=reader)).json()["status"] == "running"
    for headers in (reader, worker, bearer(make_token(prefixes=["a"], actions=["list"]))):
        assert_problem(await closed.get("/api/progress", headers=headers), 403, "forbidden")
    operator = bearer(make_token(prefixes=[""], actions=["list"]))
    assert len((await closed.get("/api/progress", headers=operator)).json()["sessions"]) == 2


async def test_an_id_that_the_server_makes_needs_a_token_for_every_id(closed: httpx.AsyncClient) -> None:
    """SE-01: no client knows it beforehand, and it has at least 128 bits."""
    headers = bearer(make_token(prefixes=["team-"], actions=["publish"]))
    assert_problem(await closed.post("/api/progress", json={}, headers=headers), 403, "forbidden")
    headers = bearer(make_token(prefixes=[""], actions=["publish"]))
    created = await closed.post("/api/progress", json={}, headers=headers)
    assert created.status_code == 201
    assert len(base64.urlsafe_b64decode(created.json()["session_id"] + "==")) >= 16


async def test_a_publish_token_may_do_everything(closed: httpx.AsyncClient) -> None:
    """Reading and listing included."""
    for path in [*READS, "/api/progress"]:
        assert (await closed.head(path, headers=bearer(PUBLISH_TOKEN))).status_code == 200
    assert (await closed.delete("/api/progress/a", headers=bearer(PUBLISH_TOKEN))).status_code == 204


async def test_paths_that_show_no_session_are_open(closed: httpx.AsyncClient) -> None:
    """The pages, their files, the definitions of steps, and the health checks."""
    for path in ("/", "/s/a", "/web/tracker.js", "/api/steps", "/livez", "/readyz"):
        assert (await closed.get(path)).status_code == 200


async def test_with_a_key_alone_reading_is_open_and_publishing_is_not(connect: Connect) -> None:
    """The setting `read` decides about reading; a token may still grant publishing."""
    async with connect(token_key=KEY) as client:
        assert (await client.get("/api/progress/a")).status_code == 200
        assert (await client.get("/api/progress/a", headers=bearer("whatever"))).status_code == 200
        assert_problem(await client.post("/api/progress/a/update", json=START), 401, "unauthorized")
        assert_problem(await client.get("/api/progress"), 401, "unauthorized")
        headers = bearer(make_token(sessions=["a"], actions=["publish"]))
        assert (await client.post("/api/progress/a/update", json=START, headers=headers)).status_code == 200


class CountingBackend(MemoryBackend):
    """Memory that counts how often a session is loaded."""

    def __init__(self) -> None:
        super().__init__(StorageLimits())
        self.questions = 0

    async def load(self, session_id: str) -> Record | None:
        self.questions += 1
        return await super().load(session_id)


async def test_no_session_is_loaded_before_the_request_is_authorized(connect: Connect) -> None:
    """SE-01: so that no response takes longer for a session that exists."""
    backend = CountingBackend()
    async with connect(backend=backend, read="token", token_key=KEY) as client:
        headers = bearer(make_token(sessions=["mine"]))
        for query in ("", "?last_event_id=x-1"):
            await client.get(f"/api/progress/other/events{query}", headers=headers)
            await client.get(f"/api/events?session_id=mine&session_id=other{query.replace('?', '&')}", headers=headers)
        for method in ("GET", "PUT", "DELETE"):
            response = await client.request(method, "/api/progress/other", json={}, headers=headers)
            assert response.status_code == 403
        assert backend.questions == 0
        await client.get("/api/progress/mine", headers=headers)
        assert backend.questions == 1


async def test_a_token_is_valid_until_its_end_in_every_form(connect: Connect) -> None:
    """SE-02: also if it was valid a moment ago: its grant is cached, its validity is not."""
    clock = ManualClock()
    expires_at = clock.now().timestamp() + 10
    token = make_token(sessions=["a"], exp=expires_at)
    async with connect(clock=clock, read="token", token_key=KEY) as client:
        tickets = [await buy(client, token) for _ in range(2)]
        brought = [(bearer(token), ""), ({"cookie": f"progress_sse={token}"}, "")]
        for status, ticket in zip((200, 401), tickets, strict=True):
            for headers, query in [*brought, ({}, f"?ticket={ticket}")]:
                response = await client.head(f"/api/progress/a/events{query}", headers=headers)
                assert response.status_code == status
            clock.advance(10)
        assert_problem(await client.post("/api/cookie", headers=bearer(token)), 401, "unauthorized")


# Cookies.


def attributes(response: httpx.Response) -> set[str]:
    """The attributes of the cookie that a response sets."""
    return set(response.headers["set-cookie"].split("; ")[1:])


async def test_a_token_becomes_a_cookie_and_is_deleted_again(closed: httpx.AsyncClient) -> None:
    """SE-08: no script can read it, no other site can have it sent, and it lasts as long as the token."""
    token = make_token(sessions=["a"], exp=int(time.time()) + 600)
    response = await closed.post("/api/cookie", headers=bearer(token))
    assert (response.status_code, response.content) == (204, b"")
    assert response.headers["set-cookie"].startswith(f"progress_sse={token}; ")
    assert response.headers["cache-control"] == "no-store"
    [max_age] = [each for each in attributes(response) if each.startswith("Max-Age=")]
    assert attributes(response) == {"HttpOnly", "SameSite=Strict", "Secure", "Path=/", max_age}
    assert 590 <= int(max_age.removeprefix("Max-Age=")) <= 600
    closed.cookies.clear()
    cookie = {"cookie": f"other=1; progress_sse={token}"}
    for path in READS:
        assert (await closed.head(path, headers=cookie)).status_code == 200
    assert_problem(await closed.get("/api/progress/b", headers=cookie), 403, "forbidden")
    dropped = await closed.delete("/api/cookie")
    assert dropped.status_code == 204
    assert dropped.headers["set-cookie"].startswith("progress_sse=; ")
    assert {"Max-Age=0", "Path=/", "HttpOnly"} <= attributes(dropped)


async def test_a_cookie_is_made_from_a_header_only(closed: httpx.AsyncClient) -> None:
    """Not from another cookie, which would extend its life."""
    response = await closed.post(
        "/api/cookie", headers={"cookie": f"progress_sse={GOOD}", "sec-fetch-site": "same-origin"}
    )
    assert_problem(response, 401, "unauthorized")


async def test_a_publish_token_of_any_characters_fits_into_a_cookie(connect: Connect) -> None:
    """The cookie lasts until the browser is closed."""
    token = 'a; b="c" %41\xe9'
    async with connect(read="token", token_key=KEY, publish_token=token) as client:
        headers = {b"authorization": b"Bearer " + token.encode()}
        response = await client.post("/api/cookie", headers=headers)
        assert attributes(response) == {"HttpOnly", "SameSite=Strict", "Secure", "Path=/"}
        client.cookies.clear()
        cookie = {"cookie": response.headers["set-cookie"].partition(";")[0]}
        assert (await client.get("/api/progress/a", headers=cookie)).status_code == 200


async def test_of_several_cookies_the_one_for_the_nearest_path_counts(closed: httpx.AsyncClient) -> None:
    """A browser sends that first; the other belongs to a server at a shorter path, with other tokens."""
    theirs = make_token("another-secret-that-is-longer-than-32-bytes", prefixes=[""])
    for cookies, status in (
        (f"progress_sse={GOOD}; progress_sse={theirs}", 200),
        (f"progress_sse={theirs}; progress_sse={GOOD}", 401),
    ):
        response = await closed.get("/api/progress/a", headers={"cookie": cookies})
        assert response.status_code == status
    in_two_lines = [("cookie", "other=1"), ("cookie", f"x; =; progress_sse={GOOD}")]  # As HTTP/2 may send them.
    assert (await closed.get("/api/progress/a", headers=in_two_lines)).status_code == 200


async def test_reading_a_cookie_does_not_block_others(closed: httpx.AsyncClient) -> None:
    """SE-03: ten times the largest that fits into a head, of the text that takes longest to read."""
    async with asyncio.timeout(10):
        for value in ["\\" * 60_000, "\\a" * 30_000, '"' * 60_000, "%" * 60_000, ";" * 60_000] * 2:
            await asyncio.sleep(0)  # where the deadline is checked
            response = await closed.get("/api/progress/a", headers={"cookie": f'progress_sse="{value}"'})
            assert_problem(response, 401, "unauthorized")


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "localhost:8000", "[::1]:8000", "127.8.9.1"])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_cookie_is_sent_without_tls_to_this_machine_only(
    closed: httpx.AsyncClient, scheme: str, host: str
) -> None:
    """Where TLS is not available."""
    response = await closed.post(f"{scheme}://{host}/api/cookie", headers=bearer(GOOD))
    assert ("Secure" in attributes(response)) == (scheme == "https")


@pytest.mark.parametrize("host", ["progress.example", "127.0.0.1.example", "[", "localhost.example", "192.0.2.1:80"])
async def test_a_cookie_is_sent_to_other_machines_by_tls_only(closed: httpx.AsyncClient, host: str) -> None:
    """Also behind a proxy that terminates TLS, so that the request arrives without it."""
    response = await closed.post("http://127.0.0.1/api/cookie", headers={**bearer(GOOD), "host": host})
    assert "Secure" in attributes(response)


@pytest.mark.parametrize(
    ("origin", "is_secure"),
    [
        ("https://progress.example", True),
        ("http://progress.example:8080", True),
        ("https://localhost", True),
        ("http://localhost:3000", False),
        ("http://[::1]:3000", False),
        ("null", False),
        ("", False),
    ],
)
async def test_a_proxy_that_hides_its_name_shows_in_the_origin(
    closed: httpx.AsyncClient, origin: str, is_secure: bool
) -> None:
    """By default nginx sends our address as `Host`; the cookie must still not be sent without TLS."""
    response = await closed.post("http://127.0.0.1:8000/api/cookie", headers={**bearer(GOOD), "origin": origin})
    assert ("Secure" in attributes(response)) == is_secure


ALLOWED_ORIGIN = "https://app.example"
OWN = "http://progress.example"

CSRF = {
    "our own page": ({"sec-fetch-site": "same-origin", "origin": OWN}, 200),
    "our own page behind a proxy with TLS": ({"origin": "https://progress.example"}, 200),
    "our own page in an old browser": ({"origin": OWN}, 200),
    "a page that is allowed": ({"sec-fetch-site": "cross-site", "origin": ALLOWED_ORIGIN}, 200),
    "a page of another site": ({"sec-fetch-site": "cross-site", "origin": "https://evil.example"}, 403),
    "a page of another host of ours": ({"sec-fetch-site": "same-site", "origin": "http://blog.example"}, 403),
    "a page without TLS of our name": ({"sec-fetch-site": "cross-site", "origin": OWN}, 403),
    "a page of another site in an old browser": ({"origin": "https://evil.example"}, 403),
    "a page whose name begins like ours": ({"origin": "https://progress.example.evil.example"}, 403),
    "a page of another port": ({"origin": f"{OWN}:81"}, 403),
    "a sandboxed frame": ({"sec-fetch-site": "cross-site", "origin": "null"}, 403),
    "a sandboxed frame in an old browser": ({"origin": "null"}, 403),
    "a URL that the visitor typed": ({"sec-fetch-site": "none"}, 403),
    "a browser that sends neither header": ({}, 403),
}


@pytest.mark.parametrize(("headers", "status"), CSRF.values(), ids=CSRF.keys())
async def test_a_cookie_lets_only_our_own_pages_write(connect: Connect, headers: dict[str, str], status: int) -> None:
    """SE-08: by headers of the browser that no page can change; a token in a header needs none of them."""
    async with connect(read="token", token_key=KEY, allow_origins=ALLOWED_ORIGIN) as client:
        token = make_token(prefixes=[""], actions=["read", "publish"])
        cookie = {"cookie": f"progress_sse={token}"}
        response = await client.post("/api/progress/a/update", json=START, headers={**cookie, **headers})
        assert response.status_code == status
        assert response.headers.get("content-type") == "application/json" or "secret" not in response.text
        session = await client.get("/api/progress/a", headers={**cookie, **headers})
        assert session.json()["status"] == ("running" if status == 200 else "not_found")
        for method, path in [("POST", "/api/tickets"), ("PUT", "/api/progress/b"), ("DELETE", "/api/progress/b")]:
            response = await client.request(method, path, json={}, headers={**cookie, **headers})
            assert (response.status_code == 403) == (status == 403)
        response = await client.post("/api/progress/a/update", json=START, headers={**bearer(token), **headers})
        assert response.status_code == 200


# Tickets.


async def buy(client: httpx.AsyncClient, token: str) -> str:
    """A ticket for the token."""
    response = await client.post("/api/tickets", headers=bearer(token))
    assert response.status_code == 201
    assert response.headers["cache-control"] == "no-store"
    assert list(response.json()) == ["ticket", "expires_in"]
    assert response.json()["expires_in"] <= 60
    ticket: str = response.json()["ticket"]
    return ticket


@pytest.mark.parametrize("path", ["/api/progress/a/events?", "/api/events?session_id=a&"])
async def test_a_ticket_opens_one_stream_once(closed: httpx.AsyncClient, path: str) -> None:
    """PR-01: afterwards it is worthless, wherever it was logged."""
    ticket = await buy(closed, make_token(sessions=["a"]))
    assert (await closed.head(f"{path}ticket={ticket}")).status_code == 200
    again = await closed.get(f"{path}ticket={ticket}")
    assert_problem(again, 401, "unauthorized")
    assert again.content == (await closed.get(path)).content
    for wrong in ("x", ticket[:-1], "%00", "%ff", "x" * 10_000):
        assert_problem(await closed.get(f"{path}ticket={wrong}"), 401, "unauthorized")


async def test_a_ticket_is_for_streams_only(closed: httpx.AsyncClient) -> None:
    """Other requests do not use it up."""
    ticket = await buy(closed, make_token(prefixes=[""], actions=["read", "publish", "list"]))
    for method, path in [
        ("GET", "/api/progress/a"),
        ("GET", "/api/progress"),
        ("POST", "/api/progress/a/update"),
        ("POST", "/api/tickets"),
        ("POST", "/api/cookie"),
    ]:
        assert_problem(await closed.request(method, f"{path}?ticket={ticket}", json=START), 401, "unauthorized")
    assert (await closed.head(f"/api/progress/a/events?ticket={ticket}")).status_code == 200


async def test_a_ticket_has_the_rights_of_its_token(closed: httpx.AsyncClient) -> None:
    """For no other sessions, and no other action."""
    ticket = await buy(closed, make_token(sessions=["a"]))
    assert_problem(await closed.get(f"/api/progress/b/events?ticket={ticket}"), 403, "forbidden")
    ticket = await buy(closed, make_token(sessions=["a"], actions=["publish"]))
    assert_problem(await closed.get(f"/api/progress/a/events?ticket={ticket}"), 403, "forbidden")
    ticket = await buy(closed, PUBLISH_TOKEN)
    assert (await closed.head(f"/api/progress/b/events?ticket={ticket}")).status_code == 200


class Shared(MemoryBackend):
    """A store that keeps tickets for several servers, as Redis does."""

    def __init__(self) -> None:
        super().__init__(StorageLimits())
        self.kept: dict[str, bytes] = {}

    async def put(self, name: str, value: bytes, lifetime_s: int) -> None:
        self.kept[name] = value

    async def take(self, name: str) -> bytes | None:
        return self.kept.pop(name, None)


async def test_a_ticket_is_invalid_once_its_token_is(connect: Connect) -> None:
    """SE-02: a restart with another key invalidates all at once, and so does the removal of a publish token."""
    backend = Shared()
    closed: dict[str, Any] = {"backend": backend, "read": "token", "token_key": KEY, "publish_token": "old,kept"}
    async with connect(**closed) as client:
        tickets = [await buy(client, token) for token in (make_token(sessions=["a"]), "old", "kept")]
        assert not any(secret in bytes(backend.kept[name]) for name in backend.kept for secret in (b"old", b"kept"))
    another_key = "another-secret-that-is-longer-than-32-bytes"
    async with connect(**{**closed, "token_key": another_key, "publish_token": "kept"}) as client:
        answers = [await client.head(f"/api/progress/a/events?ticket={ticket}") for ticket in tickets]
    assert [answer.status_code for answer in answers] == [401, 401, 200]


async def test_a_token_in_a_url_is_ignored(closed: httpx.AsyncClient) -> None:
    """PR-01: so that no client comes to rely on it."""
    for name in ("ticket", "token", "access_token", "authorization", "progress_sse"):
        assert_problem(await closed.get(f"/api/progress/a/events?{name}={GOOD}"), 401, "unauthorized")


# One function in place of all that.


Asked = tuple[str, Action, str | None]


def embedded(authorize: Authorize) -> Any:
    app = create_app(load_settings(store="memory://", read="token"), authorize=authorize)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return app, httpx.AsyncClient(transport=transport, base_url="http://progress.example")


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_function_replaces_all_tokens(is_async: bool) -> None:
    """It gets the action and the session, needs no key, and its decision is final."""
    asked: list[Asked] = []

    def decide(request: Request, action: Action, session_id: str | None) -> bool:
        asked.append((request.method, action, session_id))
        return request.headers.get("x-user") == "alice" and session_id in ("a", "b", None)

    async def decide_later(request: Request, action: Action, session_id: str | None) -> bool:
        return decide(request, action, session_id)

    app, client = embedded(decide_later if is_async else decide)
    alice = {"x-user": "alice"}
    async with app.router.lifespan_context(app), client:
        assert (await client.put("/api/progress/a", json={}, headers=alice)).status_code == 201
        assert (await client.get("/api/progress/a", headers=alice)).status_code == 200
        assert (await client.get("/api/progress", headers=alice)).status_code == 200
        assert (await client.head("/api/events?session_id=a&session_id=b", headers=alice)).status_code == 200
        assert asked == [
            ("PUT", "publish", "a"),
            ("GET", "read", "a"),
            ("GET", "list", None),
            ("HEAD", "read", "a"),
            ("HEAD", "read", "b"),
        ]
        refused = await client.get("/api/events?session_id=a&session_id=c", headers=alice)
        assert_problem(refused, 403, "forbidden")
        assert_problem(await client.get("/api/progress/a"), 403, "forbidden")
        assert_problem(await client.delete("/api/progress/a"), 403, "forbidden")
        for path in ("/api/tickets", "/api/cookie"):
            assert_problem(await client.post(path, headers=alice), 404, "not-found")


async def test_a_function_that_fails_allows_nothing() -> None:
    """500, without the text of its exception."""

    def fail(_request: Request, _action: Action, _session_id: str | None) -> bool:
        raise LookupError("canary")

    app, client = embedded(fail)
    async with app.router.lifespan_context(app), client:
        assert_problem(await client.get("/api/progress/a"), 500, "internal-error")


EXPOSED = [({}, True), ({"publish_token": ("w",)}, False), ({"insecure": True}, False)]


@pytest.mark.parametrize(("given", "is_exposed"), EXPOSED)
async def test_open_access_from_other_machines_is_logged(
    caplog: pytest.LogCaptureFixture, given: dict[str, Any], is_exposed: bool
) -> None:
    """Once, at a request by an address that other machines reach; another server does not refuse to start."""
    app = create_app(load_settings(store="memory://", **given))
    async with app.router.lifespan_context(app):
        for address in ("127.0.0.1", "[::1]", "192.0.2.1", "192.0.2.1"):
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url=f"http://{address}") as client:
                assert (await client.get("/api/progress/a")).status_code == 200
            assert ("192.0.2.1" in caplog.text) == (is_exposed and address == "192.0.2.1")
    assert len(caplog.records) == is_exposed


async def test_a_function_is_not_open_access(caplog: pytest.LogCaptureFixture) -> None:
    """Even if it allows every request."""
    app, client = embedded(lambda *_: True)
    async with app.router.lifespan_context(app), client:
        client.base_url = "http://192.0.2.1"
        assert (await client.get("/api/progress/a")).status_code == 200
    assert not caplog.records
