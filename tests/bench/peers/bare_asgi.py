"""The cost of ASGI alone: streams and updates on uvicorn without rules, state or replay.

`python -m tests.bench.peers.bare_asgi PORT`, on the same event loop and HTTP parser as the server of this project. The
publisher awaits the `send` of each reader.
"""

import itertools
import json
import sys
from collections import defaultdict

import uvicorn
from starlette.types import Receive, Scope, Send

from tests.bench.gauges import raise_descriptor_limit

HEAD = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")],
}
BEGINNING = {"type": "http.response.body", "body": b"", "more_body": True}
NO_CONTENT = {"type": "http.response.start", "status": 204, "headers": []}
END = {"type": "http.response.body", "body": b""}

readers: defaultdict[str, set[Send]] = defaultdict(set)
ids = itertools.count(1)


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Stream a session to a GET, and publish a POST."""
    session = readers[scope["path"]]
    if scope["method"] == "POST":
        await _publish(await _body(receive), session)
        await send(NO_CONTENT)
        await send(END)
        return
    session.add(send)
    await send(HEAD)
    await send(BEGINNING)
    while (await receive())["type"] != "http.disconnect":
        pass
    session.discard(send)


async def _body(receive: Receive) -> bytes:
    body, is_more = b"", True
    while is_more:
        message = await receive()
        body += message.get("body", b"")
        is_more = message.get("more_body", False)
    return body


async def _publish(body: bytes, session: set[Send]) -> None:
    data = json.dumps(json.loads(body)).encode()
    event = b"id: %d\nevent: step\ndata: %b\n\n" % (next(ids), data)
    message = {"type": "http.response.body", "body": event, "more_body": True}
    for send in tuple(session):
        await send(message)


def main() -> None:
    """Serve on the port in the first argument."""
    raise_descriptor_limit()
    uvicorn.run(
        app, port=int(sys.argv[1]), loop="uvloop", http="httptools", lifespan="off", log_level="error", access_log=False
    )


if __name__ == "__main__":
    main()
