from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from redis.exceptions import NoScriptError

from progress_sse.store.redis.connection import Command, InterruptedCallError, RedisLink


class Losses:
    """Lets answers get lost after the server has done what it was asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._execute = RedisLink.execute
        self._meanwhile: list[Callable[[], Awaitable[object]] | None] = []
        losses = self

        async def execute(link: RedisLink, commands: Any) -> list[Any]:
            return await losses.run(link, commands)

        monkeypatch.setattr(RedisLink, "execute", execute)

    def lose(self, times: int = 1, meanwhile: Callable[[], Awaitable[object]] | None = None) -> None:
        """Lose the answers to the next commits, and do something before they are sent again."""
        self._meanwhile += [None] * (times - 1) + [meanwhile]

    async def run(self, link: RedisLink, commands: list[Command]) -> list[Any]:
        answers = await self._execute(link, commands)
        if not self._meanwhile or not any(map(_is_done_commit, commands, answers)):
            return answers
        meanwhile = self._meanwhile.pop(0)
        if meanwhile is not None:
            await meanwhile()
        await link.disconnect()
        raise InterruptedCallError("lost on purpose")


def _is_done_commit(command: Command, answer: object) -> bool:
    return command[0] in ("EVAL", "EVALSHA") and len(command) > 20 and not isinstance(answer, NoScriptError)
