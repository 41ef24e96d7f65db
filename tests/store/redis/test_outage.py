"""No server, or one that does not reply."""

import asyncio
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest

from progress_sse.core.errors import OutcomeUnknownError, StoreUnavailableError
from progress_sse.core.model import Position
from progress_sse.core.session_filter import ALL_SESSIONS
from progress_sse.store.listeners import changes_of
from progress_sse.store.redis import pipeline
from progress_sse.store.redis.backend import RedisBackend
from progress_sse.store.redis.connection import RedisConnection
from tests.conftest import RunRedis
from tests.harness.redis import Kind, RedisServer
from tests.store.changes import after, apply, created, moved, refuse
from tests.store.observed import state
from tests.store.redis.conftest import Open


@pytest.mark.full
async def test_each_call_fails_in_time_and_recovers(run_redis: RunRedis, connect: Open) -> None:
    """Each fails with the error that says that nothing was changed."""
    server = run_redis("always")
    backend = await connect(server)
    record = await apply(backend, created())
    server.terminate()
    started = time.monotonic()
    calls: list[Awaitable[Any]] = [
        backend.commit(moved(record, 1)),
        backend.load("s"),
        backend.find_idempotency_key("s", "k"),
        backend.replay("s", record.position),
        backend.lists.list_summaries(ALL_SESSIONS, 1, None),
        backend.subscribe(changes_of("s"), print),
        backend.ping(),
    ]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {StoreUnavailableError}
    assert time.monotonic() - started < 6
    server.start()
    found = await state(backend)
    assert found.session == record.session
    await backend.commit(moved(found, 1))


async def test_an_unexpected_error_fails_only_its_own_commands(
    backend: RedisBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error in our own code does not end the executor."""
    with monkeypatch.context() as patch:
        patch.setattr(RedisConnection, "execute_batch", lambda *_: 1 / 0)
        with pytest.raises(StoreUnavailableError):
            await backend.load("s")
    await apply(backend, created())


async def test_a_command_that_timed_out_while_connecting_is_never_sent(
    backend: RedisBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its caller was told that nothing was done."""
    record = await apply(backend, created())
    may_connect, connect_now = asyncio.Event(), RedisConnection.connect

    async def connect_late(connection: RedisConnection) -> None:
        await may_connect.wait()
        await connect_now(connection)

    with monkeypatch.context() as patch:
        patch.setattr(RedisConnection, "connect", connect_late)
        patch.setattr(pipeline, "WRITE_TIMEOUT_S", 0.1)
        await refuse(backend, moved(record, 1), StoreUnavailableError)
    may_connect.set()
    assert await backend.load("s") == record


@pytest.mark.full
async def test_a_backend_opens_without_a_server(kind: Kind, tmp_path: Path, connect: Open) -> None:
    """It works once the server is there."""
    server = RedisServer(kind, tmp_path / "server")
    backend = await connect(server)
    with pytest.raises(StoreUnavailableError):
        await backend.ping()
    with server:
        await apply(backend, created())


@pytest.mark.full
async def test_commits_are_in_doubt_when_the_server_freezes(run_redis: RunRedis, connect: Open) -> None:
    """Each is applied once or not at all, and its caller gets `OutcomeUnknownError`."""
    server = run_redis()
    backend = await connect(server)
    records = [await apply(backend, created(f"s{number}")) for number in range(50)]
    server.pause()
    started = time.monotonic()
    changes = [moved(record, 1) for record in records]
    outcomes = await asyncio.gather(*map(backend.commit, changes), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {OutcomeUnknownError}
    assert time.monotonic() - started < 6
    server.resume()
    await backend.ping()
    for change in changes:
        assert await backend.load(change.session_id) in (change.record, after(created(change.session_id)))
        entries = await backend.replay(change.session_id, Position("first", 0))
        assert entries in ([], list(change.entries))
