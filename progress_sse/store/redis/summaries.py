"""Reading the summaries of sessions, many at once."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import TypeVar

from progress_sse.core.model import Position
from progress_sse.store.redis.checked_decoder import CheckedDecoder
from progress_sse.store.redis.codec import SUMMARY_FIELDS, decode_summary
from progress_sse.store.redis.errors import is_damage
from progress_sse.store.redis.keys import Keyspace, split_index_entry
from progress_sse.store.redis.pipeline import CommandExecutor
from progress_sse.store.types import SessionSummary

K = TypeVar("K", str, bytes)


class RedisSummaries:
    """The summaries of sessions, each with its position."""

    def __init__(self, executor: CommandExecutor, keyspace: Keyspace, decode: CheckedDecoder) -> None:
        """Read by `executor`."""
        self._executor = executor
        self._keyspace = keyspace
        self._decode = decode

    async def load(self, session_ids: Collection[str]) -> Mapping[str, SessionSummary]:
        """Return those of the sessions that there are and that are not damaged."""
        ids = list(session_ids)
        outcomes = await asyncio.gather(*map(self._load, ids), return_exceptions=True)
        return {session_id: each[0] for session_id, each in _undamaged(ids, outcomes).items() if each is not None}

    async def find(self, entries: Sequence[bytes]) -> Mapping[bytes, tuple[SessionSummary, Position] | None]:
        """Return the session of each entry of the index that is not damaged; `None` if the entry is stray."""
        return _undamaged(entries, await asyncio.gather(*map(self._find, entries), return_exceptions=True))

    async def _find(self, entry: bytes) -> tuple[SessionSummary, Position] | None:
        created_at, session_id = self._decode(split_index_entry, entry)
        found = await self._load(session_id)
        return found if found is not None and found[0].created_at == created_at else None

    async def _load(self, session_id: str) -> tuple[SessionSummary, Position] | None:
        with self._decode.noting(session_id):
            fields = await self._executor.execute("HMGET", self._keyspace.of(session_id).state, *SUMMARY_FIELDS)
        return self._decode(decode_summary, session_id, fields)


def _undamaged(
    keys: Sequence[K], outcomes: Sequence[tuple[SessionSummary, Position] | BaseException | None]
) -> dict[K, tuple[SessionSummary, Position] | None]:
    found = {}
    for key, outcome in zip(keys, outcomes, strict=True):
        if not isinstance(outcome, BaseException):
            found[key] = outcome
        elif not is_damage(outcome):
            raise outcome
    return found
