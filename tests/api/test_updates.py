"""Many updates in one request, each as if sent by itself."""

import json
from typing import Any

import httpx
import pytest

from progress_sse.core.errors import StoreUnavailableError
from progress_sse.store.memory import MemoryBackend
from progress_sse.store.types import Change, StorageLimits
from tests.api.conftest import Connect
from tests.api.problems import assert_problem
from tests.harness.tokens import KEY, bearer, make_token

UPDATES = "/api/updates"
STEPS = (("start", 1), ("complete", 1), ("start", 2), ("complete", 2))


def update(session_id: object, action: str = "start", step: object = 1, **more: object) -> dict[str, object]:
    return {"session_id": session_id, "action": action, "step": step, **more}


async def send(client: httpx.AsyncClient, *updates: object) -> list[dict[str, Any]]:
    response = await client.post(UPDATES, json={"updates": updates})
    assert response.status_code == 200, response.text
    assert set(response.json()) == {"results"}
    results: list[dict[str, Any]] = response.json()["results"]
    assert len(results) == len(updates)
    return results


async def statuses(client: httpx.AsyncClient, session_id: str) -> tuple[list[str], int]:
    """The status of each step of a session, and the number of transitions."""
    response = await client.get(f"/api/progress/{session_id}")
    n = int(response.headers["etag"].strip('"').rpartition("-")[2])
    return [step["status"] for step in response.json()["steps"]], n


class CountingBackend(MemoryBackend):
    """Memory that counts commits, and fails at the next one of each session that a test names."""

    def __init__(self) -> None:
        super().__init__(StorageLimits(1000, 262_144, 100))
        self.commits = 0
        self.failures: dict[str, Exception] = {}

    async def commit(self, change: Change) -> None:
        self.commits += 1
        if change.session_id in self.failures:
            raise self.failures.pop(change.session_id)
        await super().commit(change)


@pytest.mark.protocol("P-12.3")
async def test_updates_of_several_sessions_are_applied_in_their_order(connect: Connect) -> None:
    """Those of one session in one commit, each as a transition of its own."""
    backend = CountingBackend()
    async with connect(backend=backend) as client:
        for session_id in ("a", "b"):
            await client.put(f"/api/progress/{session_id}", json={"total_steps": 2})
        backend.commits = 0
        interleaved = [update(session_id, action, step) for action, step in STEPS for session_id in ("a", "b")]
        assert await send(client, *interleaved) == [{"status": 200}] * 8
        assert backend.commits == 2
        for session_id in ("a", "b"):
            assert await statuses(client, session_id) == (["success", "success"], 4)


@pytest.mark.parametrize(
    ("odd", "status", "name"),
    [
        ("start", 422, "invalid-request"),
        (None, 422, "invalid-request"),
        (update("a/b"), 422, "invalid-session-id"),
        (update(".."), 422, "invalid-session-id"),
        (update(""), 422, "invalid-session-id"),
        (update(1), 422, "invalid-request"),
        ({"action": "start", "step": 1}, 422, "invalid-request"),
        (update("s", idempotency_key=""), 400, "invalid-idempotency-key"),
        (update("s", idempotency_key="é"), 400, "invalid-idempotency-key"),
        (update("s", idempotency_key="x" * 256), 400, "invalid-idempotency-key"),
        (update("s", idempotency_key=1), 422, "invalid-request"),
        (update("s", run=1), 422, "invalid-request"),
        (update("s", run=["s"]), 422, "invalid-request"),
        (update("s", run=""), 412, "other-run"),
        (update("s", run="another"), 412, "other-run"),
        (update("absent", "complete"), 404, "session-not-found"),
        (update("absent", run="another"), 404, "session-not-found"),
    ],
)
async def test_an_invalid_update_does_not_affect_the_others(
    client: httpx.AsyncClient, odd: object, status: int, name: str
) -> None:
    """For any fault."""
    first, among, last = await send(client, update("s"), odd, update("s", step=2))
    assert (among["status"], among["type"]) == (status, f"/problems/{name}")
    assert [first, last] == [{"status": 200}] * 2
    assert (await statuses(client, "s"))[1] == 2


