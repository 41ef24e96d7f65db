"""The rights of the user by whom we connect."""

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, cast

import pytest

from progress_sse.core.errors import OutcomeUnknownError, StoreUnavailableError
from progress_sse.core.history import Cell
from progress_sse.core.model import Position
from progress_sse.store.backend import FullBackend
from progress_sse.store.listeners import ALL_CHANGES, changes_of, lines_of
from progress_sse.store.log_lines import StoredLines
from progress_sse.store.outbox import LIFETIME_MS, Later
from tests.conftest import RunRedis
from tests.harness.redis import RedisServer
from tests.harness.serving import eventually
from tests.store.changes import after, apply, created, key, moved, refuse, removed
from tests.store.contract.test_filtered_lists import labelled, wanted
from tests.store.contract.test_log_lines import append, line_key, texts
from tests.store.contract.test_outbox import NOW, Job, notice
from tests.store.learning import PROFILE, teach
from tests.store.observed import ids
from tests.store.redis.conftest import Open
from tests.store.redis.follower import Follower
from tests.store.redis.rates import count_until_windows_turn, rates_at

DEADLINE_S = 30


WITHOUT_DATA: Final = {"eval", "evalsha", "select", "client|setinfo", "ping", "subscribe", "unsubscribe"}
"""Commands that each connection needs; a missing right to one of them is noticed at once."""


def data_rights(rights: Sequence[str]) -> list[str]:
    """The commands that read and write sessions: all that precede those for rates and for clusters."""
    commands = [right.removeprefix("+") for right in rights[: rights.index("+script|load")] if right[0] == "+"]
    return [command for command in commands if command not in WITHOUT_DATA]


async def test_the_documented_rights_suffice(
    run_redis: RunRedis, connect: Open, rights: list[str], tmp_path: Path
) -> None:
    """For every command and every channel. The keys of another store are out of reach."""
    server = run_redis("always", maxmemory_policy="noeviction")
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", "u", *rights)
        backend = await connect(server, user="u:PASSWORD", database=1, history=2, orphaned_keys=1)
        other = await connect(server, user="u:PASSWORD", database=1, history=2)
        told: list[StoredLines | None] = []
        leave_lines = await other.subscribe(lines_of("s"), told.append)
        follower = await Follower.of(other)
        await backend.ping()
        record = await apply(backend, created(keys=[key("k")]))
        for change in (moved(record, 1, keys=[key("l")]), moved(after(moved(record, 1)), 2, 3, keys=[key("m")])):
            record = await apply(backend, change)
            await follower.until_at(record)
        for text in ("a", "b"):
            await append(backend, text, expected=record.position, key=line_key(text))
        assert list(await texts(backend)) == [1, 2]
        await teach(backend, "t", Cell(1, "Load", 2))
        await backend.histories.forget(PROFILE, [Cell(1, "Load", 2)])
        await backend.histories.forget(PROFILE)
        assert await backend.histories.load(PROFILE) == {}
        await backend.commit(removed(after(created("t"))))
        assert await backend.find_idempotency_key("s", "k") is None
        assert await backend.find_idempotency_key("s", "m") == key("m")
        assert await backend.replay("s", Position("first", 2)) is not None
        assert len(await ids(backend)) == 1
        for each in (wanted("s"), wanted("", "running"), wanted(a="1")):
            assert len(await backend.lists.list_summaries(each, 9, None)) == (0 if each.labels else 1)
        await backend.commit(labelled(moved(record, 1), {"a": "1"}))
        heard: list[object] = []
        leave_all = await other.subscribe(ALL_CHANGES, heard.append)
        record = await apply(backend, labelled(moved(after(labelled(moved(record, 1), {"a": "1"})), 1), {}))
        await eventually(lambda: bool(heard), DEADLINE_S)
        leave_all()
        assert await backend.expire("3", lambda _summary: True) == 1
        assert await backend.find_idempotency_key("s", "m") == key("m")
        await apply(backend, created("t", keys=[key("k")]))
        assert await backend.expire("3", lambda _summary: True) == 1
        assert await backend.find_idempotency_key("s", "m") is None
        await backend.put("ticket", b"1", 30)
        assert await backend.take("ticket") == b"1"
        await try_outbox(backend)
        await follower.until_at(None)
        assert len(told) == 2
        leave_lines()
        follower.leave()
        await eventually(lambda: client.pubsub_channels() == [], DEADLINE_S)
        await count_until_windows_turn(rates_at(server, tmp_path, "u:PASSWORD@"), client)
        denied = [entry[b"object"] for entry in cast(Any, client.execute_command("ACL", "LOG"))]
    assert denied == []


