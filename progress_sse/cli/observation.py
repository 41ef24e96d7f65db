"""What a display knows: the session as it was seen, the server's clock, and how updates arrive."""

import time
from typing import Final, Literal, TypeAlias

from progress_sse.story.life_signs import LifeSign, life_sign
from progress_sse.story.observed_session import ObservedSession, observed
from progress_sse.story.session_state import SessionState
from progress_sse.story.usual_times import UsualTimes, with_usual

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
        """What is worth saying about the worker; without a connection nothing is known of it."""
        if self.session is None or self.connection not in ("live", "polling"):
            return None
        return life_sign(self.session.state, self.session.reported_s, self.now_s)
