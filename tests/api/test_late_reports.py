"""Reports that come long after what they tell, since the server was away."""

from datetime import datetime
from typing import Any

import httpx
import pytest

from tests.api.conftest import Connect
from tests.api.refusal import UPDATES
from tests.clock import START, ManualClock


async def only_step(client: httpx.AsyncClient) -> dict[str, Any]:
    step: dict[str, Any] = (await client.get("/api/progress/s")).json()["steps"][0]
    return step


@pytest.mark.guarantee("I")
@pytest.mark.protocol("P-9.23")
@pytest.mark.parametrize("jump_s", [0, 86_400, -86_400])
async def test_a_duration_is_that_of_the_work(connect: Connect, jump_s: int) -> None:
    """A step of two seconds began and ended during half an hour's outage, while the server's clock may have jumped."""
    clock = ManualClock()
    async with connect(clock=clock) as client:
        await client.put("/api/progress/s", json={"total_steps": 1})
        clock.jump(1800 + jump_s)
        minutes_ago = 600_000
        start = {"action": "start", "step": 1, "ago_ms": minutes_ago + 2000}
        complete = {"action": "complete", "step": 1, "ago_ms": minutes_ago}
        updates = [each | {"session_id": "s"} for each in (start, complete)]
        assert (await client.post(UPDATES, json={"updates": updates})).json() == {"results": [{"status": 200}] * 2}
        step = await only_step(client)
    assert step["elapsed_ms"] == (2000 if jump_s >= 0 else 0)
    assert datetime.fromisoformat(step["completed_at"]) <= max(clock.now(), START)
