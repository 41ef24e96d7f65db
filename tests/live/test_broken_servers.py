"""The conformance command's conversations find servers that break one requirement each."""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import httpx
import pytest

from progress_sse.conformance.player import play
from progress_sse.conformance.report import Rule, rules_of
from progress_sse.conformance.vectors import conversations
from tests.harness.http1 import HOST, free_port
from tests.harness.presence import present
from tests.harness.serving import ROOT

pytestmark = [pytest.mark.full, pytest.mark.processes]

SOURCE: Final = (ROOT / "docs" / "examples" / "second_server.py").read_text("utf-8")
CORE: Final = conversations("core")


class Broken(NamedTuple):
    """A requirement, and what a server has in place of the line that keeps it."""

    rule: str
    right: str
    wrong: str


BROKEN: Final = [
    Broken("P-2.1", "if len(dict(pairs)) < len(pairs):", "if not pairs:"),
    Broken("P-2.4", "exists = bool(", "exists = 'colour' in request.query_params or bool("),
    Broken("P-3.2", '.decode("utf-8", "surrogateescape")', '.decode("utf-8", "surrogateescape").lower()'),
    Broken("P-3.11", "floor(100 * (done + ", "round(100 * (done + "),
    Broken("P-3.12", "self.steps[self.current_step :]", "self.steps[max(0, self.current_step - 1) :]"),
    Broken("P-3.14", "return showing(session, 304", "return showing(session, 404 if not session.steps else 304"),
    Broken("P-3.23", "hundredths = floor(100 * done)", "hundredths = 100 * floor(done)"),
    Broken("P-3.24", "if self.is_gone else session", "if False else session"),
    Broken("P-4.2", '.removeprefix("W/")', ""),
    Broken("P-5.3", 'retry = RETRY_MS if event == "snapshot" else None', "retry = None"),
    Broken("P-5.5", "write_json(session.shown()), status", "' ' + write_json(session.shown()), status"),
    Broken("P-5.6", "yield event\n", 'yield event * (1 + (b"event: step" in event))\n'),
    Broken("P-5.11", 'if session.status == "completed" and not wake', 'if session.status == "error" and not wake'),
    Broken("P-5.16", 'b":\\n"', 'b":\\n\\n"'),
    Broken("P-5.17", '.replace("<", r"\\u003c")', ""),
    Broken("P-6.1", 'f"{self.epoch}-{self.n}"', 'f"{self.epoch}-{self.n}!"'),
    Broken("P-6.2", "self.n, self.events = -1", "self.n, self.events = 0"),
    Broken("P-6.3", "secrets.token_hex(8) if steps", "'1' if steps"),
    Broken("P-6.6", 'request.headers.get("last-event-id") or ', ""),
    Broken("P-6.7", "self.events[len(self.events) - count :]", "self.events[max(0, len(self.events) - count - 1) :]"),
    Broken("P-6.11", "session.position == last_id", "not last_id"),
    Broken("P-9.4", 'replace(defined, status="running"', 'replace(old, status="running"'),
    Broken("P-9.6", 'if not session.steps and update["action"] != "start":', "if not session.steps:"),
    Broken("P-9.9", "if replace(new, completed_at=old.completed_at) == old:", "if new == old:"),
    Broken("P-9.11", 'if self.status != "running":', "if False:"),
    Broken("P-9.12", "and not isinstance(value, bool)", ""),
    Broken("P-13.2", 'request.query_params.get("replace") != "true"', "False"),
    Broken("P-16.1", '"application/problem+json"', '"application/json"'),
]
"""More than twenty: each is one change of the server in `docs/examples` that keeps level core."""


@contextlib.contextmanager
def running(source: str, folder: Path) -> Iterator[str]:
    """Run a server from its source, and return its URL."""
    path, port = folder / "server.py", free_port()
    path.write_text(source, "utf-8")
    with subprocess.Popen([sys.executable, path, "--port", str(port)], stderr=subprocess.PIPE, text=True) as process:
        try:
            assert any("Uvicorn running" in line for line in present(process.stderr))
            yield f"http://{HOST}:{port}"
        finally:
            process.kill()


async def checked(url: str) -> Sequence[Rule]:
    """Have all conversations of level core with a server, at the same time."""
    async with httpx.AsyncClient(base_url=url) as client:
        return rules_of(await asyncio.gather(*(play(client, each, f"{each.name[:4]}-") for each in CORE)))


def test_the_second_server_keeps_level_core(tmp_path: Path) -> None:
    with running(SOURCE, tmp_path) as url:
        assert [rule for rule in asyncio.run(checked(url)) if rule.state != "pass"] == []


@pytest.mark.parametrize("broken", BROKEN, ids=lambda each: each.rule)
def test_a_server_that_breaks_a_requirement_is_found(broken: Broken, tmp_path: Path) -> None:
    """By the number of the requirement that it breaks."""
    assert SOURCE.count(broken.right) == 1
    with running(SOURCE.replace(broken.right, broken.wrong), tmp_path) as url:
        states = {rule.number: rule.state for rule in asyncio.run(checked(url))}
    assert states[broken.rule] == "FAIL"
