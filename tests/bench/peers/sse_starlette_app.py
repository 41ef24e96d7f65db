"""A plain use of sse-starlette, as its documentation shows it: one queue per reader, and a generator that empties it.

`python -m tests.bench.peers.sse_starlette_app PORT naive|bytes`: `naive` gives each reader a dict to encode, `bytes`
encodes once for all readers.
"""

import asyncio
import itertools
import json
import sys
from collections import defaultdict
from collections.abc import AsyncIterator

import uvicorn
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.bench.gauges import raise_descriptor_limit

Event = dict[str, str] | bytes
Readers = defaultdict[str, set[asyncio.Queue[Event]]]


def create_app(*, encodes_once: bool) -> Starlette:
    """The application: GET reads a session, POST publishes to it."""
    readers: Readers = defaultdict(set)
    ids = itertools.count(1)

    async def read(request: Request) -> Response:
        session = readers[request.path_params["session"]]
        queue: asyncio.Queue[Event] = asyncio.Queue()
        session.add(queue)

        async def events() -> AsyncIterator[Event]:
            try:
                while True:
                    yield await queue.get()
            finally:
                session.discard(queue)

        return EventSourceResponse(events())

    async def publish(request: Request) -> Response:
        data = json.dumps(await request.json())
        event_id = str(next(ids))
        event: Event = {"event": "step", "id": event_id, "data": data}
        if encodes_once:
            event = ServerSentEvent(data, event="step", id=event_id).encode()
        for queue in readers[request.path_params["session"]]:
            queue.put_nowait(event)
        return Response(status_code=204)

    return Starlette(routes=[Route("/{session}", read), Route("/{session}", publish, methods=["POST"])])


def main() -> None:
    """Serve on the port in the first argument."""
    raise_descriptor_limit()
    app = create_app(encodes_once=sys.argv[2] == "bytes")
    uvicorn.run(app, port=int(sys.argv[1]), loop="uvloop", http="httptools", log_level="error", access_log=False)


if __name__ == "__main__":
    main()
