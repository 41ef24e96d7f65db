"""The load generator's own arithmetic: it counts every event, however the bytes were split."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.bench.clients import Loop, Reader, RefusedError
from tests.bench.plan import Account, Request, Tally, stamp

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
ASKED = Request("GET", "/{session}").to_bytes("s0000")
DEADLINE_S = 10


@contextmanager
def connected() -> Iterator[tuple[Loop, Reader, socket.socket]]:
    """A reader, its loop, and the server's end of its stream."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(DEADLINE_S)
        port = listener.getsockname()[1]
        loop = Loop(port)
        reader = Reader(loop, port, 0, ASKED, b"\r\n\r\n", Tally())
        peer, _ = listener.accept()
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with peer, reader.sock:
        yield loop, reader, peer


@pytest.mark.parametrize("size", [1, 7, 30, 31, 64, 10_000])
def test_reader_counts_every_event_when_bytes_come_in_pieces(size: int) -> None:
    """Head, mark and stamp may be split anywhere; each event counts once, and has its latency."""
    seqs = range(1, 21)
    sent = HEAD + b"".join(f"id: {seq}\ndata: {stamp(seq, seq)} ~~\n\n".encode() for seq in seqs)
    with connected() as (loop, reader, peer):
        for start in range(0, len(sent), size):
            peer.sendall(sent[start : start + size])
            loop.turn(DEADLINE_S)
    assert reader.got == Account(len(seqs), sum(seqs))
    assert len(reader.tally.latencies_ns) == len(seqs)


def test_reader_refuses_a_response_that_is_no_stream() -> None:
    """A server that answers readers with errors gets no figures."""
    with connected() as (loop, _, peer):
        peer.sendall(HEAD.replace(b"200 OK", b"503 Service Unavailable"))
        with pytest.raises(RefusedError, match="503"):
            loop.turn(DEADLINE_S)
