"""A connection to Redis that loses replies when a test says so."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

import pytest
from redis.exceptions import NoScriptError

from progress_sse.store.redis.connection import Command, RedisConnection
from progress_sse.store.redis.scripts import COMMIT, Script


class _Loss(NamedTuple):
    script: Script
    meanwhile: Callable[[], Awaitable[object]] | None


class LostReplies:
    """Loses replies after the server has executed the commands."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._execute_batch = RedisConnection.execute_batch
        self._losses: list[_Loss] = []
        lost_replies = self

        async def execute_batch(connection: RedisConnection, commands: Sequence[Command]) -> list[Any]:
            return await lost_replies.run(connection, commands)

        monkeypatch.setattr(RedisConnection, "execute_batch", execute_batch)

    def lose(
        self, times: int = 1, meanwhile: Callable[[], Awaitable[object]] | None = None, of: Script = COMMIT
    ) -> None:
        """Lose the replies to the next runs of a script, and run `meanwhile` before the last one is sent again."""
        self._losses += [_Loss(of, None)] * (times - 1) + [_Loss(of, meanwhile)]

    async def run(self, connection: RedisConnection, commands: Sequence[Command]) -> list[Any]:
        replies = await self._execute_batch(connection, commands)
        loss = self._losses[0] if self._losses else None
        if loss is None or not any(_is_done(loss.script, *each) for each in zip(commands, replies, strict=True)):
            return replies
        del self._losses[0]
        if loss.meanwhile is not None:
            await loss.meanwhile()
        await connection.disconnect()
        raise ConnectionResetError("lost on purpose")


def _is_done(script: Script, command: Command, reply: object) -> bool:
    is_run = len(command) > 1 and command[1] in (script.sha, script.source)
    return is_run and not isinstance(reply, NoScriptError)
