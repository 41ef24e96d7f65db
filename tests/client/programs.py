"""Programs that report to a server, as processes of their own, and the session that they leave."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from typing import Any

import httpx

from tests.harness.serving import ROOT, Server, session_path


def run(program: str, url: str, timeout_s: float = 60) -> str:
    """Run a program that reports to a server, and return its output and log."""
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env={"PROGRESS_SSE_URL": url, "PROGRESS_SSE_SESSION": "nightly", "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
    assert "Traceback" not in ran.stdout, ran.stdout
    return ran.stdout


def shown(server: Server) -> tuple[list[str], int]:
    """Return the status of each step of the session, and the number of transitions."""
    response = httpx.get(server.url + session_path("nightly"))
    body: Any = response.json()
    return [step["status"] for step in body["steps"]], int(response.headers["etag"].strip('"').rpartition("-")[2])
