"""Invalid requests by the keys and actions of the protocol's second part; rows as in ``refusals``."""

import json
from typing import Any

from tests.api.refusal import (
    CANARY,
    JSON,
    NO_AMOUNTS,
    NO_BOOLEANS,
    NO_TEXTS,
    NO_TIMES,
    POST_NEW,
    PUT_NEW,
    Refusal,
    Rows,
    creations,
    json_of,
    update,
    wrong,
)

ON_A_STEP = {
    "start": {},
    "complete": {},
    "progress": {"current": "1"},
    "skip": {},
    "beat": {},
    "part": {"part": '"canary"', "status": '"running"'},
}
"""The actions on a step, each with the keys that it needs besides the step."""

ON_THE_SESSION = {
    "finish": {},
    "plan": {"steps": "[{}]"},
    "describe": {"title": '"t"'},
    "acknowledge": {"request": '"canary"', "state": '"seen"'},
}

NO_NAMES = ('""', '"%s"' % ("x" * 8193), '"canary\\u0000"', '"canary\\ud800"', "1", "true", '["canary"]', "{}")
NO_ATTEMPTS = ('""', f'"{CANARY}{"x" * 59}"', '"canary\\u0000"', '"canary\\ud800"', "1", "true", '["canary"]')
NO_LEASES = ("999", "3600001", "0", "-1000", "1000.0", "true", '"1000"', str(2**53), "[]")
NO_PARTS = ('""', f'"{CANARY}{"x" * 95}"', '"canary\\u0000"', '"canary\\ud800"', "1", "true", '["canary"]')
NO_PART_STATUSES = ('"pending"', '"Running"', '"completed"', '""', "1", "true", '["running"]')
NO_PARTS_TOTALS = ("0", "-1", "201", "1.0", "true", '"1"', str(2**63), "[]")
NO_AGOS = ("-1", "86400001", "1.5", "1.0", "true", "null", '"1"', str(2**63), "1e400", "[]")
NO_CONCLUSIONS = ('"skipped"', '"lost"', '"Cancelled"', '""', "true", "1", '["cancelled"]')
NO_TITLES = ('""', f'"{CANARY}{"x" * 195}"', '"canary\\u0000"', '"canary\\ud800"', "1", "true", '["canary"]', "{}")
NO_ACCEPTS = ('"cancel"', '["canary"]', '["cancel","cancel"]', '["Cancel"]', "[1]", "[null]", "{}", "true")

NO_LABELS: dict[str, Any] = {
    "as a list": [CANARY],
    "as text": CANARY,
    "with a colon": {"canary:a": "b"},
    "with a colon alone": {":": "b"},
    "without a key": {"": CANARY},
    "with a long key": {"x" * 65: CANARY},
    "with NUL in a key": {"canary\0": "a"},
    "with a surrogate in a key": {"canary\ud800": "a"},
    "with a long value": {"a": CANARY + "x" * 251},
    "with NUL in a value": {"a": "canary\0"},
    "with a surrogate in a value": {"a": "canary\ud800"},
    "with a number": {"a": 1},
    "with a list": {"a": [CANARY]},
    "with 17 keys": {str(number): CANARY for number in range(17)},
}

NO_URLS = {
    "a script": "javascript:alert('canary')",
    "a script in capitals": "JaVaScRiPt:canary",
    "a script behind a space": " javascript:canary",
    "a script behind a control character": "\x01javascript:canary",
    "a script with a tab": "java\tscript:canary",
    "data": "data:text/html,canary",
    "a file": "file:///canary",
    "another scheme": "ftp://canary.example",
    "no scheme": "canary.example",
    "a relative path": "canary/1",
    "another host": "//canary.example",
    "another host by a backslash": "/\\canary.example",
    "two backslashes": "\\\\canary.example",
    "another host behind a tab": "/\t/canary.example",
    "another host behind a line feed": "/\n/canary.example",
    "a user": "https://canary@example.org",
    "a user and a password": "https://canary:secret@example.org/",
    "an empty user": "https://@canary.example",
    "no host": "https:///canary",
    "no host but a port": "https://:443/canary",
    "no slashes": "https:canary",
    "a space": "https://example.org/canary b",
    "a line feed": "https://example.org/canary\nb",
    "NUL": "https://example.org/canary\0",
    "DEL": "/canary\x7f",
    "a control character beyond ASCII": "/canary\x9b",
    "a no-break space": "/canary\xa0",
    "a line separator": "/canary\u2028",
    "a surrogate": "/canary\ud800",
    "2049 characters": "/" + CANARY + "x" * 2042,
    "nothing": "",
    "a number": 1,
    "null": None,
}

