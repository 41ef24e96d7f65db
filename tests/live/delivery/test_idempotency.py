"""A request that is sent again has one effect."""

import asyncio

import pytest

from tests.conftest import Serve
from tests.harness.rawsse import RawStream
from tests.harness.serving import Server, Worker, events_path
from tests.live.delivery.reading import assert_nothing_more, snapshot_of


@pytest.mark.guarantee("C")
async def test_a_key_makes_one_effect_of_many_requests(server: Server, worker: Worker, sid: str) -> None:
    """DG-05: ten concurrent requests with one key and body have one effect; each answer is the same one, or 409."""
    await worker.create(sid)
    async with await RawStream.open(server.port, events_path(sid)) as stream:
        await stream.next_event()
        answers = await asyncio.gather(*(worker.update(sid, key="k", action="start", step=1) for _ in range(10)))
        for answer in answers:
            assert answer.status_code in (200, 409)
            if answer.status_code == 409:
                assert answer.json()["type"].startswith("/problems/")
                assert int(answer.headers["Retry-After"]) >= 0
        assert 200 in {answer.status_code for answer in answers}
        later = await worker.update(sid, key="k", action="start", step=1)
        first = next(answer for answer in answers if answer.status_code == 200)
        assert (later.status_code, later.content) == (200, first.content)
        assert (await stream.next_event()).position.offset == 1
        await assert_nothing_more(stream, worker, sid)


@pytest.mark.guarantee("C")
@pytest.mark.protocol("P-11.2")
@pytest.mark.full
async def test_a_key_is_remembered_over_a_restart(serve: Serve) -> None:
    """DG-05: after a kill and a start, the same key gets the same answer and is not applied a second time."""
    server = serve(store="sqlite")
    async with Worker.at(server) as worker:
        first = await worker.update("s", key="k", action="start", step=1)
        await asyncio.to_thread(server.restart)
        etag = (await worker.poll_raw("s")).headers["ETag"]
        again = await worker.update("s", key="k", action="start", step=1)
        assert (again.status_code, again.content) == (200, first.content)
        assert (await worker.update("s", key="k", action="start", step=2)).status_code == 422
        assert (await worker.poll_raw("s")).headers["ETag"] == etag
        assert (await snapshot_of(server, "s")).position.offset == 1
