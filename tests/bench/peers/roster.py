"""The measured servers, in the order of the tables."""

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

BARE_ASGI = PythonPeer("bare ASGI", _PLAIN, (f"{_PEERS}.bare_asgi", "{port}"))
BARE = PythonPeer("bare Starlette", replace(DIALECT, prepare=()), (f"{_PEERS}.bare", "{port}"))

NAIVE = PythonPeer("sse-starlette, naive", _PLAIN, (f"{_PEERS}.sse_starlette_app", "{port}", "naive"))

STREAMING: tuple[Peer, ...] = (
    OURS,
    Nchan(),
    BetterSse(),
    PythonPeer("sse-starlette, bytes", _PLAIN, (f"{_PEERS}.sse_starlette_app", "{port}", "bytes")),
    NAIVE,
    # It is no server, but the limit of Python, and so not a peer to compare with.
    PythonPeer("raw uvloop (floor)", _PLAIN, (f"{_PEERS}.uvloop_floor", "{port}"), is_python=False),
)

_SIXTY = f"{_PEERS}.sixty_lines"
_SIXTY_DIALECT = replace(DIALECT, text_bytes=236)
SIXTY_LINES: tuple[Peer, ...] = (
    PythonPeer("the sixty lines", _SIXTY_DIALECT, (_SIXTY, "{port}")),
    PythonPeer("the sixty lines, SQLite", _SIXTY_DIALECT, (_SIXTY, "{port}", "{folder}/progress.db")),
)
"""What users would write instead."""

FOLLOWED: tuple[Peer, ...] = (OURS, OURS_SQLITE, OURS_REDIS, Nchan(), BetterSse(), BARE_ASGI, NAIVE, *SIXTY_LINES)
"""The servers of many jobs with few readers each, where the store counts most."""

IDLING: tuple[Peer, ...] = STREAMING[:4]
"""The servers that differ while nothing is published."""

REPLAYING: tuple[Peer, ...] = STREAMING[:2]
"""The servers that replay what a reader missed."""

SHARING: tuple[Peer, ...] = (OURS_TWICE, OURS_REDIS, OURS)
"""This project's server, by the distance of an event from the worker to the reader."""

SPREADING: tuple[Peer, ...] = tuple(map(spread_over, (1, 2, 4)))
"""This project's server, in as many processes as its readers need."""

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
"""A worker's server: present, absent, answering after a second, or killed again and again."""