NO_LINKS: dict[str, Any] = {
    "as an object": {"label": CANARY, "url": "/"},
    "as text": "/canary",
    "of texts": ["/canary"],
    "21": [{"label": CANARY, "url": "/"}] * 21,
    "without a label": [{"url": "/canary"}],
    "without a URL": [{"label": CANARY}],
    "with an empty label": [{"label": "", "url": "/canary"}],
    "with a long label": [{"label": CANARY + "x" * 95, "url": "/"}],
    "with NUL in a label": [{"label": "canary\0", "url": "/"}],
    "with a number for a label": [{"label": 1, "url": "/canary"}],
    **{f"to {name}": [{"label": "l", "url": "/"}, {"label": "l", "url": url}] for name, url in NO_URLS.items()},
}

TOO_MUCH: dict[str, Any] = {
    "labels": {"labels": {f"canary{number}": "x" * 256 for number in range(16)}},
    "links": {"links": [{"label": CANARY, "url": "/" + "x" * 2040}] * 2},
    "wide characters": {"labels": {f"canary{number}": "\U0001f680" * 100 for number in range(10)}},
    "all together": {
        "title": CANARY * 33,
        "labels": {f"canary{number}": "x" * 120 for number in range(16)},
        "links": [{"label": CANARY, "url": "/" + "x" * 1900}],
    },
}


def names() -> Rows:
    """Steps by name: unknown ones, and names that no step can have."""
    for action, more in ON_A_STEP.items():
        keys = {"action": f'"{action}"', **more}
        yield f"{action} an unknown name", update(json_of(**keys, name='"canary"'), "unknown-step-name")
        yield f"{action} by name and number", update(json_of(**keys, name='"canary"', step="1"))
        yield f"{action} by neither", update(json_of(**keys, name="null", step="null"))
        yield from wrong(keys, "name", NO_NAMES)
    start = {"action": '"start"', "name": '"STEP3"'}
    yield "append to fixed steps", update(json_of(**start, append="true"), "unknown-step-name")
    yield from wrong(start, "append", NO_BOOLEANS)
    yield from wrong(start, "estimated_ms", NO_TIMES)


def attempts() -> Rows:
    """Attempts, leases and times ago that cannot be, and attempts that the step is not."""
    for action, more in {**ON_A_STEP, **ON_THE_SESSION}.items():
        keys = {"action": f'"{action}"', **more, **({"step": "1"} if action in ON_A_STEP else {})}
        yield from wrong(keys, "attempt_id", NO_ATTEMPTS)
        yield from wrong(keys, "ago_ms", NO_AGOS)
        if action != "start":
            body = json_of(**keys, attempt_id='"canary"')
            yield f"{action} as another attempt", update(body, "attempt-superseded", 409)
            refusal = Refusal("POST", "/api/progress/new/update", 404, "session-not-found", body, tuple(JSON.items()))
            yield f"{action} of nothing, as an attempt", refusal
    start = {"action": '"start"', "step": "3", "attempt_id": '"canary"'}
    yield from wrong(start, "lease_ms", NO_LEASES)
    lost = [each for each in NO_LEASES if each != "3600001"]
    yield from wrong({**start, "lease_ms": "1000"}, "lost_after_ms", lost)
    yield "lost before stalled", update(json_of(**start, lease_ms="2000", lost_after_ms="1999"))
    yield "lost without a lease", update(json_of(**start, lost_after_ms="1000"))
    yield "a lease without an attempt", update(json_of(action='"start"', step="3", lease_ms="1000"))


def actions() -> Rows:
    """Actions of the second part, with values that they cannot have, or in a state that they do not fit."""
    for step in ("1", "2"):
        yield f"skip {step}", update(json_of(action='"skip"', step=step), "step-started", 409)
    yield "beat of a step that has ended", update(json_of(action='"beat"', step="2"), "step-not-running", 409)
    yield "beat of a step before its start", update(json_of(action='"beat"', step="3"), "step-not-started", 409)
    for action in ("skip", "beat"):
        yield f"{action} of a step that is none", update(json_of(action=f'"{action}"', step="8"), "step-out-of-range")
    yield from wrong({"action": '"skip"', "step": "3"}, "message", NO_TEXTS)
    yield from wrong({"action": '"finish"', "success": "false"}, "error", NO_TEXTS)
    yield from wrong({"action": '"finish"'}, "success", NO_BOOLEANS)
    for keys in ({"action": '"complete"', "step": "1"}, {"action": '"finish"'}):
        yield f"{keys['action']} cancelled with success", update(json_of(**keys, conclusion='"cancelled"'))
        yield from wrong({**keys, "success": "false"}, "conclusion", NO_CONCLUSIONS)
        for name, links in NO_LINKS.items():
            yield f"{keys['action']}, links {name}", update(json_of(**keys, links=json.dumps(links)))
        body = json_of(**keys, links=json.dumps(TOO_MUCH["links"]["links"]))
        yield f"{keys['action']} with too many links", update(body, "too-much")
    yield "plan of fixed steps", update(json_of(action='"plan"', steps="[{}]"), "steps-are-fixed", 409)
    for name, steps in {"no": "[]", "null": "null", "empty texts for": '[""]', "an object for": "{}"}.items():
        yield f"plan of {name} steps", update(json_of(action='"plan"', steps=steps))
    yield "plan without steps", update(json_of(action='"plan"'))
    yield "plan of wrong numbers", update(json_of(action='"plan"', steps='[{"step":2}]'))
    yield "plan of 1001 steps", update(json.dumps({"action": "plan", "steps": [{}] * 1001}).encode(), "too-many-steps")


