"""The second server of `docs/examples` is one for readers and workers of ours, which know nothing of it."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from playwright.async_api import Browser, expect

from docs.examples import second_server
from progress_sse import AsyncProgress, Progress
from tests.browser.following import following, moves_of, until, work
from tests.browser.page_driver import PageDriver
from tests.conftest import Serve
from tests.harness.oracle import fold_all
from tests.harness.rawsse import RawStream
from tests.harness.serving import ROOT, Server, Worker, events_path, session_path
from tests.live.slow_readers import SMALL_WINDOW, big_reports

SOURCE = ROOT / "docs" / "examples" / "second_server.py"
WAIT_S = 60

pytestmark = pytest.mark.processes


@pytest.fixture(scope="module")
def factory() -> str:
    """What `server` and `serve` start."""
    return "tests.live.second_site:create_site"


@pytest.fixture(scope="module")
def server_settings() -> dict[str, Any]:
    """No heartbeat wakes a stream within a test."""
    return {"heartbeat_s": 1000}


@pytest.fixture
async def stream(server: Server, sid: str) -> AsyncIterator[RawStream]:
    """A reader of the test's session, from before its beginning."""
    async with await RawStream.open(server.port, events_path(sid)) as stream:
        await stream.next_event()
        yield stream


def test_it_is_short() -> None:
    """Its lines are at most 400, and it has no part of progress_sse."""
    source = SOURCE.read_text("utf-8")
    assert len(source.splitlines()) <= 400
    imported = set(re.findall(r"^(?:from|import) (\w+)", source, re.MULTILINE))
    assert imported - sys.stdlib_module_names == {"anyio", "sse_starlette", "starlette", "uvicorn"}


class DiskFullError(Exception):
    """The reason why a job's step fails."""


def run_job(url: str, session_id: str) -> None:
    """A job whose second step moves its bar, fails, and is run again."""
    with Progress(session_id, steps=["Find", "Resize"], url=url, on_error="raise") as progress:
        progress.step(1).run(str)
        with suppress(DiskFullError), progress.step(2) as step:
            for number in (1, 2):
                step.report(number, 3)
                assert progress.flush(WAIT_S)
            raise DiskFullError
        assert progress.flush(WAIT_S)
        progress.step(2, message="again").run(str)


async def test_a_job_by_our_client_loses_nothing(server: Server, worker: Worker, stream: RawStream, sid: str) -> None:
    """Its client gets 404 for several updates at once, and sends each alone. A stream has all of them, in order."""
    await asyncio.to_thread(run_job, server.url, sid)
    assert await stream.closed() == "end"
    final = await worker.poll(sid)
    assert fold_all(stream.events) == final
    assert (final["status"], [step["message"] for step in final["steps"]]) == ("completed", ["", "again"])
    snapshot, *transitions, _ = stream.events[1:]
    assert [event.position.offset for event in (snapshot, *transitions)] == [*range(9)]
    assert [moment_of(event.json()["step"]) for event in transitions] == [
        *("1 running", "1 success", "2 running", "2 running 1", "2 running 2"),
        *("2 error DiskFullError", "2 running", "2 success"),
    ]


def moment_of(step: dict[str, Any]) -> str:
    return f"{step['step']} {step['status']} {step.get('progress', {}).get('current') or step['error']}".rstrip()


async def test_a_job_by_our_asyncio_client_is_completed(server: Server, worker: Worker, sid: str) -> None:
    """It needs no more of a server than the other one."""
    async with AsyncProgress(sid, steps=["Find"], url=server.url, on_error="raise") as progress, progress.step(1):
        pass
    assert (await worker.poll(sid))["status"] == "completed"


def test_a_job_outlives_a_restart_of_the_server(serve: Serve, sid: str) -> None:
    """It creates its session again, and repeats what it reported."""
    server = serve()
    with Progress(sid, steps=["Find", "Resize"], url=server.url) as progress:
        progress.step(1).run(str)
        with progress.step(2) as step:
            step.report(1, 2)
            assert progress.flush(WAIT_S)
            server.restart()
    assert httpx.get(server.url + session_path(sid)).json()["status"] == "completed"


async def test_watch_shows_a_job_to_its_end(server: Server, worker: Worker, sid: str) -> None:
    """The command follows from before the job's beginning, and ends with it."""
    command = [sys.executable, "-m", "progress_sse", "watch", sid, "--url", server.url, "--output", "plain"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=subprocess.PIPE)
    assert process.stdout
    async with asyncio.timeout(WAIT_S):
        assert b"Waiting for the job to start" in await process.stdout.readline()
        await worker.create(sid, steps=["Find", "Resize"])
        await work(worker, sid, 1, 2)
        shown = (await process.stdout.read()).decode()
        assert (await process.wait(), shown.count("done after")) == (0, 2), shown


