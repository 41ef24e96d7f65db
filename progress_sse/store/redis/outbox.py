"""The outbox in Redis: notices lie in the slot of their session; an index of each queue shows which is due next.

In a cluster the index lies in another slot. So an entry is written before the commit and after it, and is only a hint:
the notice itself decides whether it is due, and the script that claims it.
"""

import asyncio
import math
import secrets
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple

from progress_sse._internal.tasks import has_failed
from progress_sse.core.errors import StoreFullError, StoreUnavailableError
from progress_sse.store import outbox
from progress_sse.store.outbox import CLAIM_MS, LIFETIME_MS, OVERTAKE_MS, Ending, Later, Notice, Taken
from progress_sse.store.redis.checked_decoder import CheckedDecoder
from progress_sse.store.redis.codec import Argument
from progress_sse.store.redis.keys import Keyspace
from progress_sse.store.redis.pipeline import CommandExecutor, PendingCommand
from progress_sse.store.redis.scripts import REVIVE_NOTICE, SETTLE_NOTICE, TAKE_NOTICE
from progress_sse.store.seals import sealed, unsealed
from progress_sse.store.types import Change, fingerprint

YOUNG_MS: Final = 120_000
"""An entry without a notice that is younger than so many milliseconds may be of a commit that is under way."""

LOOK_MS: Final = 60_000
"""Milliseconds after which an entry is looked at again whose notice waits for another one."""

RETRY_MS: Final = 5_000
"""Milliseconds after which an entry is looked at again that has no notice yet."""


_STATE, _DUE, _QUEUE, _PLACE, _FIELDS = 1, 2, 8, 11, 12
"""Where a header has its fields, and how many there are; see `outbox.lua`."""


class Place(NamedTuple):
    """An entry of an index: where a notice lies, when it was made, and the size of its body."""

    made_ms: int
    size: int
    tag: str
    notice_id: str

    @classmethod
    def of(cls, notice: Notice, session_id: str) -> "Place":
        """Return the place of a notice of a session."""
        return cls(notice.made_ms, len(notice.body), fingerprint(session_id), notice.notice_id)

    def __str__(self) -> str:
        return "/".join(map(str, self))


def _decode_place(member: bytes) -> Place:
    made_ms, size, tag, notice_id = member.decode().split("/")
    return Place(int(made_ms), int(size), tag, notice_id)


