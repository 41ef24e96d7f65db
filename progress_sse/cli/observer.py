"""What a follower of a session tells a display."""

from typing import Literal, Protocol, TypeAlias

from progress_sse.story.session_state import SessionState
from progress_sse.story.usual_times import UsualTimes

Connection: TypeAlias = Literal["live", "polling", "reconnecting"]
"""How updates arrive: by events, by polls, or not at all at present."""


class Observer(Protocol):
    """Receives the states that a follower reads."""

    def show(self, state: SessionState) -> None:
        """Take in a new state of the session."""

    def set_connection(self, connection: Connection, reason: str = "") -> None:
        """Take in how updates arrive, and the reason if the stream does not bring them."""

    def set_clock(self, ahead_s: float) -> None:
        """Take in by how many seconds the server's clock is ahead of this one."""

    def set_usual_times(self, usual: UsualTimes) -> None:
        """Take in what the steps of the present run usually take."""

    def tick(self) -> None:
        """Take in that about a second has passed."""
