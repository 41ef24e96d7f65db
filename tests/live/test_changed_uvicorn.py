"""A server whose uvicorn has other inner parts than those that our HTTP protocol builds on."""

import os
import sys
from pathlib import Path

import pytest

from tests.harness.rawsse import RawStream
from tests.harness.serving import ROOT, Server, Worker, events_path

EVENTS = events_path("s")
WARNING = "has changed inner parts that this server builds on"


@pytest.mark.parametrize("part", ["STATUS_LINE", "response_started", "expect_100_continue", "message_event"])
@pytest.mark.full
async def test_streams_go_on_by_plain_asgi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    """The server logs one line about it, serves whole streams, and drains them on SIGTERM."""
    monkeypatch.setenv("PYTHONPATH", os.fspath(ROOT))
    command = [sys.executable, "-m", "tests.live.changed_uvicorn", part, "serve", "--store", "memory://"]
    with Server(tmp_path, command=[*command, "--port", "{port}"]) as server:
        async with Worker.at(server) as worker:
            await worker.create("s", total_steps=1)
            stream = await RawStream.open(server.port, EVENTS)
            other = await RawStream.open(server.port, events_path("t"))
            assert (await stream.next_event()).event == "snapshot"
            await worker.run("s", 1)
            assert await stream.closed() == "end"
            assert [event.event for event in stream.events] == ["snapshot", "step", "step", "end"]
            assert (await other.next_event()).event == "snapshot"
        assert server.terminate() == 0
        assert await other.closed() == "end"
        log = server.log().splitlines()
        assert [WARNING in line for line in log if "uvicorn" in line] == [True]
        for each in (stream, other):
            await each.aclose()
