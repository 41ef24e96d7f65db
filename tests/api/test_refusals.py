"""Every request that is refused, and how: nothing changed, nothing echoed, never a 5xx."""

import json
from typing import Any
from urllib.parse import unquote_to_bytes

import httpx
import pytest

from progress_sse.core.errors import OutcomeUnknownError, StoreUnavailableError
from progress_sse.store.memory import MemoryBackend
from progress_sse.store.types import StorageLimits
from tests.api.conftest import Connect
from tests.api.problems import assert_problem
from tests.api.refusal import BEFORE, CANARY, COMPLETE, JSON, NO_IDS, NO_KEYS, START, UPDATE, UPDATES, USED
from tests.api.refusals import REFUSALS


@pytest.fixture
async def before(client: httpx.AsyncClient) -> list[httpx.Response]:
    """The session `s`, and the list of all sessions, before the refused request."""
    for body in BEFORE:
        assert (await client.post(UPDATE, json=body)).status_code == 200
    key, used = USED
    assert (await client.post(UPDATE, json=used, headers={"idempotency-key": key})).status_code == 200
    return await seen(client)


async def seen(client: httpx.AsyncClient) -> list[httpx.Response]:
    return [await client.get("/api/progress/s"), await client.get("/api/progress")]


@pytest.mark.parametrize("part", REFUSALS)
async def test_each_row_is_refused_with_its_problem(
    client: httpx.AsyncClient, before: list[httpx.Response], part: str
) -> None:
    """SE-05: in the application; `tests/live/bad_inputs/test_bad_inputs.py` sends the same to a server."""
    for name, row in REFUSALS[part].items():
        headers = [(key.encode(), value.encode("latin-1")) for key, value in row.headers]
        response = await client.request(row.method, row.target, content=row.body, headers=headers)
        with_name = f"{name}: {response.status_code} {response.text}"
        assert response.status_code == row.status, with_name
        assert_problem(response, row.status, row.problem)
        assert "set-cookie" not in response.headers, with_name
        after = await seen(client)
        assert [(each.content, each.headers) for each in after] == [(each.content, each.headers) for each in before]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({}, "action: is missing."),
        ([], "body: must be an object."),
        ({"action": "complete"}, "step: is missing."),
        (START | {"step": "1"}, "step: must be an integer."),
        (START | {"step": 0}, "step: must be at least 1."),
        (START | {"parts_total": 201}, "parts_total: must be at most 200."),
        (START | {"attempt_id": ""}, "attempt_id: must not be empty."),
        (COMPLETE | {"success": 1}, "success: must be true or false."),
        (COMPLETE | {"message": 1}, "message: must be text."),
        (START | {"action": "part", "status": "x"}, "status: must be 'running', 'success' or 'error'."),
        ({"action": "log", "lines": "a"}, "lines: must be a list."),
        ({"action": "log", "lines": []}, "lines: must not be empty."),
        ({"action": "log", "lines": [""] * 101}, "lines: must have at most 100 entries."),
        ({"action": "describe", "title": "x" * 201}, "title: must have at most 200 characters."),
    ],
)
async def test_a_refusal_says_what_to_change(client: httpx.AsyncClient, body: object, sentence: str) -> None:
    """In a sentence that names the key."""
    response = await client.post(UPDATE, json=body)
    assert_problem(response, 422, "invalid-request")
    assert response.json()["detail"] == sentence


async def results(client: httpx.AsyncClient, *updates: bytes) -> list[dict[str, Any]]:
    body = b'{"updates":[%b]}' % b",".join(updates)
    response = await client.post(UPDATES, content=body, headers=JSON)
    assert response.status_code == 200
    assert CANARY not in response.text
    answers: list[dict[str, Any]] = response.json()["results"]
    return answers


