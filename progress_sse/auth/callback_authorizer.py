"""Authorization by one function of the application that embeds the server."""

import inspect

from starlette.requests import Request

from progress_sse.auth.authorizer import UNCONDITIONAL, Authorization, Authorize
from progress_sse.auth.grants import Action
from progress_sse.core.errors import ForbiddenError, PathNotFoundError


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
