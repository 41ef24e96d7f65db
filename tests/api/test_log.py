"""The log of a session: what workers write into it, and what readers get."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.api.conftest import Connect
from tests.api.refusal import UPDATE
from tests.clock import ManualClock

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
