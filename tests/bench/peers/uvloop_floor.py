"""The minimum that Python needs: one uvloop protocol per connection, and one `transport.write` per delivery.

It understands only what the load generator sends. `python -m tests.bench.peers.uvloop_floor PORT`
"""

import asyncio
import itertools
import sys
from collections import defaultdict
from typing import cast

import uvloop

from tests.bench.gauges import raise_descriptor_limit

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"
HEARTBEAT = b"3\r\n:\n\n\r\n"
HEARTBEAT_S = 15

sessions: defaultdict[bytes, set[asyncio.WriteTransport]] = defaultdict(set)
ids = itertools.count(1)


class Floor(asyncio.Protocol):
    """Reads a session, or publishes to sessions."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take on a connection."""
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's class has the methods, but not this base
        self._request = b""
        self._session: set[asyncio.WriteTransport] = set()

    def data_received(self, data: bytes) -> None:
        """Carry out a complete request."""
        self._request += data
        head, end, body = self._request.partition(b"\r\n\r\n")
        length = int(head.rpartition(b"Content-Length: ")[2]) if b"Content-Length: " in head else 0
        if not end or len(body) < length:
            return
        self._request = b""
        method, target, _ = head.split(b" ", 2)
        if method == b"GET":
            self._session = sessions[target]
            self._session.add(self._transport)
            self._transport.write(HEAD)
        else:
            _publish(sessions[target], body)
            self._transport.write(NO_CONTENT)

    def connection_lost(self, exc: Exception | None) -> None:
        """Remove the reader."""
        self._session.discard(self._transport)


def _publish(readers: set[asyncio.WriteTransport], body: bytes) -> None:
    event = b"id: %d\nevent: step\ndata: %b\n\n" % (next(ids), body)
    chunk = b"%x\r\n%b\r\n" % (len(event), event)
    for transport in readers:
        transport.write(chunk)


async def _serve(port: int) -> None:
    await asyncio.get_running_loop().create_server(Floor, "127.0.0.1", port, backlog=4096)
    while True:
        await asyncio.sleep(HEARTBEAT_S)
        for readers in sessions.values():
            for transport in readers:
                transport.write(HEARTBEAT)


def main() -> None:
    """Serve on the port in the first argument."""
    raise_descriptor_limit()
    uvloop.run(_serve(int(sys.argv[1])))


if __name__ == "__main__":
    main()
