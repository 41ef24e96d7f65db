"""What readers ask, in races with the reports of workers, at every store."""

import pytest

from tests.conftest import Serve
from tests.harness.serving import Server, Worker
from tests.live.request_races import RACES, stage


@pytest.mark.guarantee("K")
@pytest.mark.protocol("P-20.7", "P-20.10", "P-20.12", "P-20.18")
@pytest.mark.parametrize("race", RACES)
async def test_a_race_has_one_outcome(server: Server, sid: str, race: str) -> None:
    """Which all readers see."""
    await stage(race, server, server, sid)


@pytest.mark.guarantee("K")
async def test_a_cancelled_session_stays_so_after_a_kill(serve: Serve) -> None:
    """That no step may be started stands in the commit of the request; so does a request that is open."""
    server = serve(store="sqlite")
    async with Worker.at(server) as worker:
        for session_id in ("pending", "running"):
            await worker.create(session_id, total_steps=2, accepts=["cancel"])
        await worker.start("running", 1)
        asked = [
            (await worker.client.post(f"/api/progress/{session_id}/requests", json={"kind": "cancel"})).json()
            for session_id in ("pending", "running")
        ]
        server.kill()
        server.start()
        refusal = await worker.update("pending", action="start", step=1)
        assert refusal.json()["type"] == "/problems/session-cancelled"
        told = (await worker.update("running", action="progress", step=1, current=1)).json()
        assert [each["id"] for each in told["requests"]] == [asked[1]["id"]]
        assert (await worker.poll("pending"))["requests"] == [asked[0]]
