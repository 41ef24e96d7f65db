"""A cluster: sessions on several nodes, slots that move between them, and a master that is replaced."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from progress_sse.core.errors import ConflictError, RateExceededError
from progress_sse.settings import load_settings
from progress_sse.store.listeners import changes_of
from progress_sse.store.redis.backend import RedisBackend
from progress_sse.store.redis.pubsub import ClusterPubSub
from progress_sse.store.redis.topology import Topology, slot_of
from progress_sse.store.redis.url import Address, ClusterSeeds
from progress_sse.store.types import Change, Notification, Record, StorageLimits
from progress_sse.wiring import make_rate_limiter
from tests.harness.http1 import HOST, free_port
from tests.harness.redis import Kind, RedisCluster
from tests.harness.serving import eventually
from tests.store.changes import after, apply, created, moved
from tests.store.contract.test_outbox import NOW, notice
from tests.store.observed import ids, notified, state
from tests.store.redis.follower import load_when_back

DEADLINE_S = 30
SESSIONS = [f"s{number}" for number in range(30)]


@pytest.fixture
def cluster(kind: Kind, redis_clusters: Callable[[Kind], RedisCluster]) -> RedisCluster:
    """Three masters that all tests share; tests may move slots, and change nothing else."""
    return redis_clusters(kind)


@pytest.fixture
def fragile(kind: Kind, tmp_path: Path) -> Iterator[RedisCluster]:
    """Three masters and a replica of the first, which a test may stop."""
    with RedisCluster(kind, tmp_path / "cluster", replicas=1) as cluster:
        yield cluster


def backend_at(cluster: RedisCluster, prefix: Path) -> RedisBackend:
    """A backend that is not open yet."""
    return RedisBackend(cluster.url, StorageLimits(), prefix=str(prefix), lifetime_s=3600)


def slot(backend: RedisBackend, session_id: str) -> int:
    """The slot of a session."""
    return slot_of(backend._keyspace.of(session_id).channel)  # noqa: SLF001 - as the cluster sees it


async def test_sessions_on_all_nodes_are_served_and_followed(cluster: RedisCluster, tmp_path: Path) -> None:
    """Each session and each ticket lies on one node. Listeners of other processes are notified; the index has all."""
    here, there = backend_at(cluster, tmp_path), backend_at(cluster, tmp_path)
    await here.open()
    await here.ping()
    await there.open()
    notifications: dict[str, list[Notification]] = {session_id: [] for session_id in SESSIONS}
    for session_id in SESSIONS:
        await there.subscribe(changes_of(session_id), notifications[session_id].append)
    changes = [(created(each), moved(after(created(each)), 1, 2)) for each in SESSIONS]
    await asyncio.gather(*(apply(here, *each) for each in changes))
    expected = [after(change) for _, change in changes]
    await eventually(lambda: [got[-1].record for got in notifications.values() if got] == expected, DEADLINE_S)
    assert set(await ids(there)) == set(SESSIONS)
    assert len({cluster.owner(slot(here, session_id)).port for session_id in SESSIONS}) == RedisCluster.MASTERS
    for name in SESSIONS:
        await here.put(name, name.encode(), 30)
        assert [await there.take(name), await here.take(name)] == [name.encode(), None]
    await here.aclose()
    await there.aclose()


async def test_a_reopened_backend_finds_all_nodes_again(cluster: RedisCluster, tmp_path: Path) -> None:
    """To execute commands, to receive messages, and to count."""
    backend, other = backend_at(cluster, tmp_path), backend_at(cluster, tmp_path)
    rates = make_rate_limiter(load_settings(store=cluster.url, redis_prefix=str(tmp_path), read_rate="2/hour"))
    await other.open()
    records: dict[str, Record | None] = dict.fromkeys(SESSIONS)
    for _ in range(2):
        await backend.open()
        notifications: list[Notification] = []
        for session_id, record in records.items():
            await backend.subscribe(changes_of(session_id), notifications.append)
            assert await backend.load(session_id) == record
        for session_id, record in records.items():
            records[session_id] = await apply(other, moved(record, 1) if record else created(session_id))
        await eventually(lambda: {each.session_id: each.record for each in notifications} == records, DEADLINE_S)  # noqa: B023
        for session_id in SESSIONS:
            await rates.count("read", session_id)
        await backend.aclose()
        await rates.aclose()
    for session_id in SESSIONS:
        with pytest.raises(RateExceededError):
            await rates.count("read", session_id)
    await rates.aclose()
    await other.aclose()


async def test_the_documented_rights_suffice_on_each_node(
    cluster: RedisCluster, rights: list[str], tmp_path: Path
) -> None:
    """No node denies a command. The keys of another store are out of reach."""
    url = cluster.url.replace("://", "://u:PASSWORD@")
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(node.client()) for node in cluster.masters]
        for client in clients:
            client.execute_command("ACL", "SETUSER", "u", *rights)
            client.execute_command("ACL", "LOG", "RESET")
        here, there = [RedisBackend(url, StorageLimits(), prefix=str(tmp_path), lifetime_s=3600) for _ in range(2)]
        await here.open()
        await there.open()
        for session_id in SESSIONS:
            notifications: list[Notification] = []
            leave = await there.subscribe(changes_of(session_id), notifications.append)
            await apply(here, created(session_id))
            await eventually(lambda: bool(notifications), DEADLINE_S)  # noqa: B023
            leave()
        rates = make_rate_limiter(load_settings(store=url, redis_prefix=str(tmp_path), read_rate="100/hour"))
        for session_id in SESSIONS:
            await rates.count("read", session_id)
        await eventually(lambda: not any(client.execute_command("PUBSUB", "SHARDCHANNELS") for client in clients), 10)
        await rates.aclose()
        await here.aclose()
        await there.aclose()
        denied = [client.execute_command("ACL", "LOG") for client in clients]
        for client in clients:
            client.execute_command("ACL", "DELUSER", "u")
    assert denied == [[]] * len(clients)


async def test_listeners_follow_a_moved_slot(cluster: RedisCluster, tmp_path: Path) -> None:
    """To its new node and back, for commits of their own process and of another one."""
    here, there = backend_at(cluster, tmp_path), backend_at(cluster, tmp_path)
    await here.open()
    await there.open()
    record = await apply(here, created(), moved(after(created()), 1))
    notifications = await notified(there)
    assert await there.load("s") == record
    source = cluster.owner(slot(here, "s"))
    target = next(node for node in cluster.masters if node is not source)
    for node, step in ((target, 2), (source, 3)):
        await asyncio.to_thread(cluster.move, slot(here, "s"), node)
        found = await state(here)
        assert (found.session, found.position.offset) == (record.session, record.position.offset)
        record = await apply(here, moved(found, step))
        await eventually(lambda: bool(notifications) and notifications[-1].record == record, DEADLINE_S)  # noqa: B023
        with node.client() as client:
            assert len(client.execute_command("PUBSUB", "SHARDCHANNELS")) == 1
    await here.aclose()
    await there.aclose()


@pytest.mark.parametrize("moment", ["before the commit", "after it"])
async def test_a_notice_is_entered_twice(
    cluster: RedisCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Its index is at another node: a server that is killed in between, and an index that is lost, lose no notice."""
    here, there = backend_at(cluster, tmp_path), backend_at(cluster, tmp_path)
    await here.open()
    await there.open()
    enter, entered = here.outbox.enter, 0

    async def enter_once(change: Change) -> None:
        nonlocal entered
        entered += 1
        if (entered == 1) == (moment == "before the commit"):
            await enter(change)

    monkeypatch.setattr(here.outbox, "enter", enter_once)
    await here.commit(created()._replace(notices=(notice(1),)))
    assert entered == 2
    (taken,) = await there.outbox.take("q", NOW, 8)
    assert taken.body == notice(1).body
    await here.aclose()
    await there.aclose()


