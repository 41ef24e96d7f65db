"""What the runs of each profile taught, in Redis.

A profile lies in another slot than its sessions. So a run teaches just after the commit that completes it; if the
server ends in between, its lesson is lost. The run that has taught is noted beside the history, so that no lesson
counts twice, also if its session goes back in time and is completed again.
"""

import logging
from collections.abc import Collection
from typing import Final

from progress_sse.core.errors import StoreFullError, StoreUnavailableError
from progress_sse.core.history import MAX_PROFILES, MAX_WEEKS, Cell, History, Lesson
from progress_sse.core.model import Session
from progress_sse.store.histories import MAX_STORED_CELLS, is_count_of_cell
from progress_sse.store.redis.checked_decoder import CheckedDecoder
from progress_sse.store.redis.keys import Keyspace
from progress_sse.store.redis.pipeline import CommandExecutor
from progress_sse.store.redis.scripts import KEEP_PROFILE, TEACH
from progress_sse.store.types import Change, fingerprint

logger = logging.getLogger(__name__)

LESSON_LIFETIME_MS: Final = 3_600_000
"""Milliseconds for which a run is noted that has taught: no lesson is sent again so late."""

HISTORY_LIFETIME_MS: Final = (MAX_WEEKS + 1) * 7 * 86_400_000
"""Milliseconds for which a profile is kept that is not taught any more: all of its cells are too old then."""


class RedisHistories:
    """The histories of all profiles in one store."""

    def __init__(self, executor: CommandExecutor, keyspace: Keyspace, decode: CheckedDecoder) -> None:
        self._executor = executor
        self._keyspace = keyspace
        self._decode = decode

    async def on_commit(self, change: Change) -> None:
        """Learn from the run that a change completed, if any; if that fails, its lesson is lost."""
        if change.lesson is None or change.record is None:
            return
        try:
            await self.teach(change.lesson, change.record.session)
        except (StoreFullError, StoreUnavailableError) as error:
            logger.info("a run is not learned from: %s", error)

    async def teach(self, lesson: Lesson, session: Session) -> None:
        """Add the lesson of a session, unless it has taught already."""
        profile, run = fingerprint(lesson.profile), fingerprint(f"{session.progress.session_id}/{session.run}")
        # Entered first: a history that is not there does no harm, one without an entry would stay when it has to go.
        surplus = await self._executor.run(
            KEEP_PROFILE, [self._keyspace.profiles], profile, MAX_PROFILES, HISTORY_LIFETIME_MS
        )
        for former in surplus:
            await self._executor.execute("DEL", self._keyspace.history(former.decode(errors="replace")))
        await self._executor.run(
            TEACH,
            [self._keyspace.history(profile), self._keyspace.lesson(profile, run)],
            MAX_STORED_CELLS,
            HISTORY_LIFETIME_MS,
            LESSON_LIFETIME_MS,
            *map(_encode, lesson.cells),
        )

    async def load(self, profile: str) -> History:
        """Return how often each cell was taught, without damaged ones."""
        reply = await self._executor.execute("HGETALL", self._keyspace.history(fingerprint(profile)))
        return dict(self._decode.each(profile, _decode, zip(reply[::2], reply[1::2], strict=True)))

    async def forget(self, profile: str, cells: Collection[Cell] | None = None) -> None:
        """Forget cells; see `Histories.forget`."""
        name = fingerprint(profile)
        key = self._keyspace.history(name)
        if cells is None:
            await self._executor.execute("DEL", key)
            await self._executor.execute("ZREM", self._keyspace.profiles, name)
        elif cells:
            await self._executor.execute("HDEL", key, *map(_encode, cells))


def _encode(cell: Cell) -> str:
    """Return the name of the field in which a history counts the cell."""
    return f"{cell.week} {cell.bucket} {cell.name}"


def _decode(stored: tuple[bytes, bytes]) -> tuple[Cell, int]:
    field, value = stored
    week, bucket, name = field.decode().split(" ", 2)
    cell, count = Cell(int(week), name, int(bucket)), int(value)
    if not is_count_of_cell(cell, count):
        raise ValueError("no run teaches such a cell")
    return cell, count
