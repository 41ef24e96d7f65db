"""The index of lists in Redis under failures and old servers, and what commits tell those who follow lists."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from progress_sse.core.errors import ConflictError
from progress_sse.core.session_filter import ALL_SESSIONS, SessionFilter
from progress_sse.store.progress_store import ProgressStore
from progress_sse.store.redis.backend import RedisBackend
from progress_sse.store.redis.keys import set_member
from progress_sse.store.types import Record
from progress_sse.streaming import lists
from progress_sse.streaming.hub import Hub
from tests.harness.redis import RedisServer
from tests.harness.serving import eventually
from tests.store.changes import T0, after, apply, created, moved, refuse, removed
from tests.store.contract.test_filtered_lists import labelled, wanted
from tests.store.observed import ids
from tests.store.redis.conftest import Open
from tests.streaming.test_lists import ListReader

DEADLINE_S = 30
LABELS: Mapping[str, str] = {"a": "1"}


class Index:
    """The keys of the index, as the server has them."""

    def __init__(self, client: Redis, prefix: Path) -> None:
        self.client = client
        self.main = f"{prefix}:sessions"
        self._others = f"{prefix}:{{{self.main}}}"
        self.ids, self.unfinished = f"{self._others}:i", f"{self._others}:u"

    @property
    def sets(self) -> list[str]:
        keys: Any = self.client.zrange(f"{self._others}:b", 0, -1)
        return [key.decode() for key in keys]

    def sizes(self) -> dict[str, int]:
        """How many entries the index has, and each set."""
        keys = [self.main, self.ids, *self.sets]
        return {key.removeprefix(self._others): self.client.zcard(key) for key in keys}


async def test_nothing_is_left_of_a_removed_session(client: Redis, backend: RedisBackend, tmp_path: Path) -> None:
    """In no set, whatever it was in before."""
    record = await apply(backend, labelled(created(), {"a": "1", "b": "2"}))
    record = await apply(backend, labelled(moved(record, 1), {"c": "3"}))
    index = Index(client, tmp_path)
    assert sorted(index.sizes().values()) == [1, 1, 1, 1]
    later = T0.replace("2026", "2027")
    replacement = created("s", "second", expected=record.position, created_at=later)
    record = await apply(backend, labelled(replacement, {"d": "4"}))
    assert sorted(index.sizes().values()) == [1, 1, 1, 1]
    record = await apply(backend, moved(record, 1, status="completed"))
    assert client.exists(index.unfinished) == 0
    await backend.commit(removed(record))
    assert set(index.sizes().values()) == {0}
    assert index.sets == []


async def test_a_lost_race_leaves_nothing_in_the_way(backend: RedisBackend) -> None:
    """A process enters a label, and its commit is refused."""
    first = await apply(backend, created())
    losing = labelled(moved(first, 1), LABELS)
    second = await apply(backend, moved(first, 2))
    await refuse(backend, losing, ConflictError)
    assert await ids(backend, wanted(a="1")) == []
    await apply(backend, labelled(moved(second, 1), LABELS))
    assert await ids(backend, wanted(a="1")) == ["s"]


async def test_a_late_removal_spares_a_later_entry(
    server: RedisServer, connect: Open, backend: RedisBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process that removed a label is held up before it takes the session out of the label's set."""
    other = await connect(server)
    record = await apply(backend, labelled(created(), LABELS))
    without = labelled(moved(record, 1), {})
    leave, held = backend.lists.leave, asyncio.Event()

    async def leave_later(*args: Any) -> None:
        await held.wait()
        await leave(*args)

    monkeypatch.setattr(backend.lists, "leave", leave_later)
    committing = asyncio.create_task(backend.commit(without))
    await eventually_at(other, after(without))
    again = labelled(moved(after(without), 2), LABELS)
    await other.commit(again)
    held.set()
    await committing
    assert await ids(other, wanted(a="1")) == ["s"]


async def eventually_at(backend: RedisBackend, record: Record) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while (await backend.load("s") or record.position) != record:  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.01)


async def test_stray_entries_are_passed_over_and_cleaned_up(
    client: Redis, backend: RedisBackend, tmp_path: Path
) -> None:
    """Those of processes that ended before their commit, or after it; one whose commit may be under way stays."""
    record = await apply(
        backend, labelled(created(), LABELS), labelled(moved(after(labelled(created(), LABELS)), 1), LABELS)
    )
    index = Index(client, tmp_path)
    label = next(key for key in index.sets if key != index.unfinished)
    client.zadd(label, {set_member(T0, "gone", 0): 0, set_member(T0, "s", 1): 0, set_member(T0, "s", 9): 0})
    client.zadd(index.unfinished, {set_member(T0, "gone", 0): 0})
    assert await ids(backend, wanted(a="1")) == ["s"]
    assert await ids(backend, wanted("", "running")) == ["s"]
    await apply(backend, labelled(moved(record, 2), {}))
    assert await ids(backend, wanted(a="1")) == []
    await backend.expire("3", lambda _summary: False)
    assert client.zrange(label, 0, -1) == [set_member(T0, "s", 9).encode()]
    assert client.zcard(index.unfinished) == 1


async def test_a_list_is_followed_at_another_process(server: RedisServer, client: Redis, connect: Open) -> None:
    """It hears of each change within a moment; without readers a process subscribes to nothing."""
    here, there = ProgressStore(await connect(server)), await connect(server)
    hub = Hub(there, retry_ms=1000)
    reader = ListReader(hub)
    await here.create_session("alice-1", 1)
    before = len(client.pubsub_channels())
    await reader.subscribe(SessionFilter("alice-"))
    assert len(client.pubsub_channels()) == before + 16
    await here.start_step("alice-1", 1)
    await here.start_step("alice-2", 1)
    await here.create_session("bob-1", 1)
    await reader.until_it_knows(alice_1="running", alice_2="running")
    await here.complete_step("alice-1", 1)
    await here.delete_session("alice-2")
    await reader.until_it_knows(alice_1="completed")
    reader.subscriber.close()
    await eventually(lambda: len(client.pubsub_channels()) == before, DEADLINE_S)


async def test_a_list_loses_what_expires(client: Redis, backend: RedisBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    """No process removes it, and no message says so."""
    monkeypatch.setattr(lists, "CHECK_INTERVAL_S", 0.05)
    await backend.commit(created("alice-1"))
    await backend.commit(created("alice-2"))
    reader = ListReader(Hub(backend, retry_ms=1000))
    await reader.subscribe(ALL_SESSIONS)
    await reader.until_it_knows(alice_1="pending", alice_2="pending")
    client.pexpire(backend._keyspace.of("alice-1").state, 1)  # noqa: SLF001 - only the server knows when
    await reader.until_it_knows(alice_2="pending")
    reader.subscriber.close()


async def test_a_lost_connection_costs_no_change(server: RedisServer, client: Redis, connect: Open) -> None:
    """What was published meanwhile is read once the connection is there again."""
    here, there = ProgressStore(await connect(server)), await connect(server)
    reader = ListReader(Hub(there, retry_ms=1000))
    await reader.subscribe(SessionFilter("alice-"))
    for number in range(3):
        client.client_kill_filter(_type="pubsub")
        await here.create_session(f"alice-{number}", 1)
    await reader.until_it_knows(alice_0="pending", alice_1="pending", alice_2="pending")
    reader.subscriber.close()
