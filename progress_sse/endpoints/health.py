"""Is the process alive, and may it be sent work."""

from starlette.requests import Request

from progress_sse.endpoints.common import Reply, json_reply
from progress_sse.errors import StoreFullError, StoreUnavailableError
from progress_sse.service import ProgressService


async def livez(_service: ProgressService, _request: Request) -> Reply:
    """`GET /livez`: 200 for as long as the event loop turns."""
    return json_reply({"status": "ok"})


async def readyz(service: ProgressService, _request: Request) -> Reply:
    """`GET /readyz`: 503 while the store is away or full, or the server goes down."""
    if service.streams.is_draining:
        return json_reply({"status": "draining"}, 503)
    try:
        await service.store.backend.ping()
    except StoreFullError:
        return json_reply({"status": "store full"}, 503)
    except StoreUnavailableError:
        return json_reply({"status": "store unavailable"}, 503)
    return json_reply({"status": "ok"})
