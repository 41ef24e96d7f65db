"""Sessions in Redis or Valkey, for any number of processes on any number of machines.

* ``keys`` and ``codec`` define the stored values and their places. Atomic ``scripts`` read and write them; their page
  also says how a session survives a server that loses data.
* There are few connections, however many sessions and readers: one executes all commands (``connection``,
  ``pipeline``), and one receives all messages (``pubsub``).
* A cluster has one of each per node (``cluster``); ``topology`` knows the nodes.
* ``messages``, ``followed_session`` and ``followed_sessions`` decide which listener gets which notification, in which
  order; ``list_changes`` does so for the changes of all sessions.
* All sessions are found through one ``session_index``, which ``index_pages`` reads.
* What runs taught of their profile is beside the sessions, in ``histories``.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable, Sequence
from typing import Any, Final

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
from progress_sse.store.listeners import N, Topic, Unsubscribe
from progress_sse.store.record_cache import RecordCache
from progress_sse.store.redis.checked_decoder import CheckedDecoder
from progress_sse.store.redis.cluster import ClusterCommandExecutor, ClusterPubSub
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
from progress_sse.store.redis.index_pages import IndexPages
from progress_sse.store.redis.keys import Keyspace, SessionKeys, index_entry
from progress_sse.store.redis.leases import RedisLeases
from progress_sse.store.redis.list_changes import ChannelFollower, ListChanges
from progress_sse.store.redis.list_messages import encode_change
from progress_sse.store.redis.log_lines import RedisLines
from progress_sse.store.redis.pending_command import CommandReply, PendingCommand
from progress_sse.store.redis.pipeline import CommandExecutor, RedisCommandExecutor
from progress_sse.store.redis.pubsub import PubSub, RedisPubSub
from progress_sse.store.redis.scripts import (
    APPLIED,
    APPLIED_BEFORE,
    COMMIT,
    FORGET_KEYS,
    IN_DOUBT,
    KEEP_ORPHANED_KEYS,
    PROBE,
    READ,
    SIGN_SEEN,
)
from progress_sse.store.redis.session_index import SessionIndex
from progress_sse.store.redis.summaries import RedisSummaries
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
        """Name the server; nothing is connected yet.

        Args:
            url: See `url.connection_pool` and `url.cluster_seeds`.
            limits: How much is kept.
            prefix: The beginning of each key.
            lifetime_s: Seconds after its last change in which a session expires, if it is not removed before.

        Raises:
            ValueError: The URL is malformed.
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
        self._followed = FollowedSessions(self._read_after)
        self._keyspace: Keyspace
        self._executor: CommandExecutor
        self._pubsub: PubSub
        seeds, callbacks = cluster_seeds(self._url), (self._on_message, self._on_gap)
        if seeds is not None:
            topology = Topology(seeds)
            self._is_cluster = True
            self._pool, self._publish_command, self._keyspace = None, "SPUBLISH", Keyspace(self._prefix, 0)
            self._executor, self._pubsub = ClusterCommandExecutor(topology), ClusterPubSub(topology, *callbacks)
        else:
            self._is_cluster = False
            self._pool, self._publish_command = connection_pool(self._url), "PUBLISH"
            self._keyspace = Keyspace(self._prefix, database(self._pool))
            self._executor = RedisCommandExecutor(RedisConnection(self._pool))
            self._pubsub = RedisPubSub(self._pool, *callbacks)
        self._all = ListChanges()
        self._followers: dict[str, ChannelFollower] = {}
        parts = self._executor, self._keyspace
        summaries = RedisSummaries(*parts, self._decode)
        self._index = SessionIndex(*parts, self._decode, summaries)
        self.lists = IndexPages(*parts, self._decode, summaries)
        self.histories = RedisHistories(*parts, self._decode)
        self.lines = RedisLines(self._executor, self._decode, self._limits, self._script_of)
        self.leases = RedisLeases(self._executor, self._keyspace, self._decode, self._lifetime_ms)

    async def open(self) -> None:
        """Begin to connect. That the server is away or full is no error here; operations fail until it is back."""
        self._executor.open()
        self._pubsub.open()
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
        followed, pubsub, executor, pool = self._followed, self._pubsub, self._executor, self._pool
        self._set_up()
        await followed.aclose()
        await pubsub.aclose()
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
        await self._executor.run(PROBE, keys.of_transitions, self._publish_command, keys.channel)
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
        keys = self._keyspace.of(session_id)
        result = await self._read(session_id, keys, None)
        if result.record is None:
            self._cache.drop(session_id)
        elif result.revision != self._cache.revision(session_id):
            self._cache.put(session_id, result.record, result.revision)
        followed = self._followed.get(keys.channel)
        if followed is not None:
            followed.on_read(result)
            if followed.is_in_another_epoch(result):  # There may be no message: a server that loses data sends none.
                self._followed.catch_up_soon(keys.channel)
        return result.record

    async def _read_after(self, session_id: str, after: Position) -> ReadResult:
        return await self._read(session_id, self._keyspace.of(session_id), after)

    async def _read(
        self, session_id: str, keys: SessionKeys, after: Position | None, *, wants_record: bool = True
    ) -> ReadResult:
        """Read a session, and its transitions after a position, if there is one."""
        known = self._known_state(session_id, keys)
        wanted: list[Argument] = [int(wants_record), *((after.offset, after.epoch) if after is not None else ("", ""))]
        with self._decode.noting(session_id):
            reply = await self._executor.run(READ, keys.of_transitions, *self._common_arguments(keys, known), *wanted)
        result = self._decode(decode_read, session_id, reply.value, known.record)
        if result.position is None or reply.value[-1] is None:
            return result
        try:
            return result._replace(entries=self._decode(decode_entries, session_id, reply.value[-1]))
        except StoreUnavailableError:  # Damaged transitions count as not kept: the session itself can be shown.
            return result

    def _script_of(self, session_id: str) -> tuple[SessionKeys, Sequence[Argument]]:
        """Return the keys of a session, and the first arguments of each of its scripts."""
        keys = self._keyspace.of(session_id)
        return keys, self._common_arguments(keys, self._known_state(session_id, keys))

    def _common_arguments(self, keys: SessionKeys, known: KnownState) -> Sequence[Argument]:
        """Return the first arguments of each script of a session."""
        followed = self._followed.get(keys.channel)
        ended_epochs = followed.ended_epochs if followed is not None else ()
        return new_epoch(), self._publish_command, keys.channel, *known_arguments(known, ended_epochs)

    def _known_state(self, session_id: str, keys: SessionKeys) -> KnownState:
        """Return the newest state of a session that was read, committed or received here."""
        cached, followed = self._cache.get(session_id), self._followed.get(keys.channel)
        known = KnownState(cached, self._cache.revision(session_id))
        return known if followed is None or followed.newest.revision < known.revision else followed.newest

    def cached_record(self, session_id: str) -> Record | None:
        """Return the newest record of the session that this process has seen."""
        return self._known_state(session_id, self._keyspace.of(session_id)).record

    async def commit(self, change: Change) -> None:
        """Apply the change; see `Backend.commit`."""
        keys = self._keyspace.of(change.session_id)
        known = self._known_state(change.session_id, keys)
        before = _progress_at(known.record, change.expected)
        entry = await self._enter_index(change, before)
        await self._prepare_leases(change)
        reply = await self._run_commit(change, keys, known)
        outcome, revision, created_at, keys_left, *lines_kept = reply.value
        created_at = created_at.decode(errors="replace")
        former_entry = index_entry(created_at, change.session_id) if created_at else None
        if outcome == SIGN_SEEN:
            raise SignSeenError
        if outcome not in (APPLIED, APPLIED_BEFORE):
            if entry is not None and entry != former_entry:
                await self._index.remove(entry, self._index.sets_of(_progress_of(change)))
            raise OutcomeUnknownError if outcome == IN_DOUBT and reply.was_in_doubt else ConflictError
        if not change.has_lines_alone:
            if change.record is None or outcome == APPLIED_BEFORE:  # Others may have changed the session since.
                self._cache.drop(change.session_id)
            else:
                self._cache.put(change.session_id, change.record, int(revision))
            await self._leave_index(change, before, entry, former_entry)
        if change.is_visible:
            self._tell_cluster(change)
            await self._followed.on_commit(keys.channel, change, int(revision) if outcome == APPLIED else None)
        if change.lines and outcome == APPLIED:
            self.lines.on_commit(change, keys, *lines_kept)
        await self._watch_leases(change)
        if change.record is None and keys_left:
            await self._keep_orphaned_keys(change.session_id, keys_left)
        await self.histories.on_commit(change)

    async def _run_commit(self, change: Change, keys: SessionKeys, known: KnownState) -> CommandReply:
        arguments = commit_arguments(
            change,
            secrets.token_hex(_TOKEN_BYTES),
            self._limits,
            self._lifetime_ms,
            self.leases.demand_arguments(change.silence),
            self.leases.sign_arguments(change.signs),
            "" if self._is_cluster else self._keyspace.list_channel(change.session_id),
        )
        arguments += self.lines.arguments(change, keys)
        common = self._common_arguments(keys, known)
        has_lines = change.lines or change.record is None or change.is_fresh or change.record.session.details.log
        touched = keys.of_lines if has_lines else keys.of_transitions
        with self._decode.noting(change.session_id):
            return await self._executor.run(COMMIT, touched, *common, *arguments, is_write=True)

    async def _enter_index(self, change: Change, before: SessionProgress | None) -> str | None:
        """Enter a session into the index where it will be found, and return its entry if the change creates it."""
        if change.record is None or not change.is_fresh:
            if not change.has_lines_alone:
                await self._index.prepare(change, before)
            return None
        progress = change.record.session.progress
        most = self._limits.max_sessions if change.expected is None else None
        await self._index.reserve(progress, change.record.position.offset, most)
        return index_entry(progress.created_at, change.session_id)

    async def _leave_index(
        self, change: Change, before: SessionProgress | None, entry: str | None, former_entry: str | None
    ) -> None:
        """Remove what the index has of the session before a change, as far as that is over."""
        if former_entry is not None and (change.record is None or (entry is not None and former_entry != entry)):
            await self._index.remove(former_entry, self._index.sets_of(before) | {self._keyspace.unfinished})
        elif entry is None:
            await self._index.settle(change, before)

    def _tell_cluster(self, change: Change) -> None:
        """Tell those who follow lists of a change, where its script cannot, as their channel is at another node."""
        if self._is_cluster:
            command = "SPUBLISH", self._keyspace.list_channel(change.session_id), encode_change(change)
            told = self._executor.submit(PendingCommand(None, (), command, is_write=False))
            told.add_done_callback(_retrieve_exception)

    async def _prepare_leases(self, change: Change) -> None:
        """Learn the time of the lease clock, and enter the check of first signs, before a change that needs that."""
        if change.signs:
            await self.leases.prepare(change.signs[0].monotonic)
            await self.leases.announce(change.session_id, change.signs)
        elif change.silence is not None:
            await self.leases.prepare(change.silence.monotonic)

    async def _watch_leases(self, change: Change) -> None:
        """Enter the check of first signs again, or remove that of a session that is gone."""
        try:
            if change.signs:
                await self.leases.announce(change.session_id, change.signs)
            elif change.record is None:
                await self.leases.check_in(change.session_id, None, 0.0)
        except StoreUnavailableError:
            logger.info("the check of a session's leases may be missing, or stay until it is due")

    async def _keep_orphaned_keys(self, session_id: str, keys_left: int) -> None:
        """Keep the idempotency keys that a removed session leaves, and delete the oldest of such keys for them.

        If that fails, these keys are not counted, and expire at the end of their lifetime.
        """
        try:
            surplus = await self._executor.run(
                KEEP_ORPHANED_KEYS,
                [self._keyspace.orphans],
                fingerprint(session_id),
                keys_left,
                self._limits.orphaned_keys,
                KEY_LIFETIME_MS,
            )
            owners = [self._keyspace.of_fingerprint(tag.decode(errors="replace")) for tag in surplus.value]
            deletions = (
                self._executor.run(FORGET_KEYS, [each.state, each.idempotency_keys, each.idempotency_ranks])
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
        keys = self._keyspace.of(session_id)
        result = await self._read(session_id, keys, after, wants_record=False)
        position = result.position
        if position is None or position.epoch != after.epoch or len(result.entries) != position.offset - after.offset:
            return None
        return result.entries

    async def subscribe(self, topic: Topic[N], listener: Callable[[N], None]) -> Unsubscribe:
        """Notify `listener`; see `Backend.subscribe`."""
        follower, channels = self._follower(topic)
        followers, pubsub = self._followers, self._pubsub  # Closing the backend replaces them.

        def leave_channels() -> None:
            for channel in channels:
                del followers[channel]
                pubsub.unsubscribe(channel)

        followers |= dict.fromkeys(channels, follower)
        unsubscribe = follower.add(channels[0], topic.session_id, listener, leave_channels)
        try:
            await asyncio.gather(*map(pubsub.subscribe, channels))
        except BaseException:
            unsubscribe()
            raise
        return unsubscribe

    def _follower(self, topic: Topic[Any]) -> tuple[ChannelFollower, Sequence[str]]:
        """Return who takes the messages on a topic, and their channels."""
        keys = self._keyspace.of(topic.session_id)
        if topic.kind == "changes":
            return self._followed, (keys.channel,)
        return (
            (self.lines, (keys.line_channel,)) if topic.kind == "lines" else (self._all, self._keyspace.list_channels)
        )

    async def put(self, name: str, value: bytes, lifetime_s: int) -> None:
        """Keep a value for a short time; see `auth.tickets.OneTimeStore`."""
        await self._executor.execute("SET", self._keyspace.ticket(name), value, "EX", lifetime_s)

    async def take(self, name: str) -> bytes | None:
        """Remove and return the value, at most once: if the reply is lost and the command sent again, it is gone."""
        value: bytes | None = await self._executor.execute("GETDEL", self._keyspace.ticket(name))
        return value

    def _on_message(self, channel: str, payload: bytes) -> None:
        if channel in self._followers:
            self._followers[channel].on_message(channel, payload)

    def _on_gap(self, channel: str) -> None:
        if channel in self._followers:
            self._followers[channel].on_gap(channel)

    async def expire(self, created_before: str, should_remove: Callable[[SessionSummary], bool]) -> int:
        """Remove old sessions, each unless it has changed meanwhile; see `Backend.expire`."""
        self._cache.drop_unused()  # There may be no message here of a removal by another process.
        removed = 0
        page = await self._index.page_before(created_before)
        while page is not None:
            removals = [
                Change(summary.session_id, position, None)
                for summary, position in page.sessions
                if should_remove(summary)
            ]
            removed += await commit_all(self, removals, is_damage)
            page = await self._index.page_before(created_before, page.next_start)
        await self._index.clean_sets(created_before)
        return removed


def _progress_of(change: Change) -> SessionProgress | None:
    return None if change.record is None else change.record.session.progress


def _progress_at(record: Record | None, expected: Position | None) -> SessionProgress | None:
    """Return the session that a change expects, if the record is of that position."""
    return record.session.progress if record is not None and record.position == expected else None


def _retrieve_exception(told: "asyncio.Future[CommandReply]") -> None:
    """Keep asyncio from logging that a message could not be sent: lists are looked at from time to time, too."""
    if not told.cancelled():
        told.exception()
