"""The step definitions, shared with front ends, and what was learned of the steps of earlier runs."""

from starlette.requests import Request

from progress_sse.api.replies import UNCACHED, Reply, json_reply
from progress_sse.api.request_parts import profile_in_query, query_of, session_id_of
from progress_sse.core.errors import InvalidRequestError, StoreUnavailableError
from progress_sse.core.history import NOTHING_LEARNED, Learned, LearnedStep
from progress_sse.core.model import StepDefinition, check_session_id
from progress_sse.core.workflows import DEFAULT, profile_of
from progress_sse.service import ProgressService
from progress_sse.store.types import Record
from progress_sse.wire import session_json


def show_learned_step(step: LearnedStep) -> dict[str, object]:
    """Return what a step took in earlier runs, JSON-ready."""
    return {"runs": step.runs, "p50_ms": step.p50_ms, "p90_ms": step.p90_ms}


def show_learned(learned: Learned) -> dict[str, object]:
    """Return what is known of a profile, JSON-ready: its steps by name, as far as enough runs have taught them."""
    steps = [
        {"name": name, "learned": show_learned_step(step)}
        for name, step in sorted(learned.steps.items())
        if learned.of(name) is not None
    ]
    return {"runs": learned.runs, "steps": steps}


async def learned_of_session(service: ProgressService, record: Record) -> Learned:
    """Return what was learned of the profile of a session."""
    timing = record.session.details.timing
    return await learned_of(service, None if timing is None else timing.profile)


async def learned_of(service: ProgressService, profile: str | None) -> Learned:
    """Return what was learned of a profile; nothing if there is none, or the store is unavailable."""
    if profile is None:
        return NOTHING_LEARNED
    try:
        return await service.store.learned(profile)
    except StoreUnavailableError:
        return NOTHING_LEARNED


async def steps(service: ProgressService, request: Request) -> Reply:
    """`GET /api/steps`: the steps of a workflow, `default` where none is named; or those learned of a profile."""
    query = query_of(request)
    workflow = query.get("workflow")
    profile = profile_in_query(query)
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
    profile = check_session_id(request.path_params["profile"])
    await service.authorizer.check(request, "publish", None)
    await service.store.forget_learned(profile)
    return Reply(204, UNCACHED)


async def _steps_of_workflow(service: ProgressService, request: Request, workflow: str | None) -> Reply:
    definitions = service.store.workflows.named(DEFAULT if workflow is None else workflow)
    profile = profile_of(None, workflow)
    may_read = profile is not None and await service.authorizer.has_right(request, "read", profile, is_counted=False)
    return _list(definitions, await learned_of(service, profile if may_read else None))


def _list(definitions: tuple[StepDefinition, ...], learned: Learned) -> Reply:
    """Return the steps, and what enough runs have taught of them."""
    listed = session_json.list_definitions(definitions)
    for definition, fields in zip(definitions, listed, strict=True):
        if learned.of(definition.name) is not None:
            fields["learned"] = show_learned_step(learned.steps[definition.name])
    return json_reply({"total_steps": len(definitions), "steps": listed})