async def test_each_update_is_refused_among_others_as_by_itself(
    client: httpx.AsyncClient, before: list[httpx.Response]
) -> None:
    """SE-05: every row again, as one of several updates."""
    rows = {name: row for part in REFUSALS.values() for name, row in part.items() if row.target == UPDATE}
    updates = {
        name: row for name, row in rows.items() if row.status in (409, 422) and (row.body or b"").startswith(b"{")
    }
    assert len(updates) > 100
    for name, row in updates.items():
        address = json.dumps({"session_id": "s", "idempotency_key": dict(row.headers).get("idempotency-key")})
        [answer] = await results(client, address.encode()[:-1] + b"," + (row.body or b"")[1:])
        assert (answer["status"], answer["type"]) == (row.status, f"/problems/{row.problem}"), (name, answer)
        assert answer["success"] is False
    assert [each.content for each in await seen(client)] == [each.content for each in before]


async def test_invalid_ids_and_keys_are_refused_among_others_too(client: httpx.AsyncClient) -> None:
    """SE-05: here they are values in JSON, which could hold any text."""
    for name, escaped in NO_IDS.items():
        session_id = unquote_to_bytes(escaped).decode("utf-8", "surrogateescape")
        [answer] = await results(client, json.dumps(START | {"session_id": session_id}).encode())
        assert (answer["status"], answer["type"]) == (422, "/problems/invalid-session-id"), name
    for name, key in {**NO_KEYS, "CR LF": "canary\r\nX: y", "NUL": "canary\0", "a surrogate": "canary\ud800"}.items():
        [answer] = await results(client, json.dumps(START | {"session_id": "s", "idempotency_key": key}).encode())
        assert (answer["status"], answer["type"]) == (400, "/problems/invalid-idempotency-key"), name
    assert (await client.get("/api/progress")).json()["sessions"] == []


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
    """The letter case, and an explicit UTF-8, make no difference."""
    headers = {"content-type": media_type}
    response = await client.post(UPDATE, content=b'{"action":"start","step":1}', headers=headers)
    assert response.status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b'{"action":"start","step":1,"status":"success","session_id":"other","created_at":0,"x":[1e400,"\\ud800"]}',
        b'{"action":"start","step":1,"timeout_ms":0}',
        b'{"action":"start","step":1,"timeout_ms":null}',
        b'{"action":"start","step":1,"timeout_ms":9007199254740991}',
        b'{"action":"complete","step":2,"message":"%b"}' % (b"x" * 8192),
        b'{"action":"complete","step":2,"message":"%b"}' % ("\U0001f680" * 8192).encode(),
        b'{"action":"complete","step":2,"success":false,"error":"\\ud83d\\ude80 \\r\\n \\u001b[31m \\u202e <b>"}',
        b'{"action":"progress","step":1,"current":0,"total":0}',
        b'{"action":"progress","step":1,"current":1,"total":null}',
        b'\r\n\t {"action":"start","step":7}\r\n\t ',
    ],
    ids=lambda body: f"{body[:60]} {len(body)}",
)
@pytest.mark.usefixtures("before")
async def test_an_unusual_but_valid_body_is_accepted(client: httpx.AsyncClient, body: bytes) -> None:
    """Such as one with unknown keys, or of the largest size."""
    response = await client.post(UPDATE, content=body, headers=JSON)
    ignored = b',"ignored":["created_at","session_id","status","x"]' if b'"x"' in body else b""
    assert (response.status_code, response.content) == (200, b'{"success":true,"session_id":"s"%b}' % ignored)


async def test_a_time_limit_of_0_stands_for_the_definition(client: httpx.AsyncClient) -> None:
    """Like a missing one."""
    for body in (START | {"timeout_ms": 0}, START | {"timeout_ms": None}, START):
        await client.post(UPDATE, json=body)
        assert (await client.get("/api/progress/s")).json()["steps"][0]["timeout_ms"] == 300_000


@pytest.mark.protocol("P-9.15", "P-13.9")
async def test_long_values_are_refused_though_they_fit_into_the_body(connect: Connect) -> None:
    """A text of a megabyte, and a million steps."""
    megabyte = "x" * 2**20
    async with connect(max_body_bytes=2**23) as client:
        for update in (START | {"action": megabyte}, COMPLETE | {"message": megabyte}, COMPLETE | {"error": megabyte}):
            assert_problem(await client.post(UPDATE, json=update), 422, "invalid-request")
        creations: list[Any] = [{"steps": [{}] * 10**6}, {"steps": [{"name": megabyte}]}, {"workflow": megabyte}]
        for creation in creations:
            assert_problem(await client.put("/api/progress/new", json=creation), 422, "invalid-request")
        assert (await client.get("/api/progress")).json()["sessions"] == []


