"""The sockets of a server: the one that it listens on, and those that a supervisor hands to each process it starts."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable
from typing import Final, NamedTuple, Self

from progress_sse.core.errors import ConfigurationError
from progress_sse.settings import Settings

BACKLOG: Final = 2048
"""Connections that may wait to be accepted."""

MAX_UNSENT_BYTES: Final = 16_384
"""Unsent bytes that the kernel buffers for a connection."""


def listen(settings: Settings) -> socket.socket:
    """Return a socket that listens at the address of the settings.

    Raises:
        ConfigurationError: The address is not one of this machine, or it is in use.
    """
    host = settings.host
    port = settings.port
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        raise ConfigurationError(f"Cannot listen on {host}, port {port}: {_reason(error)}.") from error
    # Frames for a slow subscriber wait in its queue, where a snapshot can replace them, not in the kernel's megabytes.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, MAX_UNSENT_BYTES)
    # The kernel drops a peer that has vanished or keeps its window closed.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(settings.send_timeout_s * 1000))
    # It asks one that is silent for long: a stream of text has no heartbeats.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL):
        listener.setsockopt(socket.IPPROTO_TCP, option, max(1, round(settings.heartbeat_s)))
    return listener


def _reason(error: OSError) -> str:
    """Return the system's message without the address that `socket.create_server` adds."""
    return os.strerror(error.errno) if error.errno and error.errno > 0 else str(error.strerror)


READY: Final = b"ready"
"""The message of a server process once it accepts connections."""

_VARIABLE: Final = "PROGRESS_SSE_SOCKETS"
"""The environment variable by which a process finds the sockets that it inherits."""

_SIZE_BYTES: Final = 4
"""Bytes of the size that goes before the text of the file of hooks."""


def encode_hooks(text: str) -> bytes:
    """Return what a supervisor sends to a process first."""
    data = text.encode()
    return len(data).to_bytes(_SIZE_BYTES) + data


class InheritedSockets(NamedTuple):
    """The sockets of a process that has a supervisor; it listens itself unless there is a `listener`, which all share.

    Over `control` it gets the text of the file of hooks, and reports that it is ready; its end is that of the
    supervisor.
    """

    control: socket.socket
    listener: socket.socket | None

    @classmethod
    def take(cls) -> Self | None:
        """Return them; `None` in a process that has no supervisor."""
        descriptors = os.environ.pop(_VARIABLE, None)
        if descriptors is None:
            return None
        control, *listeners = (socket.socket(fileno=int(each)) for each in descriptors.split(","))
        return cls(control, listeners[0] if listeners else None)

    def receive_hooks(self) -> str:
        """Wait for the text of the file of hooks, which the supervisor has checked, and return it."""
        with self.control.makefile("rb") as received:  # It reads no further: the supervisor sends nothing else.
            size = int.from_bytes(received.read(_SIZE_BYTES))
            return received.read(size).decode()

    def environment(self) -> dict[str, str]:
        """Return the environment in which a child process finds them."""
        return {**os.environ, _VARIABLE: ",".join(map(str, self.descriptors()))}

    def descriptors(self) -> tuple[int, ...]:
        """Return the descriptors that the child process must inherit."""
        return tuple(each.fileno() for each in self if each is not None)

    def watch(self, on_orphaned: Callable[[], None]) -> None:
        """Call `on_orphaned` once the supervisor has gone."""
        loop = asyncio.get_running_loop()

        def on_end() -> None:
            loop.remove_reader(self.control)
            on_orphaned()

        loop.add_reader(self.control, on_end)

    def send_ready(self) -> None:
        """Report that connections are accepted."""
        with contextlib.suppress(OSError):  # The supervisor has gone, and `watch` reports that.
            self.control.send(READY)
