import asyncio
from pathlib import Path

import pytest

from tests.conftest import Serve
from tests.harness.nginx import BUFFERING, HONOURING, Nginx
from tests.harness.rawsse import RawStream
from tests.harness.serving import Worker, events_path

EVENTS = events_path("s")


async def test_it_holds_a_stream_back_until_it_is_reconfigured(serve: Serve, tmp_path: Path) -> None:
    """With buffering it forwards polls and no stream; after a new configuration the same port forwards both at once."""
    server = serve(heartbeat_s=0.5)
    with Nginx(tmp_path / "nginx", server.port, BUFFERING) as nginx:
        async with Worker.at(nginx.port) as worker:
            await worker.start("s", 1)
            async with await RawStream.open(nginx.port, EVENTS) as stream:
                with pytest.raises(TimeoutError):
                    await stream.wait_until(lambda stream: bool(stream.body), timeout_s=2)
                await asyncio.to_thread(nginx.use, HONOURING)
            assert (await worker.poll("s"))["current_step"] == 1
        async with await RawStream.open(nginx.port, EVENTS) as stream:
            assert (await stream.next_event()).event == "snapshot"


async def test_events_that_were_held_back_come_with_the_end(serve: Serve, tmp_path: Path) -> None:
    """All events arrive together."""
    server = serve()
    with Nginx(tmp_path / "nginx", server.port, BUFFERING) as nginx:
        async with Worker.at(server) as worker, await RawStream.open(nginx.port, EVENTS) as stream:
            await worker.create("s", total_steps=1)
            await worker.start("s", 1)
            await worker.complete("s", 1)
            assert await stream.closed() == "end"
        assert [event.event for event in stream.events][-3:] == ["step", "step", "end"]


def test_an_nginx_that_cannot_start_shows_its_output(tmp_path: Path) -> None:
    """The error contains the output of nginx."""
    with (
        pytest.raises(RuntimeError, match='unknown directive "no_such_thing"'),
        Nginx(tmp_path, 9, "no_such_thing on;"),
    ):
        pass
