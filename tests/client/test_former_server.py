"""Jobs of today that report to a server of the version before, which ignores what it does not know."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from progress_sse.client.handle import Reporter
from tests.client.job_errors import OopsError
from tests.client.shells import Shell
from tests.harness.http1 import HOST
from tests.harness.serving import ROOT, Server, session_path

pytestmark = [pytest.mark.full, pytest.mark.processes]

FORMER = "530f81d"
"""The commit of the version before."""

FORMER_COMMAND = [
    sys.executable,
    "-m",
    "progress_sse",
    "serve",
    "--host",
    HOST,
    "--port",
    "{port}",
    "--store",
    "memory://",
]


class FormerServer(Server):
    """The server of the version before, on its own code."""

    def environment(self) -> dict[str, str]:
        """The environment, in which Python finds that code first."""
        return {**super().environment(), "PYTHONPATH": str(self.folder / "code")}


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    """A server of the version before."""
    archive, code = tmp_path / "former.tar", tmp_path / "former" / "code"
    export = ["git", "archive", "--output", str(archive), FORMER, "progress_sse", "web"]
    await asyncio.to_thread(subprocess.run, export, cwd=ROOT, check=True)
    with tarfile.open(archive) as files:
        files.extractall(code, filter="data")
    server = FormerServer(tmp_path / "former", command=FORMER_COMMAND)
    await asyncio.to_thread(server.start)
    try:
        yield server
    finally:
        await asyncio.to_thread(server.end)


async def steps(server: Server) -> list[tuple[str, str]]:
    """The name and status of each step of the session."""
    async with httpx.AsyncClient(base_url=server.url) as client:
        body = (await client.get(session_path("nightly"))).json()
    return [(step["name"], step["status"]) for step in body["steps"]]


async def test_numbered_steps_are_reported_unharmed(
    server: Server, shell: Shell, caplog: pytest.LogCaptureFixture
) -> None:
    """Attempts, leases and ages are ignored, and refused signs of life are no lost reports."""
    progress = shell.progress("nightly", steps=["One", "Two"], title="Nightly", url=server.url, lease_s=1)

    def work(progress: Reporter) -> None:
        with progress.step(1) as step:
            step.report(3, 8)
        progress.step(2).start()

    await shell.run(work, progress)
    sink = vars(progress)["_sink"]
    async with asyncio.timeout(20):
        while sink.beat_at() < float("inf"):  # The first sign of life is refused, and no other follows.
            await shell.flush(progress, 0.1)
    progress.step(2).complete()
    assert await shell.flush(progress, 20)
    await shell.close(progress)
    assert await steps(server) == [("One", "success"), ("Two", "success")]
    assert progress.lost == 0
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_what_the_server_does_not_know_is_lost_and_logged_once(
    server: Server, shell: Shell, caplog: pytest.LogCaptureFixture
) -> None:
    """The job goes on, and its numbered steps are shown."""
    progress = shell.progress("nightly", steps=["One", "Two", "Three"], url=server.url)

    def work(progress: Reporter) -> None:
        with progress.step(1):
            pass
        progress.skip(2)
        with progress.step("Three"):
            pass
        progress.describe(title="Nightly")
        with progress.step(3):
            raise OopsError

    with pytest.raises(OopsError):
        await shell.run(work, progress)
    assert await shell.flush(progress, 20)
    await shell.close(progress)
    assert await steps(server) == [("One", "success"), ("Two", "pending"), ("Three", "error")]
    assert progress.lost == 5, "the skip, both reports by name, the description and the end"
    [line] = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert "was refused: 422" in line


@pytest.mark.guarantee(73)
async def test_lines_are_offered_once_and_cost_nothing(
    server: Server, shell: Shell, caplog: pytest.LogCaptureFixture
) -> None:
    """The server keeps no log; the job reports as before, and nothing counts as lost."""
    caplog.set_level(logging.INFO, "progress_sse.client")
    progress = shell.progress("nightly", steps=["One", "Two"], url=server.url)

    def work(progress: Reporter) -> None:
        for number in (1, 2):
            with progress.step(number) as step:
                step.log("a line")

    await shell.run(work, progress)
    assert await shell.flush(progress, 20)
    await shell.close(progress)
    assert await steps(server) == [("One", "success"), ("Two", "success")]
    assert progress.lost == 0
    told = [record.getMessage() for record in caplog.records if "log lines" in record.getMessage()]
    assert len(told) == 1
    assert "as the server keeps none" in told[0]
