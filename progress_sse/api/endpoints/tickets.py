"""Tickets for streams, in exchange for a token."""

from starlette.requests import Request

from progress_sse.api.replies import Reply, json_reply
from progress_sse.auth.tickets import LIFETIME_S
from progress_sse.service import ProgressService


async def issue(service: ProgressService, request: Request) -> Reply:
    """`POST /api/tickets`: a ticket that opens one stream, once, as `?ticket=…`, with the rights of the token sent."""
    authorization = await service.authorizer.identify(request)
    assert authorization.token is not None
    ticket = await service.tickets.issue(authorization.token)
    return json_reply({"ticket": ticket, "expires_in": LIFETIME_S}, 201)
