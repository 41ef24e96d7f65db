"""A reader of a session's log, as the protocol describes one: it drops, comes back, and fills the gaps."""

import asyncio
from typing import Any

import httpx

from tests.harness.event_stream import Block
from tests.harness.rawsse import RawStream
from tests.harness.serving import events_path, session_path


class LogReader:
    """One reader of one session.

    Attributes:
        lines: The texts that it holds, by their numbers.
        lives: The lives that it has seen, in order.
        repeated: How many lines came that it held already.
        fetched: How many lines it got by requests, which no event had told.
        is_at_end: Whether the stream has said that nothing more will come.
    """

    def __init__(self, client: httpx.AsyncClient, port: int, session_id: str) -> None:
        self.lines: dict[int, str] = {}
        self.lives: list[str] = []
        self.repeated = 0
        self.fetched = 0
        self.is_at_end = False
        self._client = client
        self._port = port
        self._session_id = session_id
        self._last_event_id: str | None = None

    async def follow(self, events: int | None) -> None:
        target = events_path(self._session_id) + "?log=1"
        async with await RawStream.open(self._port, target, last_event_id=self._last_event_id) as stream:
            if (await stream.received_head()).status == 204:
                self.is_at_end = True
                await self._fetch()  # [P-24.21]
                return
            count = 0
            while count != events and not self.is_at_end:
                block = await stream.next_event()
                count += 1
                await self._take(block)

    async def _take(self, block: Block) -> None:
        self._last_event_id = block.id or self._last_event_id
        self.is_at_end = block.event == "end"
        if block.event == "log":
            told = block.json()
            assert told["session_id"] == self._session_id
            assert told["next"] == told["lines"][-1]["n"]
            before = max(self.lines, default=0) if told["life"] in self.lives[-1:] else None
            self._add(told)
            # Missing numbers are a gap [P-24.20], also those before the first lines of a life that is new to it.
            if (before or 0) + 1 < told["lines"][0]["n"]:
                await self._fetch(before or 0)

    async def _fetch(self, after: int | None = None) -> None:
        after = max(self.lines, default=0) if after is None else after
        response = await self._client.get(session_path(self._session_id, "log"), params={"after": after})
        assert response.status_code == 200, response.text
        before = len(self.lines)
        self._add(response.json())
        self.fetched += len(self.lines) - before

    def _add(self, told: dict[str, Any]) -> None:
        if told["life"] not in self.lives[-1:]:  # [P-24.19]
            assert told["life"] not in self.lives
            self.lives.append(told["life"])
            self.lines.clear()
        for line in told["lines"]:
            if line["n"] in self.lines:
                self.repeated += 1
                assert self.lines[line["n"]] == line["text"]
            self.lines[line["n"]] = line["text"]


async def kept_lines(client: httpx.AsyncClient, session_id: str) -> dict[int, str]:
    kept: dict[int, str] = {}
    after = 0
    while True:
        response = await client.get(session_path(session_id, "log"), params={"after": after})
        page = response.json()["lines"]
        kept |= {line["n"]: line["text"] for line in page}
        after = response.json()["next"]
        if len(page) < 1000:
            return kept


async def write_lines(client: httpx.AsyncClient, session_id: str, *texts: str) -> None:
    """Write lines until the server has taken them; the first text begins with a number that is their key."""
    body = {"action": "log", "lines": texts}
    headers = {"idempotency-key": texts[0].partition(":")[0]}
    while True:
        try:
            response = await client.post(session_path(session_id, "update"), json=body, headers=headers)
        except httpx.TransportError:
            await asyncio.sleep(0.05)  # Until the server is back.
            continue
        if response.status_code == 200:
            return
        assert response.status_code == 503, response.text
        await asyncio.sleep(0.05)  # As above.
