"""Attempts that were replaced, and ends that are definite, also after a server was killed."""

import asyncio
from typing import Any

import pytest

from tests.conftest import Serve
from tests.harness.rawsse import RawStream
from tests.harness.serving import Server, Worker, events_path
from tests.live.delivery.reading import assert_nothing_more


async def restart(server: Server) -> None:
    await asyncio.to_thread(server.restart)


async def apply(worker: Worker, session_id: str, **body: Any) -> None:
    assert (await worker.update(session_id, **body)).status_code == 200


@pytest.mark.guarantee("G")
async def test_a_superseded_attempt_is_refused_at_every_store(server: Server, worker: Worker, sid: str) -> None:
    """Alone, twice under a key, and among others; a reader of the session sees nothing of it."""
    await worker.create(sid)
    await apply(worker, sid, action="start", step=1, attempt_id="early")
    await apply(worker, sid, action="start", step=1, attempt_id="later")
    late = {"action": "complete", "step": 1, "success": False, "attempt_id": "early"}
    async with await RawStream.open(server.port, events_path(sid)) as stream:
        await stream.next_event()
        for key in (None, "k", "k"):
            refusal = await worker.update(sid, key=key, **late)
            assert (refusal.status_code, refusal.json()["type"]) == (409, "/problems/attempt-superseded")
        many = {"updates": [late | {"session_id": sid}, late | {"session_id": sid, "idempotency_key": "k"}]}
        results = (await worker.client.post("/api/updates", json=many)).json()["results"]
        assert [each["type"] for each in results] == ["/problems/attempt-superseded"] * 2
        await assert_nothing_more(stream, worker, sid)


@pytest.mark.guarantee("G")
@pytest.mark.full
async def test_a_superseded_attempt_is_refused_after_a_kill(serve: Serve) -> None:
    """Whose attempt a step is stands in the commit of its start."""
    server = serve(store="sqlite")
    async with Worker.at(server) as worker:
        await apply(worker, "s", action="start", step=1, attempt_id="early")
        await apply(worker, "s", action="start", step=1, attempt_id="later")
        await restart(server)
        for late in ({"action": "complete", "step": 1}, {"action": "start", "step": 2}, {"action": "finish"}):
            assert (await worker.update("s", attempt_id="early", **late)).status_code == 409
        await apply(worker, "s", action="complete", step=1, attempt_id="later")


@pytest.mark.guarantee("H")
async def test_a_finish_is_definite_after_a_kill(serve: Serve) -> None:
    """Late words change steps, and never the status of the session."""
    server = serve(store="sqlite")
    async with Worker.at(server) as worker:
        for sid, ending in (("s", {"success": False, "error": "stopped"}), ("t", {"success": True})):
            await worker.create(sid, total_steps=2)
            await apply(worker, sid, action="start", step=1)
            await apply(worker, sid, action="finish", **ending)
        await restart(server)
        for sid, status in (("s", "error"), ("t", "completed")):
            await apply(worker, sid, action="complete", step=1, success=status == "error", message="late")
            shown = await worker.poll(sid)
            assert (shown["status"], shown["steps"][0]["message"]) == (status, "late")
