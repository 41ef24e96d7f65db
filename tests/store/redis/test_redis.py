"""What is peculiar to Redis and Valkey: several processes, a server that goes away, forgets, or refuses."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, cast

import pytest
from redis.asyncio.connection import Connection
from redis.exceptions import AuthenticationError, NoScriptError

from progress_sse.auth.rate_limits import COUNTS_AT_ONCE, Rates, make_rates
from progress_sse.core.errors import (
    ConflictError,
    OutcomeUnknownError,
    RateExceededError,
    StoreFullError,
    StoreUnavailableError,
)
from progress_sse.core.model import Position
from progress_sse.core.state_machine import Advance
from progress_sse.settings import load_settings
from progress_sse.store.idempotency import IdempotencyKey
from progress_sse.store.progress_store import ProgressStore
from progress_sse.store.redis import followed_sessions as redis_following
from progress_sse.store.redis import pipeline as redis_calls
from progress_sse.store.redis import scripts as redis_scripts
from progress_sse.store.redis.backend import RedisBackend
from progress_sse.store.redis.connection import Command, InterruptedCallError, RedisLink
from progress_sse.store.redis.pipeline import Answer, Call
from progress_sse.store.redis.pubsub import RedisListener
from progress_sse.store.redis.url import connection_pool
from progress_sse.store.types import LogEntry, Notification, Record, StorageLimits
from tests.conftest import RunRedis
from tests.harness.redis import Kind, Moment, RedisServer
from tests.harness.serving import eventually
from tests.store.changes import T0, after, apply, created, key, moved, removed

DEADLINE_S = 30

slow = pytest.mark.parametrize("kind", ["redis", pytest.param("valkey", marks=pytest.mark.full)], indirect=True)
"""For tests that wait until calls are given up: they are told apart by the clock alone."""

Open = Callable[..., Awaitable[RedisBackend]]


@pytest.fixture
def server(kind: Kind, redis_servers: dict[str, RedisServer]) -> RedisServer:
    """The server that all tests share; not to be harmed."""
    return redis_servers[kind]


@pytest.fixture
async def connect(tmp_path: Path) -> AsyncIterator[Open]:
    """Open backends, as processes do, all on the same sessions of a server."""
    opened: list[RedisBackend] = []

    async def open_one(
        server: RedisServer, *, user: str = "", database: int = 0, lifetime_s: float = 3600, **limits: int
    ) -> RedisBackend:
        url = f"redis://{user}@127.0.0.1:{server.port}/{database}"
        backend = RedisBackend(url, StorageLimits(**limits), prefix=str(tmp_path), lifetime_s=lifetime_s)
        opened.append(backend)
        await backend.open()
        return backend

    yield open_one
    for backend in opened:
        await backend.aclose()


DAY_MS = 24 * 3_600_000


class Follower:
    """What one process hears of a session."""

    def __init__(self) -> None:
        self.notifications: list[Notification] = []
        self._has_heard = asyncio.Event()

    @classmethod
    async def of(cls, backend: RedisBackend, session_id: str = "s") -> Follower:
        """Listen, then look, as a channel of the hub does."""
        follower = cls()
        await backend.listen(session_id, follower.hear)
        follower.notifications.append(Notification(session_id, await backend.load(session_id)))
        return follower

    def hear(self, notification: Notification) -> None:
        self.notifications.append(notification)
        self._has_heard.set()

    @property
    def record(self) -> Record | None:
        return self.notifications[-1].record

    @property
    def entries(self) -> list[LogEntry]:
        """All transitions heard of, in order."""
        return [entry for notification in self.notifications for entry in notification.entries]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until what was heard makes it so."""
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                self._has_heard.clear()
                await self._has_heard.wait()

    async def until_at(self, record: Record | None) -> None:
        """Wait until the session is known to be so."""
        await self.until(lambda: self.record == record)


