"""`progress-sse watch`: a session on a terminal, in a log, or for a script."""

import asyncio
import io
import json
import os
import signal
import sys
from types import TracebackType
from typing import Final, Literal, Self, TypeAlias

import click

from progress_sse.cli.follower import POLL_S, Connection, NotAllowedError, follow
from progress_sse.cli.session_state import Held, changes
from progress_sse.client.config import address_of, session_of
from progress_sse.core.errors import ConfigurationError

Output: TypeAlias = Literal["auto", "tty", "plain", "json", "quiet"]

COMPLETED: Final = 0
FAILED: Final = 1
NOT_ALLOWED: Final = 3
INTERRUPTED: Final = 130
TERMINATED: Final = 143
"""Exit statuses; of the last two the signal's number is a part."""


def watch(session_id: str, output: Output, url: str | None, token: str | None) -> int:
    """Show a session until it is completed or has failed, and return the exit status that tells which.

    Raises:
        ConfigurationError: There is no server named, or it or the session cannot be one.
    """
    address = address_of(url, token)
    if address is None:
        raise ConfigurationError("Name the server by --url, or by PROGRESS_SSE_URL.")
    session_id = session_of(session_id)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # Not every terminal has every character of a name.
    # What ends us by this signal is to leave the terminal as it was.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    try:
        with _display(output, session_id) as display:
            held = asyncio.run(follow(address, session_id, display))
    except KeyboardInterrupt:
        return INTERRUPTED
    except NotAllowedError as error:
        click.echo(f"progress-sse: {error}", err=True)
        return NOT_ALLOWED
    return COMPLETED if held["status"] == "completed" else FAILED


def _display(output: Output, session_id: str) -> "Display":
    if output == "tty" or (output == "auto" and os.isatty(1)):
        from progress_sse.cli.terminal import Terminal

        terminal = Terminal(session_id)
        if output == "tty" or terminal.can_draw:
            return terminal
    return _WRITTEN.get(output, Plain)()


class Display:
    """Shows nothing: for those who want the exit status alone. And what all the others have in common."""

    def show(self, held: Held) -> None:
        """Take in what is held now."""

    def set_connection(self, connection: Connection, reason: str = "") -> None:
        """Take in how it is brought."""

    def set_clock(self, ahead_s: float) -> None:
        """Take in how far ahead the server's clock is."""

    def __enter__(self) -> Self:
        """Begin to show."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave what is shown as it is."""


class _Written(Display):
    """Says on stderr what becomes of the connection, where that is bad or has been."""

    _is_polling = False

    def set_connection(self, connection: Connection, reason: str = "") -> None:
        if connection == "polling":
            click.echo(f"progress-sse: no live stream ({reason}): asking every {POLL_S:g} s", err=True)
        elif self._is_polling:
            click.echo("progress-sse: live again", err=True)
        self._is_polling = connection == "polling"


class Json(_Written):
    """What polling answers, on a line of its own each time that it is news; in ASCII, which no terminal obeys."""

    def show(self, held: Held) -> None:
        """Print it."""
        click.echo(json.dumps(held, separators=(",", ":")))


class Plain(_Written):
    """A line for each change."""

    _held: Held | None = None

    def show(self, held: Held) -> None:
        """Print what has changed."""
        for line in changes(self._held, held):
            click.echo(line)
        self._held = held


_WRITTEN: Final[dict[str, type[Display]]] = {"json": Json, "quiet": Display}
