"""The outbox in Redis, where several servers take from it, and its index may be lost."""

import asyncio
from collections.abc import Sequence

import pytest

from progress_sse.store.outbox import CLAIM_MS, Later
from progress_sse.store.redis.backend import RedisBackend
from progress_sse.store.redis.scripts import TAKE_NOTICE
from tests.harness.redis import RedisServer
from tests.harness.serving import eventually
from tests.store.changes import after, created, moved, removed
from tests.store.contract.test_outbox import NOW, notice
from tests.store.redis.conftest import Open
from tests.store.redis.lost_replies import LostReplies


def keys_of(backend: RedisBackend) -> Sequence[str]:
    keys = backend._keyspace.of("s")  # noqa: SLF001 - another program changes them
    return keys.notices, keys.notice_bodies


async def commit_one(backend: RedisBackend, number: int = 1) -> None:
    await backend.commit(created()._replace(notices=(notice(number),)))


@pytest.mark.guarantee(87)
async def test_one_server_sends_a_notice(server: RedisServer, connect: Open) -> None:
    """However many look at once; after a minute another one may, and the result of the former does not count."""
    backends = [await connect(server) for _ in range(3)]
    await commit_one(backends[0])
    found = await asyncio.gather(*(each.outbox.take("q", NOW, 8) for each in backends * 3))
    (former,) = [taken for page in found for taken in page]
    assert await backends[1].outbox.take("q", NOW + CLAIM_MS - 1, 8) == []
    (taken,) = await backends[1].outbox.take("q", NOW + CLAIM_MS, 8)
    assert taken.notice_id == former.notice_id
    assert not await backends[0].outbox.settle(former, "dead", NOW + CLAIM_MS)
    assert await backends[1].outbox.settle(taken, "delivered", NOW + CLAIM_MS)
    assert await backends[2].outbox.counts("q") == (0, 0)


async def test_it_outlives_a_session_that_expires(server: RedisServer, connect: Open) -> None:
    backend = await connect(server, lifetime_s=0.2)
    await commit_one(backend)
    with server.client() as client:
        state = backend._keyspace.of("s").state  # noqa: SLF001 - likewise
        await eventually(lambda: not client.exists(state), 30)
        assert all(client.ttl(key) > 6 * 86_400 for key in keys_of(backend))
    (taken,) = await backend.outbox.take("q", NOW, 8)
    assert taken.body == notice(1).body


async def test_replies_that_are_lost(here: RedisBackend, there: RedisBackend, lost_replies: LostReplies) -> None:
    """A notice is made once, though its commit is sent again after it was delivered; a claim holds for who has it."""
    sent: list[str] = []

    async def send() -> None:
        (taken,) = await there.outbox.take("q", NOW, 8)
        sent.append(taken.notice_id)
        await there.outbox.settle(taken, "delivered", NOW)

    lost_replies.lose(2, meanwhile=send)
    await commit_one(here)
    assert (sent, await here.outbox.take("q", NOW, 8)) == ([notice(1).notice_id], [])
    await here.commit(moved(after(created()), 1)._replace(notices=(notice(2),)))
    lost_replies.lose(of=TAKE_NOTICE)
    (taken,) = await here.outbox.take("q", NOW, 8)
    assert await here.outbox.settle(taken, "delivered", NOW)


async def test_clocks_of_servers_differ(server: RedisServer, connect: Open) -> None:
    """Also of two processes, each of which looks up the time before it asks: a claim holds for one that is behind."""
    one, other = await connect(server), await connect(server)
    await commit_one(one)
    (taken,) = await one.outbox.take("q", NOW, 8)
    with server.client() as client:  # As if both had read the index before the claim.
        client.zadd(other._keyspace.waiting("q"), {taken.claim.rpartition("/")[0]: 0})  # noqa: SLF001 - likewise
    assert await other.outbox.take("q", NOW - 1, 8) == []
    assert await one.outbox.settle(taken, "delivered", NOW)


@pytest.mark.guarantee(88)
async def test_a_lost_index_is_written_again(server: RedisServer, connect: Open) -> None:
    """By the removal of its session; the notice is where it was."""
    backend = await connect(server)
    await commit_one(backend)
    (taken,) = await backend.outbox.take("q", NOW, 8)
    await backend.outbox.settle(taken, Later(5000, 1, NOW), NOW)
    with server.client() as client:
        client.delete(*client.keys("*{outbox}*"))
    assert await backend.outbox.take("q", NOW + 5000, 8) == []
    await backend.commit(removed(after(created())))
    assert await backend.outbox.take("q", NOW + 4999, 8) == []
    (again,) = await backend.outbox.take("q", NOW + 5000, 8)
    assert again[:5] == (taken.notice_id, "q", taken.body, 1, NOW)


@pytest.mark.guarantee(88)
async def test_an_entry_without_a_notice(server: RedisServer, connect: Open) -> None:
    """May be of a commit that is under way, for two minutes; then it goes. What another program wrote goes at once."""
    backend = await connect(server)
    await commit_one(backend)
    with server.client() as client:
        index = backend._keyspace.waiting("q")  # noqa: SLF001 - likewise
        client.delete(*keys_of(backend))
        client.zadd(index, {"nonsense": 0})
        assert await backend.outbox.take("q", NOW, 8) == []
        assert client.zcard(index) == 1
        assert await backend.outbox.take("q", NOW + 119_999, 8) == []
        assert client.zcard(index) == 1
        assert await backend.outbox.take("q", NOW + 126_000, 8) == []
        assert client.zcard(index) == 0


@pytest.mark.guarantee(88)
async def test_a_damaged_notice_is_dropped(
    server: RedisServer, connect: Open, caplog: pytest.LogCaptureFixture
) -> None:
    """The next one of its session follows."""
    backend = await connect(server)
    await commit_one(backend)
    await backend.commit(moved(after(created()), 1)._replace(notices=(notice(2),)))
    with server.client() as client:
        client.hset(keys_of(backend)[1], notice(1).notice_id, "nonsense")
    assert [taken.body for taken in await backend.outbox.take("q", NOW, 8)] == [notice(2).body]
    assert notice(1).notice_id in caplog.text
