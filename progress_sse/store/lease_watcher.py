"""The watcher that reports silent workers as stalled or lost."""

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

from progress_sse._internal.clock import Clock
from progress_sse._internal.tasks import cancel
from progress_sse.core.commands import Stall
from progress_sse.core.errors import ProblemError, SignSeenError
from progress_sse.core.leases import Judgement, judge, leased_steps
from progress_sse.store.progress_store import ProgressStore

logger = logging.getLogger(__name__)

CHECK_INTERVAL_S: Final = 0.25
"""Seconds between two looks at the leases that are due."""

MAX_CONCURRENT: Final = 100
"""Sessions that are checked at the same time."""

Verdict: TypeAlias = Literal["stalled", "lost"]


class LeaseWatcher:
    """Checks the sessions whose leases are due. Any number of servers may watch one store.

    Attributes:
        verdicts: How many workers this server has reported as stalled or lost.
    """

    def __init__(self, store: ProgressStore, clock: Clock) -> None:
        """Watch the leases of `store`, which is open."""
        self.verdicts: Counter[Verdict] = Counter()
        self._store = store
        self._leases = store.backend.leases
        self._clock = clock
        self._slots = asyncio.Semaphore(MAX_CONCURRENT)

    async def run(self) -> None:
        """Watch until this is cancelled. A check that takes long delays neither the clock nor other checks."""
        checks: set[asyncio.Task[None]] = set()
        try:
            while True:
                await self._clock.sleep(CHECK_INTERVAL_S)
                for session_id in await self._overdue():
                    check = asyncio.get_running_loop().create_task(self._check_session(session_id))
                    checks.add(check)
                    check.add_done_callback(checks.discard)
        finally:
            await cancel(*checks)

    async def check(self) -> None:
        """Check each session that is due."""
        await asyncio.gather(*map(self._check_session, await self._overdue()))

    async def _overdue(self) -> Sequence[str]:
        try:
            return await self._leases.overdue(self._clock.monotonic())
        except ProblemError as error:
            logger.info("leases are not checked: %s", error)
        except Exception:
            logger.exception("leases could not be checked")
        return ()

    async def _check_session(self, session_id: str) -> None:
        """Check one session; on failure it is checked again after `RETRY_S`."""
        async with self._slots:
            try:
                judgement = await self._judge(session_id)
                if judgement.commands:
                    await self._report(session_id, judgement)
                    judgement = await self._judge(session_id)
                await self._check_in(session_id, judgement)
                # A step that began meanwhile has entered an earlier check, which this one may have replaced.
                again = await self._judge(session_id)
                if again != judgement and again.due_in_ms is not None:
                    await self._check_in(session_id, again)
            except (ProblemError, SignSeenError) as error:
                logger.info("the leases of a session are not checked: %s", error)
            except Exception:
                logger.exception("the leases of a session could not be checked")

    async def _check_in(self, session_id: str, judgement: Judgement) -> None:
        await self._leases.check_in(session_id, judgement.due_in_ms, self._clock.monotonic())

    async def _report(self, session_id: str, judgement: Judgement) -> None:
        for command in judgement.commands:
            before = await self._store.load(session_id)
            after = (await self._store.apply(session_id, command)).record
            if before != after:  # Else another server has reported it already.
                self.verdicts["stalled" if isinstance(command, Stall) else "lost"] += 1

    async def _judge(self, session_id: str) -> Judgement:
        record = await self._store.load(session_id)
        if record is None:
            return Judgement((), None)
        steps = leased_steps(record.session)
        return judge(record.session, await self._leases.silences(session_id, steps, self._clock.monotonic()))
