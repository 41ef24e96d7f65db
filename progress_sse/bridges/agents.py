"""The calls of an agent as steps, whatever framework runs it.

::

    async with AgentProgress("trip-42") as progress:
        progress.begin(call.id, call.tool)
        progress.end(call.id)
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from itertools import count
from typing import Final, Unpack
from urllib.parse import quote

from progress_sse._internal.http_library import httpx
from progress_sse.client.aio import AsyncOptions, AsyncProgress, AsyncStep
from progress_sse.client.config import Address, address_of
from progress_sse.client.http import client_options
from progress_sse.core.errors import ConfigurationError
from progress_sse.story.headline import failures, headline
from progress_sse.story.observed_session import observed
from progress_sse.story.session_state import SessionState, checked, has_ended, parsed

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
        step = self.step(next(self._numbers))
        self._calls[call] = step
        step.start()

    def end(self, call: object, error: str | BaseException | None = None) -> None:
        """Complete the step of a call, or show its error; does nothing for a call that has not begun."""
        step = self._calls.pop(call, None)
        if step is not None and error is None:
            step.complete()
        elif step is not None and error is not None:
            step.part("call").fail(error)
            self._failed.append(step)


async def mirror(
    session_id: str, report: Callable[[float, float], Awaitable[object]], timeout_s: float = 600
) -> str | None:
    """Await `report(percentage, 100)` whenever a session's percentage has risen; return `None` once it has succeeded.

    Of any other end it returns the headline of its page, and the error: the session has failed, was cancelled or lost,
    or was removed. Of one that has not ended, or is not there yet, it returns the headline after `timeout_s` seconds.
    The percentage is that of the page. The server and its token are those of the environment.

    Raises:
        ConfigurationError: The environment names no server.
        httpx.HTTPError: The server is away, or refuses.
        ValueError: The server has answered with something else than a session.
    """
    if (address := address_of(None, None)) is None:
        raise ConfigurationError("Name the server by PROGRESS_SSE_URL.")
    session = observed(None, _ABSENT, time.time())
    highest = 0
    try:
        async with asyncio.timeout(timeout_s) as limit, aclosing(_states(address, session_id)) as states:
            async for state in states:
                session = observed(session, state, time.time())
                if session.percentage > highest:
                    highest = session.percentage
                    await report(highest, 100)
                if has_ended(state) or session.is_deleted:
                    break
    except TimeoutError:
        if not limit.expired():  # It is an error of `report`.
            raise
    if session.state["status"] == "completed":
        return None
    errors = [each.error for each in failures(session.state)] if has_ended(session.state) else []
    end = headline(session.state, time.time(), is_deleted=session.is_deleted)
    return ": ".join([end, *list(filter(None, errors))[:1]])


_ABSENT: Final[SessionState] = {"status": "not_found", "total_steps": 0, "steps": [], "percentage": 0}


async def _states(address: Address, session_id: str) -> AsyncGenerator[SessionState, None]:
    """Yield the state of a session, and again whenever it has changed."""
    path = f"/api/progress/{quote(session_id, safe='')}"
    headers = {"Prefer": f"wait={WAIT_S}"}
    async with httpx.AsyncClient(timeout=2 * WAIT_S, **client_options(address)) as client:
        while True:
            answer = await client.get(path, headers=headers)
            if answer.status_code == httpx.codes.NOT_MODIFIED:
                await asyncio.sleep(1)
                continue
            state = checked(parsed(answer.raise_for_status().content), session_id)
            headers["If-None-Match"] = answer.headers["ETag"]
            yield state
