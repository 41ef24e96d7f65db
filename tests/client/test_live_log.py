"""Log lines to a real server: their order and number through outages."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from progress_sse.client import availability
from progress_sse.client.reporter import Reporter
from tests.client.shells import Shell
from tests.conftest import Serve
from tests.harness.chaos import ChaosProxy, Cut, Mode, Pass, Reset
from tests.harness.http1 import HOST
from tests.harness.rawsse import RawStream
from tests.harness.serving import Server, session_path

COUNT = 120


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the pauses; tests on a simulated clock check their lengths."""
    monkeypatch.setattr(availability, "LONGEST_PAUSE_S", 0.05)


async def log_of(server: Server, session_id: str = "nightly") -> list[dict[str, Any]]:
    """The lines of a session's log."""
    async with httpx.AsyncClient(base_url=server.url) as client:
        lines: list[dict[str, Any]] = (await client.get(session_path(session_id, "log"))).json()["lines"]
    return lines


def work(progress: Reporter) -> None:
    """Write lines in two steps, and before them."""
    progress.log("begin")
    with progress.step("Count") as step:
        for number in range(COUNT):
            step.log(str(number), level="debug")
    with progress.step("End"):
        progress.log("end", level="error")


EXPECTED = [(None, "info", "begin"), *((1, "debug", str(number)) for number in range(COUNT)), (2, "error", "end")]


def shown(lines: list[dict[str, Any]]) -> list[tuple[int | None, str, str]]:
    """Step, level and text of each line."""
    return [(line["step"], line["level"], line["text"]) for line in lines]


async def test_lines_come_before_the_end_of_their_stream(serve: Serve, shell: Shell) -> None:
    """A reader that asks for the log has all lines of the job when the stream ends."""
    server = serve()
    async with httpx.AsyncClient(base_url=server.url) as client:
        await client.put(session_path("nightly"), json={"open_ended": True})
        stream = await RawStream.open(server.port, session_path("nightly", "events") + "?log=1")
        async with stream:
            await shell.run(work, shell.progress.attach("nightly", url=server.url))
            await client.post(session_path("nightly", "update"), json={"action": "finish"})
            lines: list[dict[str, Any]] = []
            while (event := await stream.next_event(20)).event != "end":
                lines += event.json()["lines"] if event.event == "log" else []
    assert shown(lines) == EXPECTED


@pytest.mark.guarantee("O", 45)
@pytest.mark.full
async def test_each_line_counts_once_over_a_connection_that_flaps(serve: Serve, shell: Shell) -> None:
    """Answers are lost or cut after the server has taken their lines."""
    server = serve()
    failures: list[Mode] = [Reset(0), Cut(0), Cut(40), Reset(900), Reset(60), Cut(2000)]
    async with ChaosProxy(server.port, [*failures * 2, Pass()]) as proxy:
        url = f"http://{HOST}:{proxy.port}"
        progress = shell.progress("nightly", open_ended=True, url=url, flush_timeout_s=20)
        await shell.run(work, progress)
        assert await shell.flush(progress, 30)
    assert shown(await log_of(server)) == EXPECTED
    assert progress.lost == 0


@pytest.mark.guarantee(72)
@pytest.mark.full
async def test_lines_keep_their_times_through_an_outage(serve: Serve, shell: Shell) -> None:
    """The server learns how long ago each was written, whatever the outage took."""
    server = serve(store="sqlite")
    progress = shell.progress("nightly", open_ended=True, url=server.url, flush_timeout_s=20)
    progress.log("first")
    assert await shell.flush(progress, 20)
    await asyncio.to_thread(server.kill)
    progress.log("second")
    await asyncio.sleep(1.2)
    progress.log("third")
    await asyncio.to_thread(server.start)
    assert await shell.flush(progress, 20)
    await shell.close(progress)
    lines = await log_of(server)
    assert [line["text"] for line in lines] == ["first", "second", "third"]
    times = [datetime.fromisoformat(line["at"]) for line in lines]
    assert timedelta(seconds=1) < times[2] - times[1] < timedelta(seconds=3)
