"""What a token grants: everything for a `publish_token`, what it says for a signed one."""

from progress_sse._internal.clock import Clock
from progress_sse.auth.grants import EVERYTHING, Grant, is_one_of
from progress_sse.core.errors import ForbiddenError, UnauthorizedError
from progress_sse.settings import Settings


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
