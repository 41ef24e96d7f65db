"""Servers of this version and of the one before, on one Redis, for the time of an update without a stop."""

from __future__ import annotations

import asyncio
import io
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.harness.rawsse import RawStream
from tests.harness.redis import RedisServer
from tests.harness.serving import ROOT, Server, Worker, events_path
from tests.live.delivery_check import DeliveryCheck
from tests.live.test_rolling import behind_nginx

FORMER = "530f81da2880f50616e9dc47233b9e32f1778132"
"""The last commit of the version before: it knows format 1."""

pytestmark = [pytest.mark.full, pytest.mark.timeout(300)]


def run(module: str, *arguments: str | Path) -> None:
    """Run a module of Python."""
    subprocess.run([sys.executable, "-m", module, *arguments], check=True, timeout=240)


@pytest.fixture(scope="module")
def former(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages of the version before, installed from its wheel."""
    folder = tmp_path_factory.mktemp("former")
    archive = subprocess.run(["git", "archive", FORMER], cwd=ROOT, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(folder / "source", filter="data")
    run("build", "--no-isolation", "--wheel", "--outdir", folder, folder / "source")
    [wheel] = folder.glob("*.whl")
    run("pip", "install", "--quiet", "--no-deps", "--no-index", "--target", folder / "site", wheel)
    return folder / "site"


@pytest.fixture
def redis_url(redis_servers: dict[str, RedisServer]) -> str:
    """The Redis that all servers share."""
    return redis_servers["redis"].url


class Rolling(Server):
    """A server whose version can be changed between two starts."""

    version: Path | None = None

    def environment(self) -> dict[str, str]:
        """That of any server, in which the version before is found first."""
        path = {"PYTHONPATH": str(self.version)} if self.version is not None else {}
        return {**super().environment(), **path}


@pytest.mark.guarantee(70)
async def test_an_update_without_a_stop_loses_nothing(former: Path, redis_url: str, tmp_path: Path) -> None:
    """First this version with `store_format` 1 everywhere, then without it; each update is applied and seen once."""
    settings: dict[str, Any] = {"redis_prefix": tmp_path.name, "retry_ms": 100, "graceful_timeout_s": 3}
    servers = [Rolling(tmp_path / f"server-{number}", store=redis_url, **settings) for number in range(2)]
    try:
        for server in servers:
            server.version = former
            await asyncio.to_thread(server.start)
        with behind_nginx(tmp_path / "nginx", servers) as nginx:
            delivery = DeliveryCheck([nginx.port], sessions=4, followers=6, can_stay=False)
            async with delivery.running():
                for setting in ({"store_format": 1}, {}):
                    for server in servers:
                        await delivery.wait_for_updates(100)
                        assert await asyncio.to_thread(server.terminate) == 0
                        server.version, server.settings = None, {**settings, **setting}
                        await asyncio.to_thread(server.start)
                await delivery.wait_for_updates(100)
        async with Worker.at(servers[0]) as worker:
            await worker.start(delivery.sessions[0], 1, attempt_id="a", lease_ms=60_000)
            assert (await worker.poll(delivery.sessions[0]))["steps"][0]["attempt"] == 1
    finally:
        for server in servers:
            server.end()


async def test_a_file_of_the_version_before_is_brought_up_to_date(former: Path, tmp_path: Path) -> None:
    """Nothing is lost: no session, no event id, no key; a reader resumes, and a late retry is applied once."""
    server = Rolling(tmp_path / "server", store="sqlite")
    server.version = former
    try:
        await asyncio.to_thread(server.start)
        async with Worker.at(server) as worker:
            await worker.create("s", steps=[{"name": "Load"}, {"name": "日本語"}])
            await worker.start("s", 1)
            assert (await worker.update("s", key="k", action="complete", step=1, message="done")).status_code == 200
            before = await worker.poll_raw("s")
        async with await RawStream.open(server.port, events_path("s")) as stream:
            await stream.wait_until(lambda s: len(s.events) == 1, 20)
            last_event_id = stream.last_event_id
        assert server.terminate() == 0
        server.version = None
        await asyncio.to_thread(server.start)
        async with (
            Worker.at(server) as worker,
            await RawStream.open(server.port, events_path("s"), last_event_id=last_event_id) as stream,
        ):
            assert (await worker.poll_raw("s")).content == before.content
            assert (await worker.update("s", key="k", action="complete", step=1, message="done")).status_code == 200
            await worker.start("s", 2, attempt_id="a", lease_ms=60_000)
            await stream.wait_until(lambda s: len(s.events) == 1, 20)
            assert stream.events[0].event == "step"
            assert stream.events[0].json()["step"]["attempt"] == 1
    finally:
        server.end()


async def test_the_version_before_reads_what_this_one_writes(former: Path, redis_url: str, tmp_path: Path) -> None:
    """With `store_format` 1, byte for byte; also what clients of this version ask for in vain."""
    settings: dict[str, Any] = {"store": redis_url, "redis_prefix": tmp_path.name}
    new = Rolling(tmp_path / "new", **settings, store_format=1)
    old = Rolling(tmp_path / "old", **settings)
    old.version = former
    try:
        for server in (new, old):
            await asyncio.to_thread(server.start)
        async with Worker.at(new) as here, Worker.at(old) as there:
            await here.create("s", steps=[{"name": "Load"}, {"name": "日本語"}], title="ignored")
            for worker in (here, there):
                await worker.start("s", 1, attempt_id="a", lease_ms=1000)
                await worker.progress("s", 1, 3, total=8, message="reading")
                await worker.complete("s", 1, success=False, error="disk full")
                assert (await here.poll_raw("s")).content == (await there.poll_raw("s")).content
            for key in ("first", "second"):
                for worker in (here, there, here):
                    response = await worker.update("s", key=key, action="start", step=2)
                    assert response.status_code == 200
            assert (await there.client.get("/api/progress")).json() == (await here.client.get("/api/progress")).json()
    finally:
        for server in (new, old):
            server.end()
