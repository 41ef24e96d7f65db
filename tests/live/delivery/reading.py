"""The snapshot of a new reader, and the check that a reader gets nothing more."""

from tests.harness.event_stream import Block
from tests.harness.rawsse import RawStream
from tests.harness.serving import Server, Worker, events_path

HEARTBEAT_S = 0.3


async def snapshot_of(server: Server, session_id: str) -> Block:
    """The snapshot that a new reader gets."""
    async with await RawStream.open(server.port, events_path(session_id)) as stream:
        block = await stream.next_event()
        assert block.event == "snapshot"
        return block


async def assert_nothing_more(stream: RawStream, worker: Worker, session_id: str) -> None:
    """Check that no event was on its way: the next one is the transition made now, one position further."""
    n = stream.events[-1].position.offset
    await worker.start(session_id, 1)
    event = await stream.next_event()
    assert (event.event, event.position.offset) == ("step", n + 1)
