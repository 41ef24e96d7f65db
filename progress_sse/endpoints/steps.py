"""The step definitions, shared with front ends."""

from starlette.requests import Request
from starlette.responses import Response

from progress_sse import wire
from progress_sse.endpoints.common import json_response, service_of
from progress_sse.workflows import DEFAULT


async def steps(request: Request) -> Response:
    """`GET /api/steps`: the steps of a workflow, `default` where none is named."""
    definitions = service_of(request).store.workflows.named(request.query_params.get("workflow", DEFAULT))
    return json_response({"total_steps": len(definitions), "steps": wire.list_definitions(definitions)})
