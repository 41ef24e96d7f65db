"""The programs of `docs/how-to/report-from-queues.md` that need no queue, unchanged."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx

from progress_sse.client.testing import Complete, Recorder, Start
from tests.bridges.queue_workers import LIBRARIES
from tests.conftest import Serve
from tests.harness.documents import programs_of
from tests.harness.serving import Server, session_path

PROGRAMS = programs_of("how-to/report-from-queues.md")


def session(server: Server, session_id: str) -> Any:
    return httpx.get(server.url + session_path(session_id)).json()


def test_bars_and_records_are_shown(serve: Serve, tmp_path: Path) -> None:
    """Each appears as the message of its step, which ends as a step does."""
    server = serve()
    (tmp_path / "photos.py").write_text(PROGRAMS["photos"], "utf-8")
    environment = {**os.environ, "PROGRESS_SSE_URL": server.url}
    subprocess.run([sys.executable, "photos.py"], cwd=tmp_path, env=environment, check=True, timeout=60)
    shown = session(server, "photos")
    assert shown["status"] == "completed"
    assert [step["message"] for step in shown["steps"]] == ["8000 photos found", "Resizing", "Publishing"]
    log = httpx.get(server.url + session_path("photos", "log")).json()
    assert [(line["step"], line["text"]) for line in log["lines"]] == [(1, "8000 photos found")]


def test_a_queue_without_a_bridge_needs_a_block_only(recorder: Recorder) -> None:
    """The recipe continues the session that a message names."""
    names: dict[str, Any] = {}
    exec(PROGRAMS["other_jobs"], names)  # noqa: S102  # our own
    names["handle"]({"session": "import-42", "text": "parsing"})
    assert recorder.of("import-42") == [Start(2), Complete(2)]


def test_every_program_is_tested() -> None:
    """The tests of this folder run all of them."""
    assert set(PROGRAMS) == {"photos", "other_jobs", "spans", *(f"{name}_jobs" for name in LIBRARIES)}
