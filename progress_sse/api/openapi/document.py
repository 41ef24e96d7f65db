"""The description of the HTTP API, as OpenAPI 3.2: for people, for generators of clients, and for machines that test.

It is derived from the table of routes (``api.routes``), the models that requests are parsed by (``request_models``),
the problems (``errors``) and the limits of the settings. What these do not say of an endpoint stands in ``operations``,
and the models of responses in ``response_models``.

To add a path: put its endpoint into ``api.routes``, a description under its operation id into
`operations.OPERATIONS`, and what is new of its parameters, links and headers into `_parameters`, `_links` and
`_HEADERS` below. ``tests/api/test_openapi.py`` names what is missing, and ``tests/live/test_schemathesis.py`` tries the
description out. None of this is imported before the description is requested.
"""

import re
import sys
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import asdict
from functools import lru_cache
from importlib.metadata import version
from typing import Any, Final, TypeAlias, get_args

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from progress_sse.api import problems
from progress_sse.api.openapi import response_models
from progress_sse.api.openapi.operations import LINKS, OPERATIONS, STREAM, UNCACHED, Answer, Operation
from progress_sse.api.request_models import DEFAULT_PAGE_SIZE, MAX_KEY_CHARS, MAX_PAGE_SIZE, AddressedUpdate
from progress_sse.api.router import Route
from progress_sse.auth.grants import Action
from progress_sse.auth.token_authorizer import COOKIE
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
from progress_sse.core.limits import BodyLimits
from progress_sse.core.model import MAX_SESSION_ID_CHARS, UNFIT_CATEGORIES, SessionStatus
from progress_sse.core.workflows import DEFAULT
from progress_sse.streaming.event_stream import MEDIA_TYPE as EVENT_STREAM
from progress_sse.wire import session_json

Json: TypeAlias = dict[str, Any]

DESCRIPTION: Final = """\
Workers report the steps of their jobs, and whoever follows a session sees each change at once.

Every path that takes GET takes HEAD. A path that is not here answers 404 (`/problems/not-found`), a method that is not
405 (`/problems/method-not-allowed`, with `Allow`). A server that runs by itself refuses, and ends the connection, what
is no HTTP (400, `/problems/malformed-request`), does not come in time (408, `/problems/request-timeout`) or is too
large (414, `/problems/url-too-long`; 431, `/problems/head-too-large`), and connections that it has no room for (503,
`/problems/overloaded`). Where anybody on its machine may do everything, it refuses what asks by a name that leads there
(421, `/problems/misdirected-request`). A refusal is `application/problem+json`, and means that nothing was changed, but
for `/problems/outcome-unknown` and `/problems/internal-error`, after which nobody knows.
"""

CREDENTIALS: Final[Json] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A `publish_token`, or a signed token (JWT)."},
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": "A token in the cookie that `POST /api/cookie` sets; for pages of this server's own.",
    },
    "ticket": {
        "type": "apiKey",
        "in": "query",
        "name": "ticket",
        "description": "A ticket of `POST /api/tickets`: opens one stream, once.",
    },
}


@lru_cache(maxsize=8)
def encoded_document(
    routes: tuple[Route, ...], limits: BodyLimits, max_sessions_per_stream: int, guarded: Set[Action]
) -> bytes:
    """Return the description as JSON; the arguments are those of `document`."""
    return session_json.encode_json(document(routes, limits, max_sessions_per_stream, guarded))


def document(routes: Iterable[Route], limits: BodyLimits, max_sessions_per_stream: int, guarded: Set[Action]) -> Json:
    """Return the description.

    Args:
        routes: What to describe.
        limits: What bodies are held to.
        max_sessions_per_stream: See the setting.
        guarded: What nobody may do without a token, or what stands for one.
    """
    described: Json = {
        "openapi": "3.2.0",
        "info": {
            "title": "progress_sse",
            "version": version("progress-sse"),
            "summary": "Live progress of multi-step jobs",
            "description": DESCRIPTION,
        },
        # Relative to where this was found: below whatever the application is mounted at.
        "servers": [{"url": "."}],
        "security": [],
        "paths": _paths(routes, guarded),
        "components": {
            "schemas": _schemas(),
            "parameters": _parameters(max_sessions_per_stream),
            "headers": _HEADERS,
            "links": _links(),
            "securitySchemes": CREDENTIALS,
        },
    }
    filled: Json = _filled(described, asdict(limits))
    return filled


# Paths.


def _paths(routes: Iterable[Route], guarded: Set[Action]) -> Json:
    paths: Json = {}
    for route in routes:
        item = paths.setdefault(route.path, _path_parameters(route.path))
        item[route.method.lower()] = _operation(route, OPERATIONS[route.operation_id], guarded)
    return paths


