"""Who is measured, in the order of the tables."""

from __future__ import annotations

from dataclasses import replace

from tests.bench.peers.base import Peer, PythonPeer
from tests.bench.peers.nchan import Nchan
from tests.bench.peers.node import BetterSse
from tests.bench.peers.ours import DIALECT, OURS, OURS_REDIS, OURS_SQLITE, OURS_TWICE, spread_over
from tests.bench.plan import Dialect, Request

_PEERS = "tests.bench.peers"
_PLAIN = Dialect(
    subscribe=Request("GET", "/{session}"),
    publish=Request("POST", "/{session}", '{"message":"{text}"}'),
    text_bytes=371,
)

BARE = PythonPeer("bare Starlette", replace(DIALECT, prepare=()), (f"{_PEERS}.bare", "{port}"))

STREAMING: tuple[Peer, ...] = (
    OURS,
    Nchan(),
    BetterSse(),
    PythonPeer("sse-starlette, bytes", _PLAIN, (f"{_PEERS}.sse_starlette_app", "{port}", "bytes")),
    PythonPeer("sse-starlette, naive", _PLAIN, (f"{_PEERS}.sse_starlette_app", "{port}", "naive")),
    # Nobody's server: where Python ends. So it is no peer to be compared with.
    PythonPeer("raw uvloop (floor)", _PLAIN, (f"{_PEERS}.uvloop_floor", "{port}"), is_python=False),
)
IDLING: tuple[Peer, ...] = STREAMING[:4]
"""Those that differ while nothing is published."""

REPLAYING: tuple[Peer, ...] = STREAMING[:2]
"""Those that give a reader what it missed."""

SHARING: tuple[Peer, ...] = (OURS_TWICE, OURS_REDIS, OURS)
"""This project's server, by how far an event has to go from the worker to the reader."""

SPREADING: tuple[Peer, ...] = tuple(map(spread_over, (1, 2, 4)))
"""This project's server, as often as its readers need it."""

CALLED: tuple[Peer, ...] = (OURS, OURS_SQLITE, OURS_REDIS, BARE)
POLLED: tuple[Peer, ...] = (OURS, BARE)

REPORTED: tuple[Peer, ...] = (
    OURS,
    replace(OURS, name=f"{OURS.name}, away", dialect=replace(DIALECT, publish_port=1)),
    *(
        replace(OURS, name=f"{OURS.name}, {kind}", arguments=(f"{_PEERS}.troubled", "{port}", kind, "{folder}"))
        for kind in ("slow", "flapping")
    ),
)
"""What a worker may meet: a server, nobody, one that answers after a second, and one that is killed all the time."""
