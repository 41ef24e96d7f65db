"""Streams in plain text, over both ways to a client."""

import asyncio

import pytest

from progress_sse.core.log_lines import NewLine
from progress_sse.streaming.body_writer import extensions
from progress_sse.streaming.event_stream import StreamRequest
from tests.streaming.client import Client
from tests.streaming.service import Service

BOTH = pytest.mark.parametrize("directly", [True, False], ids=["directly", "by ASGI"])


async def lines_of(service: Service, session_id: str, *, directly: bool, reads_lines: bool = False) -> Client:
    """Return a client that has received its first line."""
    client = Client()
    request = StreamRequest({session_id: None}, False, False, None, is_text=True, reads_lines=reads_lines)
    response = service.streams.respond(request)
    scope = {"type": "http", "method": "GET", "extensions": extensions(client) if directly else {}}

    async def answer() -> None:
        await response(scope, client.receive, client.send)

    service.tasks.append(asyncio.create_task(answer()))
    await client.wait_until(lambda: client.body.endswith(b"\n"))
    return client


def said(client: Client) -> list[str]:
    assert client.headers["content-type"] == "text/plain; charset=utf-8"
    return client.body.decode().removesuffix("\n").split("\n")


@pytest.mark.protocol("P-22.11")
@BOTH
async def test_each_change_has_a_line_until_the_session_is_over(directly: bool) -> None:
    """In order, also where several come at once."""
    service = Service()
    client = await lines_of(service, "a", directly=directly)
    assert said(client) == ["Waiting for the job to start"]
    store = service.store
    await store.create_session("a", 2, title="Import")
    await store.start_step("a", 1)
    await store.report_progress("a", 1, 1, 2, "half")
    await store.complete_step("a", 1, success=False, error="no room")
    await client.end()
    names = [line.partition(": ")[2].partition(" after")[0] for line in said(client)[2:5]]
    assert said(client)[1] == "Import"
    assert names == ["started", "1 / 2, half", "failed"]
    assert said(client)[5:] == ["Failed at step 1 · 0 of 2 steps done"]
    assert len(service.streams) == service.hub.channel_count == 0


@BOTH
async def test_a_failure_beside_a_running_step_ends_nothing(directly: bool) -> None:
    """The session is over once none runs."""
    service = Service()
    await service.store.create_session("a", 2)
    await service.store.start_step("a", 1)
    client = await lines_of(service, "a", directly=directly)
    await service.store.start_step("a", 2)
    await service.store.complete_step("a", 1, success=False)
    await client.wait_until(lambda: b"failed" in client.body)
    assert not client.is_finished
    await service.store.complete_step("a", 2)
    await client.end()


@BOTH
async def test_a_stream_that_the_server_ends_says_so(directly: bool) -> None:
    """Else a script would take it for the end of the job."""
    service = Service()
    client = await lines_of(service, "a", directly=directly)
    service.streams.drain()
    await client.end()
    assert said(client)[-1] == "(the server ends this here, and the job may go on)"


@BOTH
async def test_fast_progress_waits_for_a_heartbeat(directly: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what it says then is the latest."""
    service = Service()
    await service.store.create_session("a", 1)
    await service.store.start_step("a", 1)
    client = await lines_of(service, "a", directly=directly)
    for current in (1, 2, 3):
        await service.store.report_progress("a", 1, current)
    [stream] = service.streams._open  # noqa: SLF001  # what a heartbeat calls
    monkeypatch.setattr("progress_sse.story.changes._is_due", lambda *_: True)
    stream.send_heartbeat()
    await client.wait_until(lambda: b": 3\n" in client.body)
    assert [line.rpartition(": ")[2] for line in said(client)] == ["started", "1", "3"]
    client.leave()


@BOTH
async def test_a_silent_worker_is_named_with_the_heartbeats(directly: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """And again when it has been silent for twice as long; a job that need not report has no heartbeat."""
    service = Service(heartbeat_s=15)
    await service.store.create_session("a", 1)
    await service.store.start_step("a", 1, timeout_ms=1)
    client = await lines_of(service, "a", directly=directly)
    [stream] = service.streams._open  # noqa: SLF001  # what a heartbeat calls
    before = said(client)
    stream.send_heartbeat()
    await asyncio.sleep(0)
    assert said(client) == before
    monkeypatch.setattr("progress_sse.story.worker_words.SILENT_S", 0)
    await asyncio.sleep(0.01)
    stream.send_heartbeat()
    await client.wait_until(lambda: b"no update" in client.body)
    assert said(client)[-1] == "no update for 0 s"
    client.leave()


@pytest.mark.protocol("P-22.12")
@BOTH
async def test_lines_of_a_job_cannot_act_on_a_terminal(directly: bool) -> None:
    """No escape, no control character, no change of direction, and no line of its own."""
    evil = "a\x1b]0;owned\x07\x1b[2J\x9b2J\x07\b\r\nfake\u202e\u2066\u200f\u2028z"
    service = Service()
    await service.store.create_session("a", 1, title=evil)
    await service.store.start_step("a", 1)
    await service.store.complete_step("a", 1, False, evil, evil)
    client = await lines_of(service, "a", directly=directly)
    await client.end()
    text = client.body.decode()
    assert "fake" in text
    assert not [char for char in text if not (char.isprintable() or char == "\n")]
    assert not [line for line in said(client) if line.startswith("fake")]


@pytest.mark.protocol("P-24.18")
@BOTH
async def test_lines_of_the_log_come_among_the_changes(directly: bool) -> None:
    """Only where they are asked for, and all of them before the session is over."""
    service = Service()
    store = service.store
    await store.create_session("a", 1, title="Import")
    await store.append_lines("a", [NewLine("before", "warning")])
    plain = await lines_of(service, "a", directly=directly)
    client = await lines_of(service, "a", directly=directly, reads_lines=True)
    await store.start_step("a", 1)
    await store.append_lines("a", [NewLine("\x1b[1mwithin"), NewLine("and")], 1)
    await store.complete_step("a", 1)
    await client.end()
    await plain.end()
    logged = [line for line in said(client) if " UTC" in line]
    assert [line.partition(" UTC ")[2] for line in logged] == ["WARNING before", "[1] within", "[1] and"]
    started = next(each for each in said(client) if "started" in each)
    assert said(client).index(logged[1]) == said(client).index(started) + 1
    assert said(plain) == [line for line in said(client) if line not in logged]
