"""Is the process alive, and may it be sent work."""

from starlette.requests import Request
from starlette.responses import Response

from progress_sse.endpoints.common import json_response, service_of
from progress_sse.errors import StoreUnavailableError


async def livez(_request: Request) -> Response:
    """`GET /livez`: 200 for as long as the event loop turns."""
    return json_response({"status": "ok"})


async def readyz(request: Request) -> Response:
    """`GET /readyz`: 503 while the store is away or the server goes down."""
    service = service_of(request)
    if service.streams.is_draining:
        return json_response({"status": "draining"}, 503)
    try:
        await service.store.backend.ping()
    except StoreUnavailableError:
        return json_response({"status": "store unavailable"}, 503)
    return json_response({"status": "ok"})
