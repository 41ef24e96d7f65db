"""Commands of `progress-sse`, started as a shell starts them."""

import os
import subprocess
import sys
from typing import Any

import httpx

from tests.harness.serving import Server, session_path

TOKEN = "hush"
COMMAND = [sys.executable, "-m", "progress_sse"]
WAIT_S = 60


def environment(url: str | None, **more: str) -> dict[str, str]:
    """The environment with the server's address in it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PROGRESS_SSE_")}
    return {**kept, "PROGRESS_SSE_TOKEN": TOKEN, **({"PROGRESS_SSE_URL": url} if url else {}), **more}


def start(*arguments: str, url: str | None, **more: str) -> subprocess.Popen[bytes]:
    """Start a `progress-sse` command with pipes for its standard streams."""
    pipe = subprocess.PIPE
    return subprocess.Popen([*COMMAND, *arguments], stdin=pipe, stdout=pipe, stderr=pipe, env=environment(url, **more))


def finish(process: subprocess.Popen[bytes], stdin: bytes = b"") -> tuple[int, bytes, bytes]:
    out, err = process.communicate(stdin, timeout=WAIT_S)
    return process.returncode, out, err


def poll(server: Server, session_id: str) -> Any:
    return httpx.get(server.url + session_path(session_id)).json()
