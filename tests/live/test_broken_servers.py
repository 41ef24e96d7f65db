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
    Broken("P-2.4", "if exists and request", "if (exists or 'colour' in request.query_params) and request"),
    Broken("P-3.2", '.decode("utf-8", "surrogateescape")', '.decode("utf-8", "surrogateescape").lower()'),
    Broken("P-3.8", '"steps": self.steps, "percentage"', '"steps": self.steps, "done": done, "percentage"'),
    Broken("P-3.11", "// max(1, len(self.steps))", "// max(1, len(self.steps)) + (done % 1 > 0)"),
    Broken("P-3.12", "self.definitions[self.current_step :]", "self.definitions[max(0, self.current_step - 1) :]"),
    Broken("P-3.14", 'show(), 200, {"ETag": etag})', 'show(), 200 if session.steps else 404, {"ETag": etag})'),
    Broken("P-3.24", "and self.epoch != NEVER:", "and False:"),
    Broken("P-4.2", '.removeprefix("W/")', ""),
    Broken("P-5.3", '(RETRY if name == "snapshot" else "")', '""'),
    Broken("P-5.5", "Response(to_json(value), status", "Response(' ' + to_json(value), status"),
    Broken("P-5.6", "yield block\n", 'yield block * (1 + (b"event: step" in block))\n'),
    Broken("P-5.11", 'if present.status == "completed"', 'if present.status == "error"'),
    Broken("P-5.16", 'b": heartbeat\\n"', 'b": heartbeat\\n\\n"'),
    Broken("P-5.17", '.replace("<", "\\\\u003c")', ""),
    Broken("P-6.1", 'f"{self.epoch}-{self.number}"', 'f"{self.epoch}-{self.number}!"'),
    Broken("P-6.2", "secrets.token_hex(8), 0\n", "secrets.token_hex(8), 1\n"),
    Broken("P-6.3", "epoch or secrets.token_hex(8)", 'epoch or "1"'),
    Broken("P-6.6", 'request.headers.get("Last-Event-ID") or ', ""),
    Broken("P-6.7", "self.blocks[self.ids.index(last_id) + 1 :]", "self.blocks[self.ids.index(last_id) :]"),
    Broken("P-6.11", "and session.id() == last_id:", "and not last_id:"),
    Broken("P-9.4", '"message": "", "error": ""}', '"message": "", "error": step.get("error", "")}'),
    Broken("P-9.6", 'is_new = action == "start" and session_id not in self.sessions', "is_new = False"),
    Broken("P-9.9", 'if action != "start" and step == self.steps[index]:', "if False:"),
    Broken("P-9.11", 'if step["status"] != "running":', "if False:"),
    Broken("P-9.12", "type(value) is int and value >= 1", "isinstance(value, int) and value >= 1"),
    Broken("P-13.2", 'request.query_params.get("replace") != "true"', "False"),
    Broken("P-16.1", '"problem+json"', '"json"'),
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
