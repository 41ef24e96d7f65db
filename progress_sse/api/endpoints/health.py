"""The endpoints that show whether the process works, and whether it is ready for requests."""

import asyncio
from typing import Final

from starlette.requests import Request

from progress_sse.api.replies import Reply, json_reply
from progress_sse.core.errors import StoreFullError, StoreUnavailableError
from progress_sse.service import ProgressService

PING_TIMEOUT_S: Final = 3
"""Seconds within which the store must respond."""


async def livez(service: ProgressService, _request: Request) -> Reply:
    """`GET /livez`: 503 once a part of the service no longer works; no response where that is the event loop."""
    fault = service.fault
    return json_reply({"status": fault or "ok"}, 503 if fault else 200)


async def readyz(service: ProgressService, _request: Request) -> Reply:
    """`GET /readyz`: 503 while the store is unavailable or full, or the server shuts down."""
    if service.streams.is_draining:
        return json_reply({"status": "draining"}, 503)
    try:
        async with asyncio.timeout(PING_TIMEOUT_S):
            await service.store.ping()
    except StoreFullError:
        return json_reply({"status": "store full"}, 503)
    except (StoreUnavailableError, TimeoutError):
        return json_reply({"status": "store unavailable"}, 503)
    return json_reply({"status": "ok"})
