"""Leases in Redis: each sign stands with its session; all servers share one clock, and the checks.

Both lie in another slot than the sessions. So the scripts of a session get the time as an argument, from a server that
has read the clock within the last ticks. The checks are only a hint: what the server reports of a silent worker is
committed only if the sign in the session is old enough.
"""

import logging
import secrets
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from progress_sse.core.errors import StoreUnavailableError
from progress_sse.core.leases import Silence
from progress_sse.core.model import Position
from progress_sse.store.leases import MAX_OVERDUE, MAX_STANDSTILL_S, RETRY_S
from progress_sse.store.redis.checked_decoder import CheckedDecoder
from progress_sse.store.redis.codec import Argument
from progress_sse.store.redis.keys import Keyspace
from progress_sse.store.redis.pipeline import CommandExecutor
from progress_sse.store.redis.scripts import RENEW, TICK
from progress_sse.store.types import Change, Sign, SilenceDemand

logger = logging.getLogger(__name__)

MAX_AHEAD_MS: Final = 5000
"""Milliseconds by which a sign may be ahead of this server's clock; one further ahead is of a clock that was lost."""

CLOCK_LIFETIME_MS: Final = 7 * 24 * 3_600_000
"""Milliseconds for which the clock is kept while no server moves it."""

ANNOUNCE_MS: Final = 60_000
"""Milliseconds after which about a session's check is entered again."""

BEATS_IN_LEASE: Final = 3
"""How many beats a worker usually sends in the time of a lease."""

_SIGN: Final = "sign:"


class LeaseTime:
    """The time on the shared clock, as this server knows it from its last tick."""

    def __init__(self) -> None:
        self.now_ms = 0
        self.since_ms = 0
        self.owner = b""
        self.is_known = False
        self.has_moved = False
        self._ticked_at = 0.0
        self._moved_at = 0.0

    def elapsed_ms(self, monotonic: float) -> int:
        """Return the milliseconds since the last tick."""
        return round((monotonic - self._ticked_at) * 1000) if self.is_known else 0

    def stood_ms(self, monotonic: float) -> int:
        """Return the milliseconds since this server first read the time that the clock had at the last tick."""
        return round((monotonic - self._moved_at) * 1000) if self.is_known else 0

    def at(self, monotonic: float) -> int:
        """Return the milliseconds of the clock at a moment near the last tick.

        They go on while the clock stands still because its owner has gone: the server that takes it over adds them.
        """
        passed = (self.stood_ms(monotonic), self.elapsed_ms(monotonic))
        return self.now_ms + next((ms for ms in passed if ms <= MAX_STANDSTILL_S * 1000), 0)

    def update(self, now_ms: int, since_ms: int, owner: bytes, monotonic: float) -> None:
        """Take on what a tick returned."""
        if not self.is_known or (now_ms, owner) != (self.now_ms, self.owner):
            self.has_moved = self.is_known
            self._moved_at = monotonic
        self.now_ms, self.since_ms, self.owner = now_ms, since_ms, owner
        self._ticked_at, self.is_known = monotonic, True


