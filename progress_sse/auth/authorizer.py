"""Decides whether a request is authorized: what all authorizers share, and the one that asks a function of the host.

A refusal reveals nothing: 401 is the same for every fault of a token, 403 the same whether a session exists or not.
"""

import hashlib
import inspect
import ipaddress
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple, TypeAlias

from starlette.requests import Request

from progress_sse.auth.grants import Action
from progress_sse.core.errors import ForbiddenError, PathNotFoundError, RateExceededError, UnauthorizedError

if TYPE_CHECKING:
    from progress_sse.auth.rate_limits import RateLimiter

logger: Final = logging.getLogger(__name__)

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


class Authorizer(ABC):
    """Authorizes requests or refuses them, and counts them where there are rates.

    Attributes:
        takes_tokens: Whether it decides by tokens, cookies and tickets.
    """

    takes_tokens: ClassVar[bool]

    def __init__(self, rate_limiter: "RateLimiter | None") -> None:
        """Count requests by `rate_limiter`; `None` where there are no rates."""
        self._rate_limiter = rate_limiter

    @abstractmethod
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
            RateExceededError: The caller is over a rate.
        """
        return await self._counted(request, action, self._check(request, action, session_ids, ticket), count)

    async def check_list(self, request: Request, prefix: str, *, ticket: str = "") -> Authorization:
        """Return if the request may list the sessions of the prefix, which counts as reading; raises like `check`."""
        return await self._counted(request, "read", self._check(request, "list", (None,), ticket, prefix))

    async def identify(
        self, request: Request, session_id: str | None = None, *, by_cookie: bool = False
    ) -> Authorization:
        """Return if the request's token is valid, which counts as reading; raises as `check` does.

        With a `session_id` the token must allow to read it; with `by_cookie` it may come in a cookie.
        """
        return await self._counted(request, "read", self._identify(request, session_id, by_cookie))

    async def has_right(self, request: Request, action: Action, session_id: str, *, is_counted: bool = True) -> bool:
        """Return whether the request may also do this; `False` where `authorize` fails for a name that is no session.

        A request that another check has counted (`is_counted`) does not count again. Else a caller known by its address
        alone would use up its rate, and that of others there, by what it never asked for.
        """
        try:
            await self.check(request, action, session_id, count=None if is_counted else 0)
        except (UnauthorizedError, ForbiddenError, RateExceededError):
            return False
        except Exception:
            logger.info("whether a request has the right to %s could not be decided", action, exc_info=True)
            return False
        return True

    async def listable_prefixes(self, request: Request) -> tuple[str, ...]:
        """Return the prefixes of the sessions that the request may list: `("",)` for all, none where that is undecided.

        This counts as reading from its address, and raises a `RateExceededError` over a rate.
        """
        if self._rate_limiter is not None:
            await self._rate_limiter.count("read", address_of(request))
        try:
            return await self._listable_prefixes(request)
        except (UnauthorizedError, ForbiddenError):
            return ()
        except Exception:
            logger.info("which sessions a request may list could not be decided", exc_info=True)
            return ()

    def _counted(
        self, request: Request, action: Action, checked: Awaitable[Authorization], count: int | None = 1
    ) -> Awaitable[Authorization]:
        limiter = self._rate_limiter
        return checked if limiter is None else _count(limiter, request, action, checked, count)

    @abstractmethod
    async def _check(
        self, request: Request, action: Action, session_ids: Sequence[str | None], ticket: str, prefix: str = ""
    ) -> Authorization:
        """Return if the request may do that; to list sessions, those whose ids begin with the prefix."""

    @abstractmethod
    async def _identify(self, request: Request, session_id: str | None, by_cookie: bool) -> Authorization: ...

    @abstractmethod
    async def _listable_prefixes(self, request: Request) -> tuple[str, ...]: ...


async def _count(
    limiter: "RateLimiter", request: Request, action: Action, checked: Awaitable[Authorization], count: int | None
) -> Authorization:
    """Return the authorization of a request, and count it; a refused request is counted by its address."""
    try:
        authorization = await checked
    except (ForbiddenError, UnauthorizedError):
        if count is not None:
            await limiter.count(action, address_of(request), max(1, count))
        raise
    if count:
        await limiter.count(action, caller_of(request, authorization.token), count)
    return authorization


class CallbackAuthorizer(Authorizer):
    """Authorizes the requests that a function of the host allows, for each of their sessions."""

    takes_tokens = False

    def __init__(self, authorize: Authorize, rate_limiter: "RateLimiter | None" = None) -> None:
        """Call `authorize` for each request and session."""
        super().__init__(rate_limiter)
        self._authorize = authorize

    def is_open_to(self, action: Action) -> bool:
        """Return `False`: the function may refuse any action."""
        return False

    async def _check(
        self, request: Request, action: Action, session_ids: Sequence[str | None], ticket: str, prefix: str = ""
    ) -> Authorization:
        """Ask the function, which finds the prefix in the query of the request."""
        for session_id in session_ids:
            decision = self._authorize(request, action, session_id)
            if not (await decision if inspect.isawaitable(decision) else decision):
                raise ForbiddenError
        return UNCONDITIONAL

    async def _identify(self, request: Request, session_id: str | None, by_cookie: bool) -> Authorization:
        raise PathNotFoundError  # Without tokens there are no cookies and no tickets.

    async def _listable_prefixes(self, request: Request) -> tuple[str, ...]:
        await self._check(request, "list", (None,), "")
        return ("",)  # All or none: the function knows no prefixes.
