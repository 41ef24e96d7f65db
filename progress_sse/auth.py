"""Who may publish: whoever brings one of the tokens, if there are any."""

import hmac
from collections.abc import Sequence

from starlette.requests import Request

from progress_sse.errors import ForbiddenError, UnauthorizedError


class PublishGate:
    """Checks bearer tokens."""

    def __init__(self, tokens: Sequence[str]) -> None:
        """Let through whoever brings one of `tokens`; everybody, if there are none."""
        self._tokens = [token.encode() for token in tokens]

    @property
    def is_open(self) -> bool:
        """Whether everybody may publish."""
        return not self._tokens

    def check(self, request: Request) -> None:
        """Return if the request may publish.

        Raises:
            UnauthorizedError: It brings no bearer token.
            ForbiddenError: It brings a wrong one.
        """
        if self.is_open:
            return
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise UnauthorizedError
        offered = token.strip().encode("latin-1")  # As it came: Starlette decodes headers so.
        # All of them are compared, always: the time taken tells nothing of which one nearly fits.
        fits = [hmac.compare_digest(offered, known) for known in self._tokens]
        if True not in fits:
            raise ForbiddenError
