"""Is the process alive, and may it be sent work."""

import asyncio
from typing import Final

from starlette.requests import Request

from progress_sse.api.replies import Reply, json_reply
from progress_sse.core.errors import StoreFullError, StoreUnavailableError
from progress_sse.service import ProgressService

PATIENCE_S: Final = 3
"""Seconds that the store has to show that it is there."""


async def livez(service: ProgressService, _request: Request) -> Reply:
    """`GET /livez`: 503 once something has come to a standstill; where that is the event loop, no answer."""
    fault = service.fault
    return json_reply({"status": fault or "ok"}, 503 if fault else 200)


async def readyz(service: ProgressService, _request: Request) -> Reply:
    """`GET /readyz`: 503 while the store is away or full, or the server goes down."""
    if service.streams.is_draining:
        return json_reply({"status": "draining"}, 503)
    try:
        async with asyncio.timeout(PATIENCE_S):
            await service.store.ping()
    except StoreFullError:
        return json_reply({"status": "store full"}, 503)
    except (StoreUnavailableError, TimeoutError):
        return json_reply({"status": "store unavailable"}, 503)
    return json_reply({"status": "ok"})
