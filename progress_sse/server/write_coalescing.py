"""What is answered in one turn of the event loop goes out together: head and body, and all connections one by one."""

import asyncio
from typing import Any, Final

MAX_JOINED_BYTES: Final = 16_384
"""Bytes that are copied to go out with others; what is longer may be what many get, and stays the one copy of it."""


class Outbox:
    """Sends what connections were given in one turn of the event loop at its end, one right after the other.

    Waking the process that reads is most of what a short write on one machine costs: a proxy that holds all
    connections is woken once in this way, and not once for each.
    """

    def __init__(self) -> None:
        """Begin empty."""
        self._waiting: list[JoiningTransport] = []

    def add(self, transport: "JoiningTransport") -> None:
        """Flush this one at the end of the turn."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._flush)
        self._waiting.append(transport)

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        for transport in waiting:
            transport.flush()


class JoiningTransport:
    """Keeps what is written until the end of the loop's turn, so that head and body of an answer go out in one write.

    Servers may hold a head back [ASGI HTTP, Response Start].
    """

    __slots__ = ("_outbox", "_transport", "_unsent", "write_through")

    def __init__(self, transport: asyncio.Transport, outbox: Outbox) -> None:
        """Write to `transport`; `write_through` does it at once, where nothing can be waiting."""
        self._transport = transport
        self._outbox = outbox
        self._unsent = b""
        self.write_through = transport.write

    def write(self, data: bytes) -> None:
        """Send this at the end of the turn; at once if it is much."""
        if len(self._unsent) + len(data) > MAX_JOINED_BYTES:
            self.write_now(data)
        elif self._unsent:
            self._unsent += data
        else:
            self._unsent = data
            self._outbox.add(self)

    def write_now(self, data: bytes) -> None:
        """Send this, and before it what is still waiting; not joined, as what many get would be copied for each."""
        self._send_waiting()
        self.write_through(data)

    def flush(self) -> None:
        """Send what is waiting; nobody is there to get it once the connection closes."""
        if not self._transport.is_closing():
            self._send_waiting()

    def _send_waiting(self) -> None:
        unsent, self._unsent = self._unsent, b""
        if unsent:
            self.write_through(unsent)

    def close(self) -> None:
        """Close once everything has been sent."""
        self.flush()
        self._transport.close()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Name both ends without the socket object that uvicorn would have made for each of them."""
        if name == "socket":
            return None
        value = self._transport.get_extra_info(name, default)
        return value[:2] if isinstance(value, tuple) else value  # IPv6 has four parts; uvicorn looks for two.

    def __getattr__(self, name: str) -> Any:
        """Be the transport in everything else."""
        return getattr(self._transport, name)
