"""Invalid requests, value by value, and how each is refused: one table, for every way to send them.

The requests are about a session `s` of seven steps, of which 1 is running, 2 has ended, and no other was started.
Others are about `new`, which does not exist.
"""

import json
from collections.abc import Iterable
from typing import Any

from tests.api.detail_refusals import actions, attempts, descriptions, names, parts, unknown_keys
from tests.api.list_refusals import lists
from tests.api.log_refusals import line_queries, lines
from tests.api.refusal import (
    BODIES,
    CANARY,
    JSON,
    MEDIA_TYPES,
    NO_ACTIONS,
    NO_AMOUNTS,
    NO_BOOLEANS,
    NO_IDS,
    NO_KEYS,
    NO_OBJECTS,
    NO_STEP_NUMBERS,
    NO_SUCH_STEPS,
    NO_TEXTS,
    NO_TIMES,
    NO_TOTALS,
    NOT_JSON,
    PUT_NEW,
    REQUESTS,
    UPDATE,
    USED,
    Refusal,
    Rows,
    creations,
    json_of,
    update,
    wrong,
)
from tests.api.request_refusals import acknowledgements, asks, hooks
from tests.api.time_refusals import profiles

COMBINED = ("/api/events", "/api/requests")
"""The paths that take several sessions."""


def bodies() -> Rows:
    """Bodies that are not JSON, or not declared as JSON, for every path."""
    for method, target in BODIES:
        for name, body in NOT_JSON.items():
            yield (
                f"{method} {target}, {name}",
                Refusal(method, target, 400, "malformed-body", body, tuple(JSON.items())),
            )
        for name, headers in MEDIA_TYPES.items():
            refusal = Refusal(method, target, 415, "unsupported-media-type", b"{}", tuple(headers.items()))
            yield f"{method} {target}, declared as {name}", refusal
        for value in NO_OBJECTS:
            refusal = Refusal(method, target, 422, "invalid-request", value.encode(), tuple(JSON.items()))
            yield f"{method} {target}, {value}", refusal


def updates() -> Rows:
    """Invalid actions and steps of an update."""
    yield "no action", update(json_of(step="3"))
    yield "no step", update(json_of(action='"start"'))
    for action in NO_ACTIONS:
        yield f"action {action}", update(json_of(action=action, step="3"))
    yield "a very long action", update(json_of(action=f'"{CANARY * 40_000}"', step="3"))
    for action, more in (("start", {}), ("complete", {}), ("progress", {"current": "1"})):
        for step in NO_STEP_NUMBERS:
            yield f"{action} {step}", update(json_of(action=f'"{action}"', step=step, **more))
        for step in NO_SUCH_STEPS:
            yield f"{action} {step}", update(json_of(action=f'"{action}"', step=step, **more), "step-out-of-range")


def details() -> Rows:
    """Invalid values of the other fields of an update."""
    yield from wrong({"action": '"start"', "step": "3"}, "timeout_ms", NO_TIMES)
    complete = {"action": '"complete"', "step": "1"}
    yield from wrong(complete, "success", NO_BOOLEANS)
    for field in ("message", "error"):
        yield from wrong(complete, field, NO_TEXTS)
    report = {"action": '"progress"', "step": "1"}
    yield "no current", update(json_of(**report))
    yield from wrong(report, "current", (*NO_AMOUNTS, "null"))
    yield from wrong({**report, "current": "5"}, "total", (*NO_AMOUNTS, "4"))