class Losses:
    """Lets answers get lost after the server has done what it was asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._execute = RedisLink.execute
        self._meanwhile: list[Callable[[], Awaitable[object]] | None] = []
        losses = self

        async def execute(link: RedisLink, commands: Any) -> list[Any]:
            return await losses.run(link, commands)

        monkeypatch.setattr(RedisLink, "execute", execute)

    def lose(self, times: int = 1, meanwhile: Callable[[], Awaitable[object]] | None = None) -> None:
        """Lose the answers to the next commits, and do something before they are sent again."""
        self._meanwhile += [None] * (times - 1) + [meanwhile]

    async def run(self, link: RedisLink, commands: list[Command]) -> list[Any]:
        answers = await self._execute(link, commands)
        if not self._meanwhile or not any(map(_is_done_commit, commands, answers)):
            return answers
        meanwhile = self._meanwhile.pop(0)
        if meanwhile is not None:
            await meanwhile()
        await link.disconnect()
        raise InterruptedCallError("lost on purpose")


def _is_done_commit(command: Command, answer: object) -> bool:
    return command[0] in ("EVAL", "EVALSHA") and len(command) > 20 and not isinstance(answer, NoScriptError)


@pytest.fixture
def losses(monkeypatch: pytest.MonkeyPatch) -> Losses:
    return Losses(monkeypatch)


def rates_at(server: RedisServer, prefix: Path, user: str = "") -> Rates:
    """Two requests an hour; and a thousand a second, so that there are windows that end soon."""
    url = f"redis://{user}127.0.0.1:{server.port}/0"
    return make_rates(load_settings(store=url, redis_prefix=str(prefix), read_rate="1000/second;2/hour"))


async def count_until_windows_turn(rates: Rates, client: Any) -> None:
    """Do all that counting consists of."""
    for _ in range(2):
        await rates.count("read", "caller")
    async with asyncio.timeout(DEADLINE_S):
        while "cmdstat_rename" not in client.info("commandstats"):
            with pytest.raises(RateExceededError):
                await rates.count("read", "caller")
    await rates.aclose()


async def history(backend: RedisBackend, epoch: str = "first") -> list[LogEntry] | None:
    """All transitions of the session `s` in this life."""
    entries = await backend.replay("s", Position(epoch, 0))
    return None if entries is None else list(entries)


class TestRepeatedCommit:
    """A commit whose answer got lost is sent again, and applied once."""

    @pytest.mark.parametrize("times", [1, 3])
    async def test_is_applied_once(self, server: RedisServer, connect: Open, losses: Losses, times: int) -> None:
        """Creation, transitions, keys alone, replacement, removal."""
        backend = await connect(server)
        record = after(created())
        replacement = created(epoch="second", expected=Position("first", 3), created_at=T0.replace("2026", "2027"))
        batch = moved(record, 1, 2, 1, keys=[key("k")])
        only_keys = moved(after(batch), keys=[key("l")])
        for change in (created(), batch, only_keys, replacement):
            losses.lose(times)
            await backend.commit(change)
            assert await backend.load("s") == change.record
        assert await history(backend, "second") == []
        losses.lose(times)
        await backend.commit(removed(after(replacement)))
        assert await backend.load("s") is None

    async def test_is_recognised_behind_others(self, server: RedisServer, connect: Open, losses: Losses) -> None:
        """Other processes may have moved the session on before it is sent again."""
        backend, other = await connect(server), await connect(server)
        follower = await Follower.of(backend)
        first, second = created(), moved(after(created()), 1)
        losses.lose(meanwhile=lambda: other.commit(second))
        await backend.commit(first)
        third, fourth = moved(after(second), 2, 3), moved(after(moved(after(second), 2, 3)), 1)
        losses.lose(meanwhile=lambda: other.commit(fourth))
        await backend.commit(third)
        assert await history(backend) == [*second.entries, *third.entries, *fourth.entries]
        assert follower.record == after(fourth)
        assert follower.entries == await history(backend)

    async def test_of_a_removal_leaves_what_came_after_it_in_the_index(
        self, server: RedisServer, connect: Open, losses: Losses, tmp_path: Path
    ) -> None:
        """And takes out what it removed."""
        backend, other = await connect(server), await connect(server)
        await backend.commit(created())
        later = T0.replace("2026", "2027")
        losses.lose(meanwhile=lambda: other.commit(created(epoch="second", created_at=later)))
        await backend.commit(removed(after(created())))
        assert [head.created_at for head in await backend.list_summaries(None, 9, None)] == [later]
        with server.client() as client:
            assert client.zrange(f"{tmp_path}:sessions", 0, -1) == [f"{later} s".encode()]

    async def test_of_a_creation_does_not_undo_its_removal(
        self, server: RedisServer, connect: Open, losses: Losses, tmp_path: Path
    ) -> None:
        """Somebody else was told that the session is gone, and so it stays; it can be created anew."""
        backend, other = await connect(server), await connect(server)
        follower = await Follower.of(backend)
        change = moved(after(created()), 1)._replace(expected=None, is_fresh=True)
        losses.lose(2, meanwhile=lambda: other.commit(removed(after(change))))
        await backend.commit(change)
        assert await backend.load("s") is None
        await follower.until_at(None)
        with server.client() as client:
            assert client.zcard(f"{tmp_path}:sessions") == 0
        await apply(backend, created(epoch="second"))
        assert await other.load("s") == after(created(epoch="second"))

    async def test_loses_to_what_came_instead(self, server: RedisServer, connect: Open, losses: Losses) -> None:
        """Where another's transition has its number, it was never applied, and is decided again."""
        backend, other = await connect(server), await connect(server)
        record = await apply(backend, created())
        await other.commit(moved(record, 2))
        losses.lose()
        with pytest.raises(ConflictError):
            await backend.commit(moved(record, 1))

    async def test_is_in_doubt_where_nothing_tells(self, server: RedisServer, connect: Open, losses: Losses) -> None:
        """A session that was replaced meanwhile has no memory of it."""
        backend, other = await connect(server), await connect(server)
        change = moved(await apply(backend, created()), 1)
        losses.lose(meanwhile=lambda: other.commit(created(epoch="second", expected=Position("first", 1))))
        with pytest.raises(OutcomeUnknownError):
            await backend.commit(change)

    async def test_stays_in_doubt_if_it_is_then_refused(
        self, server: RedisServer, connect: Open, losses: Losses
    ) -> None:
        """A refusal says nothing about the first attempt."""
        backend = await connect(server)
        change = moved(await apply(backend, created()), 1)
        name = backend._keyspace.of("s").log  # noqa: SLF001 - as a vandal would

        async def spoil() -> None:
            with server.client() as client:
                client.set(name, "foreign")

        losses.lose(meanwhile=spoil)
        with pytest.raises(OutcomeUnknownError):
            await backend.commit(change)

    @slow
    async def test_is_given_up_in_time(self, server: RedisServer, connect: Open, losses: Losses) -> None:
        """A worker hears within six seconds that nobody knows."""
        backend = await connect(server)
        change = moved(await apply(backend, created()), 1)
        losses.lose(times=1000)
        started = time.monotonic()
        with pytest.raises(OutcomeUnknownError):
            await backend.commit(change)
        assert time.monotonic() - started < 6

    async def test_of_a_start_counts_once(self, server: RedisServer, connect: Open, losses: Losses) -> None:
        """A start is never a repeat for the rules, so only the token can tell."""
        backend = await connect(server)
        store = ProgressStore(backend)
        losses.lose(2)
        await store.start_step("s", 1)
        losses.lose(2)
        await store.start_step("s", 1)
        record = await backend.load("s")
        assert record is not None
        assert record.position.offset == 2