async def test_commands_wait_while_a_slot_migrates(cluster: RedisCluster, tmp_path: Path) -> None:
    """Neither node serves a session of which each has a part."""
    backend = backend_at(cluster, tmp_path)
    await backend.open()
    record = await apply(backend, created(), moved(after(created()), 1))
    number = slot(backend, "s")
    source = cluster.owner(number)
    target = next(node for node in cluster.masters if node is not source)
    with source.client() as at_source, target.client() as at_target:
        at_target.execute_command("CLUSTER", "SETSLOT", number, "IMPORTING", cluster.id_of(source))
        at_source.execute_command("CLUSTER", "SETSLOT", number, "MIGRATING", cluster.id_of(target))
        commit = asyncio.create_task(backend.commit(moved(record, 2)))
        # A command of one key that has moved already is sent to the other node.
        assert await backend.find_idempotency_key("s", "unknown") is None
        assert not commit.done()
    await asyncio.to_thread(cluster.move, number, target)
    with pytest.raises(ConflictError):  # On another node the session has another epoch.
        await commit
    assert (found := await backend.load("s")) is not None
    assert found.session == record.session
    await backend.aclose()


@pytest.mark.full
@pytest.mark.timeout(180)
async def test_a_failover_is_followed(fragile: RedisCluster, tmp_path: Path) -> None:
    """The replica's data goes on under new epochs, and listeners are notified, without a restart of the backend."""
    backend = backend_at(fragile, tmp_path)
    await backend.open()
    master, (replica,) = fragile.nodes[0], fragile.replicas
    notifications: dict[str, list[Notification]] = {session_id: [] for session_id in SESSIONS}
    records = {}
    for session_id in SESSIONS:
        records[session_id] = await apply(backend, created(session_id), moved(after(created(session_id)), 1))
        await backend.subscribe(changes_of(session_id), notifications[session_id].append)
        await backend.load(session_id)
    lost = {each for each in SESSIONS if fragile.owner(slot(backend, each)) is master}
    assert 0 < len(lost) < len(SESSIONS)
    with master.client() as at_master, replica.client() as at_replica:

        def has_all() -> bool:
            written = at_master.info("replication")["master_repl_offset"]
            return bool(at_replica.info("replication")["slave_repl_offset"] >= written)

        await eventually(has_all, DEADLINE_S)
        assert at_master.dbsize() == at_replica.dbsize() > 0
    master.kill()
    await eventually(lambda: fragile.owner(slot(backend, min(lost))) is replica, 60)
    for session_id, record in records.items():
        found = await load_when_back(backend, session_id)
        assert (found.session, found.position.offset) == (record.session, 1)
        assert (found.position.epoch != record.position.epoch) == (session_id in lost)
        await eventually(lambda: not lost & {session_id} or bool(notifications[session_id]), DEADLINE_S)  # noqa: B023
        change = moved(found, 2)
        await backend.commit(change)
        assert notifications[session_id][-1] == Notification(session_id, change.record, entries=change.entries)
    await backend.aclose()


