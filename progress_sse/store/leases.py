"""The signs of life that workers give, and the clock on which they are due.

A *lease clock* stands still while no server can take reports, so that no worker counts as silent for that. Wall clocks
play no part in it.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from progress_sse._internal.timetable import Timetable
from progress_sse.core.leases import Silence
from progress_sse.core.model import Position
from progress_sse.store.types import Change, Sign, SilenceDemand

MAX_STANDSTILL_S: Final = 2.0
"""Seconds between two ticks after which the lease clock stood still, and each lease counts anew."""

RETRY_S: Final = 2.0
"""Seconds after which a session is checked again whose check failed, or whose server is gone."""

MAX_OVERDUE: Final = 1000
"""Sessions that are checked at once."""


class Leases(Protocol):
    """Signs of life by session and step, and when each session is to be checked for silence.

    `monotonic` is always now, in seconds on the monotonic clock of this process. Every method may raise
    `StoreUnavailableError`.
    """

    async def renew(self, session_id: str, position: Position, signs: Sequence[Sign]) -> bool:
        """Note signs that come with no change; return whether the session is still at `position`, which they need."""

    async def overdue(self, monotonic: float) -> Sequence[str]:
        """Return sessions whose check is due; each is to be given its next check by `check_in`."""

    async def silences(self, session_id: str, steps: Iterable[int], monotonic: float) -> Mapping[int, Silence]:
        """Return how long there was no sign for each of the steps."""

    async def check_in(self, session_id: str, ms: int | None, monotonic: float) -> None:
        """Check the session again after so many milliseconds; `None`: only after its next first sign."""

    async def watched(self) -> Collection[str]:
        """Return the sessions that have a check ahead."""


class LeaseClock:
    """The lease clock of one process.

    Attributes:
        since: When it last began to move, in its own seconds: silences count from then at the earliest.
    """

    def __init__(self) -> None:
        self.since = 0.0
        self._at = 0.0
        self._ticked_at: float | None = None

    def tick(self, monotonic: float) -> float:
        """Move on to `monotonic`, and return the seconds since the beginning."""
        elapsed = 0.0 if self._ticked_at is None else monotonic - self._ticked_at
        self._ticked_at = monotonic
        if elapsed > MAX_STANDSTILL_S:
            self.since = self._at
        else:
            self._at += elapsed
        return self._at

    def at(self, monotonic: float) -> float:
        """Return the seconds at a moment since the last tick, or at an earlier one."""
        elapsed = 0.0 if self._ticked_at is None else monotonic - self._ticked_at
        return self._at + (elapsed if elapsed <= MAX_STANDSTILL_S else 0.0)

    def at_sign(self, monotonic: float) -> float:
        """Return the seconds at the moment of a sign, which ends a standstill: a server takes reports."""
        if self._ticked_at is None or monotonic - self._ticked_at > MAX_STANDSTILL_S:
            return self.tick(monotonic)
        return self.at(monotonic)


class _KeptSign(NamedTuple):
    at: float
    stamp: str


class LocalLeases:
    """The leases of a store that one process uses. A new process begins without any sign: leases count anew."""

    def __init__(self, watched: Iterable[str] = ()) -> None:
        """Begin with a check of each session in `watched`."""
        self._clock = LeaseClock()
        self._signs: dict[str, dict[int, _KeptSign]] = {}
        self._checks = Timetable[str]()
        for session_id in watched:
            self._schedule(session_id, 0.0)

    def on_commit(self, change: Change) -> None:
        """Note the signs of a change that was committed, and forget those of a session that it removed or replaced.

        A change that does neither needs no call.
        """
        if change.record is None or change.is_fresh:
            self._signs.pop(change.session_id, None)
            self._checks.plan(change.session_id, math.inf)
        self._note(change.session_id, change.signs)

    def is_silent(self, session_id: str, demand: SilenceDemand) -> bool:
        """Return whether there was no sign for as long as a change demands."""
        return self._silence(session_id, demand.step, demand.monotonic).ms >= demand.ms

    async def renew(self, session_id: str, position: Position, signs: Sequence[Sign]) -> bool:  # certain here
        """Note signs; see `Leases.renew`."""
        self._note(session_id, signs)
        return True

    def _note(self, session_id: str, signs: Iterable[Sign]) -> None:
        for sign in signs:
            kept = self._signs.setdefault(session_id, {})
            at = self._clock.at_sign(sign.monotonic)
            before = kept.get(sign.step)
            if sign.is_first or before is None or before.at < at:
                kept[sign.step] = _KeptSign(at, sign.stamp)
            self._schedule(session_id, at + sign.lease_ms / 1000)

    def _schedule(self, session_id: str, due: float) -> None:
        if due < self._checks.at(session_id):
            self._checks.plan(session_id, due)

    async def overdue(self, monotonic: float) -> Sequence[str]:
        """Return sessions to check; see `Leases.overdue`."""
        now = self._clock.tick(monotonic)
        found = self._checks.take_due(now, MAX_OVERDUE)
        for session_id in found:
            self._checks.plan(session_id, now + RETRY_S)  # Should the check fail.
        return found

    async def silences(self, session_id: str, steps: Iterable[int], monotonic: float) -> Mapping[int, Silence]:
        """Return the silences; see `Leases.silences`."""
        return {step: self._silence(session_id, step, monotonic) for step in steps}

    def _silence(self, session_id: str, step: int, monotonic: float) -> Silence:
        now = self._clock.at(monotonic)
        sign = self._signs.get(session_id, {}).get(step)
        heard_at = self._clock.since if sign is None else max(sign.at, self._clock.since)
        return Silence(round((now - heard_at) * 1000), None if sign is None else sign.stamp)

    async def check_in(self, session_id: str, ms: int | None, monotonic: float) -> None:
        """Schedule the next check; see `Leases.check_in`."""
        if ms is not None:
            self._checks.plan(session_id, self._clock.at(monotonic) + ms / 1000)
        else:
            self._checks.plan(session_id, math.inf)
            self._signs.pop(session_id, None)

    async def watched(self) -> Collection[str]:
        """Return the sessions that have a check ahead."""
        return list(self._checks)
