"""The server inside other applications: the examples of `docs/how-to/embed.md`, and two hubs in one process."""

import asyncio
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser, expect

from tests.harness.documents import programs_of
from tests.harness.rawsse import RawStream
from tests.harness.serving import ROOT, Server, Worker, events_path, session_path

EXAMPLES = programs_of("how-to/embed.md")
[README_EXAMPLE] = re.findall(
    r"^```python\n([^`]*ProgressHub[^`]*)^```$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE
)
WITHOUT_LIFESPAN = EXAMPLES["starlette_app"].replace(", lifespan=hub.lifespan", "")

TWO = """
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.routing import Mount

from progress_sse import ProgressHub, Settings

async def dispatch(request, call_next):
    return await call_next(request)

hubs = [ProgressHub(Settings(store="memory://")) for _ in range(2)]
app = Starlette(
    routes=[Mount("/one", hubs[0].app), Mount("/two", hubs[1].app)],
    middleware=[Middleware(BaseHTTPMiddleware, dispatch=dispatch)],
)
"""

Host = Callable[..., Server]


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """Serve the source of an application by a plain uvicorn."""
    started: list[Server] = []

    def start(source: str, prefix: str = "/jobs") -> Server:
        (tmp_path / "host.py").write_text(source, "utf-8")
        uvicorn = [sys.executable, "-m", "uvicorn", "--port", "{port}", "--log-level", "warning", "host:app"]
        command = ["env", "PROGRESS_SSE_TOKEN=secret", *uvicorn]
        started.append(Server(tmp_path, command=command, prefix=prefix))
        started[-1].start()
        return started[-1]

    yield start
    for server in started:
        server.end()
        assert "Traceback" not in server.log()


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(EXAMPLES["starlette_app"], id="lifespan", marks=pytest.mark.full),
        pytest.param(WITHOUT_LIFESPAN, id="no lifespan", marks=pytest.mark.full),
        pytest.param(README_EXAMPLE, id="readme"),
    ],
)
async def test_a_mounted_server_is_whole(host: Host, chromium: Browser, source: str) -> None:
    """Page, stream, poll and update work below a prefix, with our lifespan or without, and the end is clean."""
    server = host(source)
    async with Worker.at(server) as worker, await chromium.new_page() as page:
        await page.goto(f"{server.url}/s/nightly")
        stream = await RawStream.open(server.port, "/jobs" + events_path("nightly"))
        await stream.wait_until(lambda s: len(s.events) == 1)
        await worker.create("nightly", steps=[{"name": "Load"}, {"name": "Save"}])
        await worker.run("nightly", 1)
        await stream.wait_until(lambda s: len(s.events) == 4)
        assert stream.events[1].json()["steps"][0]["name"] == "Load"
        await expect(page.get_by_role("progressbar").first).to_have_attribute("aria-valuenow", "50")
        assert (await worker.client.get("/readyz")).json() == {"status": "ok"}
        assert await asyncio.to_thread(server.terminate) in (0, -15)
        assert await stream.closed() == "end"
        await asyncio.to_thread(server.start)
        assert (await worker.poll("nightly"))["percentage"] == 50


async def test_a_host_decides_who_has_access(host: Host) -> None:
    """Its function decides on every access to a session, and a refusal does not reveal whether the session exists."""
    server = host(EXAMPLES["main"], "/progress")
    async with httpx.AsyncClient(base_url=server.url) as client:
        for method, path in [
            ("GET", session_path("alice-1")),
            ("GET", events_path("alice-1")),
            ("GET", "/api/events?session_id=alice-1"),
            ("GET", "/api/progress"),
            ("POST", session_path("alice-1", "update")),
            ("PUT", session_path("alice-1")),
            ("DELETE", session_path("alice-1")),
        ]:
            answer = await client.request(method, path, json={"action": "start", "step": 1})
            assert (answer.status_code, answer.json()["type"]) == (403, "/problems/forbidden")
        for user, session_id, status in [
            ("alice", "alice-1", 200),
            ("alice", "bob-1", 403),
            ("alice", "alice-smith-1", 403),
            ("", "-1", 403),
            ("", "x", 403),
        ]:
            answer = await client.get(session_path(session_id), headers={"x-user": user})
            assert answer.status_code == status
        for method, path in [("DELETE", session_path("alice-1")), ("GET", "/api/progress")]:
            assert (await client.request(method, path, headers={"x-user": "alice"})).status_code == 403


def test_code_follows_a_session_in_its_process(tmp_path: Path) -> None:
    """It gets each transition by `on_transition`, and by `hub.subscribe` until the end."""
    program = tmp_path / "in_process.py"
    program.write_text(EXAMPLES["in_process"], "utf-8")
    printed = subprocess.check_output([sys.executable, program], text=True, timeout=60).splitlines()
    assert [line for line in printed if line.startswith("noted")] == ["noted running", "noted completed"]
    assert [line for line in printed if not line.startswith("noted")][-2:] == ["running", "completed"]


async def test_two_hubs_in_one_process_are_independent(host: Host) -> None:
    """Two hubs in one process, behind a middleware that hides disconnects, have sessions of the same name."""
    server = host(TWO, "/one")
    async with httpx.AsyncClient(base_url=server.url.removesuffix("/one")) as client:
        assert (await client.put("/one" + session_path("s"), json={"total_steps": 2})).status_code == 201
        assert (await client.get("/one" + session_path("s"))).json()["total_steps"] == 2
        assert (await client.get("/two" + session_path("s"))).json()["status"] == "not_found"


@pytest.mark.guarantee(16)
async def test_a_host_whose_store_is_in_use_starts(host: Host, tmp_path: Path) -> None:
    """It prints the reason and the cure in one sentence, and has the mounted server once the store is free."""
    with Server(tmp_path / "holder", store=f"sqlite:///{tmp_path}/jobs.db"):
        server = host(EXAMPLES["starlette_app"])
        async with Worker.at(server) as worker:
            assert (await worker.poll_raw("s")).status_code == 503
        [line] = server.log().splitlines()
        assert re.search(r"The store .*jobs\.db is in use by another process; .*\.$", line)
    async with Worker.at(server) as worker:
        assert (await worker.poll("s"))["status"] == "not_found"
