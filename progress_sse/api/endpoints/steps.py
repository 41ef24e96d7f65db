"""The step definitions, shared with front ends, and what was learned of the steps of earlier runs."""

from starlette.requests import Request

from progress_sse.api.learned import learned_of, learned_of_session
from progress_sse.api.replies import UNCACHED, Reply, json_reply
from progress_sse.api.request_parts import profile_in_path, profile_in_query, query_of, session_id_of
from progress_sse.api.rights import has_right
from progress_sse.core.errors import InvalidRequestError
from progress_sse.core.history import NOTHING_LEARNED, Learned
from progress_sse.core.model import StepDefinition
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


async def steps_of_session(service: ProgressService, request: Request) -> Reply:
    """`GET /api/progress/{session_id}/steps`: those of a session; none where it does not exist, as in a poll."""
    session_id = session_id_of(request)
    await service.authorizer.check(request, "read", session_id)
    record = await service.store.load(session_id)
    if record is None:
        return _list((), NOTHING_LEARNED)
    return _list(record.session.definitions, await learned_of_session(service, record))


async def forget(service: ProgressService, request: Request) -> Reply:
    """`DELETE /api/steps/{profile}/learned`: forget what was learned; for all servers of the store."""
    profile = profile_in_path(request)
    await service.authorizer.check(request, "publish", None)
    await service.store.forget_learned(profile)
    return Reply(204, UNCACHED)


async def _steps_of_workflow(service: ProgressService, request: Request, workflow: str | None) -> Reply:
    definitions = service.store.workflows.named(DEFAULT if workflow is None else workflow)
    profile = profile_of(None, workflow)
    may_read = profile is not None and await has_right(service, request, "read", profile, is_counted=False)
    return _list(definitions, await learned_of(service, profile if may_read else None))


def _list(definitions: tuple[StepDefinition, ...], learned: Learned) -> Reply:
    """Return the steps, and what enough runs have taught of them."""
    listed = session_json.list_definitions(definitions)
    for definition, fields in zip(definitions, listed, strict=True):
        if learned.of(definition.name) is not None:
            fields["learned"] = show_learned_step(learned.steps[definition.name])
    return json_reply({"total_steps": len(definitions), "steps": listed})
