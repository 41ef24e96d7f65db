"""A connection to Redis that loses replies when a test says so."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from redis.exceptions import NoScriptError

from progress_sse.store.redis.connection import Command, ConnectionInterruptedError, RedisConnection


class LostReplies:
    """Loses replies after the server has executed the commands."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._execute_batch = RedisConnection.execute_batch
        self._meanwhile: list[Callable[[], Awaitable[object]] | None] = []
        lost_replies = self

        async def execute_batch(connection: RedisConnection, commands: Sequence[Command]) -> list[Any]:
            return await lost_replies.run(connection, commands)

        monkeypatch.setattr(RedisConnection, "execute_batch", execute_batch)

    def lose(self, times: int = 1, meanwhile: Callable[[], Awaitable[object]] | None = None) -> None:
        """Lose the replies to the next commits, and run `meanwhile` before the last of them is sent again."""
        self._meanwhile += [None] * (times - 1) + [meanwhile]

    async def run(self, connection: RedisConnection, commands: Sequence[Command]) -> list[Any]:
        replies = await self._execute_batch(connection, commands)
        if not self._meanwhile or not any(map(_is_done_commit, commands, replies)):
            return replies
        meanwhile = self._meanwhile.pop(0)
        if meanwhile is not None:
            await meanwhile()
        await connection.disconnect()
        raise ConnectionInterruptedError("lost on purpose")


def _is_done_commit(command: Command, reply: object) -> bool:
    return command[0] in ("EVAL", "EVALSHA") and len(command) > 20 and not isinstance(reply, NoScriptError)
