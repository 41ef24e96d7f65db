"""The paths of the description: each operation, its responses and its problems."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence, Set

from pydantic import BaseModel

from progress_sse.api import problems
from progress_sse.api.openapi.components import HEADERS
from progress_sse.api.openapi.operations import OPERATIONS, STREAM, UNCACHED, Operation, ResponseSpec
from progress_sse.api.openapi.references import Json, ref
from progress_sse.api.router import Route
from progress_sse.auth.grants import Action
from progress_sse.core.errors import (
    BodyTooLargeError,
    ForbiddenError,
    InternalError,
    InvalidKeyError,
    InvalidRequestError,
    InvalidSessionIdError,
    KeyInUseError,
    KeyReusedError,
    MalformedBodyError,
    ProblemError,
    RateExceededError,
    StoreUnavailableError,
    UnauthorizedError,
    UnsupportedMediaError,
)
from progress_sse.streaming.stream_format import EVENTS as EVENT_STREAM
from progress_sse.streaming.text_format import TEXT


def describe_paths(routes: Iterable[Route], guarded: Set[Action]) -> Json:
    """Return the operations of the routes, by path and method; `guarded` actions need a token."""
    paths: Json = {}
    for route in routes:
        item = paths.setdefault(route.path, _path_parameters(route.path))
        item[route.method.lower()] = _operation(route, OPERATIONS[route.operation_id], guarded)
    return paths


def _path_parameters(path: str) -> Json:
    parameters = [ref("parameters", _component(name)) for name in re.findall(r"{(\w+)}", path)]
    return {"parameters": parameters} if parameters else {}


def _component(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _operation(route: Route, operation: Operation, guarded: Set[Action]) -> Json:
    described: Json = {
        "operationId": route.operation_id,
        "summary": operation.summary,
        "tags": [operation.tag],
        "responses": _responses(operation, _problems_of(operation, "{session_id}" in route.path)),
    }
    if operation.parameters:
        described["parameters"] = [ref("parameters", name) for name in operation.parameters]
    if operation.body is not None:
        schema = ref("schemas", operation.body.__name__)
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    if operation.credentials and (operation.action is None or operation.action in guarded):
        optional: list[Json] = [{}] if operation.is_open else []
        described["security"] = optional + [{name: []} for name in operation.credentials]
    return described


def _problems_of(operation: Operation, has_session: bool) -> Sequence[type[ProblemError]]:
    """Return the problems of an operation: its own, those that its parameters and body imply, and the general ones."""
    refusals = [*operation.problems, StoreUnavailableError, InternalError, BodyTooLargeError]
    if has_session:
        refusals.append(InvalidSessionIdError)
    if operation.action is not None and STREAM not in operation.responses.values():
        refusals.append(RateExceededError)  # A stream gets a long `retry` instead.
    if operation.credentials:
        refusals += [UnauthorizedError, ForbiddenError]
    if operation.body is not None:
        refusals += [MalformedBodyError, UnsupportedMediaError, InvalidRequestError]
    if "IdempotencyKey" in operation.parameters:
        refusals += [InvalidKeyError, KeyInUseError, KeyReusedError]
    return refusals


def _responses(operation: Operation, refusals: Iterable[type[ProblemError]]) -> Json:
    responses = {str(status): _response(spec) for status, spec in operation.responses.items()}
    by_status: defaultdict[str, list[type[ProblemError]]] = defaultdict(list)
    for error in refusals:
        by_status[str(error.status)].append(error)
    for status, errors in by_status.items():
        refusal = _refusal(errors)
        if operation.tag == "pages":
            refusal["content"]["text/html"] = {"schema": {"type": "string"}}
        responses[status] = _either(responses[status], refusal) if status in responses else refusal
    return dict(sorted(responses.items()))


def _either(response: Json, refusal: Json) -> Json:
    """Return a response that is either one; it has no headers, since one of them may lack each."""
    return {"description": response["description"], "content": {**response["content"], **refusal["content"]}}


def _response(spec: ResponseSpec) -> Json:
    response: Json = {"description": spec.description}
    if spec.headers:
        response["headers"] = {name: ref("headers", name) for name in spec.headers}
    if spec.media_types:
        response["content"] = {media_type: _content(spec.model, media_type) for media_type in spec.media_types}
    if spec.links:
        response["links"] = {name: ref("links", name) for name in spec.links}
    return response


def _content(model: type[BaseModel] | None, media_type: str) -> Json:
    if model is None or media_type == TEXT:
        return {"schema": {"type": "string"}}
    return {"itemSchema" if media_type == EVENT_STREAM else "schema": ref("schemas", model.__name__)}


def _refusal(errors: Sequence[type[ProblemError]]) -> Json:
    types = {"enum": sorted({f"/problems/{error.problem}" for error in errors})}
    schema = {**ref("schemas", "Problem"), "properties": {"type": types, "status": {"const": errors[0].status}}}
    examples = {error.problem: {"value": problems.problem(error())} for error in errors}
    response: Json = {
        "description": " ".join(error.title for error in errors),
        "content": {problems.MEDIA_TYPE: {"schema": schema, "examples": examples}},
    }
    return response | {"headers": {name: ref("headers", name) for error in errors for name in _sent_with(error)}}


def _sent_with(error: type[ProblemError]) -> Sequence[str]:
    return [*UNCACHED, *(name for name in error().headers if name in HEADERS)]