@pytest.mark.protocol("P-12.4")
async def test_none_is_applied_after_one_that_the_store_failed_at(connect: Connect) -> None:
    """Otherwise a worker that repeats the first one would undo the second."""
    backend = CountingBackend()
    async with connect(backend=backend) as client:
        await send(client, update("s"), update("t"))
        backend.failures = {"s": StoreUnavailableError()}
        results = await send(client, update("s", "complete"), update("s", step=2), update("t", "complete"))
        assert [each["status"] for each in results] == [503, 503, 200]
        assert results[0]["type"] == "/problems/store-unavailable"
        assert [await statuses(client, session_id) for session_id in "st"] == [
            (["running"] + ["pending"] * 6, 1),
            (["success"] + ["pending"] * 6, 2),
        ]


async def test_an_unforeseen_exception_is_reported_for_its_updates(connect: Connect) -> None:
    """Without its text."""
    backend = CountingBackend()
    async with connect(backend=backend) as client:
        backend.failures = {"s": RuntimeError("secret")}
        failed, applied = await send(client, update("s"), update("t"))
        assert (failed["status"], failed["type"]) == (500, "/problems/internal-error")
        assert "secret" not in str(failed)
        assert applied == {"status": 200}


@pytest.mark.parametrize(
    ("body", "status", "name"),
    [
        (b"{", 400, "malformed-body"),
        (b'{"updates": [], "updates": []}', 400, "malformed-body"),
        (b"[]", 422, "invalid-request"),
        (b"{}", 422, "invalid-request"),
        (b'{"updates": []}', 422, "invalid-request"),
        (b'{"updates": {}}', 422, "invalid-request"),
        (json.dumps({"updates": [update("s")] * 101}).encode(), 422, "invalid-request"),
        (b'{"updates": ["' + b"x" * 262_144 + b'"]}', 413, "body-too-large"),
    ],
)
async def test_a_body_that_is_not_a_list_of_updates_is_refused(
    client: httpx.AsyncClient, body: bytes, status: int, name: str
) -> None:
    """As a whole, with no update applied."""
    response = await client.post(UPDATES, content=body, headers={"content-type": "application/json"})
    assert_problem(response, status, name)
    assert (await client.get("/api/progress")).json()["sessions"] == []


@pytest.mark.protocol("P-12.1")
async def test_as_many_as_are_allowed_are_accepted(client: httpx.AsyncClient) -> None:
    """A hundred."""
    assert await send(client, *[update("s", step=1 + n % 7) for n in range(100)]) == [{"status": 200}] * 100
    assert (await statuses(client, "s"))[1] == 100


@pytest.mark.protocol("P-12.6")
async def test_updates_need_the_right_to_every_session(connect: Connect) -> None:
    """Otherwise none is applied; without any right, the body is not even read."""
    async with connect(token_key=KEY, read="token") as client:
        own = bearer(make_token(sessions=["a"], actions=["publish", "read"]))
        both = {"updates": [update("a"), update("b")]}
        assert_problem(await client.post(UPDATES, json=both), 401, "unauthorized")
        assert_problem(await client.post(UPDATES, content=b"{"), 401, "unauthorized")
        assert_problem(await client.post(UPDATES, json=both, headers=own), 403, "forbidden")
        assert (await client.get("/api/progress/a", headers=own)).json()["status"] == "not_found"
        assert (await client.post(UPDATES, json={"updates": both["updates"][:1]}, headers=own)).status_code == 200
        reader = bearer(make_token(sessions=["a"]))
        assert_problem(await client.post(UPDATES, json={"updates": [update("a")]}, headers=reader), 403, "forbidden")


@pytest.mark.protocol("P-12.7")
async def test_updates_count_one_by_one(connect: Connect) -> None:
    """Many updates in one request do not evade a rate: too many are refused, fewer are accepted."""
    async with connect(publish_rate="10/hour") as client:
        assert await send(client, *[update("s")] * 6) == [{"status": 200}] * 6
        refused = await client.post(UPDATES, json={"updates": [update("s")] * 5})
        assert_problem(refused, 429)
        assert int(refused.headers["retry-after"]) > 0
        assert await send(client, *[update("s")] * 4) == [{"status": 200}] * 4
        assert_problem(await client.post("/api/progress/s/update", json={"action": "start", "step": 1}), 429)
