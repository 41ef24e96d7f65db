"""The page of a session whose worker is killed."""

import asyncio
import re
import subprocess
import sys
from typing import Any

import httpx
import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.page_driver import POLLING_ONLY
from tests.harness.serving import ROOT, Server, eventually, session_path

JOB = """
import itertools
from progress_sse import Progress

with Progress(steps=["Find", "Resize"], lease_s=1) as progress:
    with progress.step(1):
        pass
    with progress.step(2) as step:
        for number in itertools.count(1):
            print(number, flush=True)
            step.report(number)
"""

LEAST_ROWS = 100
"""More rows than this are reported before the job is killed."""


def poll(server: Server, session_id: str) -> Any:
    return httpx.get(server.url + session_path(session_id)).json()


def kill_midway(server: Server, session_id: str) -> int:
    """Begin a job, kill it during its second step, and return the number of rows that it had reached."""
    environment = {"PROGRESS_SSE_URL": server.url, "PROGRESS_SSE_SESSION": session_id, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-c", JOB], env=environment, stdout=subprocess.PIPE) as job:
        assert job.stdout is not None
        while job.stdout.readline():
            steps = poll(server, session_id)["steps"]
            if steps and steps[1].get("progress", {}).get("current", 0) > LEAST_ROWS:
                break
        job.kill()
        return int(job.stdout.read().split(b"\n")[-2])


@pytest.mark.guarantee(46)
async def test_the_page_shows_the_silence_of_a_killed_worker(server: Server, open_page: OpenPage, sid: str) -> None:
    """Its reports stay, its step is neither done nor failed, and the page stops looking alive."""
    page = await open_page(f"{server.url}/livez", scripts=(POLLING_ONLY,))
    await page.page.clock.install()
    await page.page.goto(f"{server.url}/s/{sid}")
    reached = await asyncio.to_thread(kill_midway, server, sid)
    polled = poll(server, sid)
    assert [step["status"] for step in polled["steps"]] == ["success", "running"]
    assert LEAST_ROWS < polled["steps"][1]["progress"]["current"] <= reached
    await page.page.clock.fast_forward(3000)
    await expect(page.bar).to_have_text("50%")
    await eventually(lambda: poll(server, sid)["steps"][1]["liveness"]["state"] == "stalled", 20)
    await page.page.clock.fast_forward(3000)
    await expect(page.part("note")).to_have_text(re.compile(r"^no sign of life since \d+:\d\d"))
    stalled = poll(server, sid)
    for step in (polled["steps"][1], stalled["steps"][1]):
        del step["liveness"]
    assert stalled == polled
