"""The log of a session: what workers write into it, and what readers get."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.api.conftest import Connect
from tests.api.problems import assert_problem
from tests.api.refusal import START, UPDATE, UPDATES
from tests.clock import ManualClock
from tests.harness.tokens import KEY, bearer, make_token

SESSION = "/api/progress/s"
LOG = f"{SESSION}/log"


@pytest.fixture
def clock() -> ManualClock:
    """The server's clock, which stands still."""
    return ManualClock()


@pytest.fixture
async def client(connect: Connect, clock: ManualClock) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a server that has a session of three steps."""
    async with connect(clock=clock) as client:
        assert (await client.put(SESSION, json={"total_steps": 3})).status_code == 201
        yield client


async def write(client: httpx.AsyncClient, *lines: Any, key: str | None = None, **more: Any) -> httpx.Response:
    headers = {} if key is None else {"idempotency-key": key}
    return await client.post(UPDATE, json={"action": "log", "lines": lines, **more}, headers=headers)


async def read(client: httpx.AsyncClient, **query: int) -> dict[str, Any]:
    response = await client.get(LOG, params=query)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


async def numbers(client: httpx.AsyncClient, **query: int) -> list[int]:
    return [line["n"] for line in (await read(client, **query))["lines"]]


async def test_lines_are_listed_as_they_were_written(client: httpx.AsyncClient) -> None:
    """A text stands for a line of the level info; other keys of a line are ignored."""
    lines = ["a", {"text": "<b>", "level": "error", "colour": "red"}, {"text": "", "level": "debug"}]
    response = await write(client, *lines, step=2)
    assert response.json() == {"success": True, "session_id": "s"}
    found = await client.get(LOG)
    assert found.headers["cache-control"] == "no-store"
    assert list(found.json()) == ["life", "lines", "first", "next"]
    shown = [{key: line[key] for key in ("n", "step", "level", "text")} for line in found.json()["lines"]]
    assert shown == [
        {"n": 1, "step": 2, "level": "info", "text": "a"},
        {"n": 2, "step": 2, "level": "error", "text": "<b>"},
        {"n": 3, "step": 2, "level": "debug", "text": ""},
    ]
    assert b"<b>" not in found.content
    assert (await client.head(LOG)).headers["content-length"] == found.headers["content-length"]


async def test_pages_of_lines_lead_to_the_last_one(client: httpx.AsyncClient) -> None:
    """From `next` to `next`, also of one step, until there are fewer than were asked for."""
    for n in range(7):
        await write(client, f"{n} a", f"{n} b", step=1 + n % 2)
    for step in (None, 1, 2):
        found, after = list[int](), 0
        while True:
            page = await read(client, after=after, limit=3, **({} if step is None else {"step": step}))
            found += [line["n"] for line in page["lines"]]
            after = page["next"]
            assert page["first"] == 1
            if len(page["lines"]) < 3:
                break
        assert found == [n for n in range(1, 15) if step is None or 1 + (n - 1) // 2 % 2 == step]
        assert after == 14


async def test_a_session_without_lines_has_an_empty_log(client: httpx.AsyncClient) -> None:
    """It has a life all the same; the next line has the number 1."""
    found = await read(client)
    assert found == {"life": found["life"], "lines": [], "first": 1, "next": 0}
    await write(client, "a")
    assert (await read(client))["life"] == found["life"]


@pytest.mark.protocol("P-24.3")
async def test_lines_know_when_they_were_written(client: httpx.AsyncClient, clock: ManualClock) -> None:
    """By their own time, or by that of their update; the times of a server whose clock stands still."""
    clock.advance(10)
    await write(client, "a", {"text": "b", "ago_ms": 250}, {"text": "c", "ago_ms": 86_400_000}, ago_ms=1000)
    times = [line["at"] for line in (await read(client))["lines"]]
    created = (await client.get("/api/progress", params={"limit": 1})).json()["sessions"][0]["created_at"]
    assert [at[17:] for at in times[:2]] == ["14.678901+00:00", "15.428901+00:00"]
    assert times[2] == created


@pytest.mark.protocol("P-24.4")
async def test_only_the_first_line_changes_the_session(client: httpx.AsyncClient, clock: ManualClock) -> None:
    """And then neither its tag nor the time of its update, however many follow."""

    async def shown() -> tuple[str, Any, str]:
        poll = await client.get(SESSION)
        listed = (await client.get("/api/progress")).json()["sessions"][0]
        return poll.headers["etag"], poll.json(), listed["updated_at"]

    before = await shown()
    await write(client, "a")
    after = await shown()
    assert after[0] != before[0]
    assert after[1] == before[1] | {"log": True}
    for n in range(20):
        clock.advance(1)
        assert (await write(client, *["x"] * 100, step=1 + n % 3)).status_code == 200
    assert await shown() == after


async def test_they_come_among_other_updates(client: httpx.AsyncClient) -> None:
    """Each is applied or refused by itself, and counts once under its key."""
    line = {"session_id": "s", "action": "log", "step": 1}
    updates = [
        {"session_id": "s", **START, "attempt_id": "a"},
        line | {"lines": ["a"], "idempotency_key": "k"},
        line | {"lines": []},
        {"session_id": "s", "action": "progress", "step": 1, "current": 1},
        line | {"lines": ["b"], "attempt_id": "b"},
        line | {"lines": ["c"], "attempt_id": "a"},
        {"session_id": "t", "action": "log", "lines": ["d"]},
    ]
    results = (await client.post(UPDATES, json={"updates": updates})).json()["results"]
    assert [each["status"] for each in results] == [200, 200, 422, 200, 409, 200, 404]
    assert [line["text"] for line in (await read(client))["lines"]] == ["a", "c"]
    again = await client.post(UPDATES, json={"updates": updates[1:2]})
    assert again.json() == {"results": [{"status": 200}]}
    assert await numbers(client) == [1, 2]


@pytest.mark.protocol("P-24.8")
async def test_a_request_counts_once_under_its_key(client: httpx.AsyncClient) -> None:
    """Whenever its lines were written; keys of other updates are not forgotten for those of lines."""
    assert (await client.post(UPDATE, json=START, headers={"idempotency-key": "start"})).status_code == 200
    for ago_ms in (0, 500):
        assert (await write(client, {"text": "a", "ago_ms": ago_ms}, key="0", ago_ms=ago_ms)).status_code == 200
    assert_problem(await write(client, "b", key="0"), 422, "idempotency-key-reused")
    for n in range(1, 100):
        await write(client, str(n), key=str(n))
    await write(client, "a", key="0")
    assert len(await numbers(client)) == 100
    await write(client, "100", key="100")
    await write(client, "a", key="0")
    assert len(await numbers(client)) == 102
    await client.post(UPDATE, json=START, headers={"idempotency-key": "start"})
    assert (await client.get(SESSION)).headers["etag"].endswith('-2"')


async def test_the_newest_lines_are_kept(connect: Connect) -> None:
    """As many as the settings say; readers see what is gone."""
    async with connect(log_lines=5, log_bytes=1000) as client:
        await client.put(SESSION, json={"total_steps": 1})
        await write(client, *map(str, range(1, 13)))
        found = await read(client)
        assert ([line["n"] for line in found["lines"]], found["first"], found["next"]) == ([8, 9, 10, 11, 12], 8, 12)
        await write(client, "x" * 850)
        assert await numbers(client) == [13]
        await write(client, "x" * 1000)
        assert await read(client) | {"life": ""} == {"life": "", "lines": [], "first": 15, "next": 14}


@pytest.mark.protocol("P-24.14")
async def test_a_terminal_gets_text(client: httpx.AsyncClient, clock: ManualClock) -> None:
    """A line for each, in which nothing acts on a terminal."""
    await write(client, "opened", {"text": "\x1b[31m\x1b]0;owned\x07red\u202e", "level": "error"}, step=2)
    await write(client, {"text": "a\tb<c", "level": "debug"})
    response = await client.get(LOG, headers={"accept": "text/plain"})
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert "Accept" in response.headers["vary"]
    at = f"{clock.now():%Y-%m-%d %H:%M:%S} UTC"
    assert response.text == f"{at} [2] opened\n{at} [2] ERROR red\n{at} DEBUG a\tb<c\n"
    assert (await client.get(LOG, headers={"accept": "*/*"})).headers["content-type"] == "application/json"


async def test_they_are_for_those_who_may_read(connect: Connect) -> None:
    """As polls are; and only those may write who may publish."""
    async with connect(token_key=KEY, read="token") as client:
        line = {"action": "log", "lines": ["a"]}
        assert_problem(await client.get(LOG), 401, "unauthorized")
        assert_problem(await client.post(UPDATE, json=line), 401, "unauthorized")
        for token in (make_token(sessions=["t"]), make_token(prefixes=[""], actions=["publish"])):
            assert_problem(await client.get(LOG, headers=bearer(token)), 403, "forbidden")
        writing, reading = (make_token(sessions=["s"], actions=[action]) for action in ("publish", "read"))
        assert (await client.put(SESSION, json={}, headers=bearer(writing))).status_code == 201
        assert (await client.post(UPDATE, json=line, headers=bearer(writing))).status_code == 200
        assert_problem(await client.post(UPDATE, json=line, headers=bearer(reading)), 403, "forbidden")
        assert len((await client.get(LOG, headers=bearer(reading))).json()["lines"]) == 1
