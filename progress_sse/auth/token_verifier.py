"""The check of tokens: a `publish_token` grants everything, a signed token the rights in its claims."""

from progress_sse._internal.clock import Clock
from progress_sse.auth.grants import EVERYTHING, Grant, is_one_of
from progress_sse.core.errors import ForbiddenError, UnauthorizedError
from progress_sse.settings import Settings


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
