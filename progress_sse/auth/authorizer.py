"""Decides whether a request is authorized: the interface, its form where a function of the host decides, and callers.

A refusal reveals nothing: 401 is the same for every fault of a token, 403 the same whether a session exists or not.
"""

import hashlib
import inspect
import ipaddress
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple, Protocol, TypeAlias

from starlette.requests import Request

from progress_sse.auth.grants import Action
from progress_sse.core.errors import ForbiddenError, PathNotFoundError

IPV6_PREFIX: Final = 64
"""Bits of an IPv6 address that identify a site; one caller may use all addresses of such a network."""

UNKNOWN: Final = "unknown"
"""The shared identity of callers without an IP address, as on a Unix socket."""


def caller_of(request: Request, token: str | None) -> str:
    """Return the caller's identity; `token` is that of the request's `Authorization`."""
    return address_of(request) if token is None else hashlib.sha256(token.encode("latin-1")).hexdigest()


def address_of(request: Request) -> str:
    """Return the address that the request comes from; of an IPv6 address, its network."""
    try:
        address = ipaddress.ip_address(request.client.host if request.client else "")
    except ValueError:
        return UNKNOWN
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped or ipaddress.ip_network((address.packed, IPV6_PREFIX), strict=False))
    return str(address)


Authorize: TypeAlias = Callable[[Request, Action, str | None], bool | Awaitable[bool]]
"""Returns whether a request may do the action on the session, or on the profile of that name; `None` stands for all."""


class Authorization(NamedTuple):
    """The authorization of a request.

    Attributes:
        token: The token that it was granted by, the request's own or its ticket's; `None` if it needed none.
        expires_at: When it ends, in seconds since 1970; `None` for never.
    """

    token: str | None
    expires_at: float | None


UNCONDITIONAL: Final = Authorization(None, None)
"""The authorization where an action is open to all, or where a callback allows it."""


class Authorizer(Protocol):
    """Authorizes requests, or refuses them.

    Attributes:
        takes_tokens: Whether it decides by tokens, cookies and tickets.
    """

    takes_tokens: bool

    def is_open_to(self, action: Action) -> bool:
        """Return whether the action needs no authorization."""

    async def check(
        self, request: Request, action: Action, *session_ids: str | None, ticket: str = "", count: int | None = 1
    ) -> Authorization:
        """Return if the request may do the action on every one of the sessions.

        Args:
            request: The request.
            action: The action.
            session_ids: `None` stands for all sessions together. Without any id, a right to some session is enough.
            ticket: The ticket in the URL of a stream; empty if it has none.
            count: The number of requests that it counts as; 0 where a second check of the same request counts it, and
                `None` where a first one has, so that not even a refusal counts.

        Raises:
            UnauthorizedError: The request has no valid token.
            ForbiddenError: Its token does not allow this.
        """

    async def check_list(self, request: Request, prefix: str, *, ticket: str = "") -> Authorization:
        """Return if the request may list the sessions whose ids begin with the prefix; raises as `check` does."""

    async def identify(self, request: Request) -> Authorization:
        """Return if the request's token, in header or cookie, is valid; raises as `check` does."""

    async def identify_bearer(self, request: Request, session_id: str | None = None) -> Authorization:
        """Return if the token in `Authorization` is valid, and allows to read the session; raises as `check` does.

        Args:
            request: The request.
            session_id: `None` where every valid token is enough.
        """

    async def listable_prefixes(self, request: Request) -> tuple[str, ...]:
        """Return the prefixes of the sessions that the request may list: `("",)` for all, and none without a right."""


class CallbackAuthorizer:
    """Authorizes the requests that a function allows."""

    takes_tokens = False

    def __init__(self, authorize: Authorize) -> None:
        """Call `authorize` for each request and session."""
        self._authorize = authorize

    def is_open_to(self, action: Action) -> bool:
        """Return `False`: the function may refuse any action."""
        return False

    async def check(
        self, request: Request, action: Action, *session_ids: str | None, ticket: str = "", count: int | None = 1
    ) -> Authorization:
        """Return if the function allows it for every one of the sessions."""
        for session_id in session_ids:
            decision = self._authorize(request, action, session_id)
            if not (await decision if inspect.isawaitable(decision) else decision):
                raise ForbiddenError
        return UNCONDITIONAL

    async def check_list(self, request: Request, prefix: str, *, ticket: str = "") -> Authorization:
        """Return if the function allows to list sessions; it finds the prefix in the query of the request."""
        return await self.check(request, "list", None)

    async def identify(self, request: Request) -> Authorization:
        """Raise `PathNotFoundError`: without tokens there are no cookies and no tickets."""
        raise PathNotFoundError

    async def identify_bearer(self, request: Request, session_id: str | None = None) -> Authorization:
        """Raise `PathNotFoundError`: without tokens there are no cookies and no tickets."""
        raise PathNotFoundError

    async def listable_prefixes(self, request: Request) -> tuple[str, ...]:
        """Return all prefixes or none: the function knows no prefixes."""
        try:
            await self.check_list(request, "")
        except ForbiddenError:
            return ()
        return ("",)
