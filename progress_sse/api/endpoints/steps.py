"""The step definitions, shared with front ends, and what was learned of the steps of earlier runs."""

from starlette.requests import Request

from progress_sse.api.replies import UNCACHED, Reply, json_reply
from progress_sse.api.request_parts import profile_in_path, profile_in_query, query_of
from progress_sse.api.rights import has_right
from progress_sse.core.errors import InvalidRequestError, StoreUnavailableError
from progress_sse.core.history import NOTHING_LEARNED, Learned
from progress_sse.core.workflows import DEFAULT, profile_of
from progress_sse.service import ProgressService
from progress_sse.wire import session_json
from progress_sse.wire.learned_json import show_learned, show_learned_step


async def steps(service: ProgressService, request: Request) -> Reply:
    """`GET /api/steps`: the steps of a workflow, `default` where none is named; or those learned of a profile."""
    workflow, profile = query_of(request).get("workflow"), profile_in_query(request)
    if profile is None:
        return await _steps_of_workflow(service, request, workflow)
    if workflow is not None:
        raise InvalidRequestError("profile: must not come with a workflow.")
    await service.authorizer.check(request, "read", profile)
    return json_reply(show_learned(await service.store.learned(profile)))


async def forget(service: ProgressService, request: Request) -> Reply:
    """`DELETE /api/steps/{profile}/learned`: forget what was learned; for all servers of the store."""
    profile = profile_in_path(request)
    await service.authorizer.check(request, "publish", None)
    await service.store.forget_learned(profile)
    return Reply(204, UNCACHED)


async def _steps_of_workflow(service: ProgressService, request: Request, workflow: str | None) -> Reply:
    definitions = service.store.workflows.named(DEFAULT if workflow is None else workflow)
    listed = session_json.list_definitions(definitions)
    learned = await _learned_of_workflow(service, request, workflow)
    for definition, fields in zip(definitions, listed, strict=True):
        if learned.of(definition.name) is not None:
            fields["learned"] = show_learned_step(learned.steps[definition.name])
    return json_reply({"total_steps": len(definitions), "steps": listed})


async def _learned_of_workflow(service: ProgressService, request: Request, workflow: str | None) -> Learned:
    """Return what was learned of a workflow that the request names, and under its name may read."""
    profile = profile_of(None, workflow)
    if profile is None or not await has_right(service, request, "read", profile):
        return NOTHING_LEARNED
    try:
        return await service.store.learned(profile)
    except StoreUnavailableError:
        return NOTHING_LEARNED  # The steps themselves are known without the store.
