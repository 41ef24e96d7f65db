"""Requests that wait at one server for what happens at another one on the same Redis."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.harness.serving import Server, Worker, session_path
from tests.live.asgi_hosts import serve_only
from tests.live.delivery_check import workers_at
from tests.live.test_waiting import waits_in

pytestmark = serve_only

DEADLINE_S = 20
"""Shorter than any of the waits."""

WAIT = {"prefer": "wait=30"}
ROUNDS = 5


async def wait_for_change(reader: Worker, tag: str) -> httpx.Response:
    """Poll the session `s` once it is no longer as the reader has it."""
    path, known = session_path("s"), {**WAIT, "if-none-match": tag}
    return await reader.client.get(path, headers=known, timeout=60)


@pytest.mark.protocol("P-22.2", "P-22.5")
async def test_a_poll_that_waits_at_one_server_gets_the_change_made_at_another(pair: list[Server]) -> None:
    """As soon as it is made, and as the other server shows it; also the creation and the removal of the session."""
    changes: list[dict[str, Any]] = [
        {"action": "start", "step": 1},
        {"action": "progress", "step": 1, "current": 1},
        {"action": "complete", "step": 1},
    ]
    async with workers_at(pair) as (reader, worker):
        tag = '"absent"'
        for change in [None, *changes]:
            poll = asyncio.create_task(wait_for_change(reader, tag))
            await waits_in(pair[0], 1)
            if change is None:
                await worker.create("s", total_steps=2)
            else:
                await worker.update("s", **change)
            response = await asyncio.wait_for(poll, DEADLINE_S)
            assert (response.status_code, response.headers["preference-applied"]) == (200, "wait=30")
            there = await worker.poll_raw("s")
            assert (response.content, response.headers["etag"]) == (there.content, there.headers["etag"])
            tag = response.headers["etag"]
        poll = asyncio.create_task(wait_for_change(reader, tag))
        await waits_in(pair[0], 1)
        await worker.delete("s")
        assert (await asyncio.wait_for(poll, DEADLINE_S)).json()["status"] == "not_found"


@pytest.mark.full
@pytest.mark.protocol("P-22.2")
async def test_polls_that_wait_follow_a_session_to_its_end(pair: list[Server]) -> None:
    """A change that comes between two polls, or with the next one, is not waited for in vain."""

    async def follow(reader: Worker) -> list[Any]:
        seen: list[Any] = []
        tag = '"absent"'
        while not seen or seen[-1]["status"] != "completed":
            response = await wait_for_change(reader, tag)
            assert (response.status_code, response.headers["etag"] != tag) == (200, True)
            tag = response.headers["etag"]
            seen.append(response.json())
        return seen

    async with workers_at(pair) as (reader, worker):
        followed = asyncio.create_task(follow(reader))
        for step in range(1, 8):
            await worker.start("s", step)
            await worker.progress("s", step, 1)
            await worker.complete("s", step)
        seen = await asyncio.wait_for(followed, DEADLINE_S)
        assert seen[-1] == await worker.poll("s")


@pytest.mark.protocol("P-20.17")
async def test_each_worker_that_waits_learns_what_is_asked(pair: list[Server]) -> None:
    """At whichever server: also the one that looks after the other has said that it has seen it."""

    async def learn(worker: Worker) -> list[Any]:
        response = await worker.client.get("/api/requests?session_id=s", headers=WAIT, timeout=60)
        told: list[Any] = response.json()["requests"]
        for request in told:
            await worker.update("s", action="acknowledge", request=request["id"], state="seen")
        return [each["id"] for each in told]

    async with workers_at(pair) as (here, there):
        await here.create("s", total_steps=1, accepts=["cancel"])
        await here.start("s", 1)
        for _ in range(ROUNDS):
            learned = [asyncio.create_task(learn(each)) for each in (here, there)]
            for server in pair:
                await waits_in(server, 1)
            asked = (await here.client.post(session_path("s", "requests"), json={"kind": "cancel"})).json()
            assert await asyncio.wait_for(asyncio.gather(*learned), DEADLINE_S) == [[asked["id"]], [asked["id"]]]
            await here.update("s", action="acknowledge", request=asked["id"], state="declined")