async def test_a_slot_without_a_node_refreshes_the_map_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each subscription makes the map be fetched again, even if the channel was subscribed to before."""
    topology, is_fetched = Topology(ClusterSeeds([("127.0.0.1", 1)], {})), asyncio.Event()

    async def fetch() -> list[tuple[int, int, Address]]:
        is_fetched.set()
        return []

    monkeypatch.setattr(topology, "_fetch", fetch)
    pubsub = ClusterPubSub(topology, lambda _channel, _content: None, lambda _channel: None)
    topology.open()
    for _ in range(3):
        await eventually(lambda: not topology._is_outdated.is_set(), DEADLINE_S)  # noqa: SLF001 - nothing shows it
        is_fetched.clear()
        subscribing = asyncio.create_task(pubsub.subscribe("c"))
        async with asyncio.timeout(DEADLINE_S):
            await is_fetched.wait()
        pubsub.unsubscribe("c")
        await asyncio.gather(subscribing, return_exceptions=True)
    await pubsub.aclose()
    await topology.aclose()


async def test_callers_are_counted_locally_while_a_cluster_is_away(caplog: pytest.LogCaptureFixture) -> None:
    """As while a single server is away. The exception of the cluster's client is logged as a warning."""
    rates = make_rate_limiter(load_settings(store=f"redis+cluster://{HOST}:{free_port()}", read_rate="2/hour"))
    for _ in range(2):
        await rates.count("read", "caller")
    with pytest.raises(RateExceededError):
        await rates.count("read", "caller")
    await rates.aclose()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
