"""The step definitions, shared with front ends."""

from starlette.requests import Request

from progress_sse.api.replies import Reply, json_reply
from progress_sse.api.request_parts import query_of
from progress_sse.core.workflows import DEFAULT
from progress_sse.service import ProgressService
from progress_sse.wire import session_json


async def steps(service: ProgressService, request: Request) -> Reply:
    """`GET /api/steps`: the steps of a workflow, `default` where none is named."""
    definitions = service.store.workflows.named(query_of(request).get("workflow", DEFAULT))
    return json_reply({"total_steps": len(definitions), "steps": session_json.list_definitions(definitions)})