class RedisOutbox:
    """The outbox of all sessions in one store."""

    unsaved = 0

    def __init__(
        self, executor: CommandExecutor, keyspace: Keyspace, decode: CheckedDecoder, *, is_cluster: bool
    ) -> None:
        self.lost = Counter[str]()
        self._executor = executor
        self._keyspace = keyspace
        self._decode = decode
        self._is_cluster = is_cluster
        self._seen_ms = defaultdict[str, float](lambda: math.inf)

    def arguments(self, change: Change) -> list[Argument]:
        """Return the arguments of the script `COMMIT` that have its notices."""
        if not change.notices:
            return [0]
        fields: list[Argument] = []
        for notice in change.notices:
            body = sealed(notice.body, notice.queue, notice.notice_id)
            place = str(Place.of(notice, change.session_id))
            lane = fingerprint(notice.lane)
            fields += [notice.notice_id, notice.queue, lane, notice.made_ms, place, body, notice.most_in_lane]
        return [len(fields), *fields, LIFETIME_MS]

    def indexes(self, change: Change) -> list[str]:
        """Return the keys of the indexes that the script of a commit enters its notices into, one for each."""
        return [] if self._is_cluster else [self._keyspace.waiting(notice.queue) for notice in change.notices]

    async def enter(self, change: Change) -> None:
        """Enter the notices of a change where its script cannot: before the commit, and after it."""
        if self._is_cluster and change.notices:
            entries = (
                self._plan(notice.queue, Place.of(notice, change.session_id), notice.made_ms)
                for notice in change.notices
            )
            await asyncio.gather(*entries)

    async def on_commit(self, change: Change, gone: Sequence[bytes]) -> None:
        """Enter the notices again, and remove the entries of those that had to go for them.

        Where the session is removed, enter all that wait: the index may have been lost.
        """
        for queue, place in zip(gone[::2], gone[1::2], strict=True):
            self.lost[queue.decode()] += 1
            removed = self._executor.submit(
                PendingCommand(None, (), ("ZREM", self._keyspace.waiting(queue.decode()), place), is_write=False)
            )
            removed.add_done_callback(has_failed)  # A sender that finds nothing under it removes it.
        with suppress(StoreFullError, StoreUnavailableError):  # They were entered before the commit.
            await self.enter(change)
            if change.record is None:
                await self._enter_again(change.session_id)

    async def _enter_again(self, session_id: str) -> None:
        values = await self._executor.execute("HGETALL", self._keyspace.of(session_id).notices)
        for fields in (header.decode().split(" ") for header in values[1::2]):
            if len(fields) == _FIELDS and fields[_STATE] == "w":
                await self._plan(fields[_QUEUE], _decode_place(fields[_PLACE].encode()), int(fields[_DUE]))

    async def _plan(self, queue: str, place: Place, at_ms: int) -> None:
        index = self._keyspace.waiting(queue)
        await self._executor.execute("ZADD", index, at_ms, str(place))
        await self._executor.execute("PEXPIRE", index, LIFETIME_MS)

    async def take(self, queue: str, now_ms: int, most: int) -> Sequence[Taken]:
        """Claim notices; see `Outbox.take`."""
        index = self._keyspace.waiting(queue)
        if now_ms < self._seen_ms[queue]:  # The clock may have been set back: each notice knows when it is due.
            later = await self._executor.execute("ZRANGE", index, f"({now_ms}", "+inf", "BYSCORE")
            moved = self._decode.each(index, _decode_place, later)
            await asyncio.gather(*(self._plan(queue, place, now_ms) for place in moved))
        self._seen_ms[queue] = now_ms
        taken: list[Taken] = []
        while len(taken) < most:
            page = ("BYSCORE", "LIMIT", 0, most - len(taken))
            due = await self._executor.execute("ZRANGE", index, "-inf", now_ms, *page)
            if not due:
                break
            places = list(self._decode.each(index, _decode_place, due))
            for place in places:
                taken += await self._take(queue, place, now_ms)
            if len(places) < len(due):  # Another program wrote the others.
                await self._executor.execute("ZREM", index, *({*due} - {str(place).encode() for place in places}))
        return taken

    async def _take(self, queue: str, place: Place, now_ms: int) -> Iterable[Taken]:
        claim = secrets.token_hex(8)
        times = now_ms, claim, CLAIM_MS, OVERTAKE_MS, LOOK_MS
        outcome, *rest = await self._run(TAKE_NOTICE, place, *times)
        if outcome == b"later":
            await self._plan(queue, place, int(rest[0]))
        elif outcome == b"taken":
            await self._plan(queue, place, now_ms + CLAIM_MS)
            body, tries, first_try_ms = rest
            first = None if first_try_ms == b"-" else int(first_try_ms)
            try:
                body = unsealed(body, queue, place.notice_id)
            except ValueError as error:
                self._decode.damage.record(place.notice_id, error)
                await self._drop(queue, place)
                return ()
            return (Taken(place.notice_id, queue, body, int(tries), first, f"{place}/{claim}"),)
        elif outcome == b"gone" and place.made_ms > now_ms - YOUNG_MS:
            await self._plan(queue, place, now_ms + RETRY_MS)
        else:
            await self._leave(queue, place, is_dead=outcome == b"dead", now_ms=now_ms)
        return ()

    async def _run(self, script: Any, place: Place, *arguments: Argument) -> Any:
        keys = self._keyspace.of_fingerprint(place.tag)
        return await self._executor.run(script, [keys.notices, keys.notice_bodies], place.notice_id, *arguments)

    async def _leave(self, queue: str, place: Place, *, is_dead: bool, now_ms: int = 0) -> None:
        if is_dead:
            await self._executor.execute("ZADD", self._keyspace.dead(queue), now_ms, str(place))
        await self._executor.execute("ZREM", self._keyspace.waiting(queue), str(place))

    async def _drop(self, queue: str, place: Place) -> None:
        await self._settle(queue, place, "-", "drop", 0)
        await self._leave(queue, place, is_dead=False)
        await self._executor.execute("ZREM", self._keyspace.dead(queue), str(place))

    async def settle(self, taken: Taken, result: Ending | Later, now_ms: int) -> bool:
        """Note the result; see `Outbox.settle`."""
        place = _decode_place(taken.claim.rpartition("/")[0].encode())
        claim = taken.claim.rpartition("/")[2]
        if isinstance(result, Later):
            due_ms, first = now_ms + result.wait_ms, "-" if result.first_try_ms is None else result.first_try_ms
            if not await self._settle(taken.queue, place, claim, "later", now_ms, due_ms, *result[:2], first):
                return False
            await self._plan(taken.queue, place, due_ms)
            return True
        if not await self._settle(taken.queue, place, claim, result, now_ms):
            return False
        await self._leave(taken.queue, place, is_dead=result == "dead", now_ms=now_ms)
        return True

    async def _settle(self, queue: str, place: Place, claim: str, result: str, now_ms: int, *later: Argument) -> bool:
        is_settled, *following = await self._run(SETTLE_NOTICE, place, claim, result, *(later or ("", "", "", "")))
        if following:
            await self._plan(queue, _decode_place(following[0]), int(following[1]))
        return bool(is_settled)

    async def wake_at_ms(self, queue: str, now_ms: int) -> float:
        """Return when a notice may be due; see `Outbox.wake_at_ms`."""
        first = await self._executor.execute("ZRANGE", self._keyspace.waiting(queue), 0, 0, "WITHSCORES")
        return float(first[1]) if first else float("inf")

    async def counts(self, queue: str) -> tuple[int, int]:
        """Return the numbers; see `Outbox.counts`."""
        keys = self._keyspace.waiting(queue), self._keyspace.dead(queue)
        waiting, dead = await asyncio.gather(*(self._executor.execute("ZCARD", key) for key in keys))
        return int(waiting), int(dead)

    async def revive(self, queue: str, notice_id: str | None, now_ms: int) -> int:
        """Let dead notices wait again; see `Outbox.revive`."""
        revived = 0
        for place in await self._places(self._keyspace.dead(queue)):
            if notice_id in (None, place.notice_id):
                revived += await self._run(REVIVE_NOTICE, place, now_ms)
                await self._plan(queue, place, now_ms)
                await self._executor.execute("ZREM", self._keyspace.dead(queue), str(place))
        return revived

    async def _places(self, index: str) -> list[Place]:
        members = await self._executor.execute("ZRANGE", index, 0, -1)
        return list(self._decode.each(index, _decode_place, members))

    async def discard(self, queues: Iterable[str], now_ms: int) -> None:
        """Drop what is old, and what is too much; see `Outbox.discard`. Those of other queues expire."""
        for queue in queues:
            waiting = sorted(await self._places(self._keyspace.waiting(queue)))
            for place in _surplus(waiting, now_ms):
                await self._drop(queue, place)
                self.lost[queue] += 1
            dead = await self._places(self._keyspace.dead(queue))
            for number, place in enumerate(dead):
                if number < len(dead) - outbox.MAX_DEAD or place.made_ms < now_ms - LIFETIME_MS:
                    await self._drop(queue, place)

    async def turn(self, queue: str, *, is_on: bool) -> None:
        """Turn a queue off or on; see `Outbox.turn`."""
        key = self._keyspace.queues_off
        await self._executor.execute(*(("HDEL", key, queue) if is_on else ("HSET", key, queue, "")))

    async def keep(self, name: str, value: bytes) -> bytes:
        """Keep a value; see `Outbox.keep`."""
        key = self._keyspace.kept_value(name)
        await self._executor.execute("SET", key, sealed(value, "", name), "NX")
        return self._decode(unsealed, await self._executor.execute("GET", key), "", name)

    async def turned_off(self) -> frozenset[str]:
        """Return the queues that are off; see `Outbox.turned_off`."""
        names = await self._executor.execute("HGETALL", self._keyspace.queues_off)
        return frozenset(each.decode() for each in names[::2])


def _surplus(waiting: Sequence[Place], now_ms: int) -> Iterator[Place]:
    """Yield the oldest ones as long as they are too old, or too many wait."""
    left, left_bytes = len(waiting), sum(place.size for place in waiting)
    for place in waiting:
        is_old = place.made_ms < now_ms - LIFETIME_MS
        if not (is_old or left > outbox.MAX_WAITING or left_bytes > outbox.MAX_WAITING_BYTES):
            return
        yield place
        left, left_bytes = left - 1, left_bytes - place.size
