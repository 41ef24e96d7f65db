"""Sessions in Redis or Valkey, for any number of processes on any number of machines.

* ``keys`` and ``codec`` define the stored values and their places. Atomic ``scripts`` read and write them; their page
  also explains how a session survives a server that loses data.
* One connection executes all commands (``connection``, ``pipeline``), and one receives all messages (``pubsub``). A
  cluster has one of each per node; ``topology`` knows the nodes.
* ``topics``, ``messages`` and ``followed_sessions`` decide which listener gets which notification, in which order.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from progress_sse._internal.tasks import has_failed
from progress_sse.core.errors import (
    ConflictError,
    OutcomeUnknownError,
    SignSeenError,
    StoreFullError,
    StoreRefusedError,
    StoreUnavailableError,
)
from progress_sse.core.model import Position, SessionProgress
from progress_sse.store.backend import commit_all
from progress_sse.store.idempotency import removal
from progress_sse.store.listeners import N, Topic, Unsubscribe
from progress_sse.store.record_cache import RecordCache
from progress_sse.store.redis import scripts
from progress_sse.store.redis.checked_decoder import CheckedDecoder
from progress_sse.store.redis.codec import (
    KEY_LIFETIME_MS,
    Argument,
    KnownState,
    ReadResult,
    commit_arguments,
    decode_entries,
    decode_key,
    decode_read,
    known_arguments,
)
from progress_sse.store.redis.connection import RedisConnection
from progress_sse.store.redis.errors import is_damage
from progress_sse.store.redis.followed_sessions import FollowedSessions
from progress_sse.store.redis.histories import RedisHistories
from progress_sse.store.redis.keys import Keyspace, SessionKeys, index_entry
from progress_sse.store.redis.leases import RedisLeases
from progress_sse.store.redis.log_lines import RedisLines
from progress_sse.store.redis.messages import encode_list_message
from progress_sse.store.redis.outbox import RedisOutbox
from progress_sse.store.redis.pipeline import (
    ClusterCommandExecutor,
    CommandExecutor,
    PendingCommand,
    RedisCommandExecutor,
)
from progress_sse.store.redis.pubsub import ClusterPubSub, RedisPubSub
from progress_sse.store.redis.session_index import SessionIndex
from progress_sse.store.redis.topics import PubSub, RedisTopics
from progress_sse.store.redis.topology import Topology
from progress_sse.store.redis.url import close_pool, cluster_seeds, connection_pool, database
from progress_sse.store.types import (
    Change,
    LogEntry,
    Record,
    RememberedKey,
    SessionSummary,
    StorageLimits,
    fingerprint,
    new_epoch,
)

logger = logging.getLogger(__name__)

_TOKEN_BYTES: Final = 12

FORMAT: Final = b"1"
"""The format of the store. A change of it needs an upgrade, by the first server that finds the one before."""


class RedisBackend:
    """Keeps sessions in one Redis, which other processes and other programs may use at the same time."""

    def __init__(self, url: str, limits: StorageLimits, *, prefix: str, lifetime_s: float) -> None:
        """Connect to nothing yet.

        A malformed `url` is a `ValueError`; see `url.connection_pool` and `url.cluster_seeds`. Each key begins with
        `prefix`. A session expires `lifetime_s` after its last change, if it is not removed before.
        """
        self._url = url
        self._limits = limits
        self._prefix = prefix
        self._lifetime_ms = int(lifetime_s * 1000)
        self._cache = RecordCache()
        self._decode = CheckedDecoder()
        self._set_up()

    def _set_up(self) -> None:
        """Make all parts that connect, for one opening: they belong to one event loop, and cannot be opened again."""
        self._pool = None
        self._executor: CommandExecutor
        make_pubsub: Callable[..., PubSub]
        seeds = cluster_seeds(self._url)
        if seeds is None:
            self._pool = connection_pool(self._url)
            self._keyspace, self._publish_command = Keyspace(self._prefix, database(self._pool)), "PUBLISH"
            self._executor = RedisCommandExecutor(RedisConnection(self._pool))
            make_pubsub = partial(RedisPubSub, self._pool)
        else:
            topology = Topology(seeds)
            self._keyspace, self._publish_command = Keyspace(self._prefix, 0), "SPUBLISH"
            self._executor = ClusterCommandExecutor(topology)
            make_pubsub = partial(ClusterPubSub, topology)
        parts = self._executor, self._keyspace, self._decode
        self.lists = SessionIndex(*parts)
        self.histories = RedisHistories(*parts)
        self.leases = RedisLeases(*parts, self._lifetime_ms)
        self.outbox = RedisOutbox(*parts, is_cluster=self._pool is None)
        self.lines = RedisLines(self._executor, self._decode, self._limits, self._script_of)
        self._followed = FollowedSessions(self._read)
        self._topics = RedisTopics(self._keyspace, self._followed, self.lines, make_pubsub)

    async def open(self) -> None:
        """Begin to connect. That the server is away or full is no error here; operations fail until it is back."""
        self._executor.open()
        self._topics.open()
        self._followed.open()
        try:
            await self._probe()
        except (StoreFullError, StoreUnavailableError) as error:
            logger.warning("The store takes no changes yet: %s", error)
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Close all connections. Committed changes stay."""
        topics, followed, executor, pool = self._topics, self._followed, self._executor, self._pool
        self._set_up()
        await topics.aclose()
        await followed.aclose()
        await executor.aclose()
        if pool is not None:
            await close_pool(pool)

    @property
    def damage_count(self) -> int:
        """How many damaged sessions were found."""
        return self._decode.damage.count

    async def ping(self) -> None:
        """Return if the server takes writes and publishes messages, and its store is of the format that we know."""
        try:
            await self._probe()
        except StoreRefusedError as refusal:  # Redis was away when this server started.
            raise StoreUnavailableError(str(refusal)) from None

    async def _probe(self) -> None:
        keys = self._keyspace.write_probe
        await self._executor.run(scripts.PROBE, keys.of_transitions, self._publish_command, keys.channel)
        await self._executor.execute("SET", self._keyspace.format, FORMAT, "NX")
        stored = await self._executor.execute("GET", self._keyspace.format)
        if stored != FORMAT:  # An upgrade from an earlier format would stand here.
            found = (stored or b"")[:20].decode(errors="replace")
            raise StoreRefusedError(
                f"The store in Redis has format {found}, made by another version of this program, which knows format"
                f" {FORMAT.decode()}."
            )

    async def load(self, session_id: str) -> Record | None:
        """Return the session, or `None`."""
        result = await self._read(session_id)
        if result.record is None:
            self._cache.drop(session_id)
        elif result.revision != self._cache.revision(session_id):
            self._cache.put(session_id, result.record, result.revision)
        self._followed.on_read(self._keyspace.of(session_id).channel, result)
        return result.record

    async def _read(self, session_id: str, after: Position | None = None, *, wants_record: bool = True) -> ReadResult:
        known = self._known_state(session_id)
        keys, common = self._script_of(session_id, known)
        wanted: list[Argument] = [int(wants_record), *((after.offset, after.epoch) if after is not None else ("", ""))]
        with self._decode.noting(session_id):
            reply = await self._executor.run(scripts.READ, keys.of_transitions, *common, *wanted)
        result = self._decode(decode_read, session_id, reply, known.record)
        if result.position is None or reply[-1] is None:
            return result
        try:
            return result._replace(entries=self._decode(decode_entries, session_id, reply[-1]))
        except StoreUnavailableError:  # Damaged transitions count as not kept: the session itself can be shown.
            return result

    def _script_of(self, session_id: str, known: KnownState | None = None) -> tuple[SessionKeys, Sequence[Argument]]:
        """Return the keys of a session, and the first arguments of each of its scripts."""
        keys = self._keyspace.of(session_id)
        followed = self._followed.get(keys.channel)
        ended_epochs = followed.ended_epochs if followed is not None else ()
        state = known_arguments(known or self._known_state(session_id), ended_epochs)
        return keys, (new_epoch(), self._publish_command, keys.channel, *state)

    def _known_state(self, session_id: str) -> KnownState:
        """Return the newest state of a session that was read, committed or received here."""
        followed = self._followed.get(self._keyspace.of(session_id).channel)
        known = KnownState(self._cache.get(session_id), self._cache.revision(session_id))
        return known if followed is None or followed.newest.revision < known.revision else followed.newest

    def cached_record(self, session_id: str) -> Record | None:
        """Return the newest record of the session that this process has seen."""
        return self._known_state(session_id).record

    async def commit(self, change: Change) -> None:
        """Apply the change; see `Backend.commit`."""
        known = self._known_state(change.session_id)
        before = _progress_at(known.record, change.expected)
        entry = await self.lists.enter(change, before, self._limits.max_sessions)
        await self.leases.before_commit(change)
        await self.outbox.enter(change)
        keys, common = self._script_of(change.session_id, known)
        command = self._commit_command(change, keys, common)
        with self._decode.noting(change.session_id):
            outcome, revision, created_at, keys_left, *further = await self._executor.submit(command)
        created_at = created_at.decode(errors="replace")
        former_entry = index_entry(created_at, change.session_id) if created_at else None
        if outcome == scripts.SIGN_SEEN:
            raise SignSeenError
        if outcome not in (scripts.APPLIED, scripts.APPLIED_BEFORE):
            if entry is not None and entry != former_entry:
                await self.lists.withdraw(change, entry)
            raise OutcomeUnknownError if outcome == scripts.IN_DOUBT and command.was_in_doubt else ConflictError
        if not change.has_lines_alone:
            if change.record is None or outcome == scripts.APPLIED_BEFORE:  # Others may have changed the session since.
                self._cache.drop(change.session_id)
            else:
                self._cache.put(change.session_id, change.record, int(revision))
            await self.lists.leave(change, before, entry, former_entry)
        if change.is_visible:
            self._publish_in_cluster(change)
            await self._followed.on_commit(keys.channel, change, int(revision) if outcome == scripts.APPLIED else None)
        if change.lines and outcome == scripts.APPLIED:
            self.lines.on_commit(change, keys, *further[:2])
        await self.outbox.on_commit(change, further[-1] if change.notices and outcome == scripts.APPLIED else ())
        await self.leases.after_commit(change)
        if change.record is None:
            await self._keep_orphaned_keys(change.session_id, keys_left)
        await self.histories.on_commit(change)

    def _commit_command(self, change: Change, keys: SessionKeys, common: Sequence[Argument]) -> PendingCommand:
        arguments = commit_arguments(
            change,
            secrets.token_hex(_TOKEN_BYTES),
            self._limits,
            self._lifetime_ms,
            self.leases.demand_arguments(change.silence),
            self.leases.sign_arguments(change.signs),
            "" if self._pool is None else self._keyspace.list_channel(change.session_id),
            self.outbox.arguments(change),
        )
        has_lines = change.lines or change.record is None or change.is_fresh or change.record.session.details.log
        touched = keys.of_lines if has_lines else keys.of_transitions
        if change.notices:
            touched = [*keys.of_notices, *self.outbox.indexes(change)]
        return PendingCommand(
            scripts.COMMIT, touched, (*common, *arguments, *self.lines.arguments(change, keys)), is_write=True
        )

    def _publish_in_cluster(self, change: Change) -> None:
        """Publish a change for lists where its script cannot, as their channel is at another node."""
        if self._pool is None:
            command = "SPUBLISH", self._keyspace.list_channel(change.session_id), encode_list_message(change)
            published = self._executor.submit(PendingCommand(None, (), command, is_write=False))
            published.add_done_callback(has_failed)  # Lists are looked at from time to time, too.

    async def _keep_orphaned_keys(self, session_id: str, keys_left: int) -> None:
        """Count the idempotency keys that a removed session leaves, and delete the oldest such keys for them."""
        if not keys_left:
            return
        try:
            surplus = await self._executor.run(
                scripts.KEEP_ORPHANED_KEYS,
                [self._keyspace.orphans],
                fingerprint(session_id),
                keys_left,
                self._limits.orphaned_keys,
                KEY_LIFETIME_MS,
            )
            owners = [self._keyspace.of_fingerprint(tag.decode(errors="replace")) for tag in surplus]
            deletions = (
                self._executor.run(scripts.FORGET_KEYS, [each.state, each.idempotency_keys, each.idempotency_ranks])
                for each in owners
            )
            await asyncio.gather(*deletions)
        except (StoreFullError, StoreUnavailableError):
            logger.info("%d idempotency keys of a removed session are not counted, and stay for a day", keys_left)

    async def find_idempotency_key(self, session_id: str, name: str) -> RememberedKey | None:
        """Return the last use of the key, or `None`."""
        data = await self._executor.execute("HGET", self._keyspace.of(session_id).idempotency_keys, name)
        return None if data is None else self._decode(decode_key, session_id, name, data)

    async def forget_keys(self, used_before: str) -> None:
        """Do nothing: in Redis the keys expire by themselves, a day after their last use."""

    async def replay(self, session_id: str, after: Position) -> Sequence[LogEntry] | None:
        """Return the transitions after the position; see `Backend.replay`."""
        result = await self._read(session_id, after, wants_record=False)
        position = result.position
        if position is None or position.epoch != after.epoch or len(result.entries) != position.offset - after.offset:
            return None
        return result.entries

    async def subscribe(self, topic: Topic[N], listener: Callable[[N], None]) -> Unsubscribe:
        """Notify `listener`; see `Backend.subscribe`."""
        return await self._topics.subscribe(topic, listener)

    async def put(self, name: str, value: bytes, lifetime_s: int) -> None:
        """Keep a value for a short time; see `auth.tickets.OneTimeStore`."""
        await self._executor.execute("SET", self._keyspace.ticket(name), value, "EX", lifetime_s)

    async def take(self, name: str) -> bytes | None:
        """Remove and return the value, at most once: if the reply is lost and the command sent again, it is gone."""
        value: bytes | None = await self._executor.execute("GETDEL", self._keyspace.ticket(name))
        return value

    async def expire(self, created_before: str, should_remove: Callable[[SessionSummary], bool]) -> int:
        """Remove old sessions, each unless it has changed meanwhile; see `Backend.expire`."""
        self._cache.drop_unused()  # There may be no message here of a removal by another process.
        removed = 0
        async for sessions in self.lists.pages_before(created_before):
            removals = [removal(each.session_id, position) for each, position in sessions if should_remove(each)]
            removed += await commit_all(self, removals, is_damage)
        await self.lists.clean_sets(created_before)
        return removed


def _progress_at(record: Record | None, expected: Position | None) -> SessionProgress | None:
    return record.session.progress if record is not None and record.position == expected else None
