"""`progress-sse watch` follows a session across restarts, proxies and other obstacles."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from progress_sse.cli import follower as following
from progress_sse.cli.display import Connection
from progress_sse.cli.follower import follow
from progress_sse.cli.responses import NotAllowedError
from progress_sse.client.config import Address
from progress_sse.story.session_state import SessionState
from tests.cli import responders
from tests.conftest import Serve
from tests.harness.chaos import Answer, Blackhole, ChaosProxy, Cut, Mode, Pass, Reset
from tests.harness.http1 import HOST
from tests.harness.serving import Server, Worker, eventually
from tests.harness.tokens import CLOSED, make_token
from tests.live.asgi_hosts import serve_only

pytestmark = serve_only  # These are tests of the follower.

WAIT_S = 30
NEVER_S = 1000
PORTAL = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 7\r\nConnection: close\r\n\r\nwelcome"
BAD_GATEWAY = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
FULL = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 13\r\nConnection: close\r\n\r\n"
    b"retry: 1\n\n  \n"
)
NONSENSE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 26\r\nConnection: close\r\n\r\n"
    b"event: step\nid: 1\ndata: 1\n\n"
)

ODD = [PORTAL, BAD_GATEWAY, NONSENSE]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten every wait; deadlines stay as they are."""
    for name in ("FIRST_PAUSE_S", "LONGEST_PAUSE_S", "POLL_S"):
        monkeypatch.setattr(following, name, 0.05)


class Recorder(responders.Recorder):
    """Records the states that it is shown, and the clock."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead_s: list[float] = []

    def set_connection(self, connection: Connection, reason: str = "") -> None:
        assert (reason == "") == (connection == "live")
        super().set_connection(connection, reason)

    def set_clock(self, ahead_s: float) -> None:
        self.ahead_s.append(ahead_s)

    def is_at(self, **expected: Any) -> bool:
        return bool(self.states) and expected.items() <= self.states[-1].items()


@contextlib.asynccontextmanager
async def followed(
    port: int, token: str | None = None, *, has_log: bool = False
) -> AsyncIterator[tuple[Recorder, asyncio.Task[SessionState]]]:
    """Follow the session `s` at a port; return the record, and the task that ends with it."""
    recorder = Recorder()
    task = asyncio.create_task(follow(Address(f"http://{HOST}:{port}", token), "s", recorder, has_log=has_log))
    try:
        yield recorder, task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    await eventually(condition, WAIT_S)


async def test_a_session_is_followed_from_before_its_beginning_to_its_end(serve: Serve) -> None:
    """Each change is shown as a poll would have answered, also across a deletion."""
    server = serve()
    async with Worker.at(server) as worker, followed(server.port) as (recorder, task):
        await until(lambda: recorder.is_at(status="not_found"))
        await worker.create("s", total_steps=1)
        await until(lambda: recorder.is_at(status="pending"))
        await worker.delete("s")
        await until(lambda: recorder.is_at(status="not_found"))
        await worker.create("s", total_steps=1)
        await worker.start("s", 1)
        await worker.progress("s", 1, 3, total=8)
        await until(lambda: recorder.is_at(percentage=37))
        assert recorder.states[-1] == await worker.poll("s")
        await worker.complete("s", 1)
        assert await asyncio.wait_for(task, WAIT_S) == await worker.poll("s") == recorder.states[-1]
    assert recorder.connections == ["live"]
    assert [abs(ahead_s) < 5 for ahead_s in recorder.ahead_s] == [True] * len(recorder.ahead_s) != []


@pytest.mark.protocol("P-8.7")
@pytest.mark.full
async def test_every_transition_is_shown_once_over_restarts(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a kill the stream resumes: nothing is missing or repeated. A poll may be ahead of it."""
    monkeypatch.setattr(following, "FAILURES_BEFORE_POLLS", 1_000_000)
    server = serve(store="sqlite", retry_ms=10)
    count = 12
    async with Worker.at(server) as worker, followed(server.port) as (recorder, task):
        await worker.create("s", total_steps=count)
        await until(lambda: recorder.is_at(status="pending"))
        for number in range(1, count + 1):
            await worker.start("s", number)
            if number in (3, 6):
                await asyncio.to_thread(server.restart)
            await worker.complete("s", number)
        await asyncio.wait_for(task, WAIT_S)
    shown = [(at, state["steps"][at - 1]["status"]) for state in recorder.states if (at := state["current_step"])]
    assert shown == [(n, status) for n in range(1, count + 1) for status in ("running", "success")]


