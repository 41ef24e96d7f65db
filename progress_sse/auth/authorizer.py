"""The one place that decides whether a request may do what it asks for.

Who asks is found in its headers: a bearer token, or the cookie that holds one; or, for a stream, in a ticket. A
`publish_token` allows everything, a signed token what it says. Whoever embeds the server may put one function of his
own in place of all that.

A refusal tells nothing: 401 is the same whatever is wrong with a token, 403 the same whether a session exists.
"""

import inspect
from collections.abc import Awaitable, Callable, Collection
from typing import Final, NamedTuple, Protocol, TypeAlias
from urllib.parse import unquote

from starlette.requests import Request

from progress_sse._internal.clock import Clock
from progress_sse.auth.csrf import is_cross_site
from progress_sse.auth.grants import EVERYTHING, Action, Grant, is_one_of
from progress_sse.auth.tickets import Tickets
from progress_sse.core.errors import ConfigurationError, ForbiddenError, PathNotFoundError, UnauthorizedError
from progress_sse.settings import ENV_PREFIX, Settings
from progress_sse.wire.headers import header_values

COOKIE: Final = "progress_sse"

Authorize: TypeAlias = Callable[[Request, Action, str | None], bool | Awaitable[bool]]
"""Returns whether a request may do that to the session; `None` stands for the list of all sessions."""


class Authorization(NamedTuple):
    """That a request was let in.

    Attributes:
        token: By which one, be it its own or that of its ticket; `None` if it was not by a token.
        expires_at: When that ends, in seconds since 1970; `None` for never.
    """

    token: str | None
    expires_at: float | None


UNCONDITIONAL: Final = Authorization(None, None)
"""As everybody is let in to what is open, or somebody by a function."""


class Authorizer(Protocol):
    """Lets requests in, or not.

    Attributes:
        takes_tokens: Whether tokens, cookies and tickets are what decides.
    """

    takes_tokens: bool

    def is_open_to(self, action: Action) -> bool:
        """Return whether everybody may do that."""

    async def check(
        self, request: Request, action: Action, *session_ids: str | None, ticket: str = "", count: int = 1
    ) -> Authorization:
        """Return if the request may do that to every one of the sessions.

        Args:
            request: Who asks.
            action: For what.
            session_ids: `None` stands for all sessions together; without any, who asks needs a right to some.
            ticket: What a stream was asked for with.
            count: How many times it asks for that, in one; 0 where that will be asked in a moment.

        Raises:
            UnauthorizedError: Nobody who is known asks.
            ForbiddenError: Somebody who may not.
        """

    async def identify(self, request: Request) -> Authorization:
        """Return if the request's token, in header or cookie, is good for anything; raises as `check` does."""

    async def identify_bearer(self, request: Request) -> Authorization:
        """Return if the token in `Authorization` is good for anything; raises as `check` does."""


