"""The command `progress-sse demo`, started as a user starts it."""

import asyncio
import contextlib
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Serve
from tests.harness.http1 import HOST, free_port
from tests.harness.rawsse import RawStream
from tests.harness.serving import Server, Worker, children, eventually
from tests.live.asgi_hosts import serve_only

OWN_PAGE = {"Sec-Fetch-Site": "same-origin"}
COMMAND = [sys.executable, "-m", "progress_sse", "demo"]
AGES_S = 90
"""Enough for a whole job on a busy machine."""


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Server]:
    """A running demo; `terminate()` and similar calls reach the command, not the server below it."""
    # A killed command leaves its files behind.
    command_line = ["env", f"TMPDIR={tmp_path}", *COMMAND, "--no-open", "--port", "{port}"]
    with Server(tmp_path / "demo", command=command_line) as command:
        yield command
        if command.is_running():
            command.terminate()


def is_listening(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex((HOST, port)) == 0


async def until(worker: Worker, session_id: str, condition: str, timeout_s: float = AGES_S) -> Any:
    """Poll a session until an expression over its `status`, `percentage` and `steps` is true; return the response."""
    async with asyncio.timeout(timeout_s):
        while True:
            answer = await worker.poll(session_id)
            if eval(condition, {}, answer):  # noqa: S307 - written in this file
                return answer
            await asyncio.sleep(0.05)


async def post(worker: Worker, path: str) -> Any:
    """POST an empty body, as the demo's page does, and return the response."""
    response = await worker.client.post(path, headers=OWN_PAGE)
    assert response.is_success, response.text
    return response.json() if response.content else None


@pytest.mark.full
async def test_links_of_the_agent_lead_to_its_answer(demo: Server) -> None:
    """Both are answered, and the log has the colours that the agent wrote."""
    async with Worker.at(demo) as worker:
        done = await until(worker, "agent-1", "status == 'completed'")
        pages = [await worker.client.get(link["url"]) for link in done["links"]]
    assert [page.status_code for page in pages] == [200, 200]
    assert "Your proxy holds the stream back." in pages[0].text
    assert "\\u001b[32m" in pages[1].text


async def test_visitors_may_update_and_delete_the_jobs_sessions(demo: Server) -> None:
    """The sessions' pages offer updates and deletion; the refusals that jobs get after them do not end the demo."""
    async with Worker.at(demo) as worker:
        for session_id in ("load-1", "film-1"):
            await until(worker, session_id, "status == 'running' and 'progress' in steps[0]")
        await worker.complete("load-1", 1)
        await worker.delete("film-1")
        moving = await until(worker, "export-1", "status == 'running' and 'progress' in steps[0]")
        reached = moving["steps"][0]["progress"]["current"] + 3
        await until(worker, "export-1", f"steps[0]['progress']['current'] >= {reached}")
    assert demo.is_running()


@pytest.mark.full
async def test_port_that_is_taken_during_a_restart_is_refused_in_one_sentence(demo: Server) -> None:
    """The message is the same as for a port that was taken before the start."""
    [child] = children(demo.pid)
    os.kill(child, signal.SIGKILL)
    await eventually(lambda: not is_listening(demo.port), AGES_S)
    with socket.create_server((HOST, demo.port)):
        assert await asyncio.to_thread(demo.wait) == 1
    refusal = f"Error: Cannot listen on port {demo.port}: Address already in use."
    assert demo.log().splitlines()[1:] == [refusal]


async def test_page_is_the_demo_s_own_and_loads_what_it_needs(demo: Server) -> None:
    """The page has the same policy as the product's, and pages of single sessions exist too."""
    async with Worker.at(demo) as worker:
        page = await worker.client.get("/")
        product = await worker.client.get("/s/load-1")
        assert '<script src="web/demo-' in page.text
        assert '<script src="web/demo-' not in product.text
        assert page.headers["content-security-policy"] == product.headers["content-security-policy"]


def _opened(pid: int) -> Iterator[Path]:
    """What a process has open; connections end at any time."""
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            yield descriptor.readlink()


@pytest.mark.parametrize("number", [pytest.param(signal.SIGINT, marks=pytest.mark.full), signal.SIGTERM])
def test_signal_ends_everything(demo: Server, number: signal.Signals) -> None:
    """The command, its server and its files are gone, with a friendly exit code and no traceback."""
    [child] = children(demo.pid)
    [database] = {path for path in _opened(child) if path.name == "demo.db"}
    demo.signal(number)
    assert demo.wait() == 0
    assert not Path(f"/proc/{child}").exists()
    assert not database.parent.exists()
    assert "Traceback" not in demo.log()


@pytest.mark.full
def test_frozen_server_does_not_keep_the_command_from_ending(demo: Server) -> None:
    """The command kills the server when its time is over."""
    [child] = children(demo.pid)
    os.kill(child, signal.SIGSTOP)
    assert demo.terminate(AGES_S) == 0
    assert not Path(f"/proc/{child}").exists()


@pytest.mark.full
async def test_server_does_not_outlive_a_command_that_was_killed(demo: Server) -> None:
    """No process is left that would hold the port."""
    await asyncio.to_thread(demo.kill)
    await eventually(lambda: not is_listening(demo.port), AGES_S)


@pytest.mark.full
async def test_second_demo_runs_beside_the_first(demo: Server, tmp_path: Path) -> None:
    """Each takes a free port and has files of its own."""
    with Server(tmp_path / "second", command=[*COMMAND, "--no-open", "--port", "{port}"]) as second:
        async with Worker.at(second) as worker:
            await until(worker, "load-1", "percentage > 0")
        assert await asyncio.to_thread(second.terminate) == 0
    async with Worker.at(demo) as worker:
        await until(worker, "load-1", "percentage > 0")


def test_port_that_is_taken_is_refused_in_one_sentence() -> None:
    """The exit code is 1, and no process is left."""
    with socket.create_server((HOST, free_port())) as taken:
        port = taken.getsockname()[1]
        command = [*COMMAND, "--no-open", "--port", str(port)]
        result = subprocess.run(command, capture_output=True, text=True, timeout=AGES_S, check=False)
    assert result.returncode == 1
    assert result.stderr == f"Error: Cannot listen on port {port}: Address already in use.\n"


@pytest.mark.full
async def test_browser_is_opened_at_a_free_port(tmp_path: Path) -> None:
    """The browser gets the printed address, whatever the environment says of other servers."""
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}.new && mv {opened}.new {opened}\n')
    browser.chmod(browser.stat().st_mode | stat.S_IXUSR)
    others = {"PUBLISH_TOKEN": "x", "PORT": "1", "DISABLED": "1", "URL": "http://127.0.0.1:9"}
    environment = {
        **os.environ,
        "BROWSER": str(browser),
        "http_proxy": "http://127.0.0.1:9",
        **{f"PROGRESS_SSE_{name}": value for name, value in others.items()},
    }
    process = await asyncio.create_subprocess_exec(*COMMAND, env=environment, stdout=subprocess.PIPE)
    try:
        await eventually(opened.exists, AGES_S)
        assert process.stdout is not None
        url = opened.read_text().strip()
        assert url in (await process.stdout.readline()).decode()
        async with Worker.at(int(url.rstrip("/").rpartition(":")[2])) as worker:
            await until(worker, "load-1", "percentage > 0")
    finally:
        process.terminate()
        await process.wait()


