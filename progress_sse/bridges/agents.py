"""The calls of an agent as steps, whatever framework runs it.

::

    async with AgentProgress("trip-42") as progress:
        progress.begin(call.id, call.tool)
        progress.end(call.id)
"""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Final, Unpack
from urllib.parse import quote

from progress_sse._internal.http_library import httpx
from progress_sse.client.aio import AsyncOptions, AsyncProgress, AsyncStep
from progress_sse.client.config import address_of
from progress_sse.client.http import client_options
from progress_sse.core.errors import ConfigurationError

__all__ = ["AgentProgress", "mirror"]

WAIT_S: Final = 30
"""Seconds that a server may wait for a change before it answers."""


class AgentProgress(AsyncProgress):
    """A session in which each call of a tool, or each node that runs, is a step; calls of one tool may run at once.

    A failed call that the agent recovers from is a failed part of its step, which is done once the agent goes on. A
    failure that ends the run leaves the block, and fails the step and the session.
    """

    def __init__(self, session_id: str | None = None, **options: Unpack[AsyncOptions]) -> None:
        """Prepare a session, with the options of `AsyncProgress`."""
        super().__init__(session_id, open_ended=True, **options)
        self._numbers = count(1)
        self._calls: dict[object, AsyncStep] = {}  # By their calls.
        self._failed: list[AsyncStep] = []

    def begin(self, call: object, name: str) -> None:
        """Start a step of this name; `call` is what `end` knows it by, such as an id."""
        while self._failed:
            self._failed.pop().complete()
        self.plan([name])
        step = self._calls[call] = self.step(next(self._numbers))
        step.start()

    def end(self, call: object, error: str | BaseException | None = None) -> None:
        """Complete the step of a call, or show its error; does nothing for a call that has not begun."""
        step = self._calls.pop(call, None)
        if step is not None and error is None:
            step.complete()
        elif step is not None and error is not None:
            step.part("call").fail(error)
            self._failed.append(step)


async def mirror(session_id: str, report: Callable[[float, float], Awaitable[object]]) -> str | None:
    """Await `report(percentage, 100)` whenever a session's percentage has risen; return its error at its end, if any.

    A session that is not there yet is waited for. The server and its token are those of the environment.

    Raises:
        ConfigurationError: The environment names no server.
        httpx.HTTPError: The server is away, or refuses.
    """
    if (address := address_of(None, None)) is None:
        raise ConfigurationError("Name the server by PROGRESS_SSE_URL.")
    path, headers = f"/api/progress/{quote(session_id, safe='')}", {"If-None-Match": '"absent"'}
    highest = 0
    async with httpx.AsyncClient(timeout=2 * WAIT_S, **client_options(address)) as client:
        while True:
            answer = await client.get(path, headers={**headers, "Prefer": f"wait={WAIT_S}"})
            if answer.status_code == httpx.codes.NOT_MODIFIED:
                await asyncio.sleep(1)
                continue
            session, headers["If-None-Match"] = answer.raise_for_status().json(), answer.headers["ETag"]
            if session["percentage"] > highest:
                highest = session["percentage"]
                await report(highest, 100)
            if session["status"] not in ("pending", "running"):
                error: str | None = session.get("error")
                return error
