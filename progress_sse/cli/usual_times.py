"""Asks a server, once for each run of a session, what its steps usually take."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import quote

from progress_sse._internal.http_library import httpx
from progress_sse.cli.responses import NotAllowedError, UnexpectedResponseError, check
from progress_sse.client.http import Content
from progress_sse.story.observed_session import is_another_run
from progress_sse.story.session_state import SessionState, is_over, parsed
from progress_sse.story.usual_times import UsualTimes, usual_times
from progress_sse.wire.sse import MAX_EVENT_BYTES


class UsualTimesRequest:
    """The request of one follower; a server that does not answer it leaves the usual times unknown."""

    def __init__(self, client: httpx.AsyncClient, session_id: str, on_known: Callable[[UsualTimes], None]) -> None:
        """Prepare to ask over a client whose `base_url` is the server."""
        self._client = client
        self._path = f"/api/progress/{quote(session_id, safe='')}/steps"
        self._on_known = on_known
        self._state: SessionState | None = None
        self._task: asyncio.Task[None] | None = None

    def update(self, state: SessionState) -> None:
        """Take in a new state, and ask once its server uses what it has learned."""
        before, self._state = self._state, state
        if before is not None and is_another_run(before, state):
            self.cancel()
            self._on_known({})
        uses_history = state.get("time", {}).get("basis") == "history"
        if uses_history and self._task is None and not is_over(state):
            self._task = asyncio.create_task(self._ask())

    def cancel(self) -> None:
        """Wait for no answer; the next run is asked about anew."""
        if self._task is not None:
            self._task.cancel()
        self._task = None

    async def _ask(self) -> None:
        with suppress(httpx.HTTPError, UnexpectedResponseError, NotAllowedError, ValueError):
            self._on_known(await self._answer())

    async def _answer(self) -> UsualTimes:
        content = Content(MAX_EVENT_BYTES)
        async with self._client.stream("GET", self._path) as response:
            check(response, "application/json")
            async for chunk in response.aiter_raw():
                content.add(chunk)
        return usual_times(parsed(bytes(content)))
