"""The watcher that says of silent workers that they are stalled or lost."""

import asyncio
import logging
from collections import Counter
from typing import Final, Literal, TypeAlias

from progress_sse._internal.clock import Clock
from progress_sse.core.commands import Stall
from progress_sse.core.errors import ProblemError, SignSeenError
from progress_sse.core.leases import Judgement, judge, leased_steps
from progress_sse.store.progress_store import ProgressStore

logger = logging.getLogger(__name__)

CHECK_INTERVAL_S: Final = 0.25
"""Seconds between two looks at the leases that are due."""

RETRY_MS: Final = 1000
"""Milliseconds after which a session is checked again whose check failed."""

MAX_CONCURRENT: Final = 100
"""Sessions that are checked at the same time."""


Verdict: TypeAlias = Literal["stalled", "lost"]


class LeaseWatcher:
    """Checks the sessions whose leases are due. Any number of servers may watch one store.

    Attributes:
        verdicts: How many workers this server has said to be stalled or lost.
    """

    def __init__(self, store: ProgressStore, clock: Clock) -> None:
        """Watch the leases of `store`, which is open."""
        self.verdicts: Counter[Verdict] = Counter()
        self._store = store
        self._leases = store.backend.leases
        self._clock = clock
        self._slots = asyncio.Semaphore(MAX_CONCURRENT)

    async def run(self) -> None:
        """Watch until this is cancelled."""
        while True:
            await self._clock.sleep(CHECK_INTERVAL_S)
            try:
                await self.check()
            except ProblemError as error:
                logger.info("leases are not checked: %s", error)
            except Exception:
                logger.exception("leases could not be checked")

    async def check(self) -> None:
        """Check each session that is due."""
        overdue = await self._leases.overdue(self._clock.monotonic())
        await asyncio.gather(*map(self._check_session, overdue))

    async def _check_session(self, session_id: str) -> None:
        async with self._slots:
            try:
                judgement = await self._judge(session_id)
                if judgement.commands:
                    await self._say(session_id, judgement)
                    judgement = await self._judge(session_id)
                next_ms = RETRY_MS if judgement.commands else judgement.check_in_ms
            except (ProblemError, SignSeenError):
                next_ms = RETRY_MS
            except Exception:
                logger.exception("the leases of a session could not be checked")
                next_ms = RETRY_MS
        await self._leases.check_in(session_id, next_ms, self._clock.monotonic())

    async def _say(self, session_id: str, judgement: Judgement) -> None:
        for command in judgement.commands:
            before = await self._store.load(session_id)
            after = (await self._store.apply(session_id, command)).record
            if before != after:  # Else another server has said it already.
                self.verdicts["stalled" if isinstance(command, Stall) else "lost"] += 1

    async def _judge(self, session_id: str) -> Judgement:
        record = await self._store.load(session_id)
        if record is None:
            return Judgement((), None)
        steps = leased_steps(record.session)
        return judge(record.session, await self._leases.silences(session_id, steps, self._clock.monotonic()))