@pytest.mark.full
@pytest.mark.guarantee("O")
@pytest.mark.parametrize("answer", [b"", FULL, BAD_GATEWAY])
async def test_every_line_of_the_log_is_shown_once(
    serve: Serve, answer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over streams that break and a server that is killed, by events or by polls, up to the end of the session."""
    monkeypatch.setattr(following, "FIRST_EVENT_S", 0.1)
    server = serve(store="sqlite", retry_ms=10)
    modes: list[Mode] = [Cut(2000), Reset(900), Answer("/events", answer), Cut(400), Pass()]
    async with (
        Worker.at(server) as worker,
        ChaosProxy(server.port, modes * 3) as proxy,
        followed(proxy.port, has_log=True) as (recorder, task),
    ):
        await worker.create("s", total_steps=1)
        await worker.start("s", 1)
        for batch in range(12):
            lines = [f"{batch}.{number}" for number in range(50)]
            assert (await worker.update("s", action="log", step=1, lines=lines)).status_code == 200
            await until(lambda batch=batch: f"{batch}.0" in recorder.lines)  # type: ignore[misc]
            proxy.cut()
            if batch == 6:
                await asyncio.to_thread(server.restart)
        await worker.complete("s", 1)
        await asyncio.wait_for(task, WAIT_S)
    assert recorder.lines == [f"{batch}.{number}" for batch in range(12) for number in range(50)]
    assert sum(recorder.missed) == 0


@pytest.mark.protocol("P-8.12", "P-8.14")
@pytest.mark.parametrize("response", [b"", FULL, *(pytest.param(each, marks=pytest.mark.full) for each in ODD)])
async def test_polls_carry_on_where_the_stream_brings_nothing(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, response: bytes
) -> None:
    """The cases: a buffering proxy, a full server, foreign responses. Once the stream works, it is used again."""
    monkeypatch.setattr(following, "HEAD_S", NEVER_S)
    monkeypatch.setattr(following, "FIRST_EVENT_S", NEVER_S if response else 0.1)
    if response not in ODD:
        monkeypatch.setattr(following, "FAILURES_BEFORE_POLLS", 1_000_000)
    server = serve(heartbeat_s=0.5)
    async with (
        Worker.at(server) as worker,
        ChaosProxy(server.port, [Answer("/events", response)]) as proxy,
        followed(proxy.port) as (recorder, task),
    ):
        await worker.start("s", 1)
        await until(lambda: recorder.is_at(status="running"))
        assert recorder.connections == ["polling"]
        proxy.switch(Pass())
        proxy.cut()
        await until(lambda: recorder.connections[-1] == "live")
        polls, beats = polled(proxy), len(recorder.ahead_s)
        await until(lambda: len(recorder.ahead_s) > beats)
        assert polled(proxy) <= polls + 1  # It may have been on its way.
        await worker.complete("s", 1, success=False)
        await asyncio.wait_for(task, WAIT_S)


def polled(proxy: ChaosProxy) -> int:
    return len(proxy.asked("/s")) - len(proxy.asked("/events"))


async def test_a_stream_behind_the_polls_is_opened_anew(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stream would resume behind the polled state, so a new one is opened, and nothing is shown again."""
    server = serve(retry_ms=50)
    async with Worker.at(server) as worker, ChaosProxy(server.port) as proxy, followed(proxy.port) as (recorder, task):
        await worker.create("s", total_steps=3)
        await worker.start("s", 1)
        await until(lambda: recorder.is_at(current_step=1))
        monkeypatch.setattr(following, "FIRST_EVENT_S", 0.05)
        proxy.use(Blackhole(), Pass())
        proxy.cut()
        await until(lambda: "polling" in recorder.connections)
        for number in (2, 3):
            await worker.start("s", number)
        await until(lambda: recorder.is_at(current_step=3))
        monkeypatch.setattr(following, "FIRST_EVENT_S", NEVER_S)
        proxy.switch(Pass())
        await until(lambda: recorder.connections[-1] == "live")
        await worker.complete("s", 1, success=False)
        await asyncio.wait_for(task, WAIT_S)
    shown = [state["current_step"] for state in recorder.states]
    assert shown == sorted(shown)


@pytest.mark.protocol("P-8.13")
@pytest.mark.parametrize("fault", [Blackhole(), Reset(), pytest.param(Cut(), marks=pytest.mark.full)])
async def test_a_dead_connection_is_replaced(serve: Serve, fault: Mode) -> None:
    """Missed heartbeats reveal a dead connection that reports no error."""
    server = serve(heartbeat_s=0.2, retry_ms=100)
    async with (
        Worker.at(server) as worker,
        ChaosProxy(server.port) as proxy,
        followed(proxy.port) as (recorder, task),
    ):
        await until(lambda: recorder.is_at(status="not_found") and len(recorder.ahead_s) > 1)
        proxy.switch(fault)
        await worker.start("s", 1)
        proxy.use(Pass())
        await worker.complete("s", 1, success=False)
        state = await asyncio.wait_for(task, WAIT_S)
        assert state["status"] == "error"


@pytest.mark.protocol("P-8.9")
@pytest.mark.parametrize(
    ("mode", "claims", "sentence"),
    [
        (Pass(), {"sessions": ["other"]}, "does not allow"),
        (Answer("/events", BAD_GATEWAY), None, "wants a token"),
    ],
    ids=["stream", "poll"],
)
async def test_a_refusal_ends_the_following(
    serve: Serve, mode: Mode, claims: dict[str, Any] | None, sentence: str
) -> None:
    """Neither a refused stream nor a refused poll is retried, as a retry would change nothing."""
    server = serve(**CLOSED)
    token = make_token(**claims) if claims is not None else None
    async with ChaosProxy(server.port, [mode]) as proxy, followed(proxy.port, token) as (_, task):
        with pytest.raises(NotAllowedError, match=sentence):
            await asyncio.wait_for(task, WAIT_S)


async def test_a_server_that_comes_late_is_waited_for(serve: Serve) -> None:
    """A session that is created late is waited for in the same way."""
    server: Server = serve()
    server.kill()
    async with followed(server.port) as (recorder, task):
        await until(lambda: recorder.connections == ["polling", "reconnecting"])
        await asyncio.to_thread(server.start)
        async with Worker.at(server) as worker:
            await until(lambda: recorder.connections[-1] == "live")
            await worker.create("s", total_steps=1)
            await worker.run("s", 1)
        assert (await asyncio.wait_for(task, WAIT_S))["status"] == "completed"
