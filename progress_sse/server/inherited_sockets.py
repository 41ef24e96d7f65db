"""The sockets that a supervisor hands to each server process that it starts."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable
from typing import Final, NamedTuple, Self

READY: Final = b"ready"
"""The message of a server process once it accepts connections."""

_VARIABLE: Final = "PROGRESS_SSE_SOCKETS"


class InheritedSockets(NamedTuple):
    """The sockets of a process that has a supervisor.

    Attributes:
        listener: Where connections come in; all processes share it.
        control: Tells the supervisor that this process is ready, and ends when the supervisor does.
    """

    listener: socket.socket
    control: socket.socket

    @classmethod
    def take(cls) -> Self | None:
        """Return them; `None` in a process that has no supervisor."""
        descriptors = os.environ.pop(_VARIABLE, None)
        if descriptors is None:
            return None
        return cls(*(socket.socket(fileno=int(each)) for each in descriptors.split(",")))

    def environment(self) -> dict[str, str]:
        """Return the environment in which a child process finds them."""
        return {**os.environ, _VARIABLE: ",".join(map(str, self.descriptors()))}

    def descriptors(self) -> tuple[int, ...]:
        """Return the descriptors that the child process must inherit."""
        return tuple(each.fileno() for each in self)

    def watch(self, on_orphaned: Callable[[], None]) -> None:
        """Call `on_orphaned` once the supervisor has gone."""
        loop = asyncio.get_running_loop()

        def on_end() -> None:
            loop.remove_reader(self.control)
            on_orphaned()

        loop.add_reader(self.control, on_end)

    def send_ready(self) -> None:
        """Say that connections are accepted."""
        with contextlib.suppress(OSError):  # The supervisor has gone, and `watch` reports that.
            self.control.send(READY)
