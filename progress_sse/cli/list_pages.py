"""The list of sessions, page by page."""

from collections.abc import Iterator
from typing import Final

from progress_sse._internal.http_library import httpx
from progress_sse.cli.follower import TIMEOUT
from progress_sse.cli.list_follower import Query
from progress_sse.cli.responses import UnexpectedResponseError, check
from progress_sse.client.config import Address
from progress_sse.client.http import Content, client_options
from progress_sse.core.errors import ConfigurationError
from progress_sse.core.model import is_text
from progress_sse.story.session_list import list_of
from progress_sse.story.session_state import SessionState, parsed
from progress_sse.wire.sse import MAX_EVENT_BYTES

PAGE: Final = 1000
"""Sessions of a page; the server allows no more."""


def listed_sessions(address: Address, query: Query) -> Iterator[SessionState]:
    """Yield all sessions that a query asks for, newest first.

    Raises:
        NotAllowedError: The server does not let this client list them.
        UnexpectedResponseError: The server does not answer, or another server does.
        ConfigurationError: The URL, or the environment's proxies or certificates, cannot be used.
    """
    try:
        client = httpx.Client(timeout=TIMEOUT, **client_options(address))
    except (httpx.InvalidURL, ValueError, ImportError, OSError) as error:
        raise ConfigurationError(f"Cannot connect to a server: {error}") from error
    after: Query = ()
    with client:
        while True:
            sessions, cursor = _page(client, (*query, ("limit", str(PAGE)), *after))
            yield from sessions
            if cursor is None:
                return
            after = (("after", cursor),)


def _page(client: httpx.Client, query: Query) -> tuple[list[SessionState], str | None]:
    """Return the sessions of a page, and the cursor of the next one, if there is one."""
    content = Content(MAX_EVENT_BYTES)
    try:
        with client.stream("GET", "/api/progress", params=query) as response:
            for chunk in response.iter_raw():
                content.add(chunk)
    except httpx.HTTPError as error:
        raise UnexpectedResponseError(str(error) or type(error).__name__) from error
    check(response, "application/json")
    try:
        page = parsed(bytes(content))
        cursor = page["next"]
        if cursor is not None and not is_text(cursor):
            raise ValueError("not a cursor")
        return list_of(page)["sessions"], cursor
    except (ValueError, LookupError, TypeError) as error:
        raise UnexpectedResponseError("the answer is not that of a progress server") from error
