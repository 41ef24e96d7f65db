"""Invalid requests about profiles; rows as in ``refusals``."""

from tests.api.refusal import CANARY, NO_IDS, Refusal, Rows, creations, json_of

NO_PROFILES = {
    "empty": '""',
    "one dot": '"."',
    "two dots": '".."',
    "a path": '"canary/b"',
    "NUL": '"canary\\u0000"',
    "ESC": '"canary\\u001b[31m"',
    "a line feed": '"canary\\n"',
    "U+200B": '"canary\\u200b"',
    "U+202E": '"canary\\u202e"',
    "a surrogate": '"canary\\ud800"',
    "129 characters": f'"{CANARY}{"x" * 123}"',
    "100,000 characters": '"%s"' % (CANARY * 16_667),
    "a number": "1",
    "a boolean": "true",
    "a list": '["canary"]',
    "an object": '{"canary":1}',
}


def profiles() -> Rows:
    """What no profile can be, in every place that has one, and parameters that exclude each other."""
    for name, profile in NO_PROFILES.items():
        yield from creations(f"profile {name}", json_of(profile=profile))
    for name, profile in {**NO_IDS, "empty": ""}.items():
        yield f"steps of {name}", Refusal("GET", f"/api/steps?profile={profile}", 422, "invalid-session-id")
    for name, profile in NO_IDS.items():
        yield f"forget {name}", Refusal("DELETE", f"/api/steps/{profile}/learned", 422, "invalid-session-id")
    for query in ("workflow=default&profile=canary", "profile=canary&profile=canary"):
        yield f"steps of {query}", Refusal("GET", f"/api/steps?{query}", 422, "invalid-request")
    yield "2001 parameters", Refusal("GET", f"/api/steps?profile=canary{'&x' * 2000}", 422, "invalid-request")
    for method in ("GET", "POST", "PUT", "PATCH", "TRACE"):
        yield f"{method} learned", Refusal(method, "/api/steps/canary/learned", 405, "method-not-allowed")
    for path in ("", "canary", "canary/", "/learned", "canary/learned/", "canary/learned/canary", "canary/Learned"):
        yield f"a path {path}", Refusal("DELETE", f"/api/steps/{path}", 404, "not-found")