def conflicts() -> Rows:
    """Requests that the session's present state does not allow."""
    for action in ("complete", "progress"):
        body = json_of(action=f'"{action}"', step="3", current="1")
        yield f"{action} before start", update(body, "step-not-started", 409)
        refusal = Refusal("POST", "/api/progress/new/update", 404, "session-not-found", body, tuple(JSON.items()))
        yield f"{action} of nothing", refusal
    for action in ("start", "complete", "progress"):
        body = json_of(action=f'"{action}"', step="1", current="1")
        for name, runs in {"another": ("canary",), "no": ("",), "two": ("canary", "canary")}.items():
            headers = (*JSON.items(), *(("progress-run", run) for run in runs))
            yield f"{action} for {name} run", Refusal("POST", UPDATE, 412, "other-run", body, headers)
            refusal = Refusal("POST", "/api/progress/new/update", 404, "session-not-found", body, headers)
            yield f"{action} of nothing for {name} run", refusal
    ended = json_of(action='"progress"', step="2", current="1")
    yield "progress after the end", update(ended, "step-not-running", 409)
    yield "delete nothing", Refusal("DELETE", "/api/progress/new", 404, "session-not-found")
    for query in ("", "?replace=false"):
        refusal = Refusal("PUT", f"/api/progress/s{query}", 409, "session-exists", b"{}", tuple(JSON.items()))
        yield f"create an existing session {query}", refusal
    for value in ("yes", "1", "True", ""):
        target = f"/api/progress/s?replace={value}"
        yield f"replace={value}", Refusal("PUT", target, 422, "invalid-request", b"{}", tuple(JSON.items()))


def preconditions() -> Rows:
    """Requests on a condition that the session does not meet."""
    for method, path, body in (
        ("GET", "/api/progress/s", None),
        ("PUT", "/api/progress/s?replace=true", b"{}"),
        ("DELETE", "/api/progress/s", None),
        ("POST", UPDATE, json_of(action='"start"', step="3")),
    ):
        for tag in ('"canary-1"', 'W/"canary-1"', '"absent"', "canary", "", '"canary-1", *', '*, "canary-1"'):
            headers = (*(JSON.items() if body is not None else ()), ("if-match", tag))
            yield f"{method}, if it is {tag}", Refusal(method, path, 412, "precondition-failed", body, headers)
    for method, target, body in (("GET", PUT_NEW[1], None), (*PUT_NEW, b"{}")):
        headers = (*(JSON.items() if body is not None else ()), ("if-match", "*"))
        yield f"{method} if there is one", Refusal(method, target, 412, "precondition-failed", body, headers)
    for method, path, body in (
        ("PUT", "/api/progress/s?replace=true", b"{}"),
        ("DELETE", "/api/progress/s", None),
        ("POST", UPDATE, json_of(action='"start"', step="3")),
    ):
        headers = (*(JSON.items() if body is not None else ()), ("if-none-match", "*"))
        yield f"{method} if there is none", Refusal(method, path, 412, "precondition-failed", body, headers)
    # A request that is invalid without the condition is refused as such [RFC 9110 §13.2.1].
    unmet = (*JSON.items(), ("if-match", '"canary-1"'))
    yield "DELETE of nothing", Refusal("DELETE", "/api/progress/new", 404, "session-not-found", None, unmet)
    yield "PUT of an existing session", Refusal("PUT", "/api/progress/s", 409, "session-exists", b"{}", unmet)
    ended = json_of(action='"progress"', step="2", current="1")
    yield "POST after the end", Refusal("POST", UPDATE, 409, "step-not-running", ended, unmet)


def sessions() -> Rows:
    """Creations of invalid sessions."""
    for total in NO_TOTALS:
        yield from creations(f"total_steps {total}", json_of(total_steps=total))
    own_steps: dict[str, Any] = {
        "none": [],
        "1001": [{}] * 1001,
        "as many as fit": [{}] * 60_000,
        "as an object": {},
        "as an empty text": [""],
        "as a text with NUL": ["canary\0"],
        "as null": [None],
        "twice the same": [{"step": 1}, {"step": 1}],
        "with a gap": [{"step": 1}, {"step": 3}],
        "from 0": [{"step": 0}],
        "numbered true": [{"step": True}],
        "numbered 1.0": [{"step": 1.0}],
        "numbered by text": [{"step": "1"}],
        "without a name": [{"name": ""}],
        "with a long name": [{"name": "x" * 8193}],
        "with a very long name": [{"name": CANARY * 40_000}],
        "with NUL in a name": [{"name": "canary\0"}],
        "with a surrogate in a name": [{"name": "canary\ud800"}],
        "with a number for a name": [{"name": 1}],
    }
    for name, steps in own_steps.items():
        yield from creations(f"own steps {name}", json.dumps({"steps": steps}).encode())
    for field in ("timeout_ms", "estimated_ms"):
        for value in NO_TIMES:
            yield from creations(f"own step's {field} {value}", b'{"steps":[%b]}' % json_of(**{field: value}))
    for workflow in ('"canary"', '""', '"Default"', '"../default"'):
        yield from creations(f"workflow {workflow}", json_of(workflow=workflow), "unknown-workflow")
    for workflow in ("1", "[]", '"\\u0000"', '"\\ud800"', '"%s"' % (CANARY * 2000)):
        yield from creations(f"workflow {workflow[:20]}", json_of(workflow=workflow))
    for way in ("total_steps", "steps", "workflow"):
        yield from creations(f"{way} null", json_of(**{way: "null"}))
    yield from creations("workflow and number", b'{"workflow":"default","total_steps":7}')
    yield from creations("steps and number", b'{"steps":[{}],"total_steps":1}')
    yield from creations("steps and workflow", b'{"steps":[{}],"workflow":"default"}')


