"""The parameters, headers and links of the description, each by the name that operations refer to it by."""

from functools import partial
from typing import Any, Final, TypeAlias, get_args

from progress_sse.api.field_types import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE
from progress_sse.api.openapi.operations import LINKS
from progress_sse.api.request_parts import MAX_KEY_CHARS, VERSIONS
from progress_sse.core.details import MAX_LABEL_CHARS, MAX_LABEL_VALUE_CHARS, MAX_LABELS
from progress_sse.core.log_lines import MAX_READ_LINES
from progress_sse.core.model import MAX_SAFE_INTEGER
from progress_sse.core.session_filter import ListStatus
from progress_sse.core.workflows import DEFAULT
from progress_sse.wire.preferences import MAX_WAIT_S

Json: TypeAlias = dict[str, Any]


def ref(kind: str, name: str) -> Json:
    """Return a reference to a component."""
    return {"$ref": f"#/components/{kind}/{name}"}


LABEL_PATTERN: Final = f"^[^\\u0000:]{{1,{MAX_LABEL_CHARS}}}:[^\\u0000]{{0,{MAX_LABEL_VALUE_CHARS}}}$"
"""Labels as queries have them, but for surrogates, which cannot occur in UTF-8."""

HEADERS: Final[Json] = {
    **{
        name: {"description": description, "required": True, "schema": {"type": "string"}}
        for name, description in {
            "Allow": "The methods that the sender may use here; with `POST` it may ask.",
            "ETag": "The tag that `If-None-Match` is compared with.",
            "Cache-Control": "Which caches may store the response.",
            "Vary": "The request headers that the response depends on.",
            "Location": "The URL of the session.",
            "Progress-Run": "The id of this run, different from every other run of the session id.",
            "Set-Cookie": "The cookie.",
            "Incremental": "`?1`: asks proxies to forward each piece at once (RFC 10036).",
            "X-Accel-Buffering": "Asks proxies not to buffer the response.",
            "WWW-Authenticate": "The kind of token that is needed.",
        }.items()
    },
    # Not required: of the problems with one status, some lack it.
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 0}},
    "Preference-Applied": {
        "description": "`wait=N` if the request was held back, as it preferred (RFC 7240).",
        "schema": {"type": "string"},
    },
}


_TEXT: Final[Json] = {"type": "string"}


