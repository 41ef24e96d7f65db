"""A server whose streams and polls answer what a test gives, and a record of what a follower makes of that."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, TypeAlias

import httpx

from progress_sse.cli.display import Connection, Display
from progress_sse.cli.follower import Follower
from progress_sse.client.config import Address
from progress_sse.client.http import client_options
from progress_sse.core.log_lines import LogLine
from progress_sse.story.session_state import SessionState
from progress_sse.story.time_left import UsualTimes

WAIT_S = 60

STEP = {"step": 1, "name": "Find", "status": "running", "elapsed_ms": 0, "timeout_ms": None, "message": "", "error": ""}
STEP |= {"started_at": "2026-11-25T10:00:00+00:00", "completed_at": None}
RUNNING = {"session_id": "s", "current_step": 1, "total_steps": 1, "status": "running", "steps": [STEP]}
RUNNING |= {"percentage": 0, "estimated_remaining_ms": 0}
FAILED = {**RUNNING, "status": "error"}
BEAT = {"now": "2026-11-25T10:00:00+00:00", "interval_ms": 15000}


class Recorder(Display):
    """Records what it is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.states: list[SessionState] = []
        self.reasons: list[str] = []
        self.connections: list[Connection] = []
        self.ticks = 0
        self.usual: list[UsualTimes] = []
        self.lines: list[str] = []
        self.missed: list[int] = []

    def show_lines(self, lines: Sequence[LogLine], missed: int) -> None:
        self.lines += [line.text for line in lines]
        self.missed.append(missed)

    def show(self, state: SessionState) -> None:
        self.states.append(state)

    def set_connection(self, connection: Connection, reason: str = "") -> None:
        self.reasons.append(reason)
        self.connections.append(connection)

    def set_usual_times(self, usual: UsualTimes) -> None:
        self.usual.append(usual)

    def tick(self) -> None:
        self.ticks += 1


def event(kind: str, data: Any, event_id: str = "e-1") -> bytes:
    """An event, its data in JSON unless they are bytes."""
    encoded = data if isinstance(data, bytes) else json.dumps(data).encode()
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (event_id.encode(), kind.encode(), encoded)


async def endless() -> AsyncIterator[bytes]:
    """An endless line."""
    while True:
        yield b"x" * 2**20
        await asyncio.sleep(0)


async def once(content: bytes) -> AsyncIterator[bytes]:
    """A body in one piece."""
    yield content


Answer: TypeAlias = Callable[[httpx.Request], httpx.Response]


def client_of(answer: Answer, token: str | None = None) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.MockTransport(answer), **client_options(Address("http://h", token)))


async def follow_by(answer: Answer, *, has_log: bool = False) -> Recorder:
    """Follow a session to its end, at a server that answers like this."""
    recorder = Recorder()
    async with client_of(answer) as client:
        state = await asyncio.wait_for(Follower(client, "s", recorder, has_log=has_log).run(), WAIT_S)
    assert state["status"] == "error"
    return recorder


async def followed(streams: list[httpx.Response], *polls: Callable[[], httpx.Response]) -> Recorder:
    """Follow a session to its end; streams and polls get these responses, and further polls the last one."""
    left = list(polls)

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["Accept-Encoding"] == "identity"
        if request.url.path.endswith("/events"):
            return streams.pop(0) if streams else failing(500)
        return left.pop(0)() if len(left) > 1 else left[0]()

    recorder = await follow_by(answer)
    assert recorder.states[-1] == FAILED
    return recorder


def streaming(content: bytes, **headers: str) -> httpx.Response:
    return httpx.Response(200, headers={"Content-Type": "text/event-stream", **headers}, content=once(content))


def polled(content: Any, **headers: str) -> httpx.Response:
    encoded = content if isinstance(content, bytes) else json.dumps(content).encode()
    return httpx.Response(200, headers={"Content-Type": "application/json", **headers}, content=once(encoded))


def failing(status: int, **headers: str) -> httpx.Response:
    return httpx.Response(status, headers=headers, content=once(b""))
