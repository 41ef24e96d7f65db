"""Requests repeated late: their sessions have been replaced or deleted since, and connections break."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, NamedTuple

import httpx
import pytest

from tests.conftest import RunRedis, Serve
from tests.harness.chaos import ChaosProxy
from tests.harness.http1 import HOST
from tests.harness.serving import Server, session_path
from tests.live.asgi_hosts import serve_only

# The store keeps the keys, alike on every host.
pytestmark = [serve_only, pytest.mark.guarantee("C", 54)]

Fault = Callable[[], Awaitable[object]]

LONG = pytest.param(60, marks=[pytest.mark.full, pytest.mark.timeout(600)])
runs = pytest.mark.parametrize("runs", [6, LONG])


class KeyedRequest(NamedTuple):
    """A request under a key, and its answer; only a creation has a tag."""

    method: str
    path: str
    body: dict[str, Any]
    key: str
    status: int = 0
    content: bytes = b""
    tag: str = ""


class Job:
    """Runs in succession under one id; each request of any run may be repeated at any time."""

    def __init__(self, ports: Sequence[int], servers: Sequence[Server]) -> None:
        """Send requests to one of the ports, and read the results from one of the servers."""
        self._ports = ports
        self._servers = servers
        self._rng = random.Random(11)
        self._answered: list[KeyedRequest] = []
        self._number = 0
        self.again = 0
        self.has_answer = asyncio.Event()

    async def run(self, runs: int) -> None:
        async with httpx.AsyncClient(timeout=10) as self._client:
            for number in range(runs):
                may_replace = number % 3 == 1
                if number and not may_replace:
                    assert (await self._look("DELETE")).status_code in (204, 404)
                path = session_path("job") + ("?replace=true" if may_replace else "")
                created = await self._ask("PUT", path, {"total_steps": number % 4 + 1})
                assert created.status == (200 if may_replace else 201)
                self._epoch, self._n = created.tag.strip('"').removesuffix("-0"), 0
                for step in range(1, number % 4 + 2):
                    await self._report(action="start", step=step)
                    await self._report(action="progress", step=step, current=number)
                    await self._report(action="complete", step=step, message=f"run {number}")

    async def _report(self, **body: Any) -> None:
        self._n += 1
        await self._ask("POST", session_path("job", "update"), body)
        polled = await self._look("GET")
        assert polled.headers["etag"] == f'"{self._epoch}-{self._n}"'

    async def _look(self, method: str) -> httpx.Response:
        """Read past the proxies: a request under way there may be carried out late, and this one has no key."""
        while True:
            url = f"http://{HOST}:{self._rng.choice(self._servers).port}{session_path('job')}"
            with contextlib.suppress(httpx.TransportError):
                answer = await self._client.request(method, url)
                if answer.status_code != 503:
                    return answer
            await asyncio.sleep(0.01)  # The pace of these retries.

    async def _ask(self, method: str, path: str, body: dict[str, Any]) -> KeyedRequest:
        """Send a new request, and at the same time repeat some that were answered before."""
        self._number += 1
        asked = KeyedRequest(method, path, body, f"k{self._number}")
        late = self._rng.sample(self._answered, min(4, len(self._answered)))
        answered, *again = await asyncio.gather(*map(self._send, (asked, *late)))
        assert answered.status in (200, 201), answered
        assert again == late
        self.again += len(late)
        self._answered.append(answered)
        return answered

    async def _send(self, asked: KeyedRequest) -> KeyedRequest:
        while True:
            url = f"http://{HOST}:{self._rng.choice(self._ports)}{asked.path}"
            headers = {"Idempotency-Key": asked.key}
            with contextlib.suppress(httpx.TransportError):
                answer = await self._client.request(asked.method, url, json=asked.body, headers=headers)
                if answer.status_code != 503 and not answer.text.startswith(
                    '{"type":"/problems/idempotency-key-in-use"'
                ):
                    self.has_answer.set()
                    tag = answer.headers.get("etag", "")
                    return asked._replace(status=answer.status_code, content=answer.content, tag=tag)
            await asyncio.sleep(0.01)  # The pace of these retries.


@contextlib.asynccontextmanager
async def proxies_of(servers: Sequence[Server]) -> AsyncIterator[list[ChaosProxy]]:
    async with contextlib.AsyncExitStack() as stack:
        yield [await stack.enter_async_context(ChaosProxy(server.port)) for server in servers]


async def check(servers: Sequence[Server], runs: int, fault: Fault | None = None) -> None:
    """Run a job while connections are cut and other faults occur; check that each key had one effect."""
    async with proxies_of(servers) as proxies:
        job = Job([proxy.port for proxy in proxies], servers)
        work = asyncio.ensure_future(job.run(runs))
        while not work.done():
            # Between two cuts at least one request is answered, so that a slow machine advances too.
            answered = asyncio.ensure_future(job.has_answer.wait())
            await asyncio.wait([work, answered], return_when=asyncio.FIRST_COMPLETED)
            answered.cancel()
            job.has_answer.clear()
            await asyncio.wait([work], timeout=random.uniform(0, 0.05))
            random.choice(proxies).cut()
            if fault is not None and not work.done():
                await fault()
        await work
    assert job.again > 10 * runs
    for server in servers:
        assert "Traceback" not in server.log()


@pytest.mark.protocol("P-11.6")
@runs
@pytest.mark.full
async def test_late_retries_reach_no_later_run(serve: Serve, runs: int) -> None:
    """DG-05: each request is applied once, to its own run, and each repetition gets the same answer."""
    await check([serve(store="memory://")], runs)


@pytest.mark.full
@runs
async def test_late_retries_reach_no_later_run_across_kills(serve: Serve, runs: int) -> None:
    """DG-05: … also if the server is killed and restarted meanwhile."""
    server = serve(store="sqlite")

    async def kill_sometimes() -> None:
        if random.random() < 0.1:
            await asyncio.to_thread(server.restart)

    await check([server], runs, kill_sometimes)


@pytest.mark.full
@runs
async def test_late_retries_reach_no_later_run_at_another_server(serve: Serve, run_redis: RunRedis, runs: int) -> None:
    """DG-05: … also at another server, while Redis cuts off both at times and loses its scripts."""
    redis = run_redis("always")
    servers = [serve(store=redis.url) for _ in range(2)]

    async def cut_off() -> None:
        with redis.client() as client:
            client.client_kill_filter(_type="normal", skipme=True)
            client.script_flush()

    await check(servers, runs, cut_off)
