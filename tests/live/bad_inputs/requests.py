"""Requests as bytes, their answers, and a reader that must not notice them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.api.refusal import BEFORE, USED
from tests.harness.rawsse import RawStream
from tests.harness.serving import Server, Worker, events_path


@asynccontextmanager
async def unaffected_reader(server: Server, session_id: str) -> AsyncIterator[None]:
    """Follow the session during the block, and check that only a worker's updates before and after it show."""
    async with (
        Worker.at(server) as worker,
        await RawStream.open(server.port, events_path(session_id)) as stream,
    ):
        await stream.next_event()
        await worker.create(session_id, replace=True)
        for body in BEFORE:
            await worker.update(session_id, **body)
        await worker.update(session_id, key=USED[0], **USED[1])
        *_, last = await stream.next_events(4)
        before = await worker.poll_raw(session_id)
        yield
        after = await worker.poll_raw(session_id)
        assert (after.content, after.headers["etag"]) == (before.content, before.headers["etag"])
        await worker.complete(session_id, 1)
        completed = await stream.next_event()
        assert completed.position == last.position._replace(offset=last.position.offset + 1)
        assert stream.ending is None
    assert "Traceback" not in server.log()


UPDATE_HEADERS = [("Content-Type", "application/json")]
BODY = b'{"action":"complete","step":1}'
START_LINE = "POST /api/progress/SID/update HTTP/1.1\r\n"
POST = START_LINE + "Host: x\r\nContent-Type: application/json\r\n"
CHUNKED = "Transfer-Encoding: chunked\r\n"
IN_CHUNKS = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)


def post(headers: str, body: bytes = BODY) -> bytes:
    """An update that is valid but for its framing."""
    return (POST + headers + "\r\n").encode("latin-1") + body