class TokenVerifier:
    """What a token is worth."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        """Know the tokens of `publish_token`, and those that `token_key` has signed.

        Raises:
            ConfigurationError: The key is none.
        """
        self._publish_tokens = [token.get_secret_value().encode() for token in settings.publish_token]
        self._signed = None
        self._clock = clock
        if settings.token_key is not None:
            from progress_sse.auth.tokens import SignedTokens  # takes its time, and nobody else needs it

            self._signed = SignedTokens(settings.token_key.get_secret_value(), settings.token_algorithm)

    def __bool__(self) -> bool:
        """Return whether there is any token that is worth something."""
        return bool(self._publish_tokens or self._signed)

    def grant(self, token: str) -> Grant:
        """Return what a token grants.

        Raises:
            UnauthorizedError: Nothing, or nothing any more.
            ForbiddenError: Nothing, where there are no tokens but `publish_token`.
        """
        if is_one_of(token.encode("latin-1"), self._publish_tokens):  # As it came in a header.
            return EVERYTHING
        if self._signed is None:
            raise ForbiddenError
        grant = self._signed.grant(token)
        if grant is None or grant.has_ended(self._clock.now().timestamp()):
            raise UnauthorizedError
        return grant


class TokenAuthorizer:
    """Lets in by tokens, cookies and tickets; and everybody to what is open."""

    takes_tokens = True

    def __init__(
        self, open_to: Collection[Action], bearers: TokenVerifier, tickets: Tickets, allow_origins: Collection[str]
    ) -> None:
        """Let everybody do what is in `open_to`, and pages of `allow_origins` use their visitor's cookie."""
        self._open_to = frozenset(open_to)
        self._bearers = bearers
        self._tickets = tickets
        self._allow_origins = allow_origins

    def is_open_to(self, action: Action) -> bool:
        """Return whether everybody may do that."""
        return action in self._open_to

    async def check(
        self, request: Request, action: Action, *session_ids: str | None, ticket: str = "", count: int = 1
    ) -> Authorization:
        """Return if the request may do that to every one of the sessions; see `Authorizer.check`."""
        if action in self._open_to:
            return UNCONDITIONAL
        token = await self._credential(request, ticket)
        grant = self._bearers.grant(token)
        if not grant.allows(action, *session_ids):
            raise ForbiddenError
        return Authorization(token, grant.expires_at)

    async def identify(self, request: Request) -> Authorization:
        """Return if the request's token is good for anything."""
        token = await self._credential(request)
        return Authorization(token, self._bearers.grant(token).expires_at)

    async def _credential(self, request: Request, ticket: str = "") -> str:
        """Return the request's token, or else that of the ticket, or else that in the cookie."""
        token = _bearer_token(request)
        if token is None and ticket:
            token = await self._tickets.redeem(ticket)
        elif token is None:
            token = _cookie_token(request)
            if token is not None and is_cross_site(request, self._allow_origins):
                raise ForbiddenError("A cookie counts only for requests from this server's own pages.")
        if token is None:
            raise UnauthorizedError
        return token

    async def identify_bearer(self, request: Request) -> Authorization:
        """Return if the token in `Authorization` is good for anything."""
        token = _bearer_token(request)
        if token is None:
            raise UnauthorizedError
        return Authorization(token, self._bearers.grant(token).expires_at)


class CallbackAuthorizer:
    """Lets in as a function decides."""

    takes_tokens = False

    def __init__(self, authorize: Authorize) -> None:
        """Ask `authorize` each time."""
        self._authorize = authorize

    def is_open_to(self, action: Action) -> bool:
        """Return that nobody knows."""
        return False

    async def check(
        self, request: Request, action: Action, *session_ids: str | None, ticket: str = "", count: int = 1
    ) -> Authorization:
        """Return if the function says so of every one of the sessions."""
        for session_id in session_ids:
            answer = self._authorize(request, action, session_id)
            if not (await answer if inspect.isawaitable(answer) else answer):
                raise ForbiddenError
        return UNCONDITIONAL

    async def identify(self, request: Request) -> Authorization:
        """Have no tokens, and so nothing to exchange for them."""
        raise PathNotFoundError

    async def identify_bearer(self, request: Request) -> Authorization:
        """Have no tokens, and so nothing to exchange for them."""
        raise PathNotFoundError


def make_authorizer(settings: Settings, tickets: Tickets, clock: Clock) -> TokenAuthorizer:
    """Return the gate that the settings describe.

    Raises:
        ConfigurationError: They do not go together.
    """
    bearers = TokenVerifier(settings, clock)
    if settings.read == "token" and settings.token_key is None:
        raise ConfigurationError(
            f"read=token needs the key that tokens are signed with: set {ENV_PREFIX}TOKEN_KEY to the output of "
            "`progress-sse token secret`."
        )
    open_to: set[Action] = {"read"} if settings.read == "open" else set()
    if not bearers:
        open_to |= {"publish", "list"}
    return TokenAuthorizer(open_to, bearers, tickets, settings.allow_origins)


def _bearer_token(request: Request) -> str | None:
    for value in header_values(request, b"authorization"):
        scheme, _, token = value.decode("latin-1").partition(" ")
        if scheme.lower() == "bearer" and token.strip():
            return token.strip()
    return None


def _cookie_token(request: Request) -> str | None:
    """Return what is in our cookie; of several in that of the longest path, which comes first [RFC 6265 §5.4].

    Ours has no quotes, and to undo those of 64 KiB takes ``http.cookies``, before Python 3.11.10, four seconds.
    """
    for cookies in header_values(request, b"cookie"):
        for cookie in cookies.split(b";"):
            name, _, value = cookie.partition(b"=")
            if name.strip() == COOKIE.encode():
                return unquote(value.strip().decode("latin-1"), "latin-1")
    return None
