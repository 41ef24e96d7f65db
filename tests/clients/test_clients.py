"""Third-party client libraries follow a session through kills and restarts of its server.

Each has to behave as its row in docs/protocol.md says. `make clients` installs them.
"""

import asyncio
import json
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import Serve
from tests.harness.chaos import ChaosProxy
from tests.harness.event_stream import Block, split_id
from tests.harness.http1 import HOST
from tests.harness.oracle import fold_all
from tests.harness.rawsse import RawStream
from tests.harness.serving import Server, Worker, eventually, session_path
from tests.harness.tokens import CLOSED, PUBLISH_TOKEN, bearer, make_token

pytestmark = pytest.mark.timeout(300)

FOLDER = Path(__file__).parent
PROTOCOL = FOLDER.parents[1] / "docs" / "protocol.md"

SETTINGS = {**CLOSED, "heartbeat_s": 0.2, "retry_ms": 100, "graceful_timeout_s": 2}

TOKEN = make_token(sessions=["s"], actions=["read"])

WAIT_S = 120
"""Some double their delay with each attempt."""

OWN_WAIT_S = 15
"""Longer than any of them waits by its own default after the server has ended its stream."""

LIBRARIES = {
    "Python": (
        *("httpx-sse", "sseclient-py", "requests-sse", "launchdarkly-eventsource"),
        *("aiosseclient", "aiohttp-sse-client"),
    ),
    "Node": (
        *("eventsource", "eventsource@2", "launchdarkly-eventsource", "event-source-polyfill", "undici"),
        *("@microsoft/fetch-event-source", "eventsource-client", "eventsource-parser"),
    ),
    "Go": ("r3labs/sse", "donovanhide/eventsource"),
}
CLIENTS = [(language, library) for language, libraries in LIBRARIES.items() for library in libraries]


class Behaviour(NamedTuple):
    """The behaviour of a client by itself: the columns of the table from the third one on."""

    after_a_cut: str
    after_an_end: str
    resumes: str
    empty_events: str
    at_204: str


def documented() -> dict[tuple[str, str], list[str]]:
    """The rows of the table in docs/protocol.md: the other cells by language and library."""
    section = PROTOCOL.read_text("utf-8").partition("\n## Appendix A. Clients of others\n")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:3] == "| `"]
    return {
        (language, library): cells
        for libraries, language, *cells in rows
        for library in re.findall(r"`(.+?)`", libraries)
    }


@pytest.fixture
def command(built: Callable[[Path], Path]) -> Callable[[str], Sequence[str | Path]]:

    def of(language: str) -> Sequence[str | Path]:
        match language:
            case "Python":
                return [sys.executable, FOLDER / "drive.py"]
            case "Node":
                return ["node", FOLDER / "drive.mjs"]
            case _:
                return [built(FOLDER / "drive.go")]

    return of


