"""How `progress-sse watch` shows a session: as lines, as JSON, or not at all; ``terminal`` draws it live."""

import json
from types import TracebackType
from typing import Self

import click

from progress_sse.cli.follower import POLL_S, Connection
from progress_sse.cli.session_state import SessionState, changes


class Display:
    """Shows nothing, for callers that need the exit status alone; the base of all other displays."""

    def show(self, state: SessionState) -> None:
        """Take in a new state of the session."""

    def set_connection(self, connection: Connection, reason: str = "") -> None:
        """Take in how updates arrive."""

    def set_clock(self, ahead_s: float) -> None:
        """Take in by how many seconds the server's clock is ahead."""

    def __enter__(self) -> Self:
        """Begin to show."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the output as it is."""


class _LineDisplay(Display):
    """Reports on stderr when the live stream fails, and when it is back."""

    _is_polling = False

    def set_connection(self, connection: Connection, reason: str = "") -> None:
        if connection == "polling":
            click.echo(f"progress-sse: no live stream ({reason}): asking every {POLL_S:g} s", err=True)
        elif self._is_polling:
            click.echo("progress-sse: live again", err=True)
        self._is_polling = connection == "polling"


class JsonDisplay(_LineDisplay):
    """Prints each state in the shape that polling answers, on a line of its own, in ASCII that no terminal obeys."""

    def show(self, state: SessionState) -> None:
        """Print it."""
        click.echo(json.dumps(state, separators=(",", ":")))


class PlainDisplay(_LineDisplay):
    """Prints a line for each change."""

    _state: SessionState | None = None

    def show(self, state: SessionState) -> None:
        """Print what has changed."""
        for line in changes(self._state, state):
            click.echo(line)
        self._state = state