def ids() -> Rows:
    """Invalid session ids, in every place that has one."""
    for name, session_id in NO_IDS.items():
        path = f"/api/progress/{session_id}"
        for method, target, body in (
            ("GET", path, None),
            ("PUT", path, b"{}"),
            ("DELETE", path, None),
            ("POST", f"{path}/update", json_of(action='"start"', step="1")),
            ("GET", f"{path}/events", None),
            ("GET", f"{path}/requests", None),
            ("POST", f"{path}/requests", json_of(kind='"cancel"')),
            ("GET", f"{path}/parts?step=1", None),
            ("GET", f"{path}/log", None),
            ("POST", f"{path}/link", None),
            ("GET", f"{path}/steps", None),
            ("GET", f"/s/{session_id}", None),
            ("GET", f"/s/{session_id}/badge.svg", None),
        ):
            headers = tuple(JSON.items()) if body is not None else ()
            yield f"{method} {target} {name}", Refusal(method, target, 422, "invalid-session-id", body, headers)
        for path in COMBINED:
            target = f"{path}?session_id=s&session_id={session_id}"
            yield f"{path} {name}", Refusal("GET", target, 422, "invalid-session-id")
    for name, query in {
        "no id": "",
        "21 ids": "&".join(f"session_id=canary{n}" for n in range(21)),
        "1000 ids": "&".join(f"session_id=canary{n}" for n in range(1000)),
        "another parameter": "session=s",
        "another case": "SESSION_ID=s",
    }.items():
        for path in COMBINED:
            yield f"{path} {name}", Refusal("GET", f"{path}?{query}", 422, "invalid-request")
    for path in COMBINED:
        yield f"an empty id of {path}", Refusal("GET", f"{path}?session_id=", 422, "invalid-session-id")


def keys() -> Rows:
    """Invalid idempotency keys, and one that was used for another request."""
    for name, key in NO_KEYS.items():
        headers = (*JSON.items(), ("idempotency-key", key))
        body = json_of(action='"start"', step="3")
        yield f"update, {name}", Refusal("POST", UPDATE, 400, "invalid-idempotency-key", body, headers)
        asked = Refusal("POST", REQUESTS, 400, "invalid-idempotency-key", json_of(kind='"cancel"'), headers)
        yield f"request, {name}", asked
        yield f"creation, {name}", Refusal(*PUT_NEW, 400, "invalid-idempotency-key", b"{}", headers)
    twice = (*JSON.items(), ("idempotency-key", "canary"), ("idempotency-key", "canary"))
    yield "twice", Refusal(*PUT_NEW, 400, "invalid-idempotency-key", b"{}", twice)
    used = (*JSON.items(), ("idempotency-key", USED[0]))
    for method, target, body in (
        ("POST", UPDATE, json_of(action='"start"', step="3")),
        ("POST", UPDATE, json_of(action='"complete"', step="2", message='"done "')),
        ("POST", UPDATE, json_of(action='"complete"', step="3")),
        ("POST", REQUESTS, json_of(kind='"cancel"')),
        ("PUT", "/api/progress/s", b"{}"),
        ("PUT", "/api/progress/s?replace=true", b"{}"),
    ):
        yield f"used, {target} {body!r}", Refusal(method, target, 422, "idempotency-key-reused", body, used)