class Client:
    """A client library in a process of its own, and the events that it has yielded.

    Attributes:
        events: The events of all its processes in order; none without data.
        empty_count: The number of events without data.
        over: How the library ended by itself; `None` while it follows.
    """

    def __init__(self, command: Sequence[str | Path], library: str, url: str, token: str = TOKEN) -> None:
        self.events: list[Block] = []
        self.empty_count = 0
        self.over: str | None = None
        self._start = [*command, library, url, token]
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()

    @property
    def last_event_id(self) -> str:
        """The id of the last event that had one."""
        return next((event.id for event in reversed(self.events) if event.id), "")

    @property
    def n(self) -> int:
        """The offset of the newest transition that it has seen, alone or in a snapshot."""
        return split_id(self.last_event_id).offset if self.last_event_id else -1

    async def open(self) -> None:
        """Start it, as its documentation says; from the last event on if it ran before."""
        if self._reading is not None:
            await self._reading
        self.over = None
        start = [*self._start, self.last_event_id] if self.last_event_id else self._start
        self._process = await asyncio.create_subprocess_exec(*start, stdout=asyncio.subprocess.PIPE, limit=2**20)
        self._reading = asyncio.create_task(self._read(self._process))

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            printed = json.loads(line)
            if "over" in printed:
                self.over = printed["over"]
            elif printed["data"]:
                self._take(printed["event"], printed["data"], printed["id"])
            else:
                self.empty_count += 1
            self._changed.set()
        await process.wait()
        if self.over is None:
            self.over = f"crashed with {process.returncode}"
        self._changed.set()

    def _take(self, event: str, data: str, event_id: str | None) -> None:
        self.events.append(Block(event, data, event_id, event_id or self.last_event_id, None, None, b""))

    async def until(self, condition: Callable[[], bool]) -> bool:
        """Wait until a condition holds or the library has ended, and return whether the condition holds."""
        async with asyncio.timeout(WAIT_S):
            while not condition() and self.over is None:
                self._changed.clear()
                await self._changed.wait()
        return condition()

    async def sees(self, n: int) -> str:
        """Wait until it has seen transition `n`, and return whether it did so by itself; otherwise restart it."""
        if await self.until(lambda: self.n >= n):
            return "yes"
        await self.open()
        assert await self.until(lambda: self.n >= n), f"{self.over} (`make clients` installs what is missing)"
        return "no"

    async def aclose(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
        if self._reading is not None:
            await self._reading


def assert_nothing_is_missing(events: Sequence[Block]) -> None:
    """Check that each transition came exactly once and in order, or in a snapshot, up to the end."""
    n = -1
    for event in events:
        if event.event == "snapshot":
            assert event.position.offset >= n
        elif event.event == "step":
            assert event.position.offset == n + 1
        else:
            assert (event.event, event.position.offset) == ("end", n)
        n = event.position.offset
    assert len({event.position.epoch for event in events}) == 1


async def heartbeats(server: Server) -> None:
    """Wait until each stream has had a heartbeat: every stream gets one between two heartbeats of another."""
    async with await RawStream.open(server.port, session_path("s", "events"), list(bearer(TOKEN).items())) as stream:
        await stream.wait_until(lambda s: len(s.comments) > 2)


async def after(stop: Callable[[], object], server: Server, proxy: ChaosProxy, worker: Worker, step: int) -> None:
    """Stop and restart the server, with an update that its readers miss until they can reach it again."""
    proxy.refuse()
    await asyncio.to_thread(stop)
    await asyncio.to_thread(server.start)
    await worker.start("s", step)
    await worker.complete("s", step)
    await proxy.listen()


async def at_204(client: Client, proxy: ChaosProxy) -> str:
    asked = len(proxy.asked())
    await eventually(lambda: client.over is not None or len(proxy.asked()) >= asked + 2, WAIT_S)
    if client.over is not None and len(proxy.asked()) == asked:  # It has not reconnected.
        await client.open()
        await eventually(lambda: client.over is not None or len(proxy.asked()) >= asked + 2, WAIT_S)
    return client.over or "asks again"


async def observed(serve: Serve, command: Sequence[str | Path], library: str) -> Behaviour:
    """A client's behaviour while its server is killed and restarted and the session completes, without a loss."""
    server = serve(store="sqlite", **SETTINGS)
    async with Worker.at(server, PUBLISH_TOKEN) as worker, ChaosProxy(server.port) as proxy:
        await worker.create("s", total_steps=4)
        client = Client(command, library, f"http://{HOST}:{proxy.port}{session_path('s', 'events')}")
        await client.open()
        try:
            assert await client.sees(0) == "yes"
            await worker.start("s", 1)
            await worker.complete("s", 1)
            assert await client.sees(2) == "yes"
            await heartbeats(server)
            assert client.empty_count == 0
            await after(server.kill, server, proxy, worker, 2)
            seen, after_a_cut = len(client.events), await client.sees(4)
            has_resumed = client.events[seen].event == "step"
            await after(server.terminate, server, proxy, worker, 3)
            after_an_end = await client.sees(6)
            empty_events = "yes" if client.empty_count else "no"
            await worker.start("s", 4)
            await worker.complete("s", 4)
            assert await client.until(lambda: any(event.event == "end" for event in client.events))
            resumes = "no" if not has_resumed else "yes" if after_a_cut == "yes" else "with the id"
            behaviour = Behaviour(after_a_cut, after_an_end, resumes, empty_events, await at_204(client, proxy))
        finally:
            await client.aclose()
        final = await worker.poll("s")
    *events, end = client.events[: [event.event for event in client.events].index("end") + 1]
    assert_nothing_is_missing([*events, end])
    assert final["status"] == "completed"
    assert fold_all(events) == final
    return behaviour


@pytest.mark.full
@pytest.mark.parametrize(("language", "library"), CLIENTS)
async def test_a_client_follows_through_kill_and_restart(
    serve: Serve, command: Callable[[str], Sequence[str | Path]], language: str, library: str
) -> None:
    """FT-01: it sees each transition once, or a snapshot in place of some, and behaves as docs/protocol.md says."""
    assert await observed(serve, command(language), library) == Behaviour(*documented()[language, library][1:6])


@pytest.mark.full
@pytest.mark.parametrize(
    ("language", "library", "column", "value"),
    [
        ("Python", "launchdarkly-eventsource", "after_a_cut", "no"),
        ("Node", "event-source-polyfill", "resumes", "no"),
        ("Node", "@microsoft/fetch-event-source", "after_an_end", "no"),
    ],
)
async def test_a_client_needs_its_documented_option(
    serve: Serve, command: Callable[[str], Sequence[str | Path]], language: str, library: str, column: str, value: str
) -> None:
    """FT-01: without the option that docs/protocol.md names, it does not behave as its row says."""
    alone = await observed(serve, command(language), f"{library} alone")
    documented_row = Behaviour(*documented()[language, library][1:6])
    assert getattr(alone, column) == value
    assert getattr(documented_row, column) == "yes"


@pytest.mark.full
async def test_clients_return_to_a_full_server_after_its_delay(
    serve: Serve, command: Callable[[str], Sequence[str | Path]]
) -> None:
    """LD-05: the end of a stream carries the retry delay, and clients that reconnect at all respect it."""
    server = serve(**SETTINGS, max_streams=1)
    sessions = [f"s{n}" for n in range(len(CLIENTS))]
    token = make_token(sessions=["s", *sessions], actions=["read"])
    async with (
        await RawStream.open(server.port, session_path("s", "events"), list(bearer(token).items())) as only,
        ChaosProxy(server.port) as proxy,
    ):
        await only.next_event()
        targets = [session_path(session_id, "events") for session_id in sessions]
        clients = [
            Client(command(language), library, f"http://{HOST}:{proxy.port}{target}", token)
            for (language, library), target in zip(CLIENTS, targets, strict=True)
        ]
        try:
            for client in clients:
                await client.open()
            await eventually(lambda: all(proxy.asked(target) for target in targets), WAIT_S)
            await asyncio.sleep(OWN_WAIT_S)
            waits = [
                "-" if client.over is not None else "no" if len(proxy.asked(target)) > 1 else "yes"
                for client, target in zip(clients, targets, strict=True)
            ]
        finally:
            for client in clients:
                await client.aclose()
    assert dict(zip(CLIENTS, waits, strict=True)) == {client: cells[6] for client, cells in documented().items()}


def test_the_table_has_each_client() -> None:
    """The table has the clients of these tests, and no other."""
    assert sorted(documented()) == sorted(CLIENTS)
