"""Requests to a worker, and answers of workers, that are refused; rows as in ``refusals``."""

from tests.api.refusal import CANARY, JSON, REQUESTS, Refusal, Rows, json_of, update, wrong

NO_KINDS = ('"stop"', '"Cancel"', '"canary"', '""', "1", "null", "true", '["cancel"]', '"\\ud800"')
NO_STEPS = ("0", "-1", "1.0", "true", '"1"', "[]", '{"step":1}', "1e400")
NO_WORDS = (f'"{CANARY}{"x" * 495}"', '"canary\\u0000"', '"canary\\ud800"', "1", "true", '["canary"]', "{}")
NO_REQUEST_IDS = ('""', f'"{CANARY}{"x" * 59}"', '"canary\\u0000"', '"canary\\ud800"', "1", "null", '["canary"]')
NO_STATES = ('"asked"', '"too_late"', '"Seen"', '""', "null", "1", '["seen"]', '"canary"')


def asking(body: bytes, problem: str = "invalid-request", status: int = 422, session_id: str = "s") -> Refusal:
    """A request to the worker of a session."""
    target = REQUESTS.replace("/s/", f"/{session_id}/")
    return Refusal("POST", target, status, problem, body, tuple(JSON.items()))


def asks() -> Rows:
    """Requests that no session takes, and those that this one does not take."""
    yield "nothing is asked", asking(b"{}")
    for kind in NO_KINDS:
        yield f"kind {kind}", asking(json_of(kind=kind))
    for kind in ('"cancel"', '"retry"'):
        yield f"{kind} is not accepted", asking(json_of(kind=kind), "request-not-accepted", 409)
        yield f"{kind} of nothing", asking(json_of(kind=kind), "session-not-found", 404, "new")
        for step in NO_STEPS:
            yield f"{kind} of step {step}", asking(json_of(kind=kind, step=step))
        for words in NO_WORDS:
            yield f"{kind} because of {words[:20]}", asking(json_of(kind=kind, reason=words))
    for key in ("state", "id", "Kind", "message", "", "\\u0000", "x" * 1000):
        yield f"unknown key {key[:20]}", asking(json_of(kind='"cancel"', **{key: f'"{CANARY}"'}))
    yield "requests of nothing", Refusal("GET", "/api/progress/new/requests", 404, "session-not-found")


def acknowledgements() -> Rows:
    """Answers to a request that are none, or to a request that is not known."""
    fit = {"action": '"acknowledge"', "request": '"canary"', "state": '"seen"'}
    for state in ('"seen"', '"honoured"', '"declined"'):
        yield f"{state} of an unknown request", update(json_of(**fit | {"state": state}), "request-not-found", 404)
    for key in ("request", "state"):
        yield f"no {key}", update(json_of(**{name: value for name, value in fit.items() if name != key}))
    for key, values in (("request", NO_REQUEST_IDS), ("state", NO_STATES), ("message", (*NO_WORDS, "null"))):
        yield from wrong(fit, key, values)


def hooks() -> Rows:
    """Commands on hooks, of which this server has none; what is wrong with their bodies is said first."""
    for command in ("test", "retry"):
        for name in ("canary", "Canary", "canary%20", "canary%C3%A9", "x" * 33):
            yield f"{command} {name}", hook_command(f"{name}/{command}", b"{}", "hook-not-found", 404)
        yield f"{command} with a slash", hook_command(f"canary%2F/{command}", b"{}", "invalid-session-id")
        for key in ("name", "ID", "", "x" * 1000):
            yield f"{command} with {key[:20]}", hook_command(f"canary/{command}", json_of(**{key: '"canary"'}))
    for value in ('""', f'"{CANARY * 7}"', '"canary\\u0000"', "1", "true", '["canary"]'):
        yield f"retry of {value[:20]}", hook_command("canary/retry", json_of(id=value))


def hook_command(path: str, body: bytes, problem: str = "invalid-request", status: int = 422) -> Refusal:
    return Refusal("POST", f"/api/hooks/{path}", status, problem, body, tuple(JSON.items()))