def _path_parameters(path: str) -> Json:
    parameters = [_ref("parameters", _component(name)) for name in re.findall(r"{(\w+)}", path)]
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
        described["parameters"] = [_ref("parameters", name) for name in operation.parameters]
    if operation.body is not None:
        schema = _ref("schemas", operation.body.__name__)
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    if operation.credentials and (operation.action is None or operation.action in guarded):
        described["security"] = [{name: []} for name in operation.credentials]
    return described


def _problems_of(operation: Operation, has_session: bool) -> Sequence[type[ProblemError]]:
    """Return how it may refuse: in its own ways, in those that follow from what it takes, and in everybody's."""
    refusals = [*operation.problems, StoreUnavailableError, InternalError]
    if has_session:
        refusals.append(InvalidSessionIdError)
    if operation.action is not None and STREAM not in operation.answers.values():
        refusals.append(RateExceededError)  # A stream refuses softly.
    if operation.credentials:
        refusals += [UnauthorizedError, ForbiddenError]
    if operation.body is not None:
        refusals += [MalformedBodyError, BodyTooLargeError, UnsupportedMediaError, InvalidRequestError]
    if "IdempotencyKey" in operation.parameters:
        refusals += [InvalidKeyError, KeyInUseError, KeyReusedError]
    return refusals


def _responses(operation: Operation, refusals: Iterable[type[ProblemError]]) -> Json:
    responses = {str(status): _response(answer) for status, answer in operation.answers.items()}
    by_status: defaultdict[str, list[type[ProblemError]]] = defaultdict(list)
    for error in refusals:
        by_status[str(error.status)].append(error)
    for status, errors in by_status.items():
        responses[status] = _either(responses[status], _refusal(errors)) if status in responses else _refusal(errors)
    return dict(sorted(responses.items()))


def _either(response: Json, refusal: Json) -> Json:
    """Return what both are; a header that one of them may lack is none that anybody can count on."""
    return {"description": response["description"], "content": {**response["content"], **refusal["content"]}}


def _response(answer: Answer) -> Json:
    response: Json = {"description": answer.description}
    if answer.headers:
        response["headers"] = {name: _ref("headers", name) for name in answer.headers}
    if answer.media_types:
        response["content"] = {media_type: _content(answer.model, media_type) for media_type in answer.media_types}
    if answer.links:
        response["links"] = {name: _ref("links", name) for name in answer.links}
    return response


def _content(model: type[BaseModel] | None, media_type: str) -> Json:
    if model is None:
        return {"schema": {"type": "string"}}
    return {"itemSchema" if media_type == EVENT_STREAM else "schema": _ref("schemas", model.__name__)}


def _refusal(errors: Sequence[type[ProblemError]]) -> Json:
    types = {"enum": sorted({f"/problems/{error.problem}" for error in errors})}
    schema = {**_ref("schemas", "Problem"), "properties": {"type": types, "status": {"const": errors[0].status}}}
    examples = {error.problem: {"value": problems.problem(error())} for error in errors}
    response: Json = {
        "description": " ".join(error.title for error in errors),
        "content": {problems.MEDIA_TYPE: {"schema": schema, "examples": examples}},
    }
    return response | {"headers": {name: _ref("headers", name) for error in errors for name in _sent_with(error)}}


def _sent_with(error: type[ProblemError]) -> Sequence[str]:
    return [*UNCACHED, *(name for name in error().headers if name in _HEADERS)]


# Components.


