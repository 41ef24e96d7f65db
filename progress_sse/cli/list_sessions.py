"""`progress-sse list`: prints the sessions of a server, as a table of text or as lines of JSON."""

import io
import json
import sys
import time
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple, TypeAlias

import click

from progress_sse._internal.http_library import httpx
from progress_sse.cli.follower import TIMEOUT
from progress_sse.cli.responses import NotAllowedError, UnexpectedResponseError, check
from progress_sse.cli.watch import INTERRUPTED, NOT_ALLOWED
from progress_sse.client.config import Address, address_of
from progress_sse.client.http import Content, client_options
from progress_sse.core.errors import ConfigurationError
from progress_sse.core.model import is_text
from progress_sse.story.headline import CONCLUSIONS, title
from progress_sse.story.plain_text import one_line
from progress_sse.story.session_state import SessionState, is_listed, parsed
from progress_sse.story.time_left import moved, percentage, time_left
from progress_sse.story.times import moment, seconds_of
from progress_sse.wire.sse import MAX_EVENT_BYTES

_WORDS: Final = {"pending": "waiting", "running": "running", "completed": "done", "error": "failed"}


class ListedWords(NamedTuple):
    """The words of a row."""

    session: str
    state: str
    percentage: str
    step: str
    created: str
    time: str
    title: str


def listed_words(session: SessionState, now_s: float) -> ListedWords:
    """Return the row of a session at a time of the server, in seconds since 1970."""
    session = {**session, "steps": []}  # An entry has none.
    return ListedWords(
        one_line(session["session_id"]),
        state_word(session),
        f"{moved(percentage(session), session, seconds_of(session['updated_at']), now_s)}%",
        _step(session),
        moment(session["created_at"], now_s),
        _time(session, now_s),
        title(session),
    )


def state_word(session: SessionState) -> str:
    """Return a word for the state of a session, or for what has ended it."""
    conclusion = session.get("conclusion")
    if session["status"] == "error" and conclusion in CONCLUSIONS:
        return str(conclusion)
    return _WORDS[session["status"]]


def _step(session: SessionState) -> str:
    number, total = session["current_step"], session["total_steps"]
    return f"{number} of {total}" if number and total > 1 and session["status"] != "completed" else ""


def _time(session: SessionState, now_s: float) -> str:
    """Return what is left; how long it took is not known, as an entry has no start of its first step."""
    return time_left({**session, "steps": []}, now_s) if session["status"] == "running" else ""


Query: TypeAlias = tuple[tuple[str, str], ...]
"""The parameters of a list: `prefix`, any number of `label`, `status`."""

LISTED: Final = 0
UNANSWERED: Final = 1
"""Exit statuses; `watch` has the others."""

PAGE: Final = 1000
"""Sessions of a page; the server allows no more."""

HEAD: Final = ("SESSION", "STATE", "DONE", "STEP", "CREATED", "TIME", "TITLE")

_WIDE: Final = frozenset("WF")


def list_sessions(query: Query, url: str | None, token: str | None, *, is_json: bool) -> int:
    """Print the sessions that a query asks for, and return the exit status.

    Raises:
        ConfigurationError: No server is named, or the URL is not valid.
    """
    address = address_of(url, token)
    if address is None:
        raise ConfigurationError("Name the server by --url, or by PROGRESS_SSE_URL.")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # The terminal may lack a character of a title.
    try:
        sessions = listed_sessions(address, query)
        for line in json_lines(sessions) if is_json else table_lines(sessions, time.time()):
            click.echo(line)
    except KeyboardInterrupt:
        return INTERRUPTED
    except (NotAllowedError, UnexpectedResponseError) as error:
        click.echo(f"progress-sse: {error}", err=True)
        return NOT_ALLOWED if isinstance(error, NotAllowedError) else UNANSWERED
    return LISTED


def table_lines(sessions: Iterable[SessionState], now_s: float) -> Iterator[str]:
    """Yield the lines of a table, with its head."""
    rows = [HEAD, *(listed_words(session, now_s) for session in sessions)]
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield _line(row, widths)


def json_lines(sessions: Iterable[SessionState]) -> Iterator[str]:
    """Yield each session as lists have it, on a line of its own, in ASCII that no terminal obeys."""
    for session in sessions:
        yield json.dumps(session, separators=(",", ":"))


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(text + " " * (width - _width(text)) for text, width in zip(row, widths, strict=True)).rstrip()


def _width(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    marks = sum(unicodedata.combining(character) != 0 for character in text)
    return len(text) - marks + sum(unicodedata.east_asian_width(character) in _WIDE for character in text)


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
        sessions, cursor = page["sessions"], page["next"]
        if not all(map(is_listed, sessions)) or not (cursor is None or is_text(cursor)):
            raise ValueError("not a page of a list")
    except (ValueError, LookupError, TypeError) as error:
        raise UnexpectedResponseError("the answer is not that of a progress server") from error
    return sessions, cursor
