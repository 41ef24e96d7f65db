"""FT-02: two servers behind one nginx, as in `docs/deploy`, restarted in turn."""

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.conftest import Serve
from tests.harness.http1 import HOST
from tests.harness.nginx import NginxServer
from tests.harness.rawsse import RawStream
from tests.harness.redis import KINDS, RedisServer
from tests.harness.serving import ROOT, Server, Worker, events_path, eventually
from tests.live.asgi_hosts import serve_only
from tests.live.delivery_check import DeliveryCheck

pytestmark = serve_only

CONFIGURATION = (ROOT / "docs" / "deploy" / "nginx.conf").read_text("utf-8")


@pytest.fixture(params=KINDS)
def servers(
    request: pytest.FixtureRequest, serve: Serve, redis_servers: dict[str, RedisServer], tmp_path: Path
) -> list[Server]:
    settings = {"redis_prefix": tmp_path.name, "retry_ms": 100, "graceful_timeout_s": 3}
    return [serve(store=redis_servers[request.param].url, **settings) for _ in range(2)]


def behind_nginx(folder: Path, servers: Sequence[Server]) -> NginxServer:
    """The nginx of the deployment, with these servers in place of its own."""
    text = CONFIGURATION
    for number, server in enumerate(servers, start=1):
        text, count = re.subn(rf"server server-{number}:8000;", f"server {HOST}:{server.port};", text)
        assert count == 1
    return NginxServer(folder, text)


@pytest.mark.guarantee(4)
@pytest.mark.full
async def test_servers_restarted_in_turn_lose_nothing(servers: list[Server], tmp_path: Path) -> None:
    """While both servers stop and start again, each update is applied, and each transition seen once, in order."""
    with behind_nginx(tmp_path / "nginx", servers) as nginx:
        delivery = DeliveryCheck([nginx.port], sessions=6, followers=6, can_stay=False)
        async with delivery.running():
            for server in servers:
                assert await asyncio.to_thread(server.terminate) == 0
                await asyncio.to_thread(server.start)
            await eventually(lambda: len(delivery.oracle.posts) > 100, 60)


@pytest.mark.protocol("P-5.22")
@pytest.mark.full
async def test_a_stopping_server_spreads_the_returns_of_its_readers(servers: list[Server], tmp_path: Path) -> None:
    """Less than a third of the readers return within any one second of the six or so."""
    readers = 60
    with behind_nginx(tmp_path / "nginx", servers) as nginx:
        target = events_path("s")
        streams = [await RawStream.open(nginx.port, target) for _ in range(readers)]
        for stream in streams:
            await stream.next_event()
        for server in servers:
            await asyncio.to_thread(server.terminate)
        for stream in streams:
            assert await stream.closed() == "end"
    seconds = [stream.retries[-1] // 1000 for stream in streams]
    assert max(map(seconds.count, seconds)) <= 0.3 * readers


async def test_an_update_reaches_the_server_that_is_running(servers: list[Server], tmp_path: Path) -> None:
    """An nginx passes over a server that it cannot reach, and the worker does not notice."""
    with behind_nginx(tmp_path / "nginx", servers) as nginx:
        await asyncio.to_thread(servers[0].kill)
        async with Worker.at(nginx.port) as worker:
            for step in range(1, 8):
                await worker.start("s", step)
            assert (await worker.poll("s"))["current_step"] == 7