def parts() -> Rows:
    """Parts that cannot be, in a state that they do not fit, and requests for the parts of no step."""
    part = {"action": '"part"', "step": "1", "part": '"canary"', "status": '"running"'}
    for key in ("part", "status"):
        yield f"a part without {key}", update(json_of(**{name: value for name, value in part.items() if name != key}))
    yield from wrong(part, "part", NO_PARTS)
    yield from wrong(part, "status", NO_PART_STATUSES)
    for field in ("message", "error"):
        yield from wrong(part, field, (*NO_TEXTS, f'"{CANARY}{"x" * 195}"'))
    yield from wrong(part, "current", NO_AMOUNTS)
    yield from wrong({**part, "current": "1"}, "total", NO_AMOUNTS)
    yield "part of 4 at 5", update(json_of(**part, current="5", total="4"))
    yield "part of a total alone", update(json_of(**part, total="4"))
    yield "part of a step that has ended", update(json_of(**part | {"step": "2"}), "step-not-running", 409)
    yield "part of a step before its start", update(json_of(**part | {"step": "3"}), "step-not-started", 409)
    yield "part of a step that is none", update(json_of(**part | {"step": "8"}), "step-out-of-range")
    yield from wrong({"action": '"start"', "step": "3"}, "parts_total", NO_PARTS_TOTALS)
    for step in ("", "0", "-1", "1.0", "1e0", "canary", "%D9%A1", "%00", "1" * 17):
        yield f"parts of step {step}", Refusal("GET", f"/api/progress/s/parts?step={step}", 422, "invalid-request")
    yield "parts of no step", Refusal("GET", "/api/progress/s/parts", 422, "invalid-request")
    for step in ("8", str(2**53 - 1)):
        yield f"parts of step {step}", Refusal("GET", f"/api/progress/s/parts?step={step}", 422, "step-out-of-range")
    yield "parts of nothing", Refusal("GET", "/api/progress/new/parts?step=1", 404, "session-not-found")


def descriptions() -> Rows:
    """What no session can say besides its steps, in an update and in a creation."""
    for key, texts in (("title", NO_TITLES), ("accepts", NO_ACCEPTS)):
        yield from wrong({"action": '"describe"'}, key, texts)
        for text in texts:
            yield from creations(f"{key} {text[:20]}", json_of(**{key: text}))
    for key, values in (("labels", NO_LABELS), ("links", NO_LINKS)):
        for name, value in values.items():
            yield f"{key} {name}", update(json_of(action='"describe"', **{key: json.dumps(value)}))
            yield from creations(f"{key} {name}", json_of(**{key: json.dumps(value)}))
    for name, said in TOO_MUCH.items():
        yield f"too much, {name}", update(json.dumps({"action": "describe", **said}).encode(), "too-much")
        yield from creations(f"too much, {name}", json.dumps(said).encode(), "too-much")
    yield from creations("a label removed", json_of(labels='{"canary":null}'))
    for attempt_id in NO_ATTEMPTS:
        yield from creations(f"as {attempt_id[:20]}", json_of(attempt_id=attempt_id))
    for open_ended in NO_BOOLEANS:
        yield from creations(f"open_ended {open_ended}", json_of(open_ended=open_ended))
    yield from creations("open-ended, with no steps in a list", json_of(open_ended="true", steps="[]"))
    yield from creations("open-ended, with too many steps", json_of(open_ended="true", total_steps="1001"))


def unknown_keys() -> Rows:
    """A creation whose keys the server does not all know: it names the first one, and no value."""
    for method, target in (PUT_NEW, POST_NEW):
        for key in ("heading", "Title", "total_step", "status", "session_id", "", "\0", "\ud800", "x" * 100_000):
            body = json.dumps({"total_steps": 2, key: CANARY}).encode()
            yield f"{method} {key[:20]!r}", Refusal(method, target, 422, "invalid-request", body, tuple(JSON.items()))
