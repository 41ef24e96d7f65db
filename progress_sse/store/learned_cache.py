"""What was learned of each profile in use: read from the store once in a while, for all commits in between."""

import asyncio
import logging
import time
from collections import OrderedDict
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Final, NamedTuple

from progress_sse._internal.clock import Clock
from progress_sse._internal.tasks import has_failed
from progress_sse.core.errors import ProblemError
from progress_sse.core.history import MAX_PROFILES, NOTHING_LEARNED, History, Learned, learning_from, surplus_of
from progress_sse.store.backend import FullBackend

logger = logging.getLogger(__name__)

VALID_S: Final = 10.0
"""Seconds for which a copy is used."""

MAX_WAIT_S: Final = 0.5
"""Seconds that a commit waits for a new copy, before it and those that follow do with the last one, or without."""

TURN_S: Final = 0.002
"""Seconds after which the work on a large history lets other tasks run."""


class _Copy(NamedTuple):
    learned: Learned
    read_at: float


class LearnedCache:
    """Copies of what was learned, those of the profiles that were used last."""

    def __init__(self, backend: FullBackend, clock: Clock) -> None:
        self._backend = backend
        self._clock = clock
        self._copies: OrderedDict[str, _Copy] = OrderedDict()
        self._reads: dict[str, asyncio.Task[_Copy]] = {}
        self._late: set[asyncio.Task[_Copy]] = set()

    def close(self) -> None:
        """Forget all copies, and cancel the reads that are under way."""
        for read in self._reads.values():
            read.cancel()
        self._reads.clear()
        self._copies.clear()

    async def get(self, profile: str) -> Learned:
        """Return what was learned of a profile, or, if the store does not answer in time, what was known of it last."""
        copy = self._valid_copy(profile)
        if copy is None:
            read = self._begin_read(profile)
            if read not in self._late:
                await asyncio.wait([read], timeout=MAX_WAIT_S)
            if not read.done():
                self._late.add(read)
            copy = read.result() if read.done() and not has_failed(read) else self._copies.get(profile)
        return NOTHING_LEARNED if copy is None else copy.learned

    async def fetch(self, profile: str) -> Learned:
        """Return what was learned of a profile, however long the store takes.

        Raises:
            StoreUnavailableError: The store does not answer.
        """
        copy = self._valid_copy(profile)
        if copy is None:
            copy = await asyncio.shield(self._begin_read(profile))
        return copy.learned

    def drop(self, profile: str) -> None:
        """Forget the copy, also one that is on its way."""
        self._copies.pop(profile, None)
        self._reads.pop(profile, None)

    def _valid_copy(self, profile: str) -> _Copy | None:
        copy = self._copies.get(profile)
        if copy is None or self._clock.monotonic() - copy.read_at > VALID_S:
            return None
        self._copies.move_to_end(profile)
        return copy

    def _begin_read(self, profile: str) -> asyncio.Task[_Copy]:
        """Return the read that is under way, which all callers share, or begin one."""
        read = self._reads.get(profile)
        if read is None:
            read = self._reads[profile] = asyncio.get_running_loop().create_task(self._read(profile))
            read.add_done_callback(partial(self._end_read, profile))
        return read

    async def _read(self, profile: str) -> _Copy:
        read_at = self._clock.monotonic()
        now = self._clock.now()
        history = await self._backend.histories.load(profile)
        surplus = surplus_of(history, now)
        if surplus:
            forgotten = set(surplus)
            history = {cell: count for cell, count in history.items() if cell not in forgotten}
            with suppress(ProblemError):  # The next read finds it again.
                await self._backend.histories.forget(profile, surplus)
        await asyncio.sleep(0)
        return _Copy(await _learned_from(history, now), read_at)

    def _end_read(self, profile: str, read: asyncio.Task[_Copy]) -> None:
        self._late.discard(read)
        if read.cancelled():
            return
        error = read.exception()
        if error is not None and not isinstance(error, ProblemError):
            logger.error("What was learned of a profile could not be read", exc_info=error)
        if self._reads.get(profile) is not read:
            return  # It was dropped meanwhile.
        del self._reads[profile]
        if error is None:
            self._copies[profile] = read.result()
            self._copies.move_to_end(profile)
            if len(self._copies) > MAX_PROFILES:
                self._copies.popitem(last=False)


async def _learned_from(history: History, now: datetime) -> Learned:
    """Return what a history teaches, worked out in turns."""
    runs, working_out = learning_from(history, now)
    steps = {}
    turn_ends_at = time.perf_counter() + TURN_S
    for name, step in working_out:
        steps[name] = step
        if time.perf_counter() > turn_ends_at:
            await asyncio.sleep(0)
            turn_ends_at = time.perf_counter() + TURN_S
    return Learned(runs, steps)