def paths() -> Rows:
    for method, path in (
        *(("PATCH", path) for path in ("/api/progress/s", UPDATE, "/api/progress", "/api/events", "/api/steps")),
        *(("TRACE", path) for path in ("/api/progress/s", "/api/progress/s/events", UPDATE, "/livez", "/", "/s/s")),
        ("POST", "/api/progress/s"),
        ("GET", UPDATE),
        *(("PUT", path) for path in (REQUESTS, "/api/requests")),
        ("DELETE", REQUESTS),
        ("POST", "/api/progress/s/events"),
        ("POST", "/api/progress/s/parts"),
        ("POST", "/api/progress/s/log"),
        ("PUT", "/api/progress/s/steps"),
        ("PUT", "/api/progress"),
        ("POST", "/api/events"),
        ("DELETE", "/api/steps"),
        ("POST", "/livez"),
        *((method, "/api/progress/s/link") for method in ("GET", "DELETE")),
        ("POST", "/s/s/badge.svg"),
        *((method, "/api/hooks") for method in ("POST", "DELETE")),
        *((method, f"/api/hooks/{path}") for path in ("h/test", "h/retry") for method in ("GET", "PUT")),
        ("POST", "/api/push"),
        *((method, "/api/progress/s/push") for method in ("GET", "POST", "DELETE")),
        *((method, "/api/progress/s/push/canary") for method in ("PUT", "POST")),
        *(("POST", "/push-worker.js"), ("POST", "/manifest.webmanifest")),
        ("DELETE", "/"),
    ):
        yield f"{method} {path}", Refusal(method, path, 405, "method-not-allowed")
    for path in (
        *("/api/hooks/", "/api/hooks/h", "/api/hooks//test", "/api/hooks/h/canary", "/api/hooks/h/test/"),
        *("/api/", "/api/canary", "/api/progress/", "/api/progress//update", "/api/progress/s/"),
        *("/api/progress/s/canary", "/api/progress/s/update/", "/api/progress/s/requests/"),
        *("/api/progress/s/requests/canary", "/api/events/", "/API/progress/s", "/canary", "/s", "/s/"),
        *("/s/s/canary.svg", "/api/push", "/push-worker.js", "/manifest.webmanifest", "/api/progress/s/push/canary"),
        *("/web/canary.js", "/web/", "/web", "/.git/config", "/docs", "/redoc", "/debug"),
    ):
        yield path, Refusal("GET", path, 404, "not-found")
    for target in (
        "/api/events?session_id=s",
        "/api/progress/s/events?x",
        "/api/requests?session_id=s",
        "/api/progress?x",
        "/api/steps?x",
    ):
        yield f"2001 parameters of {target}", Refusal("GET", target + "&x" * 2000, 422, "invalid-request")
    for query in ("limit=0", "limit=1001", "limit=-1", "limit=x", "limit=1e2", "limit=\u0661", "limit=", "limit=1.0"):
        yield query, Refusal("GET", f"/api/progress?{percent(query)}", 422, "invalid-request")
    for query in (
        *("status=canary", "status=", "status=not_found"),
        *("after=!", "after=", "after=YQ", "after=%ff", "after=_w"),
    ):
        yield query, Refusal("GET", f"/api/progress?{query}", 422, "invalid-request")
    for workflow in ("canary", "", "%00", "%ff", "canary%0d%0aSet-Cookie:%20x"):
        yield f"workflow={workflow}", Refusal("GET", f"/api/steps?workflow={workflow}", 422, "unknown-workflow")


def percent(query: str) -> str:
    """A query with its non-ASCII characters percent-encoded."""
    return "".join(char if char.isascii() else "".join(f"%{byte:02X}" for byte in char.encode()) for char in query)


def named(rows: Iterable[tuple[str, Refusal]]) -> dict[str, Refusal]:
    """The rows by name; each name is used once."""
    table: dict[str, Refusal] = {}
    for name, refusal in rows:
        assert name not in table, name
        table[name] = refusal
    return table


REFUSALS = {
    part.__name__: named(part())
    for part in (
        *(bodies, updates, details, conflicts, preconditions, sessions, ids, keys, paths),
        *(names, attempts, actions, parts, descriptions, unknown_keys, asks, acknowledgements, profiles),
        *(lines, line_queries, lists, hooks),
    )
}
"""Every row, by its part of the table and its name."""
