"""The tab is closed, the server is killed as the job ends: phone and team are notified all the same."""

import asyncio
import json
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from progress_sse.notices.web_push import base64url
from tests.conftest import Serve
from tests.harness.http1 import HOST
from tests.harness.serving import Worker, eventually
from tests.live.notices.receiver import receiving, write_hooks
from tests.live.notices.test_hooks import report
from tests.notices.test_web_push import Browser

DEADLINE_S = 60


class Phone:
    """A vendor of browsers with TLS, and the browser that it forwards to."""

    def __init__(self) -> None:
        self.browser = Browser.new()
        self.port = 0
        self.topics: list[str] = []
        self.messages: list[dict[str, Any]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head.split("\r\n"))}
            message = await reader.readexactly(int(headers["content-length"]))
            self.topics.append(headers["topic"])
            self.messages.append(json.loads(self.browser.decrypt(message)))
            writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):  # The server was killed.
            pass
        finally:
            writer.close()

    @property
    def subscription(self) -> dict[str, Any]:
        keys = {"p256dh": self.browser.p256dh, "auth": base64url(self.browser.auth)}
        return {"endpoint": f"https://localhost:{self.port}/push/phone", "keys": keys, "language": "ja"}


@asynccontextmanager
async def connected(folder: Path) -> AsyncIterator[Phone]:
    phone, certificate, key = Phone(), folder / "vendor.pem", folder / "vendor.key"
    request = (
        "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -days 2 -addext subjectAltName=DNS:localhost"
        f" -keyout {key} -out {certificate}"
    )
    await asyncio.to_thread(subprocess.run, request.split(), check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    server = await asyncio.start_server(phone.serve, HOST, 0, ssl=context)
    phone.port = server.sockets[0].getsockname()[1]
    try:
        yield phone
    finally:
        server.close()


@pytest.mark.guarantee(80)
@pytest.mark.parametrize("factory", [None])
async def test_you_may_close_the_tab(serve: Serve, tmp_path: Path) -> None:
    """Killed in the moment in which the job ends, and started again: both have it, each under one id or topic."""
    async with receiving() as team, connected(tmp_path) as phone:
        server = serve(
            store="sqlite",
            hooks=write_hooks(tmp_path / "hooks.toml", team=team.hook()),
            push=True,
            push_contact="mailto:ops@example.org",
            push_hosts=f"localhost:{phone.port}",
            push_ca_file=tmp_path / "vendor.pem",
        )
        async with Worker.at(server) as worker, httpx.AsyncClient() as tab:
            await worker.create("nightly", total_steps=1, title="Nightly")
            key = (await tab.get(f"{server.url}/api/push")).json()["key"]
            answer = await tab.put(f"{server.url}/api/progress/nightly/push", json=phone.subscription)
            assert answer.status_code == 200, answer.text
        await report(server, "nightly", "start")
        await report(server, "nightly", "complete")
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        await eventually(lambda: bool(team.received and phone.messages), DEADLINE_S)
        assert team.ids().keys() == {("nightly", "completed")}
        assert {len(ids) for ids in team.ids().values()} == {1}
        assert {message["event"] for message in phone.messages} == {"completed"}
        assert {"Nightly"}.isdisjoint(map(str, phone.messages[0].values()))
        assert len(set(phone.topics)) == 1
        async with httpx.AsyncClient() as tab:
            assert (await tab.get(f"{server.url}/api/push")).json()["key"] == key
    assert "push/phone" not in server.log()
