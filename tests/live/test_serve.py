"""What `progress-sse serve` says and does on start."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

from tests.conftest import Serve
from tests.harness.serving import Worker, eventually
from tests.live.hosts import serve_only

pytestmark = serve_only

TOKEN = "hush-hush"


@pytest.mark.parametrize("settings", [{}, {"publish_token": TOKEN}], ids=["open", "token"])
async def test_the_command_that_it_prints_works(serve: Serve, settings: dict[str, str]) -> None:
    """It says address, store and who may publish; the token is read from the environment, and never printed."""
    server = serve(store="sqlite", **settings)
    await eventually(lambda: "curl" in server.log(), 10)
    greeting = server.log()
    assert f"{server.url}/" in greeting
    assert server.store in greeting
    assert ("whoever brings a publish_token" in greeting) == bool(settings)
    assert TOKEN not in greeting
    command = re.search(r"^ *(curl .*)$", greeting, re.MULTILINE)
    assert command is not None
    environment = {**os.environ, "PROGRESS_SSE_TOKEN": TOKEN}
    process = await asyncio.create_subprocess_shell(
        command[1], env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    output, _ = await process.communicate()
    assert output == b'{"success":true,"session_id":"demo"}'
    async with Worker.at(server) as worker:
        assert (await worker.poll("demo"))["status"] == "running"


async def test_the_descriptor_limit_is_raised_as_far_as_it_goes(serve: Serve) -> None:
    """As many streams as the machine allows, whatever the soft limit of the shell."""
    start = f"ulimit -Sn 256; exec {sys.executable} -m progress_sse serve --store memory:// --port {{port}}"
    server = serve(command=["sh", "-c", start])
    limits = await asyncio.to_thread(Path(f"/proc/{server.pid}/limits").read_text)
    match = re.search(r"^Max open files +(\d+) +(\d+)", limits, re.MULTILINE)
    assert match is not None
    assert match[1] == match[2] != "256"
