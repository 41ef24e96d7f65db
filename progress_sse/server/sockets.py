"""The socket that a server listens on, and what its connections have of it."""

import os
import socket
from typing import Final

from progress_sse.core.errors import ConfigurationError
from progress_sse.settings import Settings

BACKLOG: Final = 2048

MAX_UNSENT_BYTES: Final = 16_384
"""Bytes that the kernel takes from us before it has sent what it already has."""


def listen(settings: Settings) -> socket.socket:
    """Return a socket that listens where the settings say.

    Raises:
        ConfigurationError: That is no address of ours, or it is taken.
    """
    host, port = settings.host, settings.port
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        raise ConfigurationError(f"Cannot listen on {host}, port {port}: {_reason(error)}.") from error
    # What a slow reader has not taken is to wait with us, where a snapshot can take its place, and not in the kernel,
    # which would keep megabytes of it.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, MAX_UNSENT_BYTES)
    # A peer that has vanished, or keeps its window shut: the kernel sees both, whatever there is to send.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(settings.send_timeout_s * 1000))
    return listener


def _reason(error: OSError) -> str:
    """Return the system's words; `socket.create_server` adds the address to them."""
    return os.strerror(error.errno) if error.errno and error.errno > 0 else str(error.strerror)