def make_parameters(max_sessions_per_stream: int) -> Json:
    """Return the parameters in paths, queries and headers."""
    session_id = ref("schemas", "SessionId")
    a_step: Json = {"type": "integer", "minimum": 1, "maximum": MAX_SAFE_INTEGER}
    session_ids = _in_query(
        "session_id",
        "A session; given once for each.",
        ["nightly", "weekly"],
        {"type": "array", "items": session_id, "minItems": 1, "maxItems": max_sessions_per_stream},
    )
    return {
        "SessionId": _in_path("session_id", "The session; any text without `/`.", "nightly", session_id),
        "Profile": _in_path("profile", "The profile; it has the form of a session id.", "nightly", session_id),
        "Hook": _in_path(
            "hook", "The name of a hook in the file of hooks.", "oncall", _TEXT | {"pattern": "^[a-z0-9_-]{1,32}$"}
        ),
        "SubscriptionId": _in_path(
            "subscription_id", "What a subscription to push is found by.", "x" * 32, _TEXT | {"pattern": "^[^/]+$"}
        ),
        "File": _in_path("file", "Its name.", "tracker.js"),
        "SessionIds": session_ids | {"required": True},
        "SessionIdsUnlessList": session_ids
        | {"description": "A session; given once for each. Or `prefix`, `label` or `status` instead, for a list."},
        "Prefix": _in_query(
            "prefix", "Only ids that begin with it.", "nightly-", {"anyOf": [session_id, {"enum": ["", ".", ".."]}]}
        ),
        "Labels": _in_query(
            "label",
            "Only sessions with this label, as `key:value`; given several times, all must hold.",
            ["customer:acme"],
            {"type": "array", "items": {"type": "string", "pattern": LABEL_PATTERN}, "maxItems": MAX_LABELS},
        ),
        "IdempotencyKey": _in_header(
            "Idempotency-Key",
            "The same each time the same request is sent again: it is applied once and gets the same response, for 24 "
            "hours, even if the session is removed.",
            "5c1d7a42-0d1f-4b62-a6f5-6a3b0a1f3a55",
            {"type": "string", "pattern": "^[!-~]([ -~]*[!-~])?$", "maxLength": MAX_KEY_CHARS},
        ),
        "ProgressRun": _in_header(
            "Progress-Run",
            "The run in the response to the session's creation: the update applies to that run of the id only.",
            "2026-01-31T09:30:00.123456+00:00",
        ),
        "IfMatch": _in_header(
            "If-Match", "Only if the session still has this `ETag`; `*`: only if there is one.", '"3f2a9c-12"'
        ),
        "IfNoneMatch": _in_header(
            "If-None-Match", "Only if the session no longer has this `ETag`; `*`: only if there is none.", '"absent"'
        ),
        "Prefer": _in_header(
            "Prefer",
            f"`wait=N`: wait up to N seconds, at most {MAX_WAIT_S}, until there is something to report (RFC 7240); a "
            "session only with `If-None-Match`.",
            "wait=1",
        ),
        "LastEventId": _in_header(
            "Last-Event-ID", "The id of the last event that the client got; other texts get a `snapshot`.", "3f2a9c-12"
        ),
        "LastEventIdInQuery": _in_query("last_event_id", "The same, for clients that set no headers.", "3f2a9c-12"),
        "Heartbeat": _in_query("heartbeat", "`event` makes heartbeats events; otherwise they are comments.", "event"),
        "Link": _in_query(
            "link",
            "`1`: the request is authorized by the cookie of the session's link, and not by the visitor's own; any "
            "other text is ignored.",
            "1",
        ),
        "Replace": _in_query(
            "replace", "Whether to replace a session of that id.", True, {"type": "boolean", "default": False}
        ),
        "Status": _in_query(
            "status",
            "Only sessions of that status; given several times, any must hold.",
            ["failed", "lost"],
            {"type": "array", "items": {"enum": list(get_args(ListStatus))}},
        ),
        "Limit": _in_query(
            "limit",
            "The largest number of sessions on the page.",
            10,
            {"type": "integer", "minimum": 1, "maximum": MAX_PAGE_SIZE, "default": DEFAULT_PAGE_SIZE},
        ),
        "After": _in_query("after", "The `next` of the page before.", None),
        "Step": _in_query("step", "Its number.", 1, a_step) | {"required": True},
        "Log": _in_query("log", "`1` adds the lines of the log.", "1"),
        "AfterLine": _in_query(
            "after",
            "The `next` of the answer or event before: lines with a greater number are listed.",
            200,
            {"type": "integer", "minimum": 0, "maximum": MAX_SAFE_INTEGER, "default": 0},
        ),
        "StepOfLines": _in_query("step", "Only lines about the step of this number.", 1, a_step),
        "MostLines": _in_query(
            "limit",
            "The largest number of lines; fewer than that are the last ones so far.",
            100,
            {"type": "integer", "minimum": 1, "maximum": MAX_READ_LINES, "default": MAX_READ_LINES},
        ),
        "Workflow": _in_query(
            "workflow",
            "The workflow whose steps are listed; they have what was learned, if the request may read that.",
            DEFAULT,
            _TEXT | {"default": DEFAULT},
        ),
        "Version": _in_query(
            "version",
            "The version of OpenAPI. With `3.1` the description has the types alone, as generators of clients need it.",
            "3.1",
            {"enum": list(VERSIONS), "default": VERSIONS[0]},
        ),
        "ProfileInQuery": _in_query(
            "profile", "The profile whose steps are listed, in place of a workflow.", "nightly", session_id
        ),
    }


def _parameter(place: str, name: str, description: str, example: Any, schema: Json = _TEXT) -> Json:
    parameter: Json = {"name": name, "in": place, "description": description, "schema": schema}
    return parameter if example is None else parameter | {"example": example}


def _in_path(name: str, description: str, example: str, schema: Json = _TEXT) -> Json:
    return _parameter("path", name, description, example, schema) | {"required": True}


_in_query: Final = partial(_parameter, "query")
_in_header: Final = partial(_parameter, "header")


def make_links() -> Json:
    """Return the links from a response to the operations on its session."""
    session = {"parameters": {"session_id": "$response.body#/session_id"}}
    completion = {"action": "complete", "step": "$request.body#/step"}
    return {
        **{name: {"operationId": name, **session} for name in LINKS},
        "completeStep": {"operationId": "reportUpdate", **session, "requestBody": completion},
    }
