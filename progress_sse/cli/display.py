"""What `progress-sse watch` knows of a session, and shows of it in lines or as JSON; ``terminal`` draws it."""

import json
import time
from collections.abc import Sequence
from typing import Final, Literal, Self, TypeAlias

import click

from progress_sse._internal.terminal_progress import TerminalProgress
from progress_sse.core.log_lines import LogLine
from progress_sse.story.changes import Pace, Reminded, changes, reminders, step_lines
from progress_sse.story.drawing import tab_state
from progress_sse.story.observed_session import ObservedSession, observed
from progress_sse.story.plain_text import log_texts
from progress_sse.story.session_state import SessionState
from progress_sse.story.time_left import UsualTimes, with_usual
from progress_sse.story.worker_words import LifeSign, life_sign

Connection: TypeAlias = Literal["live", "polling", "reconnecting"]
"""How updates arrive: by events, by polls, or not at all at present."""

POLL_S: Final = 2.0
"""Seconds between polls, more or less."""


class Display:
    """Keeps what a follower reads, and shows it in a `tab` at most: the base of all other displays."""

    def __init__(self) -> None:
        self.tab = TerminalProgress(None)
        self.session: ObservedSession | None = None
        self.connection: Connection | None = None
        self._ahead_s = 0.0
        self._verified_s = 0.0
        self._usual: UsualTimes = {}

    @property
    def now_s(self) -> float:
        """The server's time, in seconds since 1970."""
        return time.time() + self._ahead_s

    @property
    def life_sign(self) -> LifeSign | None:
        """The sentence about the worker; without a connection nothing is known of it."""
        if self.session is None or self.connection not in ("live", "polling"):
            return None
        return life_sign(self.session.state, self.session.reported_s, self.now_s)

    def show(self, state: SessionState) -> None:
        """Show a new state of the session."""
        self.session = observed(self.session, with_usual(state, self._usual), self.now_s, self._verified_s)
        self._verified_s = self.now_s
        self.tab.set(tab_state(self.session, self.now_s))

    def show_lines(self, lines: Sequence[LogLine], missed: int) -> None:
        """Show lines of the session's log, and how many before them are not kept."""

    def set_connection(self, connection: Connection, reason: str = "") -> None:
        """Take in how updates arrive, and the reason if the stream does not bring them."""
        self.connection = connection

    def set_clock(self, ahead_s: float) -> None:
        """Take in by how many seconds the server's clock is ahead; the state was current then."""
        self._ahead_s = ahead_s
        self._verified_s = self.now_s

    def set_usual_times(self, usual: UsualTimes) -> None:
        """Take in what the steps of the present run usually take."""
        self._usual = usual
        if self.session is not None:
            self.session = self.session._replace(state=with_usual(self.session.state, usual))

    def tick(self) -> None:
        """Show what has changed by time alone; called about once a second."""
        if self.session is not None:
            self.tab.set(tab_state(self.session, self.now_s))

    def __enter__(self) -> Self:
        """Begin to show."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the output as it is."""


class _LineDisplay(Display):
    """Reports on stderr when the live stream fails, and when it is back."""

    def set_connection(self, connection: Connection, reason: str = "") -> None:
        was_polling = self.connection in ("polling", "reconnecting")
        if connection == "live" and was_polling:
            click.echo("progress-sse: live again", err=True)
        elif connection != "live" and not was_polling:
            click.echo(f"progress-sse: no live stream ({reason}): asking every {POLL_S:g} s", err=True)
        super().set_connection(connection, reason)


class JsonDisplay(_LineDisplay):
    """Prints each state in the shape that polling answers, on a line of its own, in ASCII that no terminal obeys."""

    def show(self, state: SessionState) -> None:
        """Print it."""
        super().show(state)
        click.echo(json.dumps(state, separators=(",", ":")))

    def show_lines(self, lines: Sequence[LogLine], missed: int) -> None:
        """Print each, under the key `log`."""
        for line in lines:
            click.echo(json.dumps({"log": line._asdict()}, separators=(",", ":")))


class PlainDisplay(_LineDisplay):
    """Prints a line for each change, though few for fast progress, and for a long silence."""

    def __init__(self, server_url: str) -> None:
        """Print links as those of the server."""
        super().__init__()
        self._server_url = server_url
        self._pace = Pace()
        self._reminded = Reminded()

    def show(self, state: SessionState) -> None:
        """Print what has changed."""
        before = self.session
        super().show(state)
        assert self.session is not None
        for line in changes(before, self.session, self.now_s, self._server_url, self._pace):
            click.echo(line)

    def show_lines(self, lines: Sequence[LogLine], missed: int) -> None:
        """Print each, with the time of day here."""
        for text in log_texts(lines, missed):
            click.echo(text)

    def tick(self) -> None:
        """Print what had to wait; that the worker is silent, and again once that is twice as long; and what is late."""
        super().tick()
        if self.session is not None:
            lines, self._reminded = reminders(self._reminded, self.session, self.life_sign, self.now_s)
            for line in (*step_lines(self.session, self.now_s, self._pace), *lines):
                click.echo(line)
