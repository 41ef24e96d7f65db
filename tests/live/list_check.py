"""Random sessions at real servers, and readers of lists that must end in what the lists say."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final
from urllib.parse import urlencode

import httpx

from progress_sse._internal.backoff import Backoff
from tests.harness.list_fold import ListFold
from tests.harness.rawsse import RawStream, StreamEndedError
from tests.harness.serving import Server, eventually, session_path

DEADLINE_S: Final = 60

LISTS: Final[Sequence[Sequence[tuple[str, str]]]] = (
    [("prefix", "")],
    [("prefix", "alice-")],
    [("prefix", "bob-"), ("status", "running")],
    [("label", "k:1")],
    [("label", "k:0"), ("label", "l:1"), ("prefix", "alice-")],
    [("status", "error")],
)


class ListReader:
    """Follows a list at one server after the other, and comes back after each end of a stream."""

    def __init__(self, servers: Sequence[Server], query: Sequence[tuple[str, str]], chance: random.Random) -> None:
        self._servers = servers
        self._chance = chance
        self.query = urlencode(query)
        self.fold = ListFold()

    async def run(self) -> None:
        while True:
            server = self._chance.choice(self._servers)
            with contextlib.suppress(StreamEndedError, OSError):
                async with await RawStream.open(server.port, f"/api/events?{self.query}") as stream:
                    while True:
                        event = await stream.next_event(timeout_s=10 * DEADLINE_S)
                        self.fold.apply(event.event, event.json())
            await asyncio.sleep(0.05)  # As a client waits before it comes back.


class ListCheck:
    """Workers that create, label, move, replace and remove sessions, and readers of lists."""

    def __init__(self, servers: Sequence[Server], *, seed: int = 1, sessions: int = 60) -> None:
        self._servers = servers
        self._chance = random.Random(seed)
        self._ids = [f"{name}-{number}" for name in ("alice", "bob") for number in range(sessions)]
        self.readers = [ListReader(servers, query, random.Random(seed)) for query in LISTS]

    async def run(self, changes: int, fault: Callable[[], Awaitable[None]] | None = None) -> None:
        """Make changes, with a fault now and then, and compare what readers know with the lists."""
        reading = [asyncio.create_task(reader.run()) for reader in self.readers]
        try:
            limits = httpx.Limits(max_keepalive_connections=0)
            async with httpx.AsyncClient(timeout=30, limits=limits) as client:
                working = [asyncio.create_task(self._work(client, changes // 4)) for _ in range(4)]
                while fault is not None and not all(each.done() for each in working):
                    await fault()
                await asyncio.gather(*working)
                for reader in self.readers:
                    await self._compare(client, reader)
        finally:
            for task in reading:
                task.cancel()
            await asyncio.gather(*reading, return_exceptions=True)

    async def _work(self, client: httpx.AsyncClient, changes: int) -> None:
        for _ in range(changes):
            method, path, body = self._next()
            backoff = Backoff(0.05, 0.5)
            while not await self._is_done(client, method, path, body):  # noqa: ASYNC110 - another attempt, no event
                await asyncio.sleep(backoff.next_s())

    async def _is_done(self, client: httpx.AsyncClient, method: str, path: str, body: Any) -> bool:
        server = self._chance.choice(self._servers)
        try:
            response = await client.request(method, server.url + path, json=body)
        except httpx.TransportError:
            return False
        assert response.status_code in (200, 201, 204, 404, 409, 503), response.text
        return response.status_code != 503

    def _next(self) -> tuple[str, str, Any]:
        chance = self._chance
        session_id = chance.choice(self._ids)
        path, labels = session_path(session_id), {"k": str(chance.randrange(2)), "l": str(chance.randrange(2))}
        kind = chance.random()
        if kind < 0.3:
            return "PUT", f"{path}?replace=true", {"total_steps": 2, "labels": labels}
        if kind < 0.4:
            return "DELETE", path, None
        if kind < 0.6:
            return "POST", f"{path}/update", {"action": "describe", "labels": labels}
        if kind < 0.8:
            return "POST", f"{path}/update", {"action": "start", "step": chance.randint(1, 2)}
        success = chance.random() < 0.6
        return "POST", f"{path}/update", {"action": "complete", "step": chance.randint(1, 2), "success": success}

    async def _compare(self, client: httpx.AsyncClient, reader: ListReader) -> None:
        """Wait until a reader knows what each server lists; it must not take longer than a look at each list does."""
        pages = [(await client.get(f"{server.url}/api/progress?{reader.query}")).json() for server in self._servers]
        assert all(page["sessions"] == pages[0]["sessions"] for page in pages), reader.query
        try:
            await eventually(lambda: reader.fold.newest == pages[0]["sessions"], DEADLINE_S)
        except TimeoutError:
            assert reader.fold.newest == pages[0]["sessions"], reader.query
            raise
