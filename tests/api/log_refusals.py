"""Invalid log lines, and invalid requests for them; rows as in ``refusals``."""

from tests.api.refusal import CANARY, JSON, NO_TEXTS, Refusal, Rows, json_of, update

NO_LINES = {
    "none": "[]",
    "null": "null",
    "a text": '"canary"',
    "an object": '{"text":"canary"}',
    "a number": "1",
    "101": "[{}]".format(",".join(['"canary"'] * 101)),
    "as many as fit": "[{}]".format(",".join(['""'] * 80_000)),
    "null as a line": "[null]",
    "a list as a line": '[["canary"]]',
    "without a text": '[{"level":"info"}]',
    "with too many line ends": '["%s"]' % ("\\n" * 1000),
    "with too many line ends together": "[{}]".format(",".join(['"\\r\\r\\r\\r\\r\\r\\r\\r\\r\\r"'] * 91)),
}
NO_LEVELS = ('"INFO"', '"fatal"', '"warn"', '"critical"', '""', "1", "null", "true", '["canary"]')
NO_AGOS = ("-1", "86400001", "1.5", "1.0", "true", '"1"', str(2**63), "1e400", "[]")
NO_NUMBERS = ("", "-1", "1.0", "1e0", "canary", "%D9%A1", "%00", "1" * 17, "+1", "0x1")


def lines() -> Rows:
    """What is no line, and what no session takes into its log."""
    log = {"action": '"log"'}
    yield "no lines", update(json_of(**log))
    for name, value in NO_LINES.items():
        yield f"lines, {name}", update(json_of(**log, lines=value))
    for text in NO_TEXTS:
        yield f"a line with {text[:20]} {len(text)}", update(json_of(**log, lines=f'["canary",{{"text":{text}}}]'))
        if text not in ("null", "1", '["canary"]'):
            yield f"a line that is {text[:20]} {len(text)}", update(json_of(**log, lines=f'["canary",{text}]'))
    for level in NO_LEVELS:
        yield f"a level {level}", update(json_of(**log, lines=f'[{{"text":"canary","level":{level}}}]'))
    for ago_ms in NO_AGOS:
        yield f"a line {ago_ms} ago", update(json_of(**log, lines=f'[{{"text":"canary","ago_ms":{ago_ms}}}]'))
    line = {**log, "lines": '["canary"]'}
    yield "lines of a step with a name", update(json_of(**line, step="1", name='"canary"'))
    for step in ("8", str(2**31), str(10**30)):
        yield f"lines of step {step}", update(json_of(**line, step=step), "step-out-of-range")
    yield "lines of step 0", update(json_of(**line, step="0"))
    yield "lines of a step by name", update(json_of(**line, name='"canary"'), "unknown-step-name")
    yield "lines of an attempt", update(json_of(**line, attempt_id='"canary"'), "attempt-superseded", 409)
    of_step = json_of(**line, step="1", attempt_id='"canary"')
    yield "lines of a step's attempt", update(of_step, "attempt-superseded", 409)
    target, headers = "/api/progress/new/update", tuple(JSON.items())
    yield "lines of nothing", Refusal("POST", target, 404, "session-not-found", json_of(**line), headers)


def line_queries() -> Rows:
    """Requests for lines that cannot be."""
    for name, values in {
        "after": (*NO_NUMBERS, str(2**53)),
        "step": (*NO_NUMBERS, "0"),
        "limit": (*NO_NUMBERS, "0", "1001"),
    }.items():
        for value in values:
            target = f"/api/progress/s/log?{name}={value}"
            yield f"log, {name} {value}", Refusal("GET", target, 422, "invalid-request")
    for step in ("8", str(2**53 - 1)):
        yield f"log of step {step}", Refusal("GET", f"/api/progress/s/log?step={step}", 422, "step-out-of-range")
    yield "log of nothing", Refusal("GET", f"/api/progress/{CANARY}/log", 404, "session-not-found")
