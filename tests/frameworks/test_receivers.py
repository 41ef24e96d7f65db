"""The receivers of docs/examples/receivers hand each notice on once, to a stub of the service's API."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from progress_sse._internal.http_library import httpx
from progress_sse.notices.delivery import Deliverer
from progress_sse.notices.hooks_file import Hook, secret_of
from tests.harness.http1 import HOST, free_port
from tests.harness.serving import ROOT, eventually
from tests.live.notices.receiver import SECRET

pytestmark = [pytest.mark.full, pytest.mark.processes]

FOLDER = ROOT / "docs" / "examples" / "receivers"
PAGE = "https://progress.example/s/nightly"
LABELS = {"repo": "example/shop", "sha": "4f1c"}


class Sent(NamedTuple):
    """A request to a service."""

    path: str
    authorization: str
    body: Any


class Service(ThreadingHTTPServer):
    """Stands in for the API of a service."""

    def __init__(self) -> None:
        super().__init__((HOST, 0), _Api)
        self.sent: list[Sent] = []
        self.url = f"http://{HOST}:{self.server_address[1]}"


class _Api(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Service)
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.sent.append(Sent(self.path, self.headers.get("Authorization", ""), body))
        answer = json.dumps({"ok": True, "ts": f"{len(self.server.sent)}.0"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as service:
        thread = threading.Thread(target=service.serve_forever)
        thread.start()
        yield service
        service.shutdown()
        thread.join()


def notice(event: str, percentage: int) -> bytes:
    step = {"step": 2, "name": "Import", "status": "error", "error": "disk full"}
    session = {"session_id": "nightly", "percentage": percentage, "title": "Night", "labels": LABELS}
    data = {"session": session, "step": step, "position": "4f1c-7", "page": PAGE}
    return json.dumps({"type": f"session.{event}", "timestamp": "2026-01-02T03:04:05+00:00", "data": data}).encode()


CASES: dict[str, tuple[dict[str, str], list[tuple[str, str, dict[str, Any]]]]] = {
    "slack": (
        {"SLACK_API": "{url}", "SLACK_TOKEN": "t", "SLACK_CHANNEL": "C1"},
        [
            ("/chat.postMessage", "Bearer t", {"channel": "C1", "text": f"Night: stalled, 50 % <{PAGE}|Open>"}),
            ("/chat.update", "Bearer t", {"channel": "C1", "text": f"Night: failed, 75 % <{PAGE}|Open>", "ts": "1.0"}),
        ],
    ),
    "discord": (
        {"DISCORD_WEBHOOK": "{url}/hook"},
        [("/hook", "", {}), ("/hook", "", {})],
    ),
    "ntfy": (
        {"NTFY_SERVER": "{url}", "NTFY_TOPIC": "jobs"},
        [
            ("/", "", {"topic": "jobs", "message": "stalled, 50 %", "priority": 4, "click": PAGE}),
            ("/", "", {"topic": "jobs", "message": "failed, 75 %", "priority": 4, "title": "Night"}),
        ],
    ),
    "home_assistant": (
        {"HOME_ASSISTANT": "{url}", "HOME_ASSISTANT_TOKEN": "t", "NOTIFY_SERVICE": "phone"},
        [
            ("/api/services/notify/phone", "Bearer t", {"title": "Night", "message": event})
            for event in ("stalled", "failed")
        ],
    ),
    "github": (
        {"GITHUB_API": "{url}", "GITHUB_TOKEN": "t"},
        [
            ("/repos/example/shop/statuses/4f1c", "Bearer t", {"state": "pending", "target_url": PAGE}),
            ("/repos/example/shop/statuses/4f1c", "Bearer t", {"state": "failure", "context": "nightly"}),
        ],
    ),
    "apprise_receiver": (
        {"APPRISE_URLS": "json://{netloc}/apprise"},
        [
            ("/apprise", "", {"title": "Night: stalled", "message": f"50 % {PAGE}", "type": "info"}),
            ("/apprise", "", {"title": "Night: failed", "type": "failure"}),
        ],
    ),
}


def test_each_receiver_is_short() -> None:
    """25 lines at most; each has a case here."""
    files = {path.stem: len(path.read_text("utf-8").splitlines()) for path in FOLDER.glob("*.py")}
    del files["receiver"]
    assert files.keys() == CASES.keys()
    assert max(files.values()) <= 25


@pytest.mark.parametrize(("name", "case"), CASES.items())
async def test_a_receiver(service: Service, tmp_path: Path, name: str, case: Any) -> None:
    """Each notice once, though the server sends one twice; none that is not signed."""
    variables, expected = case
    port, url = free_port(), service.url
    own = {key: value.replace("{url}", url).replace("{netloc}", url[7:]) for key, value in variables.items()}
    environment = {**os.environ, **own, "RECEIVER": name, "HOOK_SECRET": SECRET, "PYTHONPATH": str(FOLDER)}
    command = [sys.executable, "-m", "uvicorn", "--host", HOST, "--port", str(port), "receiver:app"]
    log = (tmp_path / "log").open("wb")
    with log:
        process = subprocess.Popen(  # noqa: ASYNC220
            command, cwd=tmp_path, env=environment, stdout=log, stderr=log
        )
        deliverer = Deliverer(Hook("a", httpx.URL(f"http://{HOST}:{port}/"), (secret_of(SECRET),)))
        forger = Deliverer(Hook("b", httpx.URL(f"http://{HOST}:{port}/"), (b"x" * 24,)))
        try:
            await eventually(lambda: b"Uvicorn running" in (tmp_path / "log").read_bytes(), 60)
            assert (await forger.send("msg_0", notice("stalled", 50))).status == 401
            for notice_id, event, percentage in (
                ("msg_1", "stalled", 50),
                ("msg_1", "stalled", 50),
                ("msg_2", "failed", 75),
            ):
                tried = await deliverer.send(notice_id, notice(event, percentage))
                assert tried.status == 204, (tmp_path / "log").read_text()
        finally:
            process.terminate()
            process.wait(60)
            await deliverer.aclose()
            await forger.aclose()
    assert [(sent.path, sent.authorization) for sent in service.sent] == [each[:2] for each in expected]
    for sent, (_, _, body) in zip(service.sent, expected, strict=True):
        assert sent.body == sent.body | body
