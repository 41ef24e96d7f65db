"""`progress-sse list`: shows the sessions of a server, once or live."""

import asyncio
import io
import os
import signal
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import click

from progress_sse._internal.optional_imports import from_extra
from progress_sse.cli.list_display import json_lines, table_lines
from progress_sse.cli.list_follower import Query, follow_list
from progress_sse.cli.list_pages import listed_sessions
from progress_sse.cli.responses import NotAllowedError, UnexpectedResponseError
from progress_sse.cli.watch import INTERRUPTED, NOT_ALLOWED, TERMINATED
from progress_sse.client.config import Address, address_of
from progress_sse.core.errors import ConfigurationError

if TYPE_CHECKING:
    from progress_sse.cli.list_terminal import ListTerminal

LISTED: Final = 0
UNANSWERED: Final = 1
"""Exit statuses; `watch` has the others."""


def list_sessions(query: Query, url: str | None, token: str | None, *, is_once: bool, is_json: bool) -> int:
    """Show the sessions that a query asks for, and return the exit status.

    Raises:
        ConfigurationError: No server is named, or the URL is not valid.
    """
    address = address_of(url, token)
    if address is None:
        raise ConfigurationError("Name the server by --url, or by PROGRESS_SSE_URL.")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # The terminal may lack a character of a title.
    terminal = None if is_once or is_json else _terminal()
    try:
        return _print(address, query, is_json=is_json) if terminal is None else _draw(address, query, terminal)
    except KeyboardInterrupt:
        return INTERRUPTED
    except NotAllowedError as error:
        click.echo(f"progress-sse: {error}", err=True)
        return NOT_ALLOWED


def _print(address: Address, query: Query, *, is_json: bool) -> int:
    try:
        sessions = listed_sessions(address, query)
        for line in json_lines(sessions) if is_json else table_lines(sessions, time.time()):
            click.echo(line)
    except UnexpectedResponseError as error:
        click.echo(f"progress-sse: {error}", err=True)
        return UNANSWERED
    return LISTED


def _draw(address: Address, query: Query, terminal: "ListTerminal") -> int:
    # The display must leave the terminal as it was, also after this signal.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    with terminal:
        asyncio.run(follow_list(address, query, terminal))
    return LISTED


def _terminal() -> "ListTerminal | None":
    """Return the display on a terminal, if there is one that can be drawn over."""
    if not os.isatty(1):
        return None
    with suppress(ConfigurationError), from_extra("server", "rich", need="a live list needs"):
        from progress_sse.cli.list_terminal import ListTerminal  # Rich takes time to load.

        terminal = ListTerminal()
        return terminal if terminal.can_draw else None
    return None
