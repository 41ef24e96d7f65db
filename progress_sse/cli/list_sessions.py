"""`progress-sse list`: prints the sessions of a server, as a table of text or as lines of JSON."""

import json
import time
import unicodedata
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

import click

from progress_sse._internal.http_library import httpx
from progress_sse.cli.responses import (
    NotAllowedError,
    UnexpectedResponseError,
    client_of,
    get,
    read_json,
    run,
    words_of,
)
from progress_sse.cli.watch import NOT_ALLOWED
from progress_sse.client.config import Address
from progress_sse.core.model import is_text
from progress_sse.story.headline import conclusion, title
from progress_sse.story.plain_text import one_line
from progress_sse.story.session_state import SessionState, has_ended, is_listed
from progress_sse.story.steps import IDLE_S, is_stalled
from progress_sse.story.time_left import has_percentage, moved, percentage, time_left
from progress_sse.story.times import moment, seconds_of

Query: TypeAlias = tuple[tuple[str, str], ...]
"""The parameters of a list: `prefix`, any number of `label` and of `status`."""

LISTED: Final = 0
UNANSWERED: Final = 1
"""Exit statuses; `watch` has the others."""

PAGE: Final = 1000
"""Sessions of a page; the server allows no more."""

HEAD: Final = ("SESSION", "STATE", "DONE", "STEP", "CREATED", "TIME", "TITLE")

_WIDE: Final = frozenset("WF")


def list_sessions(query: Query, server: Address, *, is_json: bool) -> int:
    """Print the sessions that a query asks for, and return the exit status."""
    sessions = listed_sessions(server, query)
    try:
        run(_print_json(sessions) if is_json else _print_table(sessions))
    except (NotAllowedError, UnexpectedResponseError) as error:
        click.echo(f"progress-sse: {error}", err=True)
        return NOT_ALLOWED if isinstance(error, NotAllowedError) else UNANSWERED
    return LISTED


async def _print_json(sessions: AsyncIterator[SessionState]) -> None:
    """Print each session as lists have it, on a line of its own, in ASCII that no terminal obeys."""
    async for session in sessions:
        click.echo(json.dumps(session, separators=(",", ":")))


async def _print_table(sessions: AsyncIterator[SessionState]) -> None:
    for line in table_lines([each async for each in sessions], time.time()):
        click.echo(line)


def table_lines(sessions: Iterable[SessionState], now_s: float) -> Iterator[str]:
    """Yield the lines of a table, with its head."""
    yield from aligned([HEAD, *(listed_words(session, now_s) for session in sessions)])


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the rows as lines of a table."""
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(text + " " * (width - _width(text)) for text, width in zip(row, widths, strict=True)).rstrip()


def _width(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    marks = sum(unicodedata.combining(character) != 0 for character in text)
    return len(text) - marks + sum(unicodedata.east_asian_width(character) in _WIDE for character in text)


async def listed_sessions(address: Address, query: Query) -> AsyncIterator[SessionState]:
    """Yield all sessions that a query asks for, newest first.

    Raises:
        NotAllowedError: The server does not let this client list them.
        UnexpectedResponseError: The server does not answer, or another server does.
        ConfigurationError: The URL, or the environment's proxies or certificates, cannot be used.
    """
    after: Query = ()
    async with client_of(address) as client:
        while True:
            try:
                answer = await get(client, "/api/progress", params=(*query, ("limit", str(PAGE)), *after))
            except httpx.HTTPError as error:
                raise UnexpectedResponseError(words_of(error)) from error
            sessions, cursor = read_json(*answer, _page)
            for session in sessions:
                yield session
            if cursor is None:
                return
            after = (("after", cursor),)


def _page(answer: Any) -> tuple[list[SessionState], str | None]:
    """Return the sessions of a page, and the cursor of the next one; `None` if this is the last page."""
    sessions = answer["sessions"]
    cursor = answer["next"]
    if not all(map(is_listed, sessions)) or not (cursor is None or is_text(cursor)):
        raise ValueError("not a page of a list")
    return sessions, cursor


_WORDS: Final = {"pending": "waiting", "running": "running", "completed": "completed", "error": "failed"}


class ListedWords(NamedTuple):
    """The words of a row; its `percentage` is empty where more steps may follow and no time is known."""

    session: str
    state: str
    percentage: str
    step: str
    created: str
    time: str
    title: str


def listed_words(session: SessionState, now_s: float) -> ListedWords:
    """Return the row of a session at a time of the server, in seconds since 1970."""
    # An entry has no steps; one that is stalled stands for its step.
    session = {**session, "steps": [session] if is_stalled(session) else []}
    is_idle = "idle_since" in session and now_s - seconds_of(session["idle_since"]) >= IDLE_S
    time = "nothing runs now" if is_idle else time_left(session, now_s)
    if is_stalled(session):
        time = f"no sign of life since {moment(session['liveness']['since'], now_s)}"
    percent = moved(percentage(session), session, seconds_of(session["updated_at"]), now_s)
    return ListedWords(
        one_line(session["session_id"]),
        conclusion(session) or ("stalled" if is_stalled(session) else _WORDS[session["status"]]),
        f"{percent}%" if has_percentage(session) else "",
        _step(session, is_idle=is_idle),
        moment(session["created_at"], now_s),
        time,
        title(session),
    )


def _step(session: SessionState, *, is_idle: bool) -> str:
    number = session["current_step"]
    total = session["total_steps"]
    if session.get("open_ended") and not has_ended(session):
        return f"{total} so far" if total else ""
    if is_idle:  # The percentage is the floor of the share of ended steps, which of few steps is exact.
        return f"{-(-session['percentage'] * total // 100)} of {total} done" if total <= 100 else ""
    return f"{number} of {total}" if number and total > 1 and session["status"] != "completed" else ""