class TestOtherProcesses:
    """What one process commits, another one hears."""

    async def test_every_change_arrives_as_it_was_made(self, server: RedisServer, connect: Open) -> None:
        """Creation, transitions, replacement and removal; a listener goes from record to record without asking."""
        here, there = await connect(server), await connect(server)
        follower = await Follower.of(there)
        batch = moved(after(created()), 1, 2, message="日本語\u2028\n")
        single = moved(after(batch), 1, status="error")
        fresh = created(epoch="second", expected=after(single).position)
        for change in (created(), batch, single, fresh):
            await here.commit(change)
            await follower.until_at(change.record)
        await here.commit(removed(after(fresh)))
        await follower.until_at(None)
        assert [(notification.is_fresh, notification.entries) for notification in follower.notifications[1:]] == [
            (True, ()),
            (False, batch.entries),
            (False, single.entries),
            (True, ()),
            (False, ()),
        ]

    async def test_whoever_is_opened_again_hears_of_them_again(self, server: RedisServer, connect: Open) -> None:
        """By a connection of its own, as the first one was."""
        here, there = await connect(server), await connect(server)
        record = await apply(here, created())
        for step in (1, 2):
            await there.aclose()
            await there.open()
            follower = await Follower.of(there)
            assert follower.record == record
            record = await apply(here, moved(record, step))
            await follower.until_at(record)

    async def test_a_session_made_by_a_start_is_shown_from_its_beginning(
        self, server: RedisServer, connect: Open
    ) -> None:
        """Its readers see the pending state, and then the transition."""
        here, there = await connect(server), await connect(server)
        follower = await Follower.of(there)
        change = moved(after(created()), 2)._replace(expected=None, is_fresh=True)
        await here.commit(change)
        await follower.until_at(change.record)
        assert follower.notifications[1:] == [Notification("s", change.record, is_fresh=True, entries=change.entries)]

    async def test_what_is_too_large_to_publish_arrives_all_the_same(self, server: RedisServer, connect: Open) -> None:
        """It is read instead."""
        here, there = await connect(server), await connect(server)
        record = await apply(here, created())
        follower = await Follower.of(there)
        change = moved(record, 1, 2, message="x" * 40_000)
        await here.commit(change)
        await follower.until_at(change.record)
        assert follower.notifications[1:] == [Notification("s", change.record, entries=change.entries)]

    async def test_both_may_change_it_at_once(self, server: RedisServer, connect: Open) -> None:
        """Each process hears of every transition once, in order, whoever made it, and before its own are answered."""
        backends = [await connect(server) for _ in range(3)]
        await apply(backends[0], created())
        followers = [await Follower.of(backend) for backend in backends]

        async def work(number: int) -> None:
            for step in (1, 2, 3) * 20:
                await commit_next(number, step)

        async def commit_next(number: int, step: int) -> None:
            while True:
                record = await backends[number].load("s")
                assert record is not None
                change = moved(record, step, message=f"{number}")
                try:
                    await backends[number].commit(change)
                except ConflictError:
                    continue
                heard = followers[number].record
                assert heard is not None
                assert heard.position.offset >= after(change).position.offset
                return

        await asyncio.gather(*map(work, range(len(backends))))
        record = await backends[0].load("s")
        entries = await history(backends[0])
        assert entries is not None
        assert [entry.offset for entry in entries] == list(range(1, 181))
        for follower in followers:
            await follower.until_at(record)
            assert follower.entries == entries
            assert all(notification.entries for notification in follower.notifications[1:])

    async def test_lives_that_follow_on_each_other_are_never_mixed_up(self, server: RedisServer, connect: Open) -> None:
        """Created and removed in turn by two processes, heard of by both: whatever is heard last is how it is."""
        here, there = await connect(server), await connect(server)
        followers = [await Follower.of(here), await Follower.of(there)]
        for number in range(60):
            backend = (here, there)[number % 2]
            change = moved(after(created(epoch=f"e{number}")), 1)._replace(expected=None, is_fresh=True)
            await backend.commit(change)
            await (there, here)[number % 3 % 2].commit(removed(after(change)))
        last = await apply(here, created(epoch="last"))
        for follower in followers:
            await follower.until_at(last)
            heard = [
                notification.record.position.epoch for notification in follower.notifications if notification.record
            ]
            assert heard == sorted(heard, key=lambda epoch: int(epoch[1:]) if epoch != "last" else 60)

    async def test_nobody_hears_of_a_former_life_after_reading_a_later_one(
        self, server: RedisServer, connect: Open
    ) -> None:
        """A message that was under way when the session was read comes too late."""
        here, there = await connect(server), await connect(server)
        follower = await Follower.of(there)
        for number in range(50):
            first = await apply(here, created(epoch=f"a{number}"))
            second = await apply(here, created(epoch=f"b{number}", expected=first.position))
            read = asyncio.ensure_future(there.load("s"))
            await read
            heard_before = len(follower.notifications)
            await here.commit(removed(second))
            await follower.until_at(None)
            later = [
                notification.record.position.epoch
                for notification in follower.notifications[heard_before:]
                if notification.record
            ]
            assert f"a{number}" not in later

    async def test_nobody_hears_of_another_database(self, server: RedisServer, connect: Open) -> None:
        """A session of the same name there is another one, though the server has one set of channels for all."""
        here, there = await connect(server), await connect(server, database=1)
        for backend in (here, there):
            await backend.commit(created())
        follower = await Follower.of(there)
        await here.commit(removed(after(created())))
        change = moved(after(created()), 1)
        await there.commit(change)
        await Follower.of(there, "later")  # What was published before has been heard by then.
        assert follower.notifications[1:] == [Notification("s", change.record, entries=change.entries)]


