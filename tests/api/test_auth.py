"""Authorization by tokens: the one form of each refusal, and the requests that are allowed."""

import base64
import json
import time
from typing import Any

import httpx
import pytest

from progress_sse.store.memory import MemoryBackend
from progress_sse.store.types import Record, StorageLimits
from tests.api.conftest import FULL_TOKEN, PUBLISH_TOKEN, READS, Connect, issue_ticket
from tests.api.problems import assert_problem
from tests.clock import ManualClock
from tests.harness.tokens import DAY_S, KEY, bearer, make_token

START = {"action": "start", "step": 1}


def segment(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def with_header(header: Any, token: str) -> str:
    """The token with another header, so that its signature is no longer valid."""
    return ".".join([segment(header), *token.split(".")[1:]])


def unsigned(**header: Any) -> str:
    claims = segment({"aud": "progress-sse", "exp": int(time.time()) + DAY_S, "prefixes": [""]})
    return f"{segment(header)}.{claims}."


BAD_TOKENS = {
    "of another key": make_token("another-secret-that-is-longer-than-32-bytes", prefixes=[""]),
    "truncated": FULL_TOKEN[:-1],
    "half of it": FULL_TOKEN[: len(FULL_TOKEN) // 2],
    "without its signature": FULL_TOKEN.rpartition(".")[0] + ".",
    "with a changed claim": ".".join([FULL_TOKEN.split(".")[0], segment({"prefixes": [""]}), FULL_TOKEN.split(".")[2]]),
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
    "said to be RS256": with_header({"alg": "RS256"}, FULL_TOKEN),
    "with a critical extension": make_token(prefixes=[""], headers={"crit": ["x"], "x": 1}),
    "a header nested too deeply": "e3siOi" + "W1tb" * 900 + ".e30.e30",
    "naming no list": make_token(sessions="a"),
    "naming numbers": make_token(sessions=[1]),
    "naming a list of lists": make_token(prefixes=[[""]]),
    "allowing no list": make_token(prefixes=[""], actions="read"),
    "huge": make_token(prefixes=[""], sessions=["x" * 128] * 100),
    "a word": "x",
    "dots": "..",
    "not ASCII": "caf\xe9.caf\xe9.caf\xe9",
}


@pytest.mark.protocol("P-15.2")
@pytest.mark.parametrize("token", BAD_TOKENS.values(), ids=BAD_TOKENS.keys())
async def test_a_bad_token_is_a_401_that_does_not_say_why(closed: httpx.AsyncClient, token: str) -> None:
    """SE-02: the same as without a token but for these words, for every kind of request and every fault."""
    headers = {b"authorization": f"Bearer {token}".encode("latin-1")}
    requests = [("GET", path) for path in READS]
    requests += [("POST", "/api/progress/a/update"), ("PUT", "/api/progress/a"), ("DELETE", "/api/progress/a")]
    requests += [("POST", "/api/progress/a/requests"), ("GET", "/api/requests?session_id=a")]
    requests += [("GET", "/api/steps?profile=a"), ("GET", "/api/progress/a/steps"), ("DELETE", "/api/steps/a/learned")]
    requests += [("POST", "/api/progress"), ("GET", "/api/progress"), ("POST", "/api/tickets"), ("POST", "/api/cookie")]
    requests += [("POST", "/api/progress/a/link"), ("GET", "/api/progress/a/log")]
    requests += [("GET", "/api/progress/a/parts?step=1"), ("GET", "/api/hooks"), ("POST", "/api/hooks/a/test")]
    requests += [("POST", "/api/hooks/a/retry")]
    for method, path in requests:
        anonymous = await closed.request(method, path)
        response = await closed.request(method, path, headers=headers)
        assert_problem(response, 401, "unauthorized")
        assert response.headers["www-authenticate"].startswith("Bearer")
        assert response.json() == anonymous.json() | {"detail": "The token is not valid."}
        lengths = [each.headers.pop("content-length") for each in (response, anonymous)]
        assert lengths == [str(len(each.content)) for each in (response, anonymous)]
        assert response.headers == anonymous.headers


async def test_a_valid_token_is_accepted(closed: httpx.AsyncClient) -> None:
    """It differs from the bad ones only in their faults."""
    for path in READS:
        assert (await closed.head(path, headers=bearer(FULL_TOKEN))).status_code == 200
        assert (await closed.head(path, headers={"authorization": "Basic eDp5"})).status_code == 401


@pytest.mark.protocol("P-15.4")
@pytest.mark.parametrize("claims", [{"sessions": ["a"]}, {"prefixes": ["a"]}, {"sessions": ["x", "a"], "prefixes": []}])
async def test_a_session_without_a_right_looks_the_same_whether_it_exists(
    closed: httpx.AsyncClient, claims: dict[str, Any]
) -> None:
    """SE-01: 403 with the same bytes, for every request about a session; and nothing has changed."""
    headers = bearer(make_token(**claims, actions=["read", "publish", "control"]))
    before = (await closed.get("/api/progress/b", headers=bearer(PUBLISH_TOKEN))).content
    assert (await closed.get("/api/progress/a", headers=headers)).json()["status"] == "pending"
    for method, path, body in [
        ("GET", "/api/progress/{}", None),
        ("GET", "/api/progress/{}/events", None),
        ("GET", "/api/progress/{}/parts?step=1", None),
        ("GET", "/api/progress/{}/log", None),
        ("POST", "/api/progress/{}/update", {"action": "log", "lines": ["a"]}),
        ("GET", "/api/progress/{}/events?last_event_id=x-1", None),
        ("GET", "/api/events?session_id=a&session_id={}", None),
        ("POST", "/api/progress/{}/update", START),
        ("POST", "/api/progress/{}/requests", {"kind": "cancel"}),
        ("GET", "/api/progress/{}/requests", None),
        ("POST", "/api/progress/{}/link", None),
        ("GET", "/api/progress/{}/steps", None),
        ("GET", "/api/requests?session_id=a&session_id={}", None),
        ("GET", "/api/steps?profile={}", None),
        ("DELETE", "/api/steps/{}/learned", None),
        ("PUT", "/api/progress/{}?replace=true", {}),
        ("DELETE", "/api/progress/{}", None),
    ]:
        there = await closed.request(method, path.format("b"), json=body, headers=headers)
        absent = await closed.request(method, path.format("missing"), json=body, headers=headers)
        assert_problem(there, 403, "forbidden")
        assert (there.content, there.headers) == (absent.content, absent.headers)
        assert "secret" not in there.text
    assert (await closed.get("/api/progress/b", headers=bearer(PUBLISH_TOKEN))).content == before


@pytest.mark.protocol("P-15.3")
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
    for path in [*READS, "/api/progress", "/api/hooks"]:
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
        assert (await client.get("/api/progress/a", headers=bearer("no-token"))).status_code == 200
        assert_problem(await client.post("/api/progress/a/update", json=START), 401, "unauthorized")
        assert_problem(await client.get("/api/progress"), 401, "unauthorized")
        headers = bearer(make_token(sessions=["a"], actions=["publish"]))
        assert (await client.post("/api/progress/a/update", json=START, headers=headers)).status_code == 200


class CountingBackend(MemoryBackend):
    """Memory that counts how often a session is loaded."""

    def __init__(self) -> None:
        super().__init__(StorageLimits())
        self.loads = 0

    async def load(self, session_id: str) -> Record | None:
        self.loads += 1
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
        assert backend.loads == 0
        await client.get("/api/progress/mine", headers=headers)
        assert backend.loads == 1


async def test_a_token_is_valid_until_its_end_in_every_form(connect: Connect) -> None:
    """SE-02: also if it was valid a moment ago: its grant is cached, its validity is not."""
    clock = ManualClock()
    expires_at = clock.now().timestamp() + 10
    token = make_token(sessions=["a"], exp=expires_at)
    async with connect(clock=clock, read="token", token_key=KEY) as client:
        tickets = [await issue_ticket(client, token) for _ in range(2)]
        brought = [(bearer(token), ""), ({"cookie": f"progress_sse={token}"}, "")]
        for status, ticket in zip((200, 401), tickets, strict=True):
            for headers, query in [*brought, ({}, f"?ticket={ticket}")]:
                response = await client.head(f"/api/progress/a/events{query}", headers=headers)
                assert response.status_code == status
            clock.advance(10)
        assert_problem(await client.post("/api/cookie", headers=bearer(token)), 401, "unauthorized")
