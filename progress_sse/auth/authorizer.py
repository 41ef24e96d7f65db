"""What decides whether a request may do what it asks for.

A refusal reveals nothing: 401 is the same whatever is wrong with a token, 403 the same whether a session exists or not.
"""

from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple, Protocol, TypeAlias

from starlette.requests import Request

from progress_sse.auth.grants import Action

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
