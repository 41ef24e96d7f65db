"""Authorization by tokens.

A token comes in a header: as a bearer token, or in a cookie that holds one. For a stream, a ticket may stand for it;
a ticket allows nothing but reading. A link's cookie allows to follow one session, and to ask something of its worker.
A `publish_token` allows everything, and a signed token the actions and sessions in its claims.
"""

from collections.abc import Callable, Collection

from starlette.requests import Request

from progress_sse._internal.clock import Clock
from progress_sse.auth.authorizer import UNCONDITIONAL, Authorization
from progress_sse.auth.cookies import LINK_ACTIONS, is_by_link, is_cross_site, link_token, own_token
from progress_sse.auth.grants import EVERYTHING, Action, Grant, is_one_of
from progress_sse.auth.tickets import Tickets
from progress_sse.core.errors import ConfigurationError, ForbiddenError, UnauthorizedError
from progress_sse.settings import ENV_PREFIX, Settings
from progress_sse.wire.headers import header_values


class TokenVerifier:
    """Verifies tokens, and returns their grants."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        """Accept the tokens in `publish_token`, and those signed with `token_key`.

        Raises:
            ConfigurationError: The key is not valid.
        """
        self._publish_tokens = [token.get_secret_value().encode() for token in settings.publish_token]
        self._signed = None
        self._clock = clock
        if settings.token_key is not None:
            from progress_sse.auth.tokens import SignedTokens  # slow to import, and needed only with a key

            self._signed = SignedTokens(settings.token_key.get_secret_value(), settings.token_algorithm)

    def __bool__(self) -> bool:
        """Return whether any token can be valid."""
        return bool(self._publish_tokens or self._signed)

    def grant(self, token: str) -> Grant:
        """Return the grant of a token.

        Raises:
            UnauthorizedError: It is not valid, or no longer.
            ForbiddenError: It is not valid, and there are no tokens but those in `publish_token`.
        """
        if is_one_of(token.encode("latin-1"), self._publish_tokens):  # The encoding of headers.
            return EVERYTHING
        if self._signed is None:
            raise ForbiddenError
        grant = self._signed.grant(token)
        if grant is None or grant.has_expired(self._clock.now().timestamp()):
            raise UnauthorizedError
        return grant


class TokenAuthorizer:
    """Authorizes by tokens, cookies and tickets, and allows open actions without them."""

    takes_tokens = True

    def __init__(
        self, open_to: Collection[Action], verifier: TokenVerifier, tickets: Tickets, allow_origins: Collection[str]
    ) -> None:
        """Require no token for the actions in `open_to`, and accept the cookie from pages of `allow_origins`."""
        self._open_to = frozenset(open_to)
        self._verifier = verifier
        self._tickets = tickets
        self._allow_origins = allow_origins

    def is_open_to(self, action: Action) -> bool:
        """Return whether the action needs no token."""
        return action in self._open_to

    async def check(
        self, request: Request, action: Action, *session_ids: str | None, ticket: str = "", count: int | None = 1
    ) -> Authorization:
        """Return if the request may do the action on every one of the sessions; see `Authorizer.check`."""
        return await self._check(request, action, ticket, lambda grant: grant.allows(action, *session_ids))

    async def check_list(self, request: Request, prefix: str, *, ticket: str = "") -> Authorization:
        """Return if the request may list the sessions whose ids begin with the prefix."""
        return await self._check(request, "list", ticket, lambda grant: grant.allows_list(prefix))

    async def _check(
        self, request: Request, action: Action, ticket: str, is_allowed: Callable[[Grant], bool]
    ) -> Authorization:
        if action in self._open_to:
            return UNCONDITIONAL
        token = await self._credential(request, ticket, action)
        grant = self._verifier.grant(token)
        if not is_allowed(grant):
            raise ForbiddenError
        return Authorization(token, grant.expires_at)

    async def identify(self, request: Request) -> Authorization:
        """Return if the request's token is valid."""
        token = await self._credential(request)
        return Authorization(token, self._verifier.grant(token).expires_at)

    async def listable_prefixes(self, request: Request) -> tuple[str, ...]:
        """Return the prefixes of the request's token, if it allows to list."""
        if "list" in self._open_to:
            return ("",)
        try:
            grant = self._verifier.grant(await self._credential(request))
        except (UnauthorizedError, ForbiddenError):
            return ()
        return grant.prefixes if "list" in grant.actions else ()

    async def _credential(self, request: Request, ticket: str = "", action: Action | None = None) -> str:
        """Return the token in `Authorization`, else that of the ticket, else that in a cookie."""
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

    async def identify_bearer(self, request: Request, session_id: str | None = None) -> Authorization:
        """Return if the token in `Authorization` is valid, and allows to read the session if one is given."""
        token = _bearer_token(request)
        if token is None:
            raise UnauthorizedError
        grant = self._verifier.grant(token)
        if session_id is not None and not grant.allows("read", session_id):
            raise ForbiddenError
        return Authorization(token, grant.expires_at)


def make_authorizer(settings: Settings, tickets: Tickets, clock: Clock) -> TokenAuthorizer:
    """Return the authorizer that the settings describe.

    Raises:
        ConfigurationError: They contradict each other, or the key is not valid.
    """
    verifier = TokenVerifier(settings, clock)
    if settings.read == "token" and settings.token_key is None:
        raise ConfigurationError(
            f"read=token needs the key that tokens are signed with: set {ENV_PREFIX}TOKEN_KEY to the output of "
            "`progress-sse token secret`."
        )
    open_to: set[Action] = {"read"} if settings.read == "open" else set()
    if not verifier:
        open_to |= {"publish", "list", "control"}
    return TokenAuthorizer(open_to, verifier, tickets, settings.allow_origins)


def _bearer_token(request: Request) -> str | None:
    for value in header_values(request, b"authorization"):
        scheme, _, token = value.decode("latin-1").partition(" ")
        if scheme.lower() == "bearer" and token.strip():
            return token.strip()
    return None


def _cookie_token(request: Request, action: Action | None) -> str | None:
    """Return the token in the cookie that the request is to be authorized by."""
    if not is_by_link(request):
        return own_token(request)
    return link_token(request) if action in LINK_ACTIONS else None
