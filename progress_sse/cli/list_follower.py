"""Follows a list of sessions, as `follower` does one session."""

from typing import Any

from progress_sse._internal.http_library import httpx
from progress_sse.cli.follower import TIMEOUT, Follower
from progress_sse.cli.observer import Observer
from progress_sse.client.config import Address
from progress_sse.client.http import client_options
from progress_sse.core.errors import ConfigurationError
from progress_sse.story.session_list import SessionList, list_of, with_session, without_session
from progress_sse.story.session_state import parsed
from progress_sse.wire.sse import StreamEvent

Query = tuple[tuple[str, str], ...]
"""The parameters of a list: `prefix`, any number of `label`, `status`."""


async def follow_list(address: Address, query: Query, observer: Observer) -> None:
    """Follow the sessions that a query asks for, until cancelled.

    Raises:
        NotAllowedError: The server does not let this client list them.
        ConfigurationError: The URL, or the environment's proxies or certificates, cannot be used.
    """
    try:
        client = httpx.AsyncClient(timeout=TIMEOUT, **client_options(address))
    except (httpx.InvalidURL, ValueError, ImportError, OSError) as error:
        raise ConfigurationError(f"Cannot connect to a server: {error}") from error
    async with client:
        await ListFollower(client, query, observer).run()


class ListFollower(Follower):
    """Follows one list; its state is a `SessionList`, and it is never over."""

    def __init__(self, client: httpx.AsyncClient, query: Query, observer: Observer) -> None:
        """Prepare to follow over a client whose `base_url` is the server."""
        super().__init__(client, "", observer)
        self._path, self._stream_path, self._query = "/api/progress", "/api/events", query

    def _read_event(self, event: StreamEvent) -> SessionList | None:
        if event.event == "heartbeat":
            return super()._read_event(event)
        if event.event == "list":
            return list_of(parsed(event.data))
        if event.event not in ("session", "removed"):
            return None
        if self._state is None:
            raise ValueError("a change without a list")
        data = parsed(event.data)
        if event.event == "session":
            return with_session(self._state, data["session"])
        return without_session(self._state, data["session_id"])

    def _read_answer(self, answer: Any) -> SessionList:
        return list_of(answer)

    def _set_state(self, state: SessionList) -> None:
        if state != self._state:
            self._state = state
            self._observer.show(state)
