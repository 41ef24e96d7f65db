"""Authorization by one function of the application that embeds the server."""

import inspect

from starlette.requests import Request

from progress_sse.auth.authorizer import UNCONDITIONAL, Authorization, Authorize
from progress_sse.auth.grants import Action
from progress_sse.core.errors import ForbiddenError, PathNotFoundError


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
