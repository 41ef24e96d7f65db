"""What readers ask at one server, in races with the reports of workers at another one on the same Redis."""

import asyncio

import pytest

from tests.harness.serving import Server
from tests.live.asgi_hosts import serve_only
from tests.live.delivery_check import workers_at
from tests.live.request_races import RACES, stage

pytestmark = serve_only


@pytest.mark.guarantee("K")
@pytest.mark.parametrize("race", RACES)
@pytest.mark.full
async def test_a_race_between_two_servers_has_one_outcome(pair: list[Server], race: str) -> None:
    """Which the readers at both see."""
    here, there = pair
    await stage(race, here, there, "s")


async def test_a_worker_at_one_server_learns_what_is_asked_at_another(pair: list[Server]) -> None:
    """In the answer to its next report, and while it waits."""
    async with workers_at(pair) as (reader, worker):
        await worker.create("s", total_steps=1, accepts=["cancel"])
        await worker.start("s", 1)
        waiting = asyncio.create_task(
            worker.client.get("/api/requests?session_id=s", headers={"prefer": "wait=30"}, timeout=60)
        )
        asked = (await reader.client.post("/api/progress/s/requests", json={"kind": "cancel"})).json()
        told = (await worker.update("s", action="progress", step=1, current=1)).json()
        assert told["requests"] == [{"id": asked["id"], "kind": "cancel", "step": None}]
        assert (await waiting).json() == {"requests": [{"session_id": "s", **asked}]}
