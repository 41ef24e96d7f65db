"""Sentinel: a replica takes the place of a lost master."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import cast

import pytest

from progress_sse.core.model import Position
from progress_sse.store.listeners import changes_of
from progress_sse.store.redis.backend import RedisBackend
from progress_sse.store.types import Notification, StorageLimits
from tests.harness.redis import KINDS, Kind, RedisServer, SentinelServer
from tests.harness.serving import eventually
from tests.store.changes import after, apply, created, moved
from tests.store.contract.test_outbox import NOW, notice
from tests.store.redis.follower import load_when_back

FAILOVER_S = 60


class SentinelSetup:
    """A master, a replica of it, and a Sentinel that watches both."""

    def __init__(self, kind: Kind, folder: Path, stack: ExitStack) -> None:
        # Even a master that syncs every write can be replaced by a replica with less data.
        self.master = stack.enter_context(RedisServer(kind, folder / "master", "always"))
        self.replica = stack.enter_context(
            RedisServer(kind, folder / "replica", "always", replicaof=f"127.0.0.1 {self.master.port}")
        )
        self.sentinel = stack.enter_context(SentinelServer(kind, folder / "sentinel", self.master))


@pytest.fixture(params=KINDS)
def setup(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SentinelSetup]:
    """Running servers."""
    with ExitStack() as stack:
        yield SentinelSetup(cast(Kind, request.param), tmp_path, stack)


@pytest.mark.guarantee(33, 93)
@pytest.mark.protocol("P-10.4")
@pytest.mark.full
@pytest.mark.timeout(180)
async def test_a_failover_is_followed(setup: SentinelSetup) -> None:
    """The replica's data goes on under a new epoch, and listeners are notified, without a restart of the backend.

    A notice that waits goes on waiting.
    """
    with setup.sentinel.client() as client:
        await eventually(lambda: len(client.sentinel_slaves(SentinelServer.MASTER)) == 1, FAILOVER_S)
    backend = RedisBackend(setup.sentinel.url, StorageLimits(), prefix="p", lifetime_s=3600)
    await backend.open()
    notifications: list[Notification] = []
    record = await apply(backend, created()._replace(notices=(notice(1),)), moved(after(created()), 1))
    await backend.subscribe(changes_of("s"), notifications.append)
    await backend.load("s")
    with setup.replica.client() as client:
        await eventually(lambda: client.exists(backend._keyspace.of("s").log) == 1, FAILOVER_S)  # noqa: SLF001
        setup.master.kill()
        found = await load_when_back(backend, "s")
        await eventually(lambda: bool(notifications), FAILOVER_S)
        assert client.role()[0] == b"master"
    assert (found.session, found.position.offset) == (record.session, 1)
    assert found.position.epoch != record.position.epoch
    assert notifications[-1].record == found
    assert await backend.replay("s", Position("first", 0)) is None
    assert [taken.body for taken in await backend.outbox.take("q", NOW, 8)] == [notice(1).body]
    change = moved(found, 2)
    await backend.commit(change)
    assert notifications[-1] == Notification("s", change.record, entries=change.entries)
    await backend.aclose()
