"""Schemathesis reads the API description and sends generated requests: the server behaves as described."""

import os
import subprocess
import sys
from pathlib import Path

import jsonschema_rs
import pytest

from progress_sse.api.openapi.stream_models import StreamEvent
from tests.conftest import Serve
from tests.harness.event_stream import Block
from tests.harness.rawsse import RawStream
from tests.harness.serving import ROOT, Server, Worker
from tests.harness.tokens import KEY
from tests.live.asgi_hosts import serve_only
from tests.live.schemathesis_hooks import STEPS

TOKEN = "a-token-that-allows-everything"

GUARDED = {"publish_token": TOKEN, "read": "token", "token_key": KEY}

CONFIG = f"""
hooks = "tests.live.schemathesis_hooks"
max-stream-events = 1
request-timeout = 10

[auth.openapi.bearer]
bearer = "{TOKEN}"

[checks]
# Our own check `valid_data_is_accepted` replaces this one: it knows the reasons for refusals.
positive_data_acceptance.enabled = false
# Polling answers 200 for a session that does not exist, or no longer.
use_after_free.enabled = false
ensure_resource_availability.enabled = false

[generation]
# It takes every token that it makes up for a wrong one, but a ticket that it has bought is valid.
with-security-parameters = false

[output.sanitization]
enabled = false
"""

# The application makes the responses, whichever host serves it.
pytestmark = serve_only


def explore(server: Server, folder: Path, *options: str) -> None:
    config = folder / "schemathesis.toml"
    config.write_text(CONFIG)
    program: list[str | Path] = [sys.executable, "-m", "schemathesis.cli", "--config-file", config]
    result = subprocess.run(
        [*program, "run", f"{server.url}/openapi.json", "--url", server.url, "--no-color", *options],
        capture_output=True,
        text=True,
        cwd=folder,  # It stores its examples there.
        env={**os.environ, "PYTHONPATH": str(ROOT)},  # The hooks are there.
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Traceback" not in server.log()


@pytest.mark.full
@pytest.mark.timeout(1200)
def test_schemathesis_finds_no_undescribed_response(serve: Serve, tmp_path: Path) -> None:
    """SE-05: valid and invalid requests, one by one and in sequences, with the token and without."""
    server = serve(max_total_steps=STEPS, **GUARDED)
    explore(server, tmp_path, "--max-examples", "5", "--seed", "1")


@pytest.mark.full
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("store", "settings"), [("memory://", GUARDED), ("sqlite", {})], ids=["guarded", "open"])
def test_schemathesis_finds_none_in_a_long_run(
    serve: Serve, tmp_path: Path, store: str, settings: dict[str, str]
) -> None:
    """SE-05: each run sends other requests; the seed shown repeats a finding."""
    server = serve(store=store, max_total_steps=STEPS, **settings)
    explore(server, tmp_path, "--max-examples", "50")


@pytest.mark.protocol("P-5.12")
@pytest.mark.parametrize(
    "path", ["/api/progress/{session_id}/events", pytest.param("/api/events", marks=pytest.mark.full)]
)
async def test_every_event_of_a_stream_is_as_described(serve: Serve, path: str) -> None:
    """Schemathesis reads the first event only; this checks each kind, and its data."""
    server = serve(heartbeat_s=0.1)
    async with Worker.at(server) as worker:
        described = (await worker.client.get("/openapi.json")).json()
        await worker.client.put("/api/progress/s", json={"total_steps": 1})
        target = path.format(session_id="s") + "?heartbeat=event&session_id=s"
        async with await RawStream.open(server.port, target) as stream:
            await stream.wait_until(lambda stream: len(stream.events) > 3)
            await worker.update("s", action="start", step=1, attempt_id="a", lease_ms=1000)
            await worker.update("s", action="describe", title="t", labels={"a": "b"})
            await worker.update("s", action="progress", step=1, current=1)
            await worker.update("s", action="part", step=1, part="p", status="running", current=1, message="m")
            await worker.update("s", action="complete", step=1)
            await stream.closed()
    content = described["paths"][path]["get"]["responses"]["200"]["content"]["text/event-stream"]
    item = jsonschema_rs.Draft202012Validator({**content["itemSchema"], "components": described["components"]})
    for block in stream.events:
        event = as_parsed(block)
        assert item.is_valid(event), event
        StreamEvent.model_validate(event)
    assert {block.event for block in stream.events} == {"snapshot", "step", "session", "heartbeat", "end"}


def as_parsed(block: Block) -> dict[str, object]:
    """An event as a client has it: one without an id of its own carries the last one."""
    fields = {"event": block.event, "data": block.data, "id": block.last_event_id or None, "retry": block.retry_ms}
    return {name: value for name, value in fields.items() if value is not None}
