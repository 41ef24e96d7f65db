"""The streams of lists at real servers: each ends in what the list says, whatever fails in between."""

import asyncio

import pytest

from tests.conftest import Serve
from tests.live.asgi_hosts import serve_only
from tests.live.list_check import ListCheck

# What a host does to streams is tested with those of sessions.
pytestmark = [serve_only, pytest.mark.full]


@pytest.mark.guarantee("P")
@pytest.mark.protocol("P-25.14")
@pytest.mark.parametrize("store", ["memory://", "sqlite"])
async def test_a_list_stream_ends_in_what_the_list_says(serve: Serve, store: str) -> None:
    """After random changes of many sessions."""
    await ListCheck([serve(store=store)]).run(800)


@pytest.mark.guarantee("P")
async def test_a_list_stream_survives_kills(serve: Serve) -> None:
    """The server is killed again and again, and its file has what it had, in every index."""
    server = serve(store="sqlite")
    kills = 0

    async def kill() -> None:
        nonlocal kills
        await asyncio.sleep(0.3)  # The pace of the fault.
        server.kill()
        await asyncio.to_thread(server.start)
        kills += 1

    await ListCheck([server]).run(400, kill)
    assert kills >= 2
