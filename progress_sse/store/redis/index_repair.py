"""Completing the index of sessions that a server of an earlier version has created or removed."""

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Final

from progress_sse._internal.cancel_tasks import cancel
from progress_sse.core.errors import ProblemError
from progress_sse.store.redis.keys import Keyspace, id_entry, set_member, split_index_entry
from progress_sse.store.redis.pipeline import CommandExecutor
from progress_sse.store.redis.scripts import MISSING_IDS, RESERVE_INDEX_ENTRY
from progress_sse.store.redis.summaries import RedisSummaries

logger = logging.getLogger(__name__)

PAGE_SIZE: Final = 200
"""Entries that are looked at, at a time."""

INTERVAL_S: Final = 10.0
"""Seconds, at least, between two repairs."""


class IndexRepair:
    """Enters sessions that are in the order of their creation alone, and removes ids whose session is not."""

    def __init__(self, executor: CommandExecutor, keyspace: Keyspace, summaries: RedisSummaries) -> None:
        """Read and write the index by `executor`."""
        self._executor = executor
        self._keyspace = keyspace
        self._summaries = summaries
        self._task: asyncio.Task[None] | None = None
        self._not_before = 0.0

    def begin(self) -> None:
        """Begin, unless that was done just now."""
        if time.monotonic() >= self._not_before and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def aclose(self) -> None:
        """Stop."""
        if self._task is not None:
            await cancel(self._task)

    async def _run(self) -> None:
        try:
            for by_id in (0, 1):
                await self._walk(by_id)
        except ProblemError as error:
            logger.info("the index of sessions is completed later: %s", error)
        except Exception:
            logger.exception("Unexpected error while the index of sessions was completed")
        finally:
            self._not_before = time.monotonic() + INTERVAL_S

    async def _walk(self, by_id: int) -> None:
        start, keys = b"-", [self._keyspace.index, self._keyspace.ids]
        while True:
            last, missing = (await self._executor.run(MISSING_IDS, keys, start, by_id, PAGE_SIZE)).value
            if last is None:
                return
            await self._enter(missing)
            start = b"(" + last

    async def _enter(self, entries: Sequence[bytes]) -> None:
        found = await self._summaries.find(entries)
        for entry in entries:
            try:
                created_at, session_id = split_index_entry(entry)
            except UnicodeDecodeError:  # Damage, which was logged when its session was looked for.
                continue
            each, sets, offset = found.get(entry), list[str](), 0
            if each is not None:
                summary, (_, offset) = each
                sets = [self._keyspace.labelled(label) for label in summary.labels.items()]
                sets += [] if summary.status == "completed" else [self._keyspace.unfinished]
            keys = [self._keyspace.index, self._keyspace.ids, self._keyspace.sets, *sets]
            names = entry, id_entry(created_at, session_id), "", set_member(created_at, session_id, offset)
            await self._executor.run(RESERVE_INDEX_ENTRY, keys, *names)