@pytest.mark.protocol("P-2.3")
async def test_a_body_that_is_too_large_is_a_413_and_closes(connect: Connect) -> None:
    """With a right, a wrong or no `Content-Length`."""

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
        for lie in ("10000000000", "9" * 30, "-1", "1e3", "\xb2"):
            headers = [(b"content-type", b"application/json"), (b"content-length", lie.encode("latin-1"))]
            response = await client.post(UPDATE, content=b"{}", headers=headers)
            assert_problem(response, 413, "body-too-large")
        too_small = JSON | {"content-length": "2"}
        assert_problem(await client.post(UPDATE, content=fits + b" ", headers=too_small), 413, "body-too-large")


@pytest.mark.parametrize("key", ["a\x7f", "a\x00", "a\r\nb"])
async def test_a_key_that_only_our_own_server_refuses_is_refused_under_others(
    client: httpx.AsyncClient, key: str
) -> None:
    """The application does not rely on the refusals of its server."""
    response = await client.post(UPDATE, json=START, headers={b"idempotency-key": key.encode()})
    assert_problem(response, 400, "invalid-idempotency-key")


@pytest.mark.protocol("P-2.9")
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
        ("GET", "/api/steps/s/learned", "DELETE"),
        ("POST", "/livez", "GET, HEAD"),
    ],
)
async def test_a_method_that_a_path_does_not_take_is_a_405(
    client: httpx.AsyncClient, method: str, path: str, allowed: str
) -> None:
    """`Allow` names the methods that it takes."""
    response = await client.request(method, path)
    assert_problem(response, 405, "method-not-allowed")
    assert response.headers["allow"] == allowed


@pytest.mark.protocol("P-13.11")
async def test_a_full_store_is_a_507(connect: Connect) -> None:
    """For every way to create a session; existing ones can still change."""
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


class FailingBackend(MemoryBackend):
    """Memory that is unavailable."""

    def __init__(self) -> None:
        super().__init__(StorageLimits())
        self.lists.list_summaries = self.load  # type: ignore[assignment]  # it fails however it is called

    async def load(self, *_: Any) -> Any:
        raise StoreUnavailableError


class DoubtfulBackend(MemoryBackend):
    """Memory that does not say whether it has applied a change."""

    async def commit(self, *_: Any) -> Any:
        raise OutcomeUnknownError


@pytest.mark.protocol("P-16.3")
async def test_a_store_that_fails_is_a_503(connect: Connect) -> None:
    """With `Retry-After`."""
    async with connect(backend=FailingBackend()) as client:
        for response in (
            await client.get("/api/progress/s"),
            await client.get("/api/progress"),
            await client.delete("/api/progress/s"),
            *await written(client),
        ):
            assert_problem(response, 503, "store-unavailable")
            assert int(response.headers["retry-after"]) <= 6


@pytest.mark.protocol("P-16.2", "P-16.3")
async def test_a_change_with_unknown_outcome_is_a_503_of_its_own(connect: Connect) -> None:
    """A client must not take it for a refusal."""
    async with connect(backend=DoubtfulBackend(StorageLimits())) as client:
        for response in await written(client):
            assert_problem(response, 503, "outcome-unknown")
            assert int(response.headers["retry-after"]) <= 6


async def written(client: httpx.AsyncClient) -> list[httpx.Response]:
    """The responses to every way of creating a session."""
    return [
        await client.post(UPDATE, json=START),
        await client.put("/api/progress/s", json={}),
        await client.post("/api/progress", json={}),
    ]


@pytest.mark.protocol("P-15.2", "P-15.3")
async def test_publishing_needs_a_token_where_one_is_set(connect: Connect) -> None:
    """401 without one or in another scheme, 403 with a wrong one, for every write and for the list."""
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


@pytest.mark.protocol("P-16.1")
async def test_an_unforeseen_exception_is_not_shown(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """500 in the same form, without the exception's text."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError(CANARY)

    monkeypatch.setattr("progress_sse.wire.session_json.list_definitions", fail)
    assert_problem(await client.get("/api/steps"), 500, "internal-error")
