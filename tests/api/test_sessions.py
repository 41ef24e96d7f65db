"""Creating, deleting and listing sessions, and idempotency keys over HTTP."""

import asyncio
import json
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from progress_sse import create_app
from progress_sse.settings import load_settings
from tests.api.conftest import Connect, client_of

START = {"action": "start", "step": 1}
COMPLETE = {"action": "complete", "step": 1, "message": "a"}


async def test_a_session_is_created_by_a_workflow_of_the_file(connect: Connect, tmp_path: Path) -> None:
    """With its times; the response is the session as polling shows it."""
    steps_file = tmp_path / "steps.json"
    workflow = {"steps": [{"name": "Build", "timeout_ms": 5, "estimated_ms": 0}, {}]}
    steps_file.write_text(json.dumps({"workflows": {"release": workflow}}))
    async with connect(steps_file=steps_file) as client:
        created = await client.put("/api/progress/s", json={"workflow": "release"})
        polled = await client.get("/api/progress/s")
        assert (created.status_code, created.content) == (201, polled.content)
        assert created.headers["etag"] == polled.headers["etag"]
        steps = created.json()["steps"]
        assert [(step["name"], step["timeout_ms"]) for step in steps] == [("Build", 5), ("STEP2", 120_000)]
        assert created.json()["estimated_remaining_ms"] == 30_000
        assert (await client.get("/api/steps?workflow=release")).json()["total_steps"] == 2


@pytest.mark.protocol("P-13.3")
async def test_the_server_makes_an_id_that_cannot_be_guessed(client: httpx.AsyncClient) -> None:
    """It has at least 128 random bits, `Location` is its URL, and its run has a name."""
    made = [await client.post("/api/progress", json={"total_steps": 2}) for _ in range(3)]
    assert {response.status_code for response in made} == {201}
    ids = {response.json()["session_id"] for response in made}
    assert len(ids) == 3
    assert all(len(session_id) >= 22 for session_id in ids)
    polled = await client.get(made[0].headers["location"])
    assert polled.content == made[0].content
    run = {"progress-run": made[0].headers["progress-run"]}
    assert (await client.post(f"{made[0].headers['location']}/update", json=START, headers=run)).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example/x?y", "a b", ""])
async def test_the_location_is_a_path_of_this_server(host: str) -> None:
    """SE-09: for any `Host`, and below any prefix."""
    app = create_app(load_settings(store="memory://"))
    async with app.router.lifespan_context(app), client_of(app, root_path="/仕事/100%") as client:
        path = "/%E4%BB%95%E4%BA%8B/100%25/api/progress"
        made = await client.post(path, json={}, headers={"host": host})
        assert made.headers["location"] == f"{path}/{made.json()['session_id']}"
        assert (await client.get(made.headers["location"])).content == made.content


@pytest.mark.protocol("P-3.2")
async def test_ids_are_opaque(client: httpx.AsyncClient) -> None:
    """No glob, no tag, no SQL, no normal form, no case."""
    ids = [
        *("*", "[a-z]*", "{tag}", "a:b", "'; DROP TABLE", "日本語", "🚀", "a b", "%41", "A", "a", "e\u0301", "é"),
        *("...", "x" * 128),
    ]
    for number, session_id in enumerate(ids):
        path = f"/api/progress/{quote(session_id, safe='')}"
        assert (await client.put(path, json={"total_steps": number + 1})).status_code == 201
    for number, session_id in enumerate(ids):
        polled = (await client.get(f"/api/progress/{quote(session_id, safe='')}")).json()
        assert (polled["session_id"], polled["total_steps"]) == (session_id, number + 1)
    assert len((await client.get("/api/progress")).json()["sessions"]) == len(ids)


