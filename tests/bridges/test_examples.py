"""The programs of `docs/bridges.md`, with real libraries, brokers and workers, reporting to a real server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx

from tests.conftest import Serve
from tests.harness.documents import programs_of
from tests.harness.serving import Server, session_path

PROGRAMS = programs_of("bridges.md")


def session(server: Server, session_id: str) -> Any:
    """What polling answers."""
    return httpx.get(server.url + session_path(session_id)).json()


def test_bars_and_records_are_shown(serve: Serve, tmp_path: Path) -> None:
    """Each as the message of its step, which ends as a step does."""
    server = serve()
    (tmp_path / "photos.py").write_text(PROGRAMS["photos"], "utf-8")
    environment = {**os.environ, "PROGRESS_SSE_URL": server.url}
    subprocess.run([sys.executable, "photos.py"], cwd=tmp_path, env=environment, check=True, timeout=60)
    shown = session(server, "photos")
    assert shown["status"] == "completed"
    assert [step["message"] for step in shown["steps"]] == ["8000 photos found", "Resizing", "Publishing"]