class Script(Server):
    """The file as a program, which answers 404 at `/livez`."""

    def _is_live(self) -> bool:
        with suppress(httpx.HTTPError):
            return httpx.get(f"{self.url}/livez").status_code == 404
        return False


async def test_a_stopping_server_ends_each_stream(tmp_path: Path, sid: str) -> None:
    """P-5.22: with another time to wait, so that the readers come back one after the other."""
    with Script(tmp_path, command=[sys.executable, str(SOURCE), "--port", "{port}"]) as server:
        streams = [await RawStream.open(server.port, events_path(sid)) for _ in range(20)]
        for stream in streams:
            await stream.next_event()
        await asyncio.to_thread(server.terminate)
    assert [await stream.closed() for stream in streams] == ["end"] * 20
    assert len({stream.retries[-1] for stream in streams}) > 10


async def test_a_silent_stream_has_heartbeats(serve: Serve, sid: str) -> None:
    """P-5.14 to P-5.16: a comment without an empty line, or an event, the first at once."""
    server = serve(heartbeat_s=1)
    async with await RawStream.open(server.port, events_path(sid)) as stream:
        await stream.wait_until(lambda stream: len(stream.comments) >= 3)
        assert b"\n\n: heartbeat\n: heartbeat\n" in stream.body
    async with await RawStream.open(server.port, events_path(sid, "?heartbeat=event")) as stream:
        events = await stream.next_events(4)
        assert [event.event for event in events] == ["heartbeat", "snapshot", "heartbeat", "heartbeat"]
        assert {event.json().get("interval_ms", 1000) for event in events} == {1000}


@pytest.mark.full
async def test_a_slow_reader_gets_a_snapshot(server: Server, worker: Worker, sid: str) -> None:
    """P-5.18: in place of the transitions that are no longer there."""
    async with await RawStream.open(server.port, events_path(sid), rcvbuf=SMALL_WINDOW) as slow:
        await slow.next_event()
        await worker.start(sid, 1)
        slow.pause()
        for report in big_reports(200):
            await worker.update(sid, **report)
        final = await worker.poll(sid)
        slow.resume()
        await slow.wait_until(lambda slow: fold_all(slow.events) == final)
        assert [event.event for event in slow.events].count("snapshot") == 3
        assert len(slow.events) < 200


async def sweep(server: second_server.Server) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server.sweep)
        await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()


async def test_old_sessions_are_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    """P-13.13 and P-3.24: after a day, save for those that run; a day later nothing is left of them."""
    server = second_server.Server()
    for name in ("running", "pending"):
        session = second_server.Session(name, second_server.read_definitions({}))
        session.created_at -= 2 * second_server.MAX_AGE
        server.keep(session)
    server.find("running").update("start", {"step": 1, "timeout_ms": None})
    await sweep(server)
    assert [server.look_up(name).status for name in ("running", "pending")] == ["running", "not_found"]
    assert server.look_up("pending").show()["gone"] is True
    monkeypatch.setattr(second_server, "MAX_AGE", 0 * second_server.MAX_AGE)
    await sweep(server)
    assert ["gone" in server.look_up(name).show() for name in ("running", "pending")] == [True, False]


PAGE = """<script type="module" src="/web/define.js"></script>
<progress-steps session="SESSION" transport="TRANSPORT"></progress-steps>"""


@pytest.fixture
async def shown(chromium: Browser) -> AsyncIterator[PageDriver]:
    """An empty tab."""
    async with await chromium.new_context(locale="en-GB") as window:
        yield PageDriver(await window.new_page())


@pytest.mark.full
@pytest.mark.parametrize("transport", ["sse", "poll"])
async def test_our_tracker_and_our_element_follow_a_job(
    server: Server, worker: Worker, shown: PageDriver, sid: str, transport: str
) -> None:
    """Live, each change; or by polls."""
    element = PAGE.replace("SESSION", sid).replace("TRANSPORT", transport)
    await shown.go(f"{server.url}/page", following(sid, transport=transport) + element)
    await until(shown, f"tracker.state === '{'live' if transport == 'sse' else 'polling'}'")
    await worker.create(sid, steps=["Find", "Resize"])
    await work(worker, sid, 1)
    await expect(shown.part("percent")).to_have_text("50%")
    await work(worker, sid, 2)
    await until(shown, "ends.length")
    await expect(shown.part("percent")).to_have_text("100%")
    await expect(shown.part("steps").locator("li")).to_have_count(2)
    moves = [move for move in await shown.evaluate("moves") if move]
    assert moves == moves_of(2, 2) if transport == "sse" else moves[-1] == "ss"
    assert await shown.evaluate("ends") == ["complete"]
    assert len(shown.errors) == 1  # 404 for `/api/steps`, whose names the tracker would show before the job begins.
