"""What an operator watches."""

from starlette.requests import Request

from progress_sse.endpoints.common import UNCACHED, Reply
from progress_sse.errors import PathNotFoundError
from progress_sse.service import ProgressService


async def metrics(service: ProgressService, request: Request) -> Reply:
    """`GET /metrics`: for whoever may list all sessions."""
    await service.gate.check(request, "list", None)
    try:
        from progress_sse.metrics import exposition  # nobody else needs the package
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "prometheus_client":
            raise
        raise PathNotFoundError(
            "Metrics need a package that is not installed: pip install 'progress-sse[metrics]'."
        ) from error
    body, media_type = exposition(service, await service.census.take(), request.headers.get("accept", ""))
    return Reply(200, {"content-type": media_type, **UNCACHED}, body)
