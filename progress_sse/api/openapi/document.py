"""The description of the HTTP API, as OpenAPI 3.2: for people, and for machines that test.

``projection`` makes one of OpenAPI 3.1 of it, for generators of clients.

It is derived from the table of routes (``api.routes``), the models that requests are parsed by (``update_models`` and
``session_models``), the problems (``errors``) and the limits of the settings. The rest of an endpoint's description
stands in ``operations``, and the models of responses in ``response_models`` and ``stream_models``.

To add a path: put its endpoint into ``api.routes``, a description under its operation id into
`operations.OPERATIONS`, and its new parameters, headers and links into ``components``.
``tests/api/test_openapi.py`` names what is missing, and ``tests/live/test_schemathesis.py`` tries the description out.
None of this is imported before the description is requested.
"""

import re
import sys
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import asdict
from functools import lru_cache
from importlib.metadata import version
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from progress_sse.api import error_responses
from progress_sse.api.openapi import response_models
from progress_sse.api.openapi.components import HEADERS, Json, make_links, make_parameters, ref
from progress_sse.api.openapi.operations import OPERATIONS, STREAM, STREAM_END, TAGS, UNCACHED, Operation, ResponseSpec
from progress_sse.api.openapi.projection import projected
from progress_sse.api.router import Route
from progress_sse.api.update_models import AddressedUpdate
from progress_sse.auth.cookies import COOKIE, SECURE_LINK_COOKIE
from progress_sse.auth.grants import Action
from progress_sse.core import errors
from progress_sse.core.model import MAX_SESSION_ID_CHARS, UNFIT_CATEGORIES
from progress_sse.settings import BodyLimits
from progress_sse.streaming.stream_format import EVENTS as EVENT_STREAM
from progress_sse.streaming.stream_format import TEXT
from progress_sse.wire import json_text


class _Schemas(GenerateJsonSchema):
    """Makes schemas without pydantic's titles, and without `null` as the default of an optional field."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        described = super().default_schema(schema)
        return {key: value for key, value in described.items() if (key, value) != ("default", None)}


def make_schemas() -> Json:
    """Return the schemas of all bodies, by the names of their models."""
    answered = [spec.model for operation in OPERATIONS.values() for spec in operation.responses.values()]
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
    # A session id is not a model, so pydantic cannot refer to it.
    schemas["SessionId"] = _session_id()
    schemas["AddressedUpdate"]["properties"]["session_id"] = ref("schemas", "SessionId")
    schemas["CreateBody"]["properties"]["profile"]["anyOf"][0] = ref("schemas", "SessionId")
    return schemas


def with_limits(value: Any, limits: Mapping[str, int]) -> Any:
    """Return the description with the values of the limits for the names of their settings."""
    if isinstance(value, dict):
        return {
            key: limits[each]
            if key in {"maximum", "maxItems", "maxLength"} and isinstance(each, str)
            else with_limits(each, limits)
            for key, each in value.items()
        }
    return [with_limits(each, limits) for each in value] if isinstance(value, list) else value


def _session_id() -> Json:
    """Return the rules of `model.check_session_id`, but for surrogates, which cannot occur in UTF-8."""
    unfit = [c for c in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(c) in UNFIT_CATEGORIES - {"Cs"}]
    # Escapes are readable; beyond U+FFFF no escape works in all dialects of patterns.
    escaped = "".join(f"\\u{ord(char):04x}" if ord(char) < 0x10000 else char for char in unfit)
    return {
        "type": "string",
        "minLength": 1,
        "maxLength": MAX_SESSION_ID_CHARS,
        "pattern": f"^[^/{escaped}]*$",
        "not": {"enum": [".", ".."]},
    }


def describe_paths(routes: Iterable[Route], guarded: Set[Action]) -> Json:
    """Return the operations of the routes, by path and method; `guarded` actions need a token."""
    paths: Json = {}
    for route in routes:
        item = paths.setdefault(route.path, _path_parameters(route.path))
        item[route.method.lower()] = _operation(route, OPERATIONS[route.operation_id], guarded)
    return paths


def _path_parameters(path: str) -> Json:
    names = ["".join(map(str.capitalize, name.split("_"))) for name in re.findall(r"{(\w+)}", path)]
    return {"parameters": [ref("parameters", name) for name in names]} if names else {}


def _operation(route: Route, operation: Operation, guarded: Set[Action]) -> Json:
    tag = TAGS.get(route.operation_id, "sessions")
    problems = _problems_of(operation, "{session_id}" in route.path)
    described: Json = {
        "operationId": route.operation_id,
        "summary": operation.summary,
        "tags": [tag],
        "responses": _responses(operation, problems, has_html=tag == "pages"),
    }
    if operation.parameters:
        described["parameters"] = [ref("parameters", name) for name in operation.parameters]
    if operation.body is not None:
        schema = ref("schemas", operation.body.__name__)
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    credentials = _credentials_of(operation)
    if credentials and (operation.action is None or operation.action in guarded):
        optional: list[Json] = [{}] if operation.is_open else []
        described["security"] = optional + [{name: []} for name in credentials]
    return described


def _credentials_of(operation: Operation) -> Sequence[str]:
    """Return the credentials that may authorize an operation; no page acts by the cookie of an operator."""
    if operation.action in (None, "admin"):
        return operation.credentials if operation.action is None else ["bearer"]
    ticket = STREAM_END in operation.responses.values()
    link = "Link" in operation.parameters
    return ["bearer", *(["ticket"] if ticket else []), "cookie", *(["link"] if link else [])]


def _problems_of(operation: Operation, has_session: bool) -> Sequence[type[errors.ProblemError]]:
    """Return the problems of an operation: its own, those that its parameters and body imply, and the general ones."""
    refusals = [*operation.problems, errors.StoreUnavailableError, errors.InternalError, errors.BodyTooLargeError]
    if has_session:
        refusals.append(errors.InvalidSessionIdError)
    if operation.action is not None and STREAM not in operation.responses.values():
        refusals.append(errors.RateExceededError)  # A stream gets a long `retry` instead.
    if _credentials_of(operation):
        refusals += [errors.UnauthorizedError, errors.ForbiddenError]
    if operation.body is not None:
        refusals += [errors.MalformedBodyError, errors.UnsupportedMediaError, errors.InvalidRequestError]
    if "IdempotencyKey" in operation.parameters:
        refusals += [errors.InvalidKeyError, errors.KeyInUseError, errors.KeyReusedError]
    return refusals


def _responses(operation: Operation, refusals: Iterable[type[errors.ProblemError]], *, has_html: bool) -> Json:
    responses = {str(status): _response(spec) for status, spec in operation.responses.items()}
    by_status: defaultdict[str, list[type[errors.ProblemError]]] = defaultdict(list)
    for error in refusals:
        by_status[str(error.status)].append(error)
    for status, kinds in by_status.items():
        refusal = _refusal(kinds)
        if has_html:
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


def _refusal(kinds: Sequence[type[errors.ProblemError]]) -> Json:
    types = {"enum": sorted({f"/problems/{error.problem}" for error in kinds})}
    schema = {**ref("schemas", "Problem"), "properties": {"type": types, "status": {"const": kinds[0].status}}}
    examples = {error.problem: {"value": error_responses.problem(error())} for error in kinds}
    response: Json = {
        "description": " ".join(error.title for error in kinds),
        "content": {error_responses.MEDIA_TYPE: {"schema": schema, "examples": examples}},
    }
    names = (name for error in kinds for name in (*UNCACHED, *error().headers) if name in HEADERS)
    return response | {"headers": {name: ref("headers", name) for name in names}}


DESCRIPTION: Final = """\
Workers report the steps of their jobs, and every client that follows a session sees each change at once.

