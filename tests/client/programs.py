"""Programs that report to a server, as processes of their own, and the session that they leave."""

import subprocess
import sys
import textwrap
from typing import Any

import httpx

from tests.harness.serving import ROOT, Server, session_path


def run(program: str, url: str, timeout_s: float = 60, *arguments: str) -> str:
    """Run a program that reports to a server, and return its output and log."""
    with start(program, url, *arguments) as process:
        try:
            output, _ = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert process.returncode == 0, output
    assert "Traceback" not in output, output
    return output


def start(program: str, url: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a program that reports to a server, with its output and log in one pipe."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program), *arguments],
        env={"PROGRESS_SSE_URL": url, "PROGRESS_SSE_SESSION": "nightly", "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def shown(server: Server) -> tuple[list[str], int]:
    """Return the status of each step of the session, and the number of transitions."""
    response = httpx.get(server.url + session_path("nightly"))
    body: Any = response.json()
    return [step["status"] for step in body["steps"]], int(response.headers["etag"].strip('"').rpartition("-")[2])
