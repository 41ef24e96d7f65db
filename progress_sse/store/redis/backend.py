"""Sessions in Redis or Valkey, for any number of processes on any number of machines.

* What is kept, and where: ``redis_keys``, ``redis_rows``. Atomic scripts read and write it: ``redis_scripts``, which
  also tells how a session survives a server that loses something.
* Few connections, however many sessions and readers: one carries all calls (``redis_link``, ``redis_calls``), one all
  that is published (``redis_listener``).
* A cluster has one of each per node: ``redis_cluster``, which is found by ``redis_topology``.
* Who is told what, in which order: ``redis_bulletin``, ``redis_following``.

All sessions are found through one index, which lies elsewhere than they do. A session is entered there before it is
created, and struck out after it has been removed; what stands there without a session, because somebody died in
between or because its keys have expired, is passed over, and struck out once it is old. No command looks at all keys.
"""

import asyncio
import logging
import secrets
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, ParamSpec, TypeVar

from progress_sse.core import state_machine
from progress_sse.core.errors import ConflictError, OutcomeUnknownError, StoreFullError, StoreUnavailableError
from progress_sse.core.model import Position, SessionStatus
from progress_sse.store.backend import commit_all
from progress_sse.store.health import UNREADABLE, DamageError, HealthLog
from progress_sse.store.record_cache import RecordCache
from progress_sse.store.redis.cluster import ClusterCalls, ClusterListener
from progress_sse.store.redis.codec import (
    KEY_LIFETIME_MS,
    SUMMARY_FIELDS,
    Argument,
    Known,
    Reading,
    commit_arguments,
    decode_key,
    decode_reading,
    decode_summary,
    known_arguments,
)
from progress_sse.store.redis.connection import RedisLink
from progress_sse.store.redis.errors import is_damage
from progress_sse.store.redis.followed_sessions import Following
from progress_sse.store.redis.keys import Keyspace, SessionKeys, index_entry, split_index_entry
from progress_sse.store.redis.pipeline import Calls, RedisCalls
from progress_sse.store.redis.pubsub import RedisListener, Subscriptions
from progress_sse.store.redis.scripts import (
    APPLIED,
    APPLIED_BEFORE,
    COMMIT,
    DOUBTFUL,
    FORGET,
    ORPHAN,
    READ,
    RESERVE,
    TOUCH,
)
from progress_sse.store.redis.topology import Topology
from progress_sse.store.redis.url import close, cluster_seeds, connection_pool, database
from progress_sse.store.types import (
    Change,
    Listener,
    LogEntry,
    PageCursor,
    Record,
    RememberedKey,
    SessionSummary,
    StorageLimits,
    fingerprint,
    new_epoch,
)

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

_PAGE: Final = 200
"""Sessions of the index looked at in one go."""

_ORPHAN_AGE: Final = timedelta(hours=1)
"""Age of an entry of the index after which the session that it announced will not come any more."""

_TOKEN_BYTES: Final = 12


