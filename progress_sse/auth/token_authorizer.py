"""Authorization by tokens.

A token comes in a header: as a bearer token, or in a cookie that holds one. For a stream, a ticket may stand for it;
a ticket allows nothing but reading. A link's cookie allows to follow one session, and to ask something of its worker.
A `publish_token` allows everything, and a signed token the actions and sessions in its claims.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from starlette.requests import Request

from progress_sse._internal.clock import Clock
from progress_sse.auth.authorizer import UNCONDITIONAL, Authorization, Authorizer
from progress_sse.auth.cookies import LINK_ACTIONS, is_by_link, is_cross_site, link_token, own_token
from progress_sse.auth.grants import EVERYTHING, Action, Grant, is_one_of
from progress_sse.auth.tickets import Tickets
from progress_sse.core.errors import ConfigurationError, ForbiddenError, UnauthorizedError
from progress_sse.settings import ENV_PREFIX, Settings
from progress_sse.wire.headers import header_values

if TYPE_CHECKING:
    from progress_sse.auth.rate_limits import RateLimiter


class TokenAuthorizer(Authorizer):
    """Authorizes by tokens, cookies and tickets, and allows open actions without them."""

    takes_tokens = True

    def __init__(
        self, settings: Settings, tickets: Tickets, clock: Clock, rate_limiter: "RateLimiter | None" = None
    ) -> None:
        """Accept the tokens in `publish_token`, those signed with `token_key`, and cookies from `allow_origins`.

        Raises:
            ConfigurationError: The settings contradict each other, or the key is not valid.
        """
        super().__init__(rate_limiter)
        self._publish_tokens = [token.get_secret_value().encode() for token in settings.publish_token]
        self._signed = None
        if settings.token_key is not None:
            from progress_sse.auth.tokens import SignedTokens  # slow to import, and needed only with a key

            self._signed = SignedTokens(settings.token_key.get_secret_value(), settings.token_algorithm)
        elif settings.read == "token":
            raise ConfigurationError(
                f"read=token needs the key that tokens are signed with: set {ENV_PREFIX}TOKEN_KEY to the output of "
                "`progress-sse token secret`."
            )
        self._open_to: set[Action] = {"read"} if settings.read == "open" else set()
        if not self._publish_tokens and self._signed is None:
            self._open_to |= {"publish", "list", "control", "admin"}
        self._tickets = tickets
        self._allow_origins = settings.allow_origins
        self._clock = clock

    def is_open_to(self, action: Action) -> bool:
        """Return whether the action needs no token."""
        return action in self._open_to

    async def _check(
        self, request: Request, action: Action, session_ids: Sequence[str | None], ticket: str, prefix: str = ""
    ) -> Authorization:
        if action in self._open_to:
            return UNCONDITIONAL
        token = await self._credential(request, ticket, action)
        grant = self._grant(token)
        is_allowed = grant.allows_list(prefix) if action == "list" else grant.allows(action, *session_ids)
        return _authorized(token, grant, is_allowed=is_allowed)

    async def _identify(self, request: Request, session_id: str | None, by_cookie: bool) -> Authorization:
        token = await self._credential(request) if by_cookie else _bearer_token(request)
        if token is None:
            raise UnauthorizedError
        grant = self._grant(token)
        return _authorized(token, grant, is_allowed=session_id is None or grant.allows("read", session_id))

    async def _listable_prefixes(self, request: Request) -> tuple[str, ...]:
        if "list" in self._open_to:
            return ("",)
        grant = self._grant(await self._credential(request))
        return grant.prefixes if "list" in grant.actions else ()

    async def _credential(self, request: Request, ticket: str = "", action: Action | None = None) -> str:
        """Return the token in `Authorization`, else that of the ticket, else that in a cookie.

        Raises:
            UnauthorizedError: There is none, or the ticket is not valid.
            ForbiddenError: It is in a cookie, and the page of another site may have sent the request.
        """
        token = _bearer_token(request)
        if token is None and ticket:
            token = await self._tickets.redeem(ticket)
        elif token is None:
            token = _cookie_token(request, action)
            if token is not None and is_cross_site(request, self._allow_origins):
                raise ForbiddenError("A cookie counts only for requests from this server's own pages.")
        if token is None:
            raise UnauthorizedError
        return token

    def _grant(self, token: str) -> Grant:
        """Return the grant of a token.

        Raises:
            UnauthorizedError: It is not valid, or no longer.
            ForbiddenError: It is not valid, and there are no tokens but those in `publish_token`.
        """
        if is_one_of(token.encode("latin-1"), self._publish_tokens):  # The encoding of headers.
            return EVERYTHING
        if self._signed is None:
            raise ForbiddenError("The token is not valid.")
        grant = self._signed.grant(token)
        if grant is None or grant.has_expired(self._clock.now().timestamp()):
            raise UnauthorizedError("The token is not valid.")  # It does not say why.
        return grant


def _authorized(token: str, grant: Grant, *, is_allowed: bool) -> Authorization:
    if not is_allowed:
        raise ForbiddenError
    return Authorization(token, grant.expires_at)


def _bearer_token(request: Request) -> str | None:
    for value in header_values(request, b"authorization"):
        scheme, _, token = value.decode("latin-1").partition(" ")
        if scheme.lower() == "bearer" and token.strip():
            return token.strip()
    return None


def _cookie_token(request: Request, action: Action | None) -> str | None:
    """Return the token in the cookie that the request is to be authorized by."""
    if action == "admin":  # No page acts by the cookie of an operator.
        return None
    if not is_by_link(request):
        return own_token(request)
    return link_token(request) if action in LINK_ACTIONS else None
