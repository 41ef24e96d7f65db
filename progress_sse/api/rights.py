"""Rights that a request may have beyond the one that it needs."""

import logging

from starlette.requests import Request

from progress_sse.auth.grants import Action
from progress_sse.core.errors import ForbiddenError, RateExceededError, UnauthorizedError
from progress_sse.service import ProgressService

logger = logging.getLogger(__name__)


async def has_right(
    service: ProgressService, request: Request, action: Action, session_id: str, *, is_counted: bool = True
) -> bool:
    """Return whether the request may also do this, without refusing it if not.

    A request that another check has counted (`is_counted`) does not count again. Else a caller known by its address
    alone would use up its rate, and that of others there, by what it never asked for.

    A function `authorize` may know sessions alone, and fail for a name that is none.
    """
    try:
        await service.authorizer.check(request, action, session_id, count=None if is_counted else 0)
    except (UnauthorizedError, ForbiddenError, RateExceededError):
        return False
    except Exception:
        logger.info("whether a request has the right to %s could not be decided", action, exc_info=True)
        return False
    return True


async def listable_prefixes(service: ProgressService, request: Request) -> tuple[str, ...]:
    """Return the prefixes of the sessions that the request may list; none where that cannot be decided.

    Raises:
        RateExceededError: The caller is over a rate.
    """
    try:
        return await service.authorizer.listable_prefixes(request)
    except RateExceededError:
        raise
    except Exception:
        logger.info("which sessions a request may list could not be decided", exc_info=True)
        return ()
