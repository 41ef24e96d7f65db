"""The outbox in SQLite: commits write the rows; memory has which notice is due next, without the bodies."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final

from progress_sse.store.health import DamageLog
from progress_sse.store.outbox import Ending, Later, LocalOutbox, Notice, Taken
from progress_sse.store.sqlite import notices
from progress_sse.store.sqlite.reader import SqliteReader
from progress_sse.store.sqlite.writer import SqliteWriter

_PAGE: Final = 100
"""Rows that one statement's turn removes."""


class SqliteOutbox:
    """The outbox of a file; `purge_soon` is called once text was removed, which the write-ahead log still has."""

    def __init__(
        self, reader: SqliteReader, writer: SqliteWriter, damage: DamageLog, purge_soon: Callable[[], None]
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._damage = damage
        self._purge_soon = purge_soon
        self._local = LocalOutbox()

    @property
    def lost(self) -> Counter[str]:
        """How many were dropped unsent; see `Outbox`."""
        return self._local.lost

    async def open(self) -> None:
        """Read what is stored."""
        self._local = LocalOutbox(*await self._reader.read(notices.load, "the outbox"))

    def on_commit(self, committed: Sequence[Notice]) -> None:
        """Add the notices of a commit, and remove those that have to go for them."""
        without_bodies = [(notice._replace(body=b""), len(notice.body)) for notice in committed]
        gone = self._local.on_commit(without_bodies)
        if gone:
            self._remove(gone)

    def _remove(self, notice_ids: Sequence[str]) -> asyncio.Future[None]:
        removal = self._writer.submit(partial(notices.delete, notice_ids=notice_ids))
        removal.add_done_callback(lambda removal: removal.cancelled() or removal.exception())
        self._purge_soon()
        return removal

    async def take(self, queue: str, now_ms: int, most: int) -> Sequence[Taken]:
        """Claim notices; see `Outbox.take`. A damaged one is dropped."""
        taken = await self._local.take(queue, now_ms, most)
        if not taken:
            return ()
        bodies = await self._reader.read(notices.load_bodies, queue, [each.notice_id for each in taken], self._damage)
        for each in taken:
            if each.notice_id not in bodies:
                await self.settle(each, "delivered", now_ms)
        return [each._replace(body=bodies[each.notice_id]) for each in taken if each.notice_id in bodies]

    async def settle(self, taken: Taken, result: Ending | Later, now_ms: int) -> bool:
        """Note the result; see `Outbox.settle`."""
        if not await self._local.settle(taken, result, now_ms):
            return False
        if isinstance(result, Later):
            due_ms = now_ms + result.wait_ms
            await self._writer.submit(partial(notices.put_off, notice_id=taken.notice_id, due_ms=due_ms, later=result))
        elif result == "dead":
            await self._writer.submit(partial(notices.bury, notice_id=taken.notice_id))
        else:
            await self._remove([taken.notice_id])
        return True

    async def wake_at_ms(self, queue: str, now_ms: int) -> float:
        """Return when a notice may be due; see `Outbox.wake_at_ms`."""
        return await self._local.wake_at_ms(queue, now_ms)

    async def counts(self, queue: str) -> tuple[int, int]:
        """Return the numbers; see `Outbox.counts`."""
        return await self._local.counts(queue)

    async def revive(self, queue: str, notice_id: str | None, now_ms: int) -> int:
        """Let dead notices wait again; see `Outbox.revive`."""
        await self._writer.submit(partial(notices.revive, queue=queue, notice_id=notice_id, now_ms=now_ms))
        return await self._local.revive(queue, notice_id, now_ms)

    async def discard(self, queues: Iterable[str], now_ms: int) -> None:
        """Drop what is old; see `Outbox.discard`."""
        gone = await self._local.discard(queues, now_ms)
        for n in range(0, len(gone), _PAGE):
            await self._remove(gone[n : n + _PAGE])

    async def turn(self, queue: str, *, is_on: bool) -> None:
        """Turn a queue off or on; see `Outbox.turn`."""
        await self._writer.submit(partial(notices.turn, queue=queue, is_on=is_on))
        await self._local.turn(queue, is_on=is_on)

    async def turned_off(self) -> frozenset[str]:
        """Return the queues that are off; see `Outbox.turned_off`."""
        return await self._local.turned_off()