@pytest.mark.full
async def test_restart_loses_nothing(demo: Server) -> None:
    """Another process answers, the sessions are as they were, and the jobs continue: each part has its report."""
    [before] = children(demo.pid)
    async with Worker.at(demo) as worker:
        reached = (await until(worker, "film-1", "percentage > 5"))["percentage"]
        await post(worker, "/demo/restart")
        await eventually(lambda: not is_listening(demo.port), AGES_S)
    await eventually(lambda: is_listening(demo.port), AGES_S)
    async with Worker.at(demo) as worker:
        assert (await worker.poll("film-1"))["percentage"] >= reached
        done = await until(worker, "film-1", "status == 'completed'")
        assert done["steps"][0]["parts"]["success"] == 40
    [after] = children(demo.pid)
    assert after != before


async def test_cut_breaks_streams_off(demo: Server) -> None:
    """The stream lacks its last chunk, and a reader that returns with its last id gets the rest."""
    path = "/api/events?session_id=load-1"
    async with Worker.at(demo) as worker:
        await until(worker, "load-1", "status == 'running'")
        async with await RawStream.open(demo.port, path) as stream:
            await stream.next_event()
            await post(worker, "/demo/cut")
            await stream.wait_until(lambda each: each.ending is not None)
            assert stream.ending in {"eof", "reset"}
        async with await RawStream.open(demo.port, path, last_event_id=stream.last_event_id) as again:
            assert (await again.next_event()).event == "step"


async def test_buffering_holds_streams_back_until_it_is_switched_off(demo: Server) -> None:
    """Open streams break off; a new one gets its head and no event, while polls are answered."""
    path = "/api/progress/load-1/events"
    async with Worker.at(demo) as worker, await RawStream.open(demo.port, path) as stream:
        await stream.next_event()
        assert await post(worker, "/demo/buffer") == {"buffering_ms": 20_000}
        await stream.wait_until(lambda each: each.ending is not None)
        async with await RawStream.open(demo.port, path) as held:
            await held.received_head()
            percentage = (await worker.poll("load-1"))["percentage"]
            await until(worker, "load-1", f"percentage > {percentage + 1}")
            assert not held.log
            assert await post(worker, "/demo/buffer") == {"buffering_ms": 0}
            assert (await held.next_event()).event == "snapshot"


async def test_foreign_pages_cannot_break_anything(demo: Server) -> None:
    """Neither a foreign page in the same browser nor one under a foreign name of this host can break anything."""
    async with Worker.at(demo) as worker:
        for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://elsewhere.example"}):
            assert (await worker.client.post("/demo/restart", headers=headers)).status_code == 403
        for path in ("/", "/api/progress", "/demo/restart"):
            by_name = {**OWN_PAGE, "Host": f"elsewhere.example:{demo.port}"}
            method = "POST" if "demo" in path else "GET"
            assert (await worker.client.request(method, path, headers=by_name)).status_code == 421
        assert (await worker.client.get("/", headers={"Host": f"localhost:{demo.port}"})).status_code == 200
        own = {"Host": "192.0.2.1", "Origin": "http://192.0.2.1"}  # Without TLS there is no Sec-Fetch-Site.
        assert (await worker.client.post("/demo/cut", headers=own)).status_code == 204


@serve_only
async def test_serve_cannot_be_broken(serve: Serve) -> None:
    """Only the demo has these endpoints."""
    async with Worker.at(serve()) as worker:
        for fault in ("cut", "buffer", "restart"):
            assert (await worker.client.post(f"/demo/{fault}")).status_code == 404
