"""Every request that is refused, and as what: nothing changed, nothing echoed, never a 5xx."""

import json
from typing import Any

import httpx
import pytest

from tests.http.conftest import Connect

JSON = {"content-type": "application/json"}
UPDATE = "/api/progress/s/update"
CANARY = "canary"


def assert_problem(response: httpx.Response, status: int, name: str | None = None) -> None:
    """The one form of all errors [RFC 9457]."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert set(problem) == {"type", "title", "status", "detail", "success"}
    assert problem["type"].startswith("/problems/")
    assert problem["status"] == status
    assert problem["success"] is False
    assert response.headers["cache-control"] == "no-store"
    assert name is None or problem["type"] == f"/problems/{name}"
    assert CANARY not in response.text


async def assert_untouched(client: httpx.AsyncClient, before: httpx.Response) -> None:
    after = await client.get("/api/progress/s")
    assert (after.content, after.headers["etag"]) == (before.content, before.headers["etag"])


@pytest.fixture
async def before(client: httpx.AsyncClient) -> httpx.Response:
    """A session `s` with step 1 running and step 2 ended, as it was before the refused request."""
    for body in (
        {"action": "start", "step": 2},
        {"action": "complete", "step": 2, "message": "done"},
        {"action": "start", "step": 1},
    ):
        assert (await client.post(UPDATE, json=body)).status_code == 200
    return await client.get("/api/progress/s")


NOT_JSON = {
    "open": b"{",
    "empty": b"",
    "NUL at the end": b'{"action":"start","step":1}\0',
    "garbage at the end": b'{"action":"start","step":1} x',
    "byte order mark": b'\xef\xbb\xbf{"action":"start","step":1}',
    "not UTF-8": b'{"action":"start","step":1,"message":"\xff"}',
    "UTF-16": '{"action":"start","step":1}'.encode("utf-16"),
    "UTF-32": '{"action":"start","step":1}'.encode("utf-32"),
    "NaN": b'{"action":"start","step":1,"x":NaN}',
    "Infinity": b'{"action":"start","step":1,"x":Infinity}',
    "-Infinity": b'{"action":"start","step":1,"x":-Infinity}',
    "a key twice": b'{"action":"start","step":1,"step":2}',
    "a nested key twice": b'{"action":"start","step":1,"x":{"y":1,"y":1}}',
    "deep nesting": b"[" * 100_000 + b"]" * 100_000,
    "deep objects": b'{"x":' * 40_000 + b"1" + b"}" * 40_000,
    "a long integer": b'{"action":"start","step":' + b"1" * 5000 + b"}",
    "a comment": b'{"action":"start","step":1}//',
    "single quotes": b"{'action':'start','step':1}",
}


@pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON.keys())
async def test_a_body_that_is_not_json_is_a_400(client: httpx.AsyncClient, before: httpx.Response, body: bytes) -> None:
    """Strictly JSON in UTF-8, each key once."""
    assert_problem(await client.post(UPDATE, content=body, headers=JSON), 400, "malformed-body")
    await assert_untouched(client, before)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": ""},
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "application/json; charset=utf-16"},
        {"content-type": "application/json; x=y; charset=latin-1"},
        {"content-type": "application/jsonp"},
        {**JSON, "content-encoding": "gzip"},
    ],
    ids=str,
)
async def test_a_body_that_is_not_declared_as_json_is_a_415(
    client: httpx.AsyncClient, before: httpx.Response, headers: dict[str, str]
) -> None:
    """Which also keeps out what a form of another site can send."""
    response = await client.post(UPDATE, content=b'{"action":"start","step":1}', headers=headers)
    assert_problem(response, 415, "unsupported-media-type")
    await assert_untouched(client, before)


@pytest.mark.parametrize(
    "media_type",
    [
        "application/json",
        "application/json; charset=UTF-8",
        'APPLICATION/JSON;charset="utf-8"',
        "application/json; x=y; charset=utf8",
    ],
)
async def test_json_may_be_declared_in_more_than_one_way(client: httpx.AsyncClient, media_type: str) -> None:
    """Case and the charset that it is anyway make no difference."""
    headers = {"content-type": media_type}
    response = await client.post(UPDATE, content=b'{"action":"start","step":1}', headers=headers)
    assert response.status_code == 200


START = {"action": "start", "step": 1}
COMPLETE = {"action": "complete", "step": 1}
REPORT = {"action": "progress", "step": 1, "current": 1}
WRONG_STEPS: tuple[Any, ...] = (0, -1, 8, 2**31, 2**63, 10**30, 1.5, 1.0, True, "1", "\u0661", None, [], {}, CANARY)
WRONG_TIMES: tuple[Any, ...] = (-1, 1.5, True, 2**53, "1", CANARY, [])
INVALID: list[Any] = [
    *([], CANARY, 1, None, True),
    *({"action": action, "step": 1} for action in ("begin", "Start", "", 1, None, "x" * 100_000, ["start"])),
    {"step": 1},
    {"action": "start"},
    *(body | {"step": step} for body in (START, COMPLETE, REPORT) for step in WRONG_STEPS),
    *(START | {"timeout_ms": timeout_ms} for timeout_ms in WRONG_TIMES),
    *(COMPLETE | {"success": success} for success in (0, 1, "true", None, CANARY)),
    *(COMPLETE | {field: text} for field in ("message", "error") for text in ("x" * 8193, "\0", 1, None, ["x"])),
    *(REPORT | {"current": current} for current in (-1, 1.5, True, "1", None, 2**53)),
    *(REPORT | {"current": 5, "total": total} for total in (4, -1, 1.5, True, "9", 2**53)),
    {"action": "progress", "step": 1},
]


@pytest.mark.parametrize("body", INVALID, ids=lambda body: json.dumps(body)[:60] + str(len(json.dumps(body))))
async def test_a_body_that_asks_for_what_cannot_be_is_a_422(
    client: httpx.AsyncClient, before: httpx.Response, body: Any
) -> None:
    """Types and bounds of every field, and of the body itself."""
    assert_problem(await client.post(UPDATE, content=json.dumps(body).encode(), headers=JSON), 422)
    await assert_untouched(client, before)


@pytest.mark.parametrize(
    "body",
    [
        b'{"action":"start","step":1e400}',
        b'{"action":"start","step":1,"timeout_ms":1e400}',
        b'{"action":"complete","step":1,"message":"\\ud800"}',
        b'{"action":"complete","step":1,"error":"\\udfff x"}',
        b'{"action":"\\ud800","step":1}',
    ],
    ids=str,
)
async def test_numbers_and_characters_that_json_allows_and_we_cannot_keep_are_a_422(
    client: httpx.AsyncClient, before: httpx.Response, body: bytes
) -> None:
    """A stored lone surrogate would break every stream that reaches it."""
    assert_problem(await client.post(UPDATE, content=body, headers=JSON), 422)
    await assert_untouched(client, before)


async def test_unknown_keys_are_ignored(client: httpx.AsyncClient) -> None:
    """A worker that sends more than we know still reports."""
    body = b'{"action":"start","step":1,"status":"success","session_id":"other","x":[1e400,"\\ud800"]}'
    response = await client.post(UPDATE, content=body, headers=JSON)
    assert (response.status_code, response.content) == (200, b'{"success":true,"session_id":"s"}')


@pytest.mark.parametrize("action", [COMPLETE, REPORT], ids=["complete", "progress"])
async def test_an_update_of_an_unknown_session_is_a_404(client: httpx.AsyncClient, action: dict[str, Any]) -> None:
    """Nothing is made by it."""
    assert_problem(await client.post("/api/progress/nobody/update", json=action), 404, "session-not-found")
    assert (await client.get("/api/progress/nobody")).json()["status"] == "not_found"


async def test_an_update_that_the_step_is_not_ready_for_is_a_409(
    client: httpx.AsyncClient, before: httpx.Response
) -> None:
    """Never started, or ended already."""
    for body, name in (
        (COMPLETE | {"step": 3}, "step-not-started"),
        (REPORT | {"step": 3}, "step-not-started"),
        (REPORT | {"step": 2}, "step-not-running"),
    ):
        assert_problem(await client.post(UPDATE, json=body), 409, name)
    await assert_untouched(client, before)


WRONG_TOTALS: tuple[Any, ...] = (0, -1, 1001, 10**9, 2**63, 7.5, 7.0, True, "7", [])
INVALID_SESSIONS: list[Any] = [
    *([], 7, None, CANARY),
    *({"total_steps": total} for total in WRONG_TOTALS),
    {"steps": []},
    {"steps": [{}] * 1001},
    {"steps": {}},
    {"steps": ["Download"]},
    {"steps": [None]},
    {"steps": [{"step": 1}, {"step": 1}]},
    {"steps": [{"step": 1}, {"step": 3}]},
    {"steps": [{"step": 0}]},
    {"steps": [{"step": True}]},
    {"steps": [{"name": ""}]},
    {"steps": [{"name": "x" * 8193}]},
    {"steps": [{"name": "\0"}]},
    {"steps": [{"name": 1}]},
    *({"steps": [{field: value}]} for field in ("timeout_ms", "estimated_ms") for value in WRONG_TIMES),
    {"workflow": CANARY},
    {"workflow": 1},
    *({way: None} for way in ("total_steps", "steps", "workflow")),
    {"workflow": "default", "total_steps": 7},
    {"steps": [{}], "total_steps": 1},
    {"steps": [{}], "workflow": "default"},
]


@pytest.mark.parametrize("body", INVALID_SESSIONS, ids=lambda body: json.dumps(body)[:60] + str(len(json.dumps(body))))
async def test_a_session_that_cannot_be_is_a_422(client: httpx.AsyncClient, body: Any) -> None:
    """By PUT and by POST alike, and none is made."""
    content = json.dumps(body).encode()
    assert_problem(await client.put("/api/progress/new", content=content, headers=JSON), 422)
    assert_problem(await client.post("/api/progress", content=content, headers=JSON), 422)
    assert (await client.get("/api/progress")).json() == {"sessions": [], "next": None}


BAD_IDS = {
    "..": "%2e%2e",
    ".": "%2e",
    "path": "%2e%2e%2fetc%2fpasswd",
    "slash": "a%2Fb",
    "slash and route": "a%2Fevents",
    "NUL": "%00",
    "CR LF": "%0d%0aSet-Cookie:x",
    "U+202E": "%E2%80%AE",
    "U+200B": "%E2%80%8B",
    "U+0085": "%C2%85",
    "not UTF-8": "%ff",
    "surrogate": "%ED%A0%80",
    "129 characters": "x" * 129,
}


@pytest.mark.parametrize("session_id", BAD_IDS.values(), ids=BAD_IDS.keys())
async def test_a_malformed_session_id_is_a_422_everywhere(client: httpx.AsyncClient, session_id: str) -> None:
    """In the path of every route that has one."""
    path = f"/api/progress/{session_id}"
    for response in (
        await client.get(path),
        await client.put(path, json={}),
        await client.delete(path),
        await client.post(f"{path}/update", json=START),
        await client.get(f"{path}/events"),
        await client.get(f"/s/{session_id}"),
    ):
        assert_problem(response, 422, "invalid-session-id")
        assert "set-cookie" not in response.headers


async def test_a_malformed_or_missing_session_id_of_a_combined_stream_is_a_422(client: httpx.AsyncClient) -> None:
    """None, too many, or one that cannot be; the same one twice counts once."""
    many = "&".join(f"session_id={n}" for n in range(21))
    for query in ("", "session_id=", "session_id=a&session_id=%00", "session_id=a%2Fb", "session_id=%ff", many):
        assert_problem(await client.get(f"/api/events?{query}"), 422)
    assert (await client.head("/api/events?" + "session_id=a&" * 30)).status_code == 200


async def test_too_large_a_body_is_a_413_and_closes(connect: Connect) -> None:
    """Whether it says so beforehand, says so falsely, or says nothing."""

    async def chunks() -> Any:
        for _ in range(20):
            yield b" " * 100

    async with connect(max_body_bytes=1000) as client:
        fits = json.dumps(START).encode().ljust(1000)
        assert (await client.post(UPDATE, content=fits, headers=JSON)).status_code == 200
        for content in (fits + b" ", chunks()):
            response = await client.post(UPDATE, content=content, headers=JSON)
            assert_problem(response, 413, "body-too-large")
            assert response.headers["connection"] == "close"
        huge = JSON | {"content-length": "10000000000"}
        assert_problem(await client.post(UPDATE, content=b"{}", headers=huge), 413)


@pytest.mark.parametrize("key", ["", "x" * 256, "caf\xe9", "a\tb", "a\x7f"])
async def test_an_unusable_idempotency_key_is_a_400(
    client: httpx.AsyncClient, before: httpx.Response, key: str
) -> None:
    """Empty, over-long, or not printable ASCII; for an update as for a creation."""
    headers = {b"idempotency-key": key.encode("latin-1")}
    assert_problem(await client.post(UPDATE, json=START, headers=headers), 400, "invalid-idempotency-key")
    assert_problem(await client.put("/api/progress/n", json={}, headers=headers), 400, "invalid-idempotency-key")
    await assert_untouched(client, before)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PATCH", "/api/progress/s", "DELETE, GET, HEAD, PUT"),
        ("TRACE", "/api/progress/s", "DELETE, GET, HEAD, PUT"),
        ("POST", "/api/progress/s", "DELETE, GET, HEAD, PUT"),
        ("GET", "/api/progress/s/update", "POST"),
        ("POST", "/api/progress/s/events", "GET, HEAD"),
        ("PUT", "/api/progress", "GET, HEAD, POST"),
        ("POST", "/api/events", "GET, HEAD"),
        ("DELETE", "/api/steps", "GET, HEAD"),
        ("POST", "/livez", "GET, HEAD"),
    ],
)
async def test_a_method_that_a_path_does_not_take_is_a_405(
    client: httpx.AsyncClient, method: str, path: str, allowed: str
) -> None:
    """`Allow` names all that it does take."""
    response = await client.request(method, path)
    assert_problem(response, 405, "method-not-allowed")
    assert response.headers["allow"] == allowed


@pytest.mark.parametrize(
    "path", ["/api", "/api/", "/api/nothing", "/api/progress/", "/api/progress/s/", "/api/progress/s/x"]
)
async def test_an_unknown_path_is_a_404(client: httpx.AsyncClient, path: str) -> None:
    """A slash at the end makes another path, and no redirect is built from a Host that anybody can send."""
    response = await client.get(path, headers={"host": "evil.example"})
    assert_problem(response, 404, "not-found")
    assert "evil" not in response.text + str(response.headers)


async def test_an_existing_session_is_not_created_again(client: httpx.AsyncClient, before: httpx.Response) -> None:
    """409, unless asked to replace it; and that must be said clearly."""
    assert_problem(await client.put("/api/progress/s", json={}), 409, "session-exists")
    assert_problem(await client.put("/api/progress/s?replace=false", json={}), 409, "session-exists")
    assert_problem(await client.put("/api/progress/s?replace=yes", json={}), 422)
    await assert_untouched(client, before)


async def test_a_full_store_is_a_507(connect: Connect) -> None:
    """However the session would be made; existing ones go on."""
    async with connect(max_sessions=1) as client:
        assert (await client.post(UPDATE, json=START)).status_code == 200
        for response in (
            await client.post("/api/progress/t/update", json=START),
            await client.put("/api/progress/t", json={}),
            await client.post("/api/progress", json={}),
        ):
            assert_problem(response, 507, "store-full")
        assert (await client.post(UPDATE, json=COMPLETE)).status_code == 200
        assert (await client.put("/api/progress/s?replace=true", json={})).status_code == 200


async def test_publishing_needs_a_token_where_one_is_set(connect: Connect) -> None:
    """401 without one or in another scheme, 403 with a wrong one, for everything that writes and for the list."""
    requests = [
        ("POST", UPDATE, START),
        ("PUT", "/api/progress/s", {}),
        ("POST", "/api/progress", {}),
        ("DELETE", "/api/progress/s", None),
        ("GET", "/api/progress", None),
    ]
    async with connect(publish_token="old,new") as client:
        for method, path, body in requests:
            for value in ("", "Bearer", "Bearer ", "Basic bmV3", "new"):
                response = await client.request(method, path, json=body, headers={"authorization": value})
                assert_problem(response, 401, "unauthorized")
                response = await client.request(method, path, json=body)
                assert_problem(response, 401, "unauthorized")
                assert response.headers["www-authenticate"].startswith("Bearer")
            for wrong in ("ne", "newer", "NEW", "old,new", "caf\xe9"):
                headers = {b"authorization": f"Bearer {wrong}".encode("latin-1")}
                assert_problem(await client.request(method, path, json=body, headers=headers), 403, "forbidden")
        assert (await client.get("/api/progress/s")).json()["status"] == "not_found"
        for token in ("old", "new"):
            authorization = {"authorization": f"bearer {token}"}
            assert (await client.post(UPDATE, json=START, headers=authorization)).status_code == 200


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=x", "limit=1e2", "status=done", "after=!", "after=YQ"]
)
async def test_a_list_that_cannot_be_is_a_422(client: httpx.AsyncClient, query: str) -> None:
    """Every parameter says what it takes."""
    assert_problem(await client.get(f"/api/progress?{query}"), 422)


async def test_an_unknown_workflow_is_a_422(client: httpx.AsyncClient) -> None:
    """Of the definitions as of a session."""
    assert_problem(await client.get(f"/api/steps?workflow={CANARY}"), 422, "unknown-workflow")


async def test_an_unforeseen_fault_says_nothing_of_itself(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """500 in the same form, without text of the exception."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError(CANARY)

    monkeypatch.setattr("progress_sse.wire.list_definitions", fail)
    assert_problem(await client.get("/api/steps"), 500, "internal-error")
