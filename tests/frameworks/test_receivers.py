"""The receivers of docs/examples/receivers hand each notice on once, to a stub of the service's API."""

import asyncio
import itertools
import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
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
SEQUENCE = sha256(b"nightly").hexdigest()[:32]
UPDATE = {"tag": "nightly", "progress_max": 100, "clickAction": PAGE, "url": PAGE}
LABELS = {"repo": "example/shop", "sha": "4f1c" * 10}


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
        self.numbers = itertools.count(1)
        self.url = f"http://{HOST}:{self.server_address[1]}"


class _Api(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Service)
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.sent.append(Sent(self.path, self.headers.get("Authorization", ""), body))
        answer = json.dumps({"ok": True, "ts": f"{next(self.server.numbers)}.0"}).encode()
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


def notice(event: str, percentage: int, session_id: str = "nightly") -> bytes:
    step = {"step": 2, "name": "Import", "status": "error", "error": "disk full"}
    session = {"session_id": session_id, "percentage": percentage, "title": "Night", "labels": LABELS}
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
        [
            ("/hook", "", {"embeds": [{"title": "Night", "description": text, "color": colour, "url": PAGE}]})
            for text, colour in (("stalled: disk full", 0xECB22E), ("failed: disk full", 0xE01E5A))
        ],
    ),
    "ntfy": (
        {"NTFY_SERVER": "{url}", "NTFY_TOPIC": "jobs"},
        [
            ("/", "", {"topic": "jobs", "message": text, "priority": 4, "click": PAGE, "sequence_id": SEQUENCE})
            for text in ("stalled, 50 %", "failed, 75 %")
        ],
    ),
    "home_assistant": (
        {"HOME_ASSISTANT": "{url}", "HOME_ASSISTANT_TOKEN": "t", "NOTIFY_SERVICE": "phone"},
        [
            ("/api/services/notify/phone", "Bearer t", {"title": "Night", "message": event, "data": data})
            for event, data in (
                ("stalled", {**UPDATE, "live_update": True, "progress": 50}),
                ("failed", {**UPDATE, "live_update": False, "progress": 75}),
            )
        ],
    ),
    "github": (
        {"GITHUB_API": "{url}", "GITHUB_TOKEN": "t"},
        [
            (f"/repos/example/shop/statuses/{LABELS['sha']}", "Bearer t", {"state": "pending", "target_url": PAGE}),
            (f"/repos/example/shop/statuses/{LABELS['sha']}", "Bearer t", {"state": "failure", "context": "nightly"}),
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


class Handing(NamedTuple):
    """A receiver that runs, and hooks that send to it: one with its secret, one with another."""

    deliverer: Deliverer
    forger: Deliverer
    log: Path

    async def send(self, notice_id: str, event: str, percentage: int, session_id: str = "nightly") -> None:
        tried = await self.deliverer.send(notice_id, notice(event, percentage, session_id))
        assert tried.status == 204, self.log.read_text()


def variables_of(name: str, service: Service) -> dict[str, str]:
    url = service.url
    return {key: value.replace("{url}", url).replace("{netloc}", url[7:]) for key, value in CASES[name][0].items()}


@asynccontextmanager
async def running(name: str, service: Service, folder: Path) -> AsyncIterator[Handing]:
    """Run a receiver as its page says, in a folder."""
    port, log = free_port(), folder / "log"
    own = {**variables_of(name, service), "RECEIVER": name, "HOOK_SECRET": SECRET, "PYTHONPATH": str(FOLDER)}
    command = [sys.executable, "-m", "uvicorn", "--host", HOST, "--port", str(port), "receiver:app"]
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: ASYNC220
            command, cwd=folder, env={**os.environ, **own}, stdout=output, stderr=output
        )
        hook = Hook("a", httpx.URL(f"http://{HOST}:{port}/"), (secret_of(SECRET),))
        deliverer, forger = Deliverer(hook), Deliverer(hook._replace(secrets=(b"x" * 24,)))
        try:
            await eventually(lambda: b"Uvicorn running" in log.read_bytes(), 60)
            yield Handing(deliverer, forger, log)
        finally:
            process.terminate()
            process.wait(60)
            await deliverer.aclose()
            await forger.aclose()


@pytest.mark.parametrize("name", CASES)
async def test_a_receiver(service: Service, tmp_path: Path, name: str) -> None:
    """Each notice once, though the server sends one twice; none that is not signed."""
    async with running(name, service, tmp_path) as receiver:
        assert (await receiver.forger.send("msg_0", notice("stalled", 50))).status == 401
        for notice_id, event, percentage in (("1", "stalled", 50), ("1", "stalled", 50), ("2", "failed", 75)):
            await receiver.send(notice_id, event, percentage)
    expected = CASES[name][1]
    assert [(sent.path, sent.authorization) for sent in service.sent] == [each[:2] for each in expected]
    for sent, (_, _, body) in zip(service.sent, expected, strict=True):
        assert sent.body == sent.body | body


async def test_notices_at_once(service: Service, tmp_path: Path) -> None:
    """As a hook sends them, eight at a time: each session has one message, which its next notice updates.

    Also after a restart.
    """
    async with running("slack", service, tmp_path) as receiver:
        for event in ("stalled", "failed"):
            await asyncio.gather(*(receiver.send(f"{event}{n}", event, 50, f"{n}") for n in range(8)))
    assert Counter(sent.path for sent in service.sent) == {"/chat.postMessage": 8, "/chat.update": 8}
    assert {sent.body["ts"] for sent in service.sent[8:]} == {f"{number}.0" for number in range(1, 9)}
    assert len((tmp_path / "seen.txt").read_text().split()) == 16
    async with running("slack", service, tmp_path) as receiver:
        await receiver.send("last", "completed", 100, "7")
    assert service.sent[-1].path == "/chat.update"


HOSTILE: dict[str, tuple[dict[str, Any], list[str]]] = {
    "slack": ({"title": "<!channel> R&D"}, ["&lt;!channel&gt; R&amp;D: failed, 50 %"]),
    **{
        f"github {repo} {sha}": ({"labels": {"repo": repo, "sha": sha}}, [])
        for repo, sha in (
            ("o/r/dispatches?x=", LABELS["sha"]),
            ("../o/r", LABELS["sha"]),
            ("o/..", LABELS["sha"]),
            ("o/r", "4f1c/../../dispatches"),
            ("o/r", ""),
        )
    },
}


@pytest.mark.parametrize("name", HOSTILE)
def test_words_of_workers(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """They mention no one, and aim no token of the operator; there may be no page."""
    words, texts = HOSTILE[name]
    name = name.partition(" ")[0]
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(FOLDER)
    monkeypatch.delitem(sys.modules, name, raising=False)
    for key, value in variables_of(name, service).items():
        monkeypatch.setenv(key, value)
    import_module(name).notify("failed", {"session": {"session_id": "s", "percentage": 50, **words}})
    assert [sent.body["text"] for sent in service.sent] == texts
