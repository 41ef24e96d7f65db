"""The outbox in SQLite: commits write the rows; memory has which notice is due next, without the bodies."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from progress_sse._internal.tasks import has_failed
from progress_sse.store.outbox import Entry, LocalOutbox, Notice, Taken
from progress_sse.store.sqlite import notices
from progress_sse.store.sqlite.reader import SqliteReader
from progress_sse.store.sqlite.writer import SqliteWriter


class SqliteOutbox(LocalOutbox):
    """The outbox of a file; `purge_soon` is called once text was removed, which the write-ahead log still has."""

    unsaved = 0

    def __init__(self, reader: SqliteReader, writer: SqliteWriter, purge_soon: Callable[[], None]) -> None:
        """Begin empty; see `open`."""
        super().__init__()
        self._reader = reader
        self._writer = writer
        self._purge_soon = purge_soon
        self._gone = set[str]()  # Stays until the file has lost them, as it may be locked or read-only for a while.

    def open(self) -> None:
        """Begin with what the writer found."""
        super().__init__(*self._writer.outbox)

    def _kept(self, notice: Notice) -> Notice:
        return notice._replace(body=b"")

    async def _store(self, entries: Sequence[Entry]) -> None:
        await self._writer.submit(partial(notices.store, entries=entries))

    async def _delete(self, notice_ids: Sequence[str]) -> None:
        self._gone.update(notice_ids)
        if gone := frozenset(self._gone):
            await self._writer.submit(partial(notices.delete, notice_ids=gone))
            self._gone -= gone
            self._purge_soon()

    def on_commit(self, committed: Iterable[Notice]) -> Sequence[str]:
        """Add the notices of a commit; delete those that go for them."""
        gone = super().on_commit(committed)
        if gone:
            self._gone.update(gone)
            self._writer.submit(partial(notices.delete, notice_ids=gone)).add_done_callback(has_failed)
            self._purge_soon()
        return gone

    async def take(self, queue: str, now_ms: int, most: int) -> Sequence[Taken]:
        """Claim notices; see `Outbox.take`. A damaged one is dropped."""
        taken = await super().take(queue, now_ms, most)
        if not taken:
            return ()
        ids = [each.notice_id for each in taken]
        bodies = await self._reader.read(notices.load_bodies, queue, ids, self._reader.damage)
        for each in taken:
            if each.notice_id not in bodies:
                await self.settle(each, "delivered", now_ms)
        return [each._replace(body=bodies[each.notice_id]) for each in taken if each.notice_id in bodies]

    async def turn(self, queue: str, *, is_on: bool) -> None:
        """Turn a queue off or on; see `Outbox.turn`."""
        await self._writer.submit(partial(notices.turn, queue=queue, is_on=is_on))
        await super().turn(queue, is_on=is_on)

    async def keep(self, name: str, value: bytes) -> bytes:
        """Keep a value; see `Outbox.keep`."""
        await self._writer.submit(partial(notices.keep, name=name, value=value))
        return await self._reader.read(notices.load_kept, name)
