"""Tickets for streams, in exchange for a token."""

from starlette.requests import Request

from progress_sse import wire
from progress_sse.access.tickets import LIFETIME_S
from progress_sse.endpoints.common import JSON, UNCACHED, Reply
from progress_sse.service import ProgressService


async def issue(service: ProgressService, request: Request) -> Reply:
    """`POST /api/tickets`: what opens one stream as `?ticket=…`, once, with the rights of the token or cookie sent."""
    admission = await service.gate.identify(request)
    assert admission.token is not None
    ticket = await service.tickets.issue(admission.token)
    body = wire.encode_json({"ticket": ticket, "expires_in": LIFETIME_S})
    return Reply(201, {"content-type": JSON, **UNCACHED}, body)
