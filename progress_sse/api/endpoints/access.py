"""The endpoints that hand out access: tickets for streams, and cookies with a token."""

import math
from urllib.parse import quote

from starlette.requests import Request

from progress_sse.api.replies import UNCACHED, Reply, json_reply
from progress_sse.api.request_parts import session_id_of, uri_component
from progress_sse.api.router import SESSION_PREFIX
from progress_sse.auth.cookies import COOKIE, LINK_COOKIE, SECURE_LINK_COOKIE, is_of_this_machine
from progress_sse.auth.tickets import LIFETIME_S
from progress_sse.service import ProgressService
from progress_sse.wire.headers import header_value


async def issue_ticket(service: ProgressService, request: Request) -> Reply:
    """`POST /api/tickets`: a ticket that opens one stream, once, as `?ticket=…`, with the rights of the token sent."""
    authorization = await service.authorizer.identify(request, by_cookie=True)
    assert authorization.token is not None
    ticket = await service.tickets.issue(authorization.token)
    return json_reply({"ticket": ticket, "expires_in": LIFETIME_S}, 201)


async def keep_token(service: ProgressService, request: Request) -> Reply:
    """`POST /api/cookie`: let the browser keep the token in `Authorization` for as long as it is valid."""
    token, expires_at = await service.authorizer.identify(request)
    assert token is not None
    seconds_left = None if expires_at is None else math.ceil(expires_at - service.clock.now().timestamp())
    return _cookie_reply(request, COOKIE, token, "/", seconds_left)


async def drop_token(_service: ProgressService, request: Request) -> Reply:
    """`DELETE /api/cookie`: let the browser delete it."""
    return _cookie_reply(request, COOKIE, "", "/", 0)


async def keep_link(service: ProgressService, request: Request) -> Reply:
    """`POST /api/progress/{session_id}/link`: keep the token of a link, for the paths of its session alone.

    Without an age the cookie ends with the browser, which so has no reason to write it to a file.
    """
    session_id = session_id_of(request)
    token, _ = await service.authorizer.identify(request, session_id)
    assert token is not None
    name = LINK_COOKIE if _is_on_this_machine(request) else SECURE_LINK_COOKIE
    # A browser ignores a path of more than 1024 bytes, and takes that of this request without its last segment
    # [RFC 6265bis §5.6.4], which is the same.
    path = f"{SESSION_PREFIX}{uri_component(session_id)}"
    return _cookie_reply(request, name, token, path, None)


def _cookie_reply(request: Request, name: str, token: str, path: str, max_age_s: int | None) -> Reply:
    attributes = [
        f"{name}={quote(token, safe='', encoding='latin-1')}",
        "HttpOnly",
        "SameSite=Strict",
        f"Path={quote(request.scope.get('root_path', ''))}{path}",
    ]
    if max_age_s is not None:
        attributes.append(f"Max-Age={max_age_s}")
    if not _is_on_this_machine(request):
        attributes.append("Secure")
    return Reply(204, {"set-cookie": "; ".join(attributes), **UNCACHED})


def _is_on_this_machine(request: Request) -> bool:
    """Return whether the browser used a loopback address without TLS; behind a proxy it used a name of the proxy.

    Not every proxy passes that name on as `Host`, so the page's `Origin` decides, if the request has one.
    """
    scheme, _, host = header_value(request, b"origin").partition("://")
    if not host:
        scheme = request.scope["scheme"]
        host = header_value(request, b"host")
    return scheme == "http" and is_of_this_machine(host)