class TestGap:
    """What was published while a process was not listening is lost, and made up for."""

    async def test_is_filled_with_the_transitions(self, server: RedisServer, connect: Open) -> None:
        """A connection that is cut again and again costs nobody a transition."""
        here, there = await connect(server), await connect(server)
        record = await apply(here, created())
        follower = await Follower.of(there)
        for number in range(60):
            if number % 10 == 5:
                with server.client() as client:
                    client.client_kill_filter(_type="pubsub")
            record = await apply(here, moved(record, number % 3 + 1))
        await follower.until_at(record)
        assert follower.entries == await history(here)

    async def test_is_left_by_what_nobody_foresaw(
        self, server: RedisServer, connect: Open, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A fault of our own while listening costs one connection, and nobody a transition."""
        here, there = await connect(server), await connect(server)
        record = await apply(here, created())
        follower = await Follower.of(there)
        has_failed = asyncio.Event()

        def fail(*_: object) -> None:
            monkeypatch.undo()
            has_failed.set()
            raise ZeroDivisionError

        monkeypatch.setattr(there._listener, "_on_message", fail)  # noqa: SLF001 - nothing that is published does it
        changes = [moved(record, 1), moved(after(moved(record, 1)), 2)]
        await here.commit(changes[0])
        async with asyncio.timeout(DEADLINE_S):
            await has_failed.wait()
        await here.commit(changes[1])
        await follower.until_at(after(changes[1]))
        assert follower.entries == await history(here)

    async def test_shows_what_became_of_a_session(self, server: RedisServer, connect: Open) -> None:
        """Removed, or replaced; from its beginning, as far as that is kept."""
        here, there = await connect(server), await connect(server)
        followers = {session_id: await Follower.of(there, session_id) for session_id in ("gone", "new")}
        for session_id in followers:
            await here.commit(created(session_id))
        for follower in followers.values():
            await follower.until(lambda follower=follower: follower.record is not None)  # type: ignore[misc]  # bound
        with server.client() as client:
            client.client_kill_filter(_type="pubsub")
        await here.commit(removed(after(created("gone"))))
        fresh = created("new", epoch="second", expected=Position("first", 0))
        change = moved(after(fresh), 1)._replace(expected=Position("first", 0), is_fresh=True)
        await here.commit(change)
        await followers["gone"].until_at(None)
        await followers["new"].until_at(change.record)
        assert followers["new"].notifications[-1] == Notification(
            "new", change.record, is_fresh=True, entries=change.entries
        )


class TestServerThatForgets:
    """A server that comes back with less than it had."""

    async def test_gives_the_session_a_new_epoch(self, run_redis: RunRedis, connect: Open) -> None:
        """From an old dump: nobody is given transitions of a history that he knows otherwise."""
        server = run_redis("rdb")
        backend = await connect(server)
        follower = await Follower.of(backend)
        saved = await apply(backend, created(), moved(after(created()), 1, keys=[key("k")]))
        with server.client() as client:
            client.save()
        lost = await apply(backend, moved(saved, 2))
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        await follower.until(lambda: follower.record not in (lost, saved))
        record = await backend.load("s")
        assert record is not None
        assert follower.notifications[-1] == Notification("s", record)
        assert (record.session, record.position.offset) == (saved.session, 1)
        assert record.position.epoch not in ("first", "")
        assert await history(backend) is None
        assert await history(backend, record.position.epoch) is None
        assert await backend.find_idempotency_key("s", "k") == key("k")
        change = moved(record, 3)
        await backend.commit(change)
        assert await backend.replay("s", record.position) == list(change.entries)
        assert follower.entries[-1:] == list(change.entries)

    async def test_refuses_what_follows_on_the_lost_history(self, run_redis: RunRedis, connect: Open) -> None:
        """Even where the numbers would fit."""
        server = run_redis("rdb")
        backend = await connect(server)
        saved = await apply(backend, created(), moved(after(created()), 1))
        with server.client() as client:
            client.save()
        server.kill()
        server.start()
        with pytest.raises(ConflictError):
            await backend.commit(moved(saved, 2))

    async def test_may_be_full_when_it_comes_back(self, run_redis: RunRedis, connect: Open) -> None:
        """A session is read all the same, and gets its new epoch."""
        server = run_redis("always")
        backend = await connect(server)
        record = await apply(backend, created(), moved(after(created()), 1))
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        with server.client() as client:
            client.config_set("maxmemory", 1)
            found = await backend.load("s")
            assert found is not None
            assert (found.session, found.position.offset) == (record.session, 1)
            assert found.position.epoch != record.position.epoch
            with pytest.raises(StoreFullError):
                await backend.commit(moved(found, 1))
            client.config_set("maxmemory", 0)
        await apply(backend, moved(found, 1))

    async def test_may_have_forgotten_everything(self, run_redis: RunRedis, connect: Open) -> None:
        """Then the session does not exist, and can be made anew."""
        server = run_redis()
        backend = await connect(server)
        follower = await Follower.of(backend)
        await apply(backend, created(), moved(after(created()), 1))
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        await follower.until_at(None)
        assert await backend.load("s") is None
        await apply(backend, created(epoch="second"))
        assert follower.record == after(created(epoch="second"))

    async def test_may_have_forgotten_everything_in_silence(
        self, server: RedisServer, connect: Open, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without a lost connection or a word to anybody, all who follow it learn of that, whoever is looked at."""
        monkeypatch.setattr(redis_following, "ROUND_INTERVAL_S", 0.2)
        monkeypatch.setattr(redis_following, "LOOKED_AT_AT_ONCE", 1)
        backend = await connect(server)
        names = [f"s{number}" for number in range(20)]
        for name in names:
            await apply(backend, created(name))
        followers = [await Follower.of(backend, name) for name in names]
        keys = [key for name in names for key in backend._keyspace.of(name)[:-1]]  # noqa: SLF001 - as FLUSHALL would
        with server.client() as client:
            client.delete(*keys)
        began = time.monotonic()
        for follower in followers:
            await follower.until_at(None)
        assert time.monotonic() - began < 0.2 * len(names) / 2, "each was only found in its turn"

    async def test_is_found_out_by_whoever_reads_first(
        self, server: RedisServer, connect: Open, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What a poll shows to be gone, those who follow are told to be gone."""
        monkeypatch.setattr(redis_following, "ROUND_INTERVAL_S", 3600)
        backend = await connect(server)
        await apply(backend, created())
        follower = await Follower.of(backend)
        with server.client() as client:
            client.delete(backend._keyspace.of("s").state)  # noqa: SLF001 - as eviction does
        assert await backend.load("s") is None
        await follower.until_at(None)

    async def test_may_have_forgotten_a_single_session(
        self, server: RedisServer, connect: Open, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Sooner or later each is looked at."""
        monkeypatch.setattr(redis_following, "ROUND_INTERVAL_S", 0.01)
        monkeypatch.setattr(redis_following, "LOOKED_AT_AT_ONCE", 1)
        backend = await connect(server)
        for name in ("s0", "s1", "s2"):
            await apply(backend, created(name))
        followers = [await Follower.of(backend, name) for name in ("s0", "s1", "s2")]
        with server.client() as client:
            client.delete(backend._keyspace.of("s2").state)  # noqa: SLF001 - as eviction does
        await followers[2].until_at(None)
        assert [follower.record for follower in followers[:2]] == [after(created("s0")), after(created("s1"))]


class TestServerThatIsPutBack:
    """Its memory goes back to an earlier time while it runs: a virtual machine is rolled back, or keys are restored."""

    @pytest.fixture
    async def here(self, server: RedisServer, connect: Open) -> RedisBackend:
        """A process that knows what is lost."""
        return await connect(server)

    @pytest.fixture
    async def there(self, server: RedisServer, connect: Open) -> RedisBackend:
        """A process that knows nothing."""
        return await connect(server)

    @pytest.fixture
    def remember(self, server: RedisServer, tmp_path: Path) -> Iterator[Callable[[], Moment]]:
        """Take down what the server has."""
        with server.client() as client:
            yield lambda: Moment(client, str(tmp_path))

    async def test_is_found_out_by_a_report(self, here: RedisBackend, remember: Callable[[], Moment]) -> None:
        """Its readers are shown what there is, under a new epoch, and go on from there."""
        record = await apply(here, created(), moved(after(created()), 1))
        follower, moment = await Follower.of(here), remember()
        lost = await apply(here, moved(record, 2))
        moment.put_back()
        with pytest.raises(ConflictError):
            await here.commit(moved(lost, 3))
        await follower.until(lambda: follower.record not in (record, lost))
        found = await here.load("s")
        assert found is not None
        assert follower.notifications[-1] == Notification("s", found)
        assert (found.session, found.position.offset) == (record.session, 1)
        assert found.position.epoch != "first"
        assert [await history(here, epoch) for epoch in ("first", found.position.epoch)] == [None, None]
        change = moved(found, 3)
        await here.commit(change)
        assert follower.notifications[-1] == Notification("s", change.record, entries=change.entries)

    @pytest.mark.parametrize("count", [0, 1, 2, 3])
    @pytest.mark.parametrize("is_followed", [False, True])
    async def test_is_found_out_after_others_have_moved_on(
        self, here: RedisBackend, there: RedisBackend, remember: Callable[[], Moment], count: int, is_followed: bool
    ) -> None:
        """Behind what was lost, as far as it, and past it: the two histories never become one."""
        record = await apply(here, created(), moved(after(created()), 1))
        follower, moment = await Follower.of(here) if is_followed else None, remember()
        lost = await apply(here, moved(record, 2, message="lost"), moved(after(moved(record, 2, message="lost")), 3))
        moment.put_back()
        steps = [number % 3 + 1 for number in range(count)]
        # One by one, a process that follows would find it out in between.
        for commit in [steps] if is_followed and steps else [[step] for step in steps]:
            record = await apply(there, moved(record, *commit, message="second"))
        with pytest.raises(ConflictError):
            await here.commit(moved(lost, 1))
        found = await here.load("s")
        assert found is not None
        assert (found.session, found.position.offset) == (record.session, record.position.offset)
        assert found.position.epoch != "first"
        for backend in (here, there):
            assert await backend.replay("s", lost.position) is None
            assert await backend.load("s") == found
        if follower is not None:
            await follower.until_at(found)
            assert [entry.offset for entry in follower.entries] == [2, 3]
            assert b"second" not in b"".join(entry.data for entry in follower.entries)

    async def test_is_found_out_by_its_messages(
        self, here: RedisBackend, there: RedisBackend, remember: Callable[[], Moment]
    ) -> None:
        """Another process's report is enough; a number that fits is not taken for a transition that does."""
        record = await apply(here, created(), moved(after(created()), 1))
        follower, moment = await Follower.of(here), remember()
        await apply(here, moved(record, 2))
        moment.put_back()
        batch = moved(record, 1, 2, message="second")
        await there.commit(batch)
        await follower.until(lambda: follower.record is not None and follower.record.session == after(batch).session)
        assert follower.record is not None
        assert follower.record.position.epoch != "first"
        assert [entry.offset for entry in follower.entries] == [2]

    @pytest.mark.parametrize("is_read_first", [True, False])
    async def test_is_found_out_by_the_log_of_a_session(
        self, server: RedisServer, here: RedisBackend, there: RedisBackend, is_read_first: bool
    ) -> None:
        """Where the state alone goes back, no process needs to know what was lost; and the session goes on."""
        record = await apply(here, created(), moved(after(created()), 1))
        state = here._keyspace.of("s").state  # noqa: SLF001 - as an operator's slip does
        with server.client() as client:
            kept = client.dump(state)
            await apply(here, moved(record, 2), moved(after(moved(record, 2)), 3))
            assert isinstance(kept, bytes)
            client.restore(state, 0, kept, replace=True)
        if is_read_first:
            assert await there.replay("s", Position("first", 0)) is None
        else:
            with pytest.raises(ConflictError):
                await there.commit(moved(record, 2, message="second"))
        found = await there.load("s")
        assert found is not None
        assert (found.session, found.position.offset) == (record.session, 1)
        assert found.position.epoch != "first"
        change = moved(found, 2, message="second")
        await there.commit(change)
        assert await there.replay("s", found.position) == list(change.entries)

    @pytest.mark.parametrize("ending", ["removed", "replaced"])
    async def test_may_bring_back_what_was_over(
        self, here: RedisBackend, there: RedisBackend, remember: Callable[[], Moment], ending: str
    ) -> None:
        """An epoch that was seen to end does not go on, though another process moves it on at once."""
        record = await apply(here, created(), moved(after(created()), 1))
        follower, moment = await Follower.of(here), remember()
        last = created(epoch="second", expected=record.position) if ending == "replaced" else removed(record)
        await here.commit(last)
        moment.put_back()
        record = await apply(there, moved(record, 2))
        assert await here.load("s") != record
        await follower.until(lambda: follower.record is not None and follower.record.session == record.session)
        found = follower.record
        assert found is not None
        assert found.position.epoch not in ("first", "second")
        change = moved(found, 3)
        await there.load("s")
        await there.commit(change)
        await follower.until_at(change.record)
        assert follower.notifications[-1].entries == change.entries

    async def test_may_bring_back_what_was_replaced_while_it_had_no_readers(
        self, here: RedisBackend, remember: Callable[[], Moment]
    ) -> None:
        """A process that knows a later epoch does not go on with an earlier one."""
        record, moment = await apply(here, created(), moved(after(created()), 1)), remember()
        await here.commit(created(epoch="second", expected=record.position))
        moment.put_back()
        found = await here.load("s")
        assert found is not None
        assert found.session == record.session
        assert found.position.epoch not in ("first", "second")

    async def test_is_found_out_in_silence(
        self, here: RedisBackend, remember: Callable[[], Moment], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without a report or a poll, those that follow are told all the same."""
        monkeypatch.setattr(redis_following, "ROUND_INTERVAL_S", 0.2)
        monkeypatch.setattr(redis_following, "LOOKED_AT_AT_ONCE", 1)
        await here.aclose()
        await here.open()
        names = [f"s{number}" for number in range(20)]
        records = {name: await apply(here, created(name)) for name in names}
        followers = {name: await Follower.of(here, name) for name in names}
        moment = remember()
        for name in names:
            await here.commit(moved(records[name], 1))
        moment.put_back()
        for name, follower in followers.items():
            is_told = lambda name=name, follower=follower: follower.record.session == records[name].session  # noqa: E731
            await follower.until(is_told)
            assert follower.record is not None
            assert follower.record.position.epoch != "first"

    async def test_costs_nothing_where_nothing_was_lost(
        self, here: RedisBackend, there: RedisBackend, remember: Callable[[], Moment]
    ) -> None:
        """What is there goes on from what every process knows."""
        record = await apply(here, created(), moved(after(created()), 1))
        followers = [await Follower.of(here), await Follower.of(there)]
        remember().put_back()
        for backend in (here, there):
            record = await apply(backend, moved(record, 2))
        for follower in followers:
            await follower.until_at(record)
            assert follower.entries == (await history(here) or [])[1:]


class TestServerThatIsAway:
    """No server, or one that says nothing."""

    @slow
    async def test_fails_each_call_in_time_and_heals(self, run_redis: RunRedis, connect: Open) -> None:
        """Nothing was changed, and that is what is said."""
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
            backend.list_summaries(None, 1, None),
            backend.listen("s", print),
            backend.ping(),
        ]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {StoreUnavailableError}
        assert time.monotonic() - started < 6
        server.start()
        found = await backend.load("s")
        assert found is not None
        assert found.session == record.session
        await backend.commit(moved(found, 1))

    async def test_does_not_outlast_what_nobody_foresaw(
        self, server: RedisServer, connect: Open, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A fault of our own costs the calls that met it, and no others."""
        backend = await connect(server)
        with monkeypatch.context() as patch:
            patch.setattr(RedisLink, "execute", lambda *_: 1 / 0)
            with pytest.raises(StoreUnavailableError):
                await backend.load("s")
        await apply(backend, created())

    async def test_does_not_apply_what_it_has_refused(
        self, server: RedisServer, connect: Open, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What is given up while a connection is being made is not sent over it after all."""
        backend = await connect(server)
        record = await apply(backend, created())
        may_connect, connect_link = asyncio.Event(), RedisLink.connect

        async def connect_late(link: RedisLink) -> None:
            await may_connect.wait()
            await connect_link(link)

        with monkeypatch.context() as patch:
            patch.setattr(RedisLink, "connect", connect_late)
            patch.setattr(redis_calls, "WRITE_TIMEOUT_S", 0.1)
            with pytest.raises(StoreUnavailableError):
                await backend.commit(moved(record, 1))
        may_connect.set()
        assert await backend.load("s") == record

    @slow
    async def test_may_be_so_from_the_beginning(self, kind: Kind, tmp_path: Path, connect: Open) -> None:
        """A backend opens without it, and works once it is there."""
        server = RedisServer(kind, tmp_path / "server")
        backend = await connect(server)
        with pytest.raises(StoreUnavailableError):
            await backend.ping()
        with server:
            await apply(backend, created())

    @slow
    async def test_leaves_commits_in_doubt_when_it_freezes(self, run_redis: RunRedis, connect: Open) -> None:
        """What was on its way is applied once or not at all, and whoever sent it is told that nobody knows."""
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


async def test_a_listener_that_is_just_connecting_can_be_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where redis-py gives a refusal back in place of the cancellation."""
    is_connecting = asyncio.Event()

    async def refuse(_: Connection) -> None:
        is_connecting.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise AuthenticationError from None

    monkeypatch.setattr(Connection, "connect", refuse)
    listener = RedisListener(connection_pool("redis://"), print, print)
    listener.open()
    async with asyncio.timeout(DEADLINE_S):
        await is_connecting.wait()
        await listener.aclose()


class TestServerThatRefuses:
    """Errors that the server answers with are translated, and none of them leaves half a change behind."""

    async def test_for_want_of_memory(self, run_redis: RunRedis, connect: Open) -> None:
        """Nothing more is taken; what is there can be read and removed."""
        server = run_redis()
        backend = await connect(server)
        record = await apply(backend, created())
        with server.client() as client:
            client.config_set("maxmemory", 1)
            for change in (moved(record, 1), created("other"), moved(record, keys=[key("k")])):
                with pytest.raises(StoreFullError):
                    await backend.commit(change)
            assert await backend.load("s") == record
            assert await history(backend) == []
            assert await backend.load("other") is None
            with pytest.raises(StoreFullError):
                await backend.ping()
            assert await (await connect(server)).load("s") == record  # Who comes now is let in.
            await backend.commit(removed(record))
            client.config_set("maxmemory", 0)
        await apply(backend, created())

    async def test_for_one_session_keeps_no_other_from_being_listed_or_removed(
        self, server: RedisServer, connect: Open
    ) -> None:
        """Somebody else's value at the key of one."""
        backend = await connect(server)
        for name in ("state", "log", "other"):
            await apply(backend, created(name))
        keyspace = backend._keyspace  # noqa: SLF001 - as an operator's slip does
        with server.client() as client:
            for key, foreign in ((keyspace.of("state").state, "list"), (keyspace.of("log").log, "text")):
                client.delete(key)
                client.rpush(key, foreign)
            client.zadd(keyspace.index, {b"\xff": 0})
        assert {head.session_id for head in await backend.list_summaries(None, 10, None)} == {"log", "other"}
        assert await backend.expire("9999", lambda _: True) == 1
        assert await backend.load("other") is None

    @pytest.mark.parametrize("part", ["state", "log", "used", "ranks"])
    async def test_for_a_foreign_value_at_our_key(self, server: RedisServer, connect: Open, part: str) -> None:
        """It is no error of the worker's, and nothing is half done."""
        backend = await connect(server)
        record = await apply(backend, created(), moved(after(created()), 1, keys=[key("k")]))
        name = getattr(backend._keyspace.of("s"), part)  # noqa: SLF001 - as a vandal would
        with server.client() as client:
            kept = client.dump(name)
            client.set(name, "foreign")
            with pytest.raises(StoreUnavailableError):
                await backend.commit(moved(record, 2, keys=[key("l")]))
            assert isinstance(kept, bytes)
            client.restore(name, 0, kept, replace=True)
        assert await backend.load("s") == record
        assert len(await history(backend) or []) == 1
        assert await backend.find_idempotency_key("s", "l") is None

    async def test_because_it_is_a_replica(self, run_redis: RunRedis, connect: Open) -> None:
        """Until it is one no more."""
        server, primary = run_redis(), run_redis()
        backend = await connect(server)
        record = await apply(backend, created())
        with server.client() as client:
            before = {each["id"] for each in client.client_list()}
            client.replicaof("127.0.0.1", str(primary.port))
            with pytest.raises(StoreUnavailableError):
                await backend.commit(moved(record, 1))
            # Another server may be the right one by now, so it goes and looks.
            await eventually(lambda: len(before - {each["id"] for each in client.client_list()}) == 1, DEADLINE_S)
            with pytest.raises(StoreUnavailableError):
                await backend.load("s")
            with pytest.raises(StoreUnavailableError):
                await backend.ping()
            client.replicaof("NO", "ONE")
        await apply(backend, created("other"))

    async def test_for_a_script_that_it_forgot(self, server: RedisServer, connect: Open) -> None:
        """It is given it again."""
        backend = await connect(server)
        record = await apply(backend, created())
        with server.client() as client:
            client.script_flush()
        record = await apply(backend, moved(record, 1))
        assert await backend.load("s") == record

    async def test_for_evicted_keys(self, server: RedisServer, connect: Open) -> None:
        """A log that is gone gives a snapshot; a session that is gone is not found, and starts from nothing."""
        backend = await connect(server)
        record = await apply(backend, created(), moved(after(created()), 1, keys=[key("k")]))
        keys = backend._keyspace.of("s")  # noqa: SLF001 - as the server would
        with server.client() as client:
            client.delete(keys.log)
            assert await history(backend) is None
            record = await apply(backend, moved(record, 2))
            assert await backend.replay("s", Position("first", 1)) is not None
            client.delete(keys.state)
            assert await backend.load("s") is None
            await apply(backend, created(epoch="second"))
            assert await history(backend, "second") == []
            assert await backend.find_idempotency_key("s", "k") == key("k")
        with pytest.raises(ConflictError):
            await backend.commit(moved(record, 1))


async def test_what_lies_there_for_a_moment_is_taken_once(server: RedisServer, connect: Open) -> None:
    """By whichever process comes first, and it goes by itself if nobody does."""
    backends = [await connect(server) for _ in range(3)]
    await backends[0].put("name", b"value", 30)
    with server.client() as client:
        [key] = [key for key in client.keys("*") if key.endswith(b":slip:name")]
        assert 25 < client.ttl(key) <= 30
    taken = await asyncio.gather(*(backend.take("name") for backend in backends * 5))
    assert sorted(taken, key=str) == [None] * 14 + [b"value"]
    assert await backends[0].take("nothing") is None


WITHOUT_DATA: Final = {"eval", "evalsha", "select", "client|setinfo", "ping", "subscribe", "unsubscribe"}
"""Commands that a connection needs; they are met as soon as there is one."""


def data_rights(rights: Sequence[str]) -> list[str]:
    """The commands by which sessions are read and written: all before those for rates and for clusters."""
    commands = [right.removeprefix("+") for right in rights[: rights.index("+script|load")] if right[0] == "+"]
    return [command for command in commands if command not in WITHOUT_DATA]


class TestUser:
    """What the user must be allowed by whom we connect."""

    @pytest.fixture
    def rights(self, tmp_path: Path) -> list[str]:
        """The command of the documentation that allows it, for this test's prefix."""
        page = Path(__file__).parents[3] / "docs" / "scale.md"
        command = page.read_text(encoding="utf-8").partition("ACL SETUSER progress ")[2].partition("```")[0]
        return command.replace("progress_sse:", f"{tmp_path}:").split()

    async def test_is_what_the_documentation_says(
        self, run_redis: RunRedis, connect: Open, rights: list[str], tmp_path: Path
    ) -> None:
        """Every command and every channel; another store's keys are out of reach, and nothing is missed."""
        server = run_redis("always", maxmemory_policy="noeviction")
        with server.client() as client:
            client.execute_command("ACL", "SETUSER", "u", *rights)
            backend = await connect(server, user="u:PASSWORD", database=1, history=1, orphaned_keys=1)
            other = await connect(server, user="u:PASSWORD", database=1, history=1)
            follower = await Follower.of(other)
            await backend.ping()
            record = await apply(backend, created(keys=[key("k")]))
            for change in (moved(record, 1, keys=[key("l")]), moved(after(moved(record, 1)), 2, 3, keys=[key("m")])):
                record = await apply(backend, change)
                await follower.until_at(record)
            assert await backend.find_idempotency_key("s", "k") is None
            assert await backend.find_idempotency_key("s", "m") == key("m")
            assert await backend.replay("s", Position("first", 2)) is not None
            assert len(await backend.list_summaries(None, 9, None)) == 1
            assert await backend.expire("3", lambda _head: True) == 1
            assert await backend.find_idempotency_key("s", "m") == key("m")
            await apply(backend, created("t", keys=[key("k")]))
            assert await backend.expire("3", lambda _head: True) == 1
            assert await backend.find_idempotency_key("s", "m") is None
            await backend.put("slip", b"1", 30)
            assert await backend.take("slip") == b"1"
            await follower.until_at(None)
            other.unlisten("s", follower.hear)
            await eventually(lambda: client.pubsub_channels() == [], DEADLINE_S)
            await count_until_windows_turn(rates_at(server, tmp_path, "u:PASSWORD@"), client)
            denied = [entry[b"object"] for entry in cast(Any, client.execute_command("ACL", "LOG"))]
        assert denied == []

    async def test_who_may_not_count_is_told_so(
        self, run_redis: RunRedis, rights: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Callers are held to their rate by each server alone; that it is not theirs together is told once."""
        server = run_redis()
        with server.client() as client:
            client.execute_command("ACL", "SETUSER", "u", *rights, "-incrby")
        rates = rates_at(server, tmp_path, "u:PASSWORD@")
        for _ in range(3):  # Redis counts the first, for which it need not add.
            await rates.count("read", "caller")
        with pytest.raises(RateExceededError):
            await rates.count("read", "caller")
        await rates.aclose()
        assert [record.getMessage().partition(":")[0] for record in caplog.records] == ["Counting what callers ask for"]

    async def test_who_may_not_publish_is_seen_at_once(
        self, server: RedisServer, connect: Open, rights: list[str]
    ) -> None:
        """And is not told that nothing was done: a change is published after it was applied."""
        with server.client() as client:
            client.execute_command("ACL", "SETUSER", "mute", *rights, "resetchannels")
            backend = await connect(server, user="mute:PASSWORD")
            with pytest.raises(StoreUnavailableError):
                await backend.ping()
            with pytest.raises(OutcomeUnknownError):
                await backend.commit(created())
            assert await backend.load("s") == after(created())
            client.execute_command("ACL", "SETUSER", "mute", "-evalsha")
            with pytest.raises(StoreUnavailableError) as refusal:
                await backend.commit(moved(after(created()), 1))
            assert not isinstance(refusal.value, OutcomeUnknownError)
            client.execute_command("ACL", "DELUSER", "mute")

    async def test_a_right_that_is_missing_is_seen_before_it_is_needed(
        self, server: RedisServer, connect: Open, rights: list[str], tmp_path: Path
    ) -> None:
        """Whatever a session or a ticket may need later."""
        unnoticed = []
        with server.client() as client:
            client.execute_command("ACL", "SETUSER", "part", *rights)
            backend = await connect(server, user="part:PASSWORD")
            for right in data_rights(rights):
                client.execute_command("ACL", "SETUSER", "part", f"-{right}")
                try:
                    await backend.ping()
                    unnoticed.append(right)
                except StoreUnavailableError:
                    pass
                client.execute_command("ACL", "SETUSER", "part", f"+{right}")
                await backend.ping()
            client.execute_command("ACL", "DELUSER", "part")
            assert unnoticed == []
            assert client.keys(f"{tmp_path}:*") == []  # What was tried leaves nothing.

    @pytest.mark.parametrize("kind_of_change", ["report", "replacement", "removal"])
    async def test_a_right_that_is_missing_for_a_while_leaves_no_half_of_a_change(
        self, server: RedisServer, connect: Open, rights: list[str], kind_of_change: str
    ) -> None:
        """A key is remembered of what was applied alone; and the session goes on once the right is there again."""
        with server.client() as client:
            for right in data_rights(rights):
                client.execute_command("ACL", "SETUSER", "part", *rights)
                backend = await connect(server, user="part:PASSWORD", history=2)
                stranger = await connect(server, history=2)
                before = await apply(backend, created(right, keys=[key("a")]))
                for number, used in enumerate(("b", "c"), 1):
                    before = await apply(backend, moved(before, number, keys=[key(used)]))
                change = {
                    "report": moved(before, 3, message="lost", keys=[key("d")]),
                    "replacement": created(right, "second", expected=before.position, keys=[key("d")]),
                    "removal": removed(before)._replace(keys=(key("d"),)),
                }[kind_of_change]
                client.execute_command("ACL", "SETUSER", "part", f"-{right}")
                with contextlib.suppress(OutcomeUnknownError, StoreUnavailableError):
                    await backend.commit(change)
                client.execute_command("ACL", "SETUSER", "part", f"+{right}")
                found = await stranger.load(right)
                where = f"{right} is missing"
                outcomes = [each and each.session for each in (change.record, before)]
                assert (found and found.session) in outcomes, where
                if await stranger.find_idempotency_key(right, "d") is not None:
                    assert (found and found.session) == outcomes[0], where
                if found is None:
                    found = await apply(stranger, created(right, "third"))
                follower = await Follower.of(stranger, right)
                await follower.until_at(await apply(backend, moved(found, 1, message="found")))
                assert await stranger.replay(right, found.position) == [follower.entries[-1]], where
            client.execute_command("ACL", "DELUSER", "part")

    @slow
    async def test_who_may_not_listen_does_not_connect_without_end(
        self, run_redis: RunRedis, connect: Open, rights: list[str]
    ) -> None:
        """A connection that is made and then refused is one that failed."""
        server = run_redis()
        with server.client() as client:
            client.execute_command("ACL", "SETUSER", "deaf", *rights, "resetchannels")
            backend = await connect(server, user="deaf:PASSWORD")
            before = client.info("stats")["total_connections_received"]
            with pytest.raises(StoreUnavailableError):
                await backend.listen("s", print)
            assert client.info("stats")["total_connections_received"] - before < 12


class TestCost:
    """What the server has to bear."""

    async def test_who_counts_for_rates_leaves_no_connection_behind(self, run_redis: RunRedis, tmp_path: Path) -> None:
        """What is closed with an application may be opened again by it."""
        server = run_redis()
        rates = rates_at(server, tmp_path)

        async def count_once() -> None:
            await asyncio.gather(*(rates.count("read", f"caller {number}") for number in range(2 * COUNTS_AT_ONCE)))
            assert len(client.client_list()) > 1
            await rates.aclose()

        with server.client() as client:
            await count_once()
            await eventually(lambda: len(client.client_list()) == 1, DEADLINE_S)
            await asyncio.to_thread(asyncio.run, count_once())
            with pytest.raises(RateExceededError):
                await rates.count("read", "caller 0")
            await rates.aclose()
            await eventually(lambda: len(client.client_list()) == 1, DEADLINE_S)

    async def test_an_update_with_a_key_is_one_call(
        self, server: RedisServer, connect: Open, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As one without, where the session is known here; only one that is sent again, or refused, needs more."""
        backend = await connect(server)
        store, calls = ProgressStore(backend), list[Call]()
        await store.start_step("s", 1)
        send = backend._calls.send  # noqa: SLF001 - there is nothing to see from outside

        def count(call: Call) -> asyncio.Future[Answer]:
            calls.append(call)
            return send(call)

        monkeypatch.setattr(backend._calls, "send", count)  # noqa: SLF001 - as above
        for number in range(10):
            await store.apply("s", Advance(1, number), IdempotencyKey(f"k{number}", "digest"))
        assert len(calls) == 10
        await store.apply("s", Advance(1, 3), IdempotencyKey("k3", "digest"))
        assert len(calls) == 13
        await store.apply("new", store.start_command(1, None), IdempotencyKey("k", "digest"))
        assert len(calls) == 16

    async def test_a_process_has_two_connections(self, run_redis: RunRedis, connect: Open) -> None:
        """However many sessions and readers; and it lets go of what nobody follows."""
        server = run_redis()
        backend = await connect(server)
        await asyncio.gather(*(backend.listen(f"s{number}", print) for number in range(1000)))
        await asyncio.gather(*(apply(backend, created(f"s{number}")) for number in range(100)))
        with server.client() as client:
            assert len(client.client_list()) == 2 + 1
            assert len(client.pubsub_channels()) == 1000
            for number in range(1000):
                backend.unlisten(f"s{number}", print)
            await eventually(lambda: client.pubsub_channels() == [], DEADLINE_S)
            await backend.aclose()
            await eventually(lambda: len(client.client_list()) == 1, DEADLINE_S)

    async def test_no_command_looks_at_all_keys(self, run_redis: RunRedis, connect: Open) -> None:
        """Listing and clean-up go by an index."""
        server = run_redis()
        backend = await connect(server)
        record = await apply(backend, created(), moved(after(created()), 1))
        await backend.list_summaries(None, 10, None)
        await backend.commit(moved(record, 2))
        assert await backend.expire("3", lambda _head: True) == 1
        with server.client() as client:
            used = {name.removeprefix("cmdstat_") for name in client.info("commandstats")}
        assert {"evalsha", "zrange"} <= used
        assert not {"keys", "scan"} & used

    async def test_a_session_lies_in_one_slot(self, server: RedisServer) -> None:
        """Whatever its id, and its prefix has no say in it."""
        backend = RedisBackend(server.url, StorageLimits(), prefix="p", lifetime_s=1)
        for session_id in ("s", "{a}b", "}{", "{}", "日本語"):
            names = backend._keyspace.of(session_id)  # noqa: SLF001 - there is nothing to see from outside
            tags = {name.partition("{")[2].partition("}")[0] for name in names}
            assert len(tags) == 1
            assert len(tags.pop()) == 32

    async def test_a_forgotten_session_goes_by_itself(self, server: RedisServer, connect: Open, tmp_path: Path) -> None:
        """A lifetime after its last change, its keys a day after their use; its entry in the index a clean-up later."""
        backend = await connect(server, lifetime_s=1000)
        record = await apply(backend, created(keys=[key("k")]), moved(after(created()), 1))
        keys = backend._keyspace.of("s")  # noqa: SLF001 - only the server knows when they go
        with server.client() as client:
            lifetimes_ms = dict.fromkeys((keys.state, keys.log), 10**6) | dict.fromkeys((keys.used, keys.ranks), DAY_MS)
            for name, lifetime_ms in lifetimes_ms.items():
                assert lifetime_ms - 10_000 < client.pttl(name) <= lifetime_ms
                client.pexpire(name, 1)
            await eventually(lambda: client.exists(keys.state) == 0, DEADLINE_S)
            assert await backend.load("s") is None
            assert await backend.list_summaries(None, 10, None) == []
            assert client.zcard(f"{tmp_path}:sessions") == 1
            assert await backend.expire("3", lambda _head: True) == 0
            assert client.zcard(f"{tmp_path}:sessions") == 0
        assert record.position.offset == 1

    async def test_a_stray_entry_of_the_index_shows_nothing(
        self, server: RedisServer, connect: Open, tmp_path: Path
    ) -> None:
        """A session is listed once, however often a process died between creating it and what comes before or after."""
        backend = await connect(server)
        await apply(backend, created())
        with server.client() as client:
            client.zadd(f"{tmp_path}:sessions", {f"{T0.replace('2026', '2025')} s": 0, f"{T0} other": 0})
        assert [head.session_id for head in await backend.list_summaries(None, 10, None)] == ["s"]

    async def test_the_index_has_one_entry_per_session(
        self, server: RedisServer, connect: Open, tmp_path: Path
    ) -> None:
        """Whatever becomes of them: replaced, removed, contested."""
        backend = await connect(server)
        times = [T0.replace("2026", str(year)) for year in range(2026, 2030)]
        record = await apply(backend, created(created_at=times[0]))
        record = await apply(backend, created(epoch="second", created_at=times[1], expected=record.position))
        with pytest.raises(ConflictError):
            await backend.commit(created(epoch="third", created_at=times[2]))
        with server.client() as client:
            assert client.zrange(f"{tmp_path}:sessions", 0, -1) == [f"{times[1]} s".encode()]
            await backend.commit(removed(record))
            assert client.zcard(f"{tmp_path}:sessions") == 0


def test_the_scripts_are_known_by_the_digest_of_their_source(server: RedisServer) -> None:
    """As the server computes it."""
    with server.client() as client:
        for script in (value for value in vars(redis_scripts).values() if isinstance(value, redis_scripts.Script)):
            assert client.script_load(script.source) == script.sha
