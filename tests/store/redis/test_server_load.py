"""The load on Redis: commands, connections and scans."""

import asyncio

import pytest

from progress_sse.core.commands import IdempotencyKey
from progress_sse.core.session_filter import ALL_SESSIONS
from progress_sse.core.updates import Advance
from progress_sse.store.listeners import changes_of
from progress_sse.store.progress_store import ProgressStore
from progress_sse.store.redis.backend import RedisBackend
from progress_sse.store.redis.pipeline import PendingCommand
from tests.conftest import RunRedis
from tests.core.samples import start_of
from tests.harness.serving import eventually
from tests.store.changes import after, apply, created, moved
from tests.store.redis.conftest import Open

DEADLINE_S = 30


async def test_an_update_with_a_key_is_one_command(backend: RedisBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one without a key, if the session is known here. Only a repeated or refused update needs more commands."""
    store, commands = ProgressStore(backend), list[PendingCommand]()
    await store.start_step("s", 1)
    submit = backend._executor.submit  # noqa: SLF001 - there is nothing to see from outside

    def count(command: PendingCommand) -> asyncio.Future[object]:
        commands.append(command)
        return submit(command)

    monkeypatch.setattr(backend._executor, "submit", count)  # noqa: SLF001 - as above
    for number in range(10):
        await store.apply("s", Advance(1, number), IdempotencyKey(f"k{number}", "digest"))
    assert len(commands) == 10
    await store.apply("s", Advance(1, 3), IdempotencyKey("k3", "digest"))
    assert len(commands) == 13
    await store.apply("new", start_of(1), IdempotencyKey("k", "digest"))
    assert len(commands) == 16


async def test_a_process_has_two_connections(run_redis: RunRedis, connect: Open) -> None:
    """However many sessions and readers it has. It unsubscribes from sessions without listeners."""
    server = run_redis()
    backend = await connect(server)
    subscribing = (backend.subscribe(changes_of(f"s{number}"), print) for number in range(1000))
    leaving = await asyncio.gather(*subscribing)
    await asyncio.gather(*(apply(backend, created(f"s{number}")) for number in range(100)))
    with server.client() as client:
        assert len(client.client_list()) == 2 + 1
        assert len(client.pubsub_channels()) == 1000
        for leave in leaving:
            leave()
        await eventually(lambda: client.pubsub_channels() == [], DEADLINE_S)
        await backend.aclose()
        await eventually(lambda: len(client.client_list()) == 1, DEADLINE_S)


async def test_no_command_scans_all_keys(run_redis: RunRedis, connect: Open) -> None:
    """Listing and clean-up read the index."""
    server = run_redis()
    backend = await connect(server)
    record = await apply(backend, created(), moved(after(created()), 1))
    await backend.lists.list_summaries(ALL_SESSIONS, 10, None)
    await backend.commit(moved(record, 2))
    assert await backend.expire("3", lambda _summary: True) == 1
    with server.client() as client:
        used = {name.removeprefix("cmdstat_") for name in client.info("commandstats")}
    assert {"evalsha", "zrange"} <= used
    assert not {"keys", "scan"} & used
