"""Steps that many workers do at once: how they report their parts, and what readers get."""

from typing import Any

import httpx
import pytest

from tests.api.conftest import FULL_TOKEN, Connect
from tests.api.problems import assert_problem
from tests.api.refusal import UPDATE, UPDATES
from tests.harness.tokens import KEY, bearer, make_token

PARTS = "/api/progress/s/parts"


async def report(client: httpx.AsyncClient, part: str, status: str, **more: object) -> None:
    body = {"action": "part", "step": 1, "part": part, "status": status, **more}
    response = await client.post(UPDATE, json=body)
    assert response.status_code == 200, response.text


async def start(client: httpx.AsyncClient, parts_total: int | None = None) -> None:
    response = await client.post(UPDATE, json={"action": "start", "step": 1, "parts_total": parts_total})
    assert response.status_code == 200


async def step_of(client: httpx.AsyncClient) -> dict[str, Any]:
    step: dict[str, Any] = (await client.get("/api/progress/s")).json()["steps"][0]
    return step


@pytest.mark.protocol("P-21.3", "P-21.5")
async def test_polls_list_a_few_and_the_parts_all(client: httpx.AsyncClient) -> None:
    """Failed ones first in a poll, and in the order of their first report elsewhere."""
    await start(client)
    for n in range(30):
        await report(client, f"p{n}", "error" if n % 10 == 5 else "success" if n < 20 else "running")
    parts = (await step_of(client))["parts"]
    assert [each["part"] for each in parts["listed"]][:5] == ["p25", "p15", "p5", "p29", "p28"]
    assert len(parts["listed"]) == 20
    assert (parts["total"], parts["running"], parts["success"], parts["error"]) == (None, 9, 18, 3)
    response = await client.get(PARTS, params={"step": 1})
    assert response.headers["cache-control"] == "no-store"
    assert list(response.json()) == ["parts", "next"]
    assert [each["part"] for each in response.json()["parts"]] == [f"p{n}" for n in range(30)]
    assert all(part in response.json()["parts"] for part in parts["listed"])


async def test_a_step_without_parts_has_an_empty_list(client: httpx.AsyncClient) -> None:
    """Whether it was started or not."""
    await start(client)
    for step in (1, 2):
        assert (await client.get(PARTS, params={"step": step})).json() == {"parts": [], "next": None}
    assert (await client.head(PARTS, params={"step": 1})).status_code == 200


@pytest.mark.protocol("P-21.6")
async def test_parts_of_nothing_are_refused(client: httpx.AsyncClient) -> None:
    """A session that does not exist has no step, though polling shows it."""
    assert_problem(await client.get(PARTS, params={"step": 1}), 404, "session-not-found")
    await start(client)
    assert_problem(await client.get(PARTS, params={"step": 8}), 422, "step-out-of-range")
    assert_problem(await client.get(PARTS), 422, "invalid-request")


async def test_they_come_among_other_updates(client: httpx.AsyncClient) -> None:
    """Each is applied or refused by itself, and counts once under its key."""
    part = {"session_id": "s", "action": "part", "step": 1, "status": "success"}
    updates = [
        {"session_id": "s", "action": "start", "step": 1, "parts_total": 2},
        part | {"part": "a", "idempotency_key": "k"},
        part | {"part": "b", "current": 2, "total": 1},
        {"session_id": "s", "action": "progress", "step": 1, "current": 1},
        part | {"name": "a", "part": "b"},
        part | {"part": "b", "message": "done"},
    ]
    results = (await client.post(UPDATES, json={"updates": updates})).json()["results"]
    assert [each["status"] for each in results] == [200, 200, 422, 409, 422, 200]
    step = await step_of(client)
    assert (step["status"], step["parts"]["success"]) == ("success", 2)
    again = await client.post(UPDATES, json={"updates": updates[1:2]})
    assert again.json() == {"results": [{"status": 200}]}
    assert await step_of(client) == step


@pytest.mark.protocol("P-21.9")
async def test_there_are_limits(client: httpx.AsyncClient) -> None:
    """Of a step, and of all steps of a session."""
    await client.put("/api/progress/s", json={"total_steps": 6})
    for step in range(1, 7):
        start = {"session_id": "s", "action": "start", "step": step}
        assert (await client.post(UPDATES, json={"updates": [start]})).json() == {"results": [{"status": 200}]}
        for first in (0, 100):
            updates = [
                {"session_id": "s", "action": "part", "step": step, "part": f"p{n}", "status": "running"}
                for n in range(first, first + 100)
            ]
            results = (await client.post(UPDATES, json={"updates": updates})).json()["results"]
            assert {each.get("type") for each in results} == {None if step < 6 else "/problems/too-many-parts"}
    for step in (1, 6):
        more = {"action": "part", "step": step, "part": "more", "status": "running"}
        assert_problem(await client.post(UPDATE, json=more), 422, "too-many-parts")
    assert len((await client.get(PARTS, params={"step": 5})).json()["parts"]) == 200


async def test_they_are_for_those_who_may_read(connect: Connect) -> None:
    """As polls are."""
    async with connect(token_key=KEY, read="token") as client:
        assert_problem(await client.get(PARTS, params={"step": 1}), 401, "unauthorized")
        for token in (make_token(sessions=["t"]), make_token(prefixes=[""], actions=["publish"])):
            refused = await client.get(PARTS, params={"step": 1}, headers=bearer(token))
            assert_problem(refused, 403, "forbidden")
        allowed = await client.get(PARTS, params={"step": 1}, headers=bearer(FULL_TOKEN))
        assert_problem(allowed, 404, "session-not-found")
