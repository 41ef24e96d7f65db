"""The metrics, for operators."""

from starlette.requests import Request

from progress_sse._internal.optional_imports import from_extra
from progress_sse.api.replies import UNCACHED, Reply
from progress_sse.core.errors import ConfigurationError, PathNotFoundError
from progress_sse.service import ProgressService


async def metrics(service: ProgressService, request: Request) -> Reply:
    """`GET /metrics`: for clients that may list all sessions."""
    await service.authorizer.check(request, "list", None)
    try:
        with from_extra("metrics", "prometheus_client", need="Metrics need"):
            from progress_sse.observability.metrics import exposition
    except ConfigurationError as error:
        raise PathNotFoundError(str(error)) from error
    body, media_type = exposition(service, await service.session_counts.take(), request.headers.get("accept", ""))
    return Reply(200, {"content-type": media_type, **UNCACHED}, body)