Every path that takes GET takes HEAD. Any other path gets 404 (`/problems/not-found`), any other method 405
(`/problems/method-not-allowed`, with `Allow`). A stand-alone server refuses the following requests, and closes the
connection: those that are not HTTP (400, `/problems/malformed-request`), not complete in time (408,
`/problems/request-timeout`) or too large (414, `/problems/url-too-long`; 431, `/problems/head-too-large`), and those on
connections beyond its limit (503, `/problems/overloaded`). Where clients on its machine need no token, it refuses
requests with a host name that could belong to others (421, `/problems/misdirected-request`). A refusal is
`application/problem+json`, and means that nothing was changed. Only after `/problems/outcome-unknown` and
`/problems/internal-error` is that unknown.
"""

CREDENTIALS: Final[Json] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A `publish_token`, or a signed token (JWT)."},
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": "A token in the cookie that `POST /api/cookie` sets; for this server's own pages.",
    },
    "link": {
        "type": "apiKey",
        "in": "cookie",
        "name": SECURE_LINK_COOKIE,
        "description": "A token in the cookie of `POST /api/progress/{session_id}/link`, without the prefix where "
        "there is no TLS; for requests with `link=1` on that session.",
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
    version: str, routes: tuple[Route, ...], limits: BodyLimits, max_sessions_per_stream: int, guarded: Set[Action]
) -> bytes:
    """Return the description as JSON, in this version of OpenAPI; the other arguments are those of `document`."""
    described = document(routes, limits, max_sessions_per_stream, guarded)
    return json_text.encode_json(projected(described) if version == "3.1" else described)


def document(routes: Iterable[Route], limits: BodyLimits, max_sessions_per_stream: int, guarded: Set[Action]) -> Json:
    """Return the description.

    Args:
        routes: The routes to describe.
        limits: The limits of request bodies.
        max_sessions_per_stream: See the setting.
        guarded: The actions that need a token, a cookie or a ticket.
    """
    described: Json = {
        "openapi": "3.2.0",
        "info": {
            "title": "progress_sse",
            "version": version("progress-sse").partition("+")[0],
            "summary": "Live progress of multi-step jobs",
            "description": DESCRIPTION,
        },
        # Relative to the URL of this document: below the prefix that the application is mounted at.
        "servers": [{"url": "."}],
        "security": [],
        "paths": describe_paths(routes, guarded),
        "components": {
            "schemas": make_schemas(),
            "parameters": make_parameters(max_sessions_per_stream),
            "headers": HEADERS,
            "links": make_links(),
            "securitySchemes": CREDENTIALS,
        },
    }
    filled: Json = with_limits(described, asdict(limits))
    return filled