async def try_outbox(backend: FullBackend) -> None:
    """Let a notice wait, die, wait again and be delivered, and its session be removed; turn a queue off and on."""
    job = Job(backend, "notified")
    await job.commit(notice(1))
    assert await backend.outbox.wake_at_ms("q", NOW) <= NOW
    for result in (Later(0, 1, NOW), "dead"):
        [taken] = await job.take()
        assert await backend.outbox.settle(taken, result, NOW)
    assert await backend.outbox.counts("q") == (0, 1)
    assert await backend.outbox.revive("q", None, NOW) == 1
    assert job.record is not None
    await backend.commit(removed(job.record))
    assert await job.numbers() == [1]
    await backend.outbox.discard(["q"], NOW + 2 * LIFETIME_MS)
    for is_on in (False, True):
        await backend.outbox.turn("q", is_on=is_on)
        assert await backend.outbox.turned_off() == (frozenset() if is_on else {"q"})
    assert await backend.outbox.keep("name", b"value") == b"value"


async def test_a_missing_right_to_publish_is_noticed_at_once(
    server: RedisServer, connect: Open, rights: list[str]
) -> None:
    """A change is applied before it is published, so a commit without that right is in doubt."""
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", "mute", *rights, "resetchannels")
        backend = await connect(server, user="mute:PASSWORD")
        with pytest.raises(StoreUnavailableError):
            await backend.ping()
        await refuse(backend, created(), OutcomeUnknownError)
        assert await backend.load("s") == after(created())
        client.execute_command("ACL", "SETUSER", "mute", "-evalsha")
        with pytest.raises(StoreUnavailableError) as refusal:
            await backend.commit(moved(after(created()), 1))
        assert not isinstance(refusal.value, OutcomeUnknownError)
        client.execute_command("ACL", "DELUSER", "mute")


async def test_each_missing_right_is_noticed_before_it_is_needed(
    server: RedisServer, connect: Open, rights: list[str], tmp_path: Path
) -> None:
    """`ping` tries all commands that a session or a ticket may need later."""
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
        assert client.keys(f"{tmp_path}:*") == [f"{tmp_path}:format".encode()]  # The probe leaves no other key.


@pytest.mark.parametrize("kind_of_change", ["report", "replacement", "removal"])
@pytest.mark.full
async def test_a_right_missing_for_a_while_leaves_no_partial_change(
    server: RedisServer, connect: Open, rights: list[str], kind_of_change: str
) -> None:
    """A key is remembered of an applied change alone. The session goes on once the right is granted again."""
    with server.client() as client:
        for right in data_rights(rights):
            client.execute_command("ACL", "SETUSER", "part", *rights)
            backend = await connect(server, user="part:PASSWORD", history=2)
            other = await connect(server, history=2)
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
            found = await other.load(right)
            where = f"{right} is missing"
            outcomes = [each and each.session for each in (change.record, before)]
            assert (found and found.session) in outcomes, where
            if await other.find_idempotency_key(right, "d") is not None:
                assert (found and found.session) == outcomes[0], where
            if found is None:
                found = await apply(other, created(right, "third"))
            follower = await Follower.of(other, right)
            await follower.until_at(await apply(backend, moved(found, 1, message="found")))
            assert await other.replay(right, found.position) == [follower.entries[-1]], where
        client.execute_command("ACL", "DELUSER", "part")


async def test_a_missing_right_to_subscribe_does_not_flood_with_connections(
    run_redis: RunRedis, connect: Open, rights: list[str]
) -> None:
    """A connection whose subscriptions are refused counts as failed, so the pauses between attempts grow."""
    server = run_redis()
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", "deaf", *rights, "resetchannels")
        backend = await connect(server, user="deaf:PASSWORD")
        before = client.info("stats")["total_connections_received"]
        with pytest.raises(StoreUnavailableError):
            await backend.subscribe(changes_of("s"), print)
        assert client.info("stats")["total_connections_received"] - before < 12