class RedisBackend:
    """Keeps sessions in one Redis, which other processes and other programs may use at the same time."""

    def __init__(self, url: str, limits: StorageLimits, *, prefix: str, lifetime_s: float) -> None:
        """Name the server; nothing is connected yet.

        Args:
            url: See `redis_address.connection_pool` and `redis_address.cluster_seeds`.
            limits: How much is kept.
            prefix: What each key begins with.
            lifetime_s: Seconds after its last change in which a session that nobody cleans up goes by itself.

        Raises:
            ValueError: It is no such URL.
        """
        self._url = url
        self._limits = limits
        self._prefix = prefix
        self._lifetime_ms = int(lifetime_s * 1000)
        self._cache = RecordCache()
        self._health = HealthLog("What lies in Redis")
        self._begin()

    def _begin(self) -> None:
        """Make all that connects, for one opening: in the next one it would be of another event loop, or closed."""
        self._following = Following(self._read_after)
        self._keyspace: Keyspace
        self._calls: Calls
        self._listener: Subscriptions
        seeds, told = cluster_seeds(self._url), (self._following.hear, self._following.catch_up_soon)
        if seeds is not None:
            topology = Topology(seeds)
            self._pool, self._publish, self._keyspace = None, "SPUBLISH", Keyspace(self._prefix, 0)
            self._calls, self._listener = ClusterCalls(topology), ClusterListener(topology, *told)
        else:
            self._pool, self._publish = connection_pool(self._url), "PUBLISH"
            self._keyspace = Keyspace(self._prefix, database(self._pool))
            self._calls, self._listener = RedisCalls(RedisLink(self._pool)), RedisListener(self._pool, *told)

    async def open(self) -> None:
        """Begin to connect. A server that is away, or full, is waited for; nothing can be done meanwhile."""
        self._calls.open()
        self._listener.open()
        self._following.open()
        try:
            await self.ping()
        except (StoreFullError, StoreUnavailableError) as error:
            logger.warning("The store takes no changes yet: %s", error)
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Let go of all connections. What was committed stays."""
        following, listener, calls, pool = self._following, self._listener, self._calls, self._pool
        self._begin()
        await following.aclose()
        await listener.aclose()
        await calls.aclose()
        if pool is not None:
            await close(pool)

    async def ping(self) -> None:
        """Return if the server takes what is written, and tells of it."""
        keys = self._keyspace.touchstone
        await self._calls.run(TOUCH, keys[:-1], self._publish, keys.channel)

    async def load(self, session_id: str) -> Record | None:
        """Return the session, or `None`."""
        keys = self._keyspace.of(session_id)
        reading = await self._read(session_id, keys, None)
        if reading.record is None:
            self._cache.drop(session_id)
        elif reading.revision != self._cache.revision(session_id):
            self._cache.put(session_id, reading.record, reading.revision)
        followed = self._following.get(keys.channel)
        if followed is not None:
            followed.note_read(reading)
            if followed.is_in_another_life(reading):  # Of which nobody may have told: a server that forgets does not.
                self._following.catch_up_soon(keys.channel)
        return reading.record

    async def _read_after(self, session_id: str, after: Position) -> Reading:
        return await self._read(session_id, self._keyspace.of(session_id), after)

    async def _read(
        self, session_id: str, keys: SessionKeys, after: Position | None, *, wants_record: bool = True
    ) -> Reading:
        """Read a session, and its transitions after a position, if there is one."""
        known = self._known(session_id, keys)
        wanted: list[Argument] = [int(wants_record), *((after.offset, after.epoch) if after is not None else ("", ""))]
        answer = await self._calls.run(READ, keys[:-1], *self._common(keys, known), *wanted)
        return self._decoded(decode_reading, session_id, answer.value, known.record)

    def _decoded(self, decode: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            result = decode(*args, **kwargs)
        except UNREADABLE as error:
            self._health.record(DamageError(error))
            raise StoreUnavailableError from error
        self._health.record(None)
        return result

    def _common(self, keys: SessionKeys, known: Known) -> Sequence[Argument]:
        """Return what all scripts of a session take first."""
        followed = self._following.get(keys.channel)
        ended_epochs = followed.former if followed is not None else ()
        return new_epoch(), self._publish, keys.channel, *known_arguments(known, ended_epochs)

    def _known(self, session_id: str, keys: SessionKeys) -> Known:
        """Return the newest of what was read, committed or heard of a session here."""
        cached, followed = self._cache.get(session_id), self._following.get(keys.channel)
        known = Known(cached, self._cache.revision(session_id))
        return known if followed is None or followed.newest.revision < known.revision else followed.newest

    def cached_record(self, session_id: str) -> Record | None:
        """Return how the session was when this process last learnt of it."""
        return self._known(session_id, self._keyspace.of(session_id)).record

    async def commit(self, change: Change) -> None:
        """Apply the change; see `Backend.commit`."""
        keys = self._keyspace.of(change.session_id)
        entry = await self._announce(change)
        arguments = commit_arguments(change, secrets.token_hex(_TOKEN_BYTES), self._limits, self._lifetime_ms)
        common = self._common(keys, self._known(change.session_id, keys))
        answer = await self._calls.run(COMMIT, keys[:-1], *common, *arguments, is_write=True)
        outcome, revision, created_at, keys_left = answer.value
        former = index_entry(created_at.decode(), change.session_id) if created_at else None
        if outcome not in (APPLIED, APPLIED_BEFORE):
            if entry is not None and entry != former:
                await self._strike_out(entry)
            raise OutcomeUnknownError if outcome == DOUBTFUL and answer.was_in_doubt else ConflictError
        if change.record is None or outcome == APPLIED_BEFORE:  # Others may have moved it on since.
            self._cache.drop(change.session_id)
        else:
            self._cache.put(change.session_id, change.record, int(revision))
        if former is not None and (change.record is None or (entry is not None and former != entry)):
            await self._strike_out(former)
        if change.is_visible:
            await self._following.settle(keys.channel, change, int(revision) if outcome == APPLIED else None)
        if change.record is None and keys_left:
            await self._orphan(change.session_id, keys_left)

    async def _announce(self, change: Change) -> str | None:
        """Enter a session that is about to be created into the index, and return its entry there."""
        if change.record is None or not change.is_fresh:
            return None
        entry = index_entry(change.record.session.progress.created_at, change.session_id)
        max_sessions: Argument = self._limits.max_sessions if change.expected is None else ""
        if not (await self._calls.run(RESERVE, [self._keyspace.index], entry, max_sessions)).value:
            raise StoreFullError
        return entry

    async def _strike_out(self, *entries: str | bytes) -> None:
        """Take entries out of the index; what cannot be taken out now is found by the next clean-up."""
        try:
            await self._calls.ask("ZREM", self._keyspace.index, *entries)
        except StoreUnavailableError:
            logger.info("%d entries of the index stay until the next clean-up", len(entries))

    async def _orphan(self, session_id: str, keys_left: int) -> None:
        """Keep the idempotency keys that a removed session leaves, in place of those that were left first.

        Where that cannot be done now, they count for nothing, and go when their time is up.
        """
        try:
            surplus = await self._calls.run(
                ORPHAN,
                [self._keyspace.orphans],
                fingerprint(session_id),
                keys_left,
                self._limits.orphaned_keys,
                KEY_LIFETIME_MS,
            )
            owners = [self._keyspace.of_fingerprint(tag.decode()) for tag in surplus.value]
            await asyncio.gather(*(self._calls.run(FORGET, [each.state, each.used, each.ranks]) for each in owners))
        except (StoreFullError, StoreUnavailableError):
            logger.info("%d idempotency keys of a removed session stay for their day", keys_left)

    async def find_idempotency_key(self, session_id: str, name: str) -> RememberedKey | None:
        """Return what is remembered of the key."""
        data = await self._calls.ask("HGET", self._keyspace.of(session_id).used, name)
        return None if data is None else self._decoded(decode_key, name, data)

    async def forget_keys(self, used_before: str) -> None:
        """Do nothing: Redis lets go of them by itself, a day after their last use."""

    async def replay(self, session_id: str, after: Position) -> Sequence[LogEntry] | None:
        """Return the transitions after the position; see `Backend.replay`."""
        keys = self._keyspace.of(session_id)
        reading = await self._read(session_id, keys, after, wants_record=False)
        position = reading.position
        if position is None or position.epoch != after.epoch or len(reading.entries) != position.offset - after.offset:
            return None
        return reading.entries

    async def listen(self, session_id: str, listener: Listener) -> None:
        """Tell `listener` of the session's changes."""
        channel = self._keyspace.of(session_id).channel
        self._following.add(channel, session_id, listener)
        try:
            await self._listener.subscribe(channel)
        except BaseException:
            self.unlisten(session_id, listener)
            raise

    def unlisten(self, session_id: str, listener: Listener) -> None:
        """Take `listen` back."""
        channel = self._keyspace.of(session_id).channel
        if self._following.remove(channel, listener):
            self._listener.unsubscribe(channel)

    async def put(self, name: str, value: bytes, lifetime_s: int) -> None:
        """Keep something for a moment; see `tickets.OneTimeStore`."""
        await self._calls.ask("SET", self._keyspace.slip(name), value, "EX", lifetime_s)

    async def take(self, name: str) -> bytes | None:
        """Take it out. Asked again because an answer was lost, the server has it no more: it is never given twice."""
        value: bytes | None = await self._calls.ask("GETDEL", self._keyspace.slip(name))
        return value

    async def list_summaries(
        self, status: SessionStatus | None, limit: int, after: PageCursor | None
    ) -> Sequence[SessionSummary]:
        """Return a page of sessions, newest first; see `Backend.list_summaries`."""
        heads: list[SessionSummary] = []
        behind = f"({index_entry(after.created_at, after.session_id)}" if after else "+"
        while len(heads) < limit:
            entries = await self._calls.ask(
                "ZRANGE", self._keyspace.index, behind, "-", "BYLEX", "REV", "LIMIT", 0, max(limit, _PAGE)
            )
            if not entries:
                break
            found = await self._look_up(entries)
            heads += (head for head, _ in filter(None, found.values()) if status in (None, head.status))
            behind = b"(" + entries[-1]
        return heads[:limit]

    async def count_by_status(self) -> Mapping[SessionStatus, int]:
        """Return how many sessions there are, page by page: none of them keeps count."""
        counts: Counter[SessionStatus] = Counter()
        after = None
        while page := await self.list_summaries(None, _PAGE, after):
            counts.update(head.status for head in page)
            after = PageCursor(page[-1].created_at, page[-1].session_id)
        return counts

    async def _look_up(self, entries: Sequence[bytes]) -> Mapping[bytes, tuple[SessionSummary, Position] | None]:
        """Return the session of each entry of the index that can be read; `None` where none was created then."""
        found: dict[bytes, tuple[SessionSummary, Position] | None] = {}
        looked_up = await asyncio.gather(*map(self._find, entries), return_exceptions=True)
        for entry, each in zip(entries, looked_up, strict=True):
            if not isinstance(each, BaseException):
                found[entry] = each
            elif not is_damage(each):
                raise each
        return found

    async def _find(self, entry: bytes) -> tuple[SessionSummary, Position] | None:
        created_at, session_id = self._decoded(split_index_entry, entry)
        fields = await self._calls.ask("HMGET", self._keyspace.of(session_id).state, *SUMMARY_FIELDS)
        found = self._decoded(decode_summary, session_id, fields)
        return found if found is not None and found[0].created_at == created_at else None

    async def expire(self, created_before: str, should_remove: Callable[[SessionSummary], bool]) -> int:
        """Remove old sessions, each unless it has changed meanwhile; see `Backend.expire`."""
        self._cache.drop_unused()  # What others removed is known here only by being asked for.
        removed, behind = 0, b"-"
        while True:
            entries = await self._calls.ask(
                "ZRANGE", self._keyspace.index, behind, f"({created_before}", "BYLEX", "LIMIT", 0, _PAGE
            )
            if not entries:
                return removed
            found = await self._look_up(entries)
            await self._strike_out_orphans([entry for entry, each in found.items() if each is None])
            doomed = [
                Change(head.session_id, position, None)
                for head, position in filter(None, found.values())
                if should_remove(head)
            ]
            removed += await commit_all(self, doomed, is_damage)
            behind = b"(" + entries[-1]

    async def _strike_out_orphans(self, entries: Sequence[bytes]) -> None:
        limit = state_machine.timestamp(datetime.now(UTC) - _ORPHAN_AGE)
        orphans = [entry for entry in entries if split_index_entry(entry)[0] < limit]
        if orphans:
            await self._strike_out(*orphans)