class RedisLeases:
    """The leases of all sessions in one store; a session's keys expire `lifetime_ms` after its last sign."""

    def __init__(self, executor: CommandExecutor, keyspace: Keyspace, decode: CheckedDecoder, lifetime_ms: int) -> None:
        self._executor = executor
        self._keyspace = keyspace
        self._decode = decode
        self._lifetime_ms = lifetime_ms
        self._server = secrets.token_hex(8)
        self._time = LeaseTime()

    async def before_commit(self, change: Change) -> None:
        """Read the clock, and enter the check of first signs, before a change that needs that."""
        if change.signs:
            await self._prepare(change.signs[0].monotonic)
            await self._announce(change.session_id, change.signs)
        elif change.silence is not None:
            await self._prepare(change.silence.monotonic)

    async def after_commit(self, change: Change) -> None:
        """Enter the check of first signs again, or remove that of a session that is gone."""
        try:
            if change.signs:
                await self._announce(change.session_id, change.signs)
            elif change.record is None:
                await self.check_in(change.session_id, None, 0.0)
        except StoreUnavailableError:
            logger.info("the check of a session's leases may be missing, or stay until it is due")

    async def _prepare(self, monotonic: float) -> None:
        """Read the clock, unless this server has just read it."""
        if not self._time.is_known or self._time.elapsed_ms(monotonic) > MAX_STANDSTILL_S * 1000:
            await self._tick(monotonic, 0)

    def sign_arguments(self, signs: Iterable[Sign]) -> list[Argument]:
        """Return the arguments of scripts that note signs; see ``signs.lua``."""
        arguments: list[Argument] = []
        for sign in signs:
            at = self._time.at(sign.monotonic)
            arguments += (f"{_SIGN}{sign.step}", at, sign.stamp, int(sign.is_first))
        return arguments

    def demand_arguments(self, demand: SilenceDemand | None) -> list[Argument]:
        """Return the field of a sign that a commit has to check, and the times between which there must be none."""
        if demand is None:
            return ["", "", ""]
        now_ms = self._time.at(demand.monotonic)
        return [f"{_SIGN}{demand.step}", now_ms - demand.ms, now_ms + MAX_AHEAD_MS]

    async def _announce(self, session_id: str, signs: Sequence[Sign]) -> None:
        """Enter the check of a session with first signs: before their commit, and after it.

        A server that checks the session in between may remove the entry. Further signs enter it about once a minute,
        in case that it was lost.
        """
        due = [
            self._time.at(sign.monotonic) + sign.lease_ms
            for sign in signs
            if sign.is_first or self._time.at(sign.monotonic) % ANNOUNCE_MS < sign.lease_ms / BEATS_IN_LEASE
        ]
        if due:
            await self._executor.execute("ZADD", self._keyspace.lease_checks, "LT", min(due), session_id)

    async def renew(self, session_id: str, position: Position, signs: Sequence[Sign]) -> bool:
        """Note signs, if the session is at the position; see `Leases.renew`."""
        await self._prepare(signs[0].monotonic)
        await self._announce(session_id, signs)
        keys = self._keyspace.of(session_id)
        is_there = await self._executor.run(
            RENEW,
            [keys.state, keys.log, keys.lines, keys.line_keys],
            position.epoch,
            position.offset,
            self._lifetime_ms,
            *self.sign_arguments(signs),
            is_write=True,
        )
        return bool(is_there)

    async def overdue(self, monotonic: float) -> Sequence[str]:
        """Move the clock on, and return sessions to check; see `Leases.overdue`.

        A server that has just begun does not know for how long the clock has stood still, and returns none.
        """
        is_moving = self._time.has_moved or self._time.owner == self._server.encode()  # By another one, or by this.
        return await self._tick(monotonic, MAX_OVERDUE if is_moving else 0)

    async def _tick(self, monotonic: float, most: int) -> Sequence[str]:
        lease_time = self._time
        now_ms, since_ms, owner, due = await self._executor.run(
            TICK,
            [self._keyspace.lease_clock, self._keyspace.lease_checks],
            self._server,
            lease_time.owner,
            lease_time.now_ms,
            lease_time.elapsed_ms(monotonic),
            lease_time.stood_ms(monotonic),
            int(lease_time.has_moved),
            int(time.time() * 1000),
            most,
            int(RETRY_S * 1000),
            CLOCK_LIFETIME_MS,
        )
        lease_time.update(int(now_ms), int(since_ms), owner, monotonic)
        return self._session_ids(due)

    def _session_ids(self, members: Iterable[bytes]) -> list[str]:
        return list(self._decode.each(self._keyspace.lease_checks, bytes.decode, members))

    async def silences(self, session_id: str, steps: Iterable[int], monotonic: float) -> Mapping[int, Silence]:
        """Return the silences; see `Leases.silences`."""
        numbers = list(steps)
        if not numbers:
            return {}
        names = [f"{_SIGN}{number}" for number in numbers]
        kept = await self._executor.execute("HMGET", self._keyspace.of(session_id).state, *names)
        signs = [self._decode(_decode_sign, session_id, sign) for sign in kept]
        return {number: self._silence(*sign, monotonic) for number, sign in zip(numbers, signs, strict=True)}

    def _silence(self, at: int, stamp: str | None, monotonic: float) -> Silence:
        now_ms = self._time.at(monotonic)
        heard_at = at if at <= now_ms + MAX_AHEAD_MS else 0
        return Silence(max(0, now_ms - max(heard_at, self._time.since_ms)), stamp)

    async def check_in(self, session_id: str, ms: int | None, monotonic: float) -> None:
        """Enter the next check, or remove it; see `Leases.check_in`."""
        if ms is None:
            await self._executor.execute("ZREM", self._keyspace.lease_checks, session_id)
        else:
            due = self._time.at(monotonic) + ms
            await self._executor.execute("ZADD", self._keyspace.lease_checks, due, session_id)

    async def watched(self) -> Collection[str]:
        """Return the sessions that have a check ahead."""
        members = await self._executor.execute("ZRANGE", self._keyspace.lease_checks, 0, -1)
        return set(self._session_ids(members))


def _decode_sign(_session_id: str, sign: bytes | None) -> tuple[int, str | None]:
    if sign is None:
        return 0, None
    at, _, stamp = sign.decode().partition(" ")
    if stamp and datetime.fromisoformat(stamp).tzinfo is None:
        raise ValueError("a sign of life has no time")
    return int(at), stamp or None