@pytest.mark.protocol("P-13.14", "P-13.15", "P-13.16")
async def test_the_list_pages_through_all_sessions_newest_first(client: httpx.AsyncClient) -> None:
    """Each once, in order, with exactly the documented keys; filtered by status."""
    for number in range(7):
        await client.put(f"/api/progress/{number}", json={"total_steps": 1})
    for number in (2, 5):
        await client.post(f"/api/progress/{number}/update", json=START)
    seen, query = [], "limit=3"
    while True:
        page = (await client.get(f"/api/progress?{query}")).json()
        assert list(page) == ["sessions", "next"]
        seen += [session["session_id"] for session in page["sessions"]]
        if page["next"] is None:
            break
        query = f"limit=3&after={page['next']}"
    assert seen == ["6", "5", "4", "3", "2", "1", "0"]
    running = (await client.get("/api/progress?status=running")).json()["sessions"]
    assert [session["session_id"] for session in running] == ["5", "2"]
    assert list(running[0]) == [
        *("session_id", "current_step", "total_steps", "status", "percentage", "estimated_remaining_ms", "created_at"),
        "updated_at",
    ]


@pytest.mark.protocol("P-11.2", "P-11.3", "P-11.7")
async def test_a_repeated_key_applies_nothing_twice(client: httpx.AsyncClient) -> None:
    """The response names what it ignores; another body under the key is a 422. A key belongs to its session only."""
    key = {"idempotency-key": "k1"}
    await client.post("/api/progress/s/update", json=START)
    first = await client.post("/api/progress/s/update", json=START, headers=key)
    before = await client.get("/api/progress/s")
    again = await client.post("/api/progress/s/update", json={"step": 1, "action": "start", "x": 1}, headers=key)
    assert again.json() == first.json() | {"ignored": ["x"]}
    assert (await client.get("/api/progress/s")).headers["etag"] == before.headers["etag"]
    other = await client.post("/api/progress/s/update", json=COMPLETE, headers=key)
    assert other.status_code == 422
    assert other.json()["type"] == "/problems/idempotency-key-reused"
    assert (await client.post("/api/progress/t/update", json=START, headers=key)).status_code == 200


@pytest.mark.protocol("P-11.2", "P-11.4")
async def test_ten_simultaneous_requests_with_one_key_have_one_effect(client: httpx.AsyncClient) -> None:
    """Each gets the response, or a 409 with `Retry-After`."""
    key = {"idempotency-key": "k1"}
    await client.put("/api/progress/s", json={})
    answers = await asyncio.gather(*(client.post("/api/progress/s/update", json=START, headers=key) for _ in range(10)))
    assert {answer.status_code for answer in answers} <= {200, 409}
    for answer in answers:
        if answer.status_code == 409:
            assert answer.json()["type"] == "/problems/idempotency-key-in-use"
            assert answer.headers["retry-after"] == "1"
    assert (await client.get("/api/progress/s")).headers["etag"].endswith('-1"')


@pytest.mark.protocol("P-3.12")
async def test_no_number_is_greater_than_a_script_can_read(client: httpx.AsyncClient) -> None:
    """Also where each that was sent is the greatest, and answers add them up."""
    most = 2**53 - 1
    steps = [{"name": name, "estimated_ms": most, "timeout_ms": most} for name in "abcd"]
    created = await client.put("/api/progress/a", json={"steps": steps, "open_ended": True})
    assert created.json()["estimated_remaining_ms"] == most
    start = {"action": "start", "timeout_ms": most, "lease_ms": 2000, "lost_after_ms": most, "attempt_id": "1"}
    part = {"action": "part", "step": 2, "part": "p", "status": "running", "current": most, "total": most}
    updates = [
        start | {"step": 1},
        {"action": "progress", "step": 1, "current": most, "total": most, "attempt_id": "1"},
        {"action": "complete", "step": 1, "ago_ms": 86_400_000, "attempt_id": "1"},
        start | {"name": "e", "append": True, "estimated_ms": most},
        {"action": "start", "step": 2},
        part,
        part | {"part": "q", "ago_ms": 86_400_000},
    ]
    for update in updates:
        response = await client.post("/api/progress/a/update", json=update)
        assert response.status_code == 200, response.text
    numbers: list[int] = []
    for path in ("/api/progress/a", "/api/progress", "/api/progress/a/steps", "/api/progress/a/parts?step=2"):
        json.loads((await client.get(path)).text, parse_int=lambda digits: numbers.append(int(digits)))
    assert max(numbers) == most
    text = await client.get("/api/progress/a", headers={"accept": "text/plain"})
    assert text.status_code == 200