class _Schemas(GenerateJsonSchema):
    """Schemas without the titles that pydantic makes up, and without the `null` of what was left out."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        described = super().default_schema(schema)
        return {key: value for key, value in described.items() if (key, value) != ("default", None)}


def _schemas() -> Json:
    answered = [answer.model for operation in OPERATIONS.values() for answer in operation.answers.values()]
    taken = [operation.body for operation in OPERATIONS.values()]
    models: dict[type[BaseModel], None] = dict.fromkeys(
        model for model in (response_models.Problem, AddressedUpdate, *answered, *taken) if model is not None
    )
    _, described = models_json_schema(
        [(model, "validation") for model in models],
        ref_template="#/components/schemas/{model}",
        schema_generator=_Schemas,
    )
    schemas: Json = described["$defs"]
    # It is no model, so pydantic has nothing to refer to.
    schemas["SessionId"] = _session_id()
    schemas["AddressedUpdate"]["properties"]["session_id"] = _ref("schemas", "SessionId")
    return schemas


def _filled(value: Any, limits: Mapping[str, int]) -> Any:
    """Return a description in which limits are numbers where they were names of settings."""
    if isinstance(value, dict):
        return {
            key: limits[each] if key in _LIMITS and isinstance(each, str) else _filled(each, limits)
            for key, each in value.items()
        }
    return [_filled(each, limits) for each in value] if isinstance(value, list) else value


_LIMITS: Final = frozenset({"maximum", "maxItems", "maxLength"})


def _parameters(max_sessions_per_stream: int) -> Json:
    session_id = _ref("schemas", "SessionId")
    text = {"type": "string"}
    key_pattern = "^[!-~]([ -~]*[!-~])?$"
    return {
        "SessionId": _parameter("path", "session_id", "The session; any text that has no `/`.", session_id, "nightly"),
        "File": _parameter("path", "file", "Its name.", text, "tracker.js"),
        "SessionIds": _parameter(
            "query",
            "session_id",
            "The sessions, once for each.",
            {"type": "array", "items": session_id, "minItems": 1, "maxItems": max_sessions_per_stream},
            ["nightly", "weekly"],
        )
        | {"required": True},
        "IdempotencyKey": _parameter(
            "header",
            "Idempotency-Key",
            "The same whenever the same request is sent again: it is applied once, and answered alike, for 24 hours "
            "and whatever becomes of the session.",
            {"type": "string", "pattern": key_pattern, "maxLength": MAX_KEY_CHARS},
            "5c1d7a42-0d1f-4b62-a6f5-6a3b0a1f3a55",
        ),
        "ProgressRun": _parameter(
            "header",
            "Progress-Run",
            "That of the answer to the session's creation: the update is for that run, and no other of its id.",
            text,
            "2026-01-31T09:30:00.123456+00:00",
        ),
        "IfMatch": _parameter(
            "header",
            "If-Match",
            "Only if the session still has this `ETag`; `*`: only if there is one.",
            text,
            '"3f2a9c-12"',
        ),
        "IfNoneMatch": _parameter(
            "header",
            "If-None-Match",
            "Not if the session still has this `ETag`; `*`: not if there is one.",
            text,
            '"absent"',
        ),
        "LastEventId": _parameter(
            "header",
            "Last-Event-ID",
            "The last id that the client has got; of any other text it gets a `snapshot`.",
            text,
            "3f2a9c-12",
        ),
        "LastEventIdInQuery": _parameter(
            "query", "last_event_id", "The same, for clients that set no headers.", text, "3f2a9c-12"
        ),
        "Heartbeat": _parameter(
            "query", "heartbeat", "`event` asks for heartbeats as events; else they are comments.", text, "event"
        ),
        "Replace": _parameter(
            "query", "replace", "Whether a session of that id gives way.", {"type": "boolean", "default": False}, True
        ),
        "Status": _parameter(
            "query", "status", "Only sessions of that status.", {"enum": list(get_args(SessionStatus))}, "running"
        ),
        "Limit": _parameter(
            "query",
            "limit",
            "How many at most.",
            {"type": "integer", "minimum": 1, "maximum": MAX_PAGE_SIZE, "default": DEFAULT_PAGE_SIZE},
            10,
        ),
        "After": _parameter("query", "after", "The `next` of the page before.", text, None),
        "Workflow": _parameter("query", "workflow", "Its name.", text | {"default": DEFAULT}, DEFAULT),
    }


def _parameter(place: str, name: str, description: str, schema: Json, example: Any) -> Json:
    parameter: Json = {"name": name, "in": place, "description": description, "schema": schema}
    if example is not None:
        parameter["example"] = example
    return parameter | {"required": True} if place == "path" else parameter


def _links() -> Json:
    session = {"parameters": {"session_id": "$response.body#/session_id"}}
    completion = {"action": "complete", "step": "$request.body#/step"}
    return {
        **{name: {"operationId": name, **session} for name in LINKS},
        "completeStep": {"operationId": "reportUpdate", **session, "requestBody": completion},
    }


def _session_id() -> Json:
    """Return the rules of `model.check_session_id`; nothing is said of surrogates, which are in no UTF-8."""
    unfit = [c for c in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(c) in UNFIT_CATEGORIES - {"Cs"}]
    # As escapes they can be read; beyond U+FFFF there is none that is the same in all dialects.
    escaped = "".join(f"\\u{ord(char):04x}" if ord(char) < 0x10000 else char for char in unfit)
    return {
        "type": "string",
        "minLength": 1,
        "maxLength": MAX_SESSION_ID_CHARS,
        "pattern": f"^[^/{escaped}]*$",
        "not": {"enum": [".", ".."]},
    }


_HEADERS: Final[Json] = {
    **{
        name: {"description": description, "required": True, "schema": {"type": "string"}}
        for name, description in {
            "ETag": "What `If-None-Match` is compared with.",
            "Cache-Control": "Who may keep this.",
            "Vary": "What it depends on besides the address.",
            "Location": "Where the session is.",
            "Progress-Run": "What tells this run from every other one of its id.",
            "Set-Cookie": "The cookie.",
            "X-Accel-Buffering": "Tells proxies to pass everything on at once.",
            "WWW-Authenticate": "Which token is asked for.",
        }.items()
    },
    # Not with each of the problems that a status may stand for.
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 0}},
}


def _ref(kind: str, name: str) -> Json:
    return {"$ref": f"#/components/{kind}/{name}"}
