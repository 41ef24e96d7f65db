"""The cost of HTTP alone: Starlette routes that parse an update and discard it, and answer polls with constants.

`python -m tests.bench.peers.bare PORT`, on the same event loop and HTTP parser as the server of this project.
"""

import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

ACCEPTED = b'{"success":true,"session_id":"s0000"}'
POLLED = (
    b'{"session_id":"s0000","current_step":1,"total_steps":1,"status":"running","steps":[{"step":1,"name":"s",'
    b'"status":"running","started_at":"2026-01-01T00:00:00.000000+00:00","completed_at":null,"elapsed_ms":0,'
    b'"timeout_ms":120000,"message":"","error":""}],"percentage":0,"estimated_remaining_ms":0}'
)


async def update(request: Request) -> Response:
    """Parse the body, and answer."""
    await request.json()
    return Response(ACCEPTED, media_type="application/json")


async def poll(_: Request) -> Response:
    """Answer."""
    return Response(POLLED, media_type="application/json")


app = Starlette(
    routes=[
        Route("/api/progress/{session}", poll),
        Route("/api/progress/{session}/update", update, methods=["POST"]),
    ]
)


def main() -> None:
    """Serve on the port in the first argument."""
    uvicorn.run(app, port=int(sys.argv[1]), loop="uvloop", http="httptools", log_level="error", access_log=False)


if __name__ == "__main__":
    main()
