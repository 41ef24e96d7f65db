"""What `progress-sse watch` knows of a session, and how it shows that: in lines, as JSON or not; ``terminal`` draws."""

import json
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Literal, Self, TypeAlias

import click

from progress_sse.core.log_lines import LogLine
from progress_sse.story.changes import Reminded, changes, reminders
from progress_sse.story.observed_session import ObservedSession, observed
from progress_sse.story.plain_text import log_texts
from progress_sse.story.session_state import SessionState
from progress_sse.story.time_left import UsualTimes, with_usual
from progress_sse.story.worker_words import LifeSign, life_sign

Connection: TypeAlias = Literal["live", "polling", "reconnecting"]
"""How updates arrive: by events, by polls, or not at all at present."""

POLL_S: Final = 2.0
"""Seconds between polls, more or less."""


class Observation:
    """Takes in what a follower reads, for a display that shows it later, too, as time goes by."""

    def __init__(self) -> None:
        self.session: ObservedSession | None = None
        self.connection: Connection | None = None
        self._ahead_s = 0.0
        self._verified_s = 0.0
        self._usual: UsualTimes = {}

    @property
    def now_s(self) -> float:
        """The server's time, in seconds since 1970."""
        return time.time() + self._ahead_s

    def show(self, state: SessionState) -> ObservedSession:
        """Take in a new state of the session."""
        self.session = observed(self.session, with_usual(state, self._usual), self.now_s, self._verified_s)
        self._verified_s = self.now_s
        return self.session

    def set_clock(self, ahead_s: float) -> None:
        """Take in by how many seconds the server's clock is ahead; the state was current then."""
        self._ahead_s = ahead_s
        self._verified_s = self.now_s

    def set_usual_times(self, usual: UsualTimes) -> None:
        """Take in what the steps of the present run usually take."""
        self._usual = usual
        if self.session is not None:
            self.session = self.session._replace(state=with_usual(self.session.state, usual))

    @property
    def life_sign(self) -> LifeSign | None:
        """The sentence about the worker; without a connection nothing is known of it."""
        if self.session is None or self.connection not in ("live", "polling"):
            return None
        return life_sign(self.session.state, self.session.reported_s, self.now_s)


class Display:
    """Shows nothing, for callers that need the exit status alone; the base of all other displays."""

    def show(self, state: SessionState) -> None:
        """Take in a new state of the session."""

    def show_lines(self, lines: Sequence[LogLine], missed: int) -> None:
        """Take in lines of the session's log, and how many before them are not kept."""

    def set_connection(self, connection: Connection, reason: str = "") -> None:
        """Take in how updates arrive, and the reason if the stream does not bring them."""

    def set_clock(self, ahead_s: float) -> None:
        """Take in by how many seconds the server's clock is ahead of this one."""

    def set_usual_times(self, usual: UsualTimes) -> None:
        """Take in what the steps of the present run usually take."""

    def tick(self) -> None:
        """Take in that about a second has passed."""

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
        if connection == "live":
            if self._is_polling:
                click.echo("progress-sse: live again", err=True)
        elif not self._is_polling:
            click.echo(f"progress-sse: no live stream ({reason}): asking every {POLL_S:g} s", err=True)
        self._is_polling = connection != "live"


class JsonDisplay(_LineDisplay):
    """Prints each state in the shape that polling answers, on a line of its own, in ASCII that no terminal obeys."""

    def show(self, state: SessionState) -> None:
        """Print it."""
        click.echo(json.dumps(state, separators=(",", ":")))

    def show_lines(self, lines: Sequence[LogLine], missed: int) -> None:
        """Print each, under the key `log`."""
        for line in lines:
            click.echo(json.dumps({"log": line._asdict()}, separators=(",", ":")))


class PlainDisplay(_LineDisplay):
    """Prints a line for each change, and for a long silence."""

    def __init__(self, server_url: str) -> None:
        """Print links as those of the server."""
        self._server_url = server_url
        self._observation = Observation()
        self._reminded = Reminded()

    def show(self, state: SessionState) -> None:
        """Print what has changed."""
        before = self._observation.session
        after = self._observation.show(state)
        for line in changes(before, after, self._observation.now_s, self._server_url):
            click.echo(line)

    def show_lines(self, lines: Sequence[LogLine], missed: int) -> None:
        """Print each, with the time of day here."""
        for text in log_texts(lines, missed):
            click.echo(text)

    def set_connection(self, connection: Connection, reason: str = "") -> None:
        """Take it in; see `_LineDisplay`."""
        super().set_connection(connection, reason)
        self._observation.connection = connection

    def set_clock(self, ahead_s: float) -> None:
        """Let silences follow the server's clock."""
        self._observation.set_clock(ahead_s)

    def set_usual_times(self, usual: UsualTimes) -> None:
        """Let the words count on them from now on."""
        self._observation.set_usual_times(usual)

    def tick(self) -> None:
        """Print that the worker is silent, and again when it has been so for twice as long; and what is late."""
        session = self._observation.session
        if session is not None:
            now_s, sign = self._observation.now_s, self._observation.life_sign
            lines, self._reminded = reminders(self._reminded, session, sign, now_s)
            for line in lines:
                click.echo(line)
