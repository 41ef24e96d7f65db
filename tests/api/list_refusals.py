"""Invalid lists of sessions, asked for as a page and as a stream."""

from typing import Final

from tests.api.refusal import CANARY, NO_IDS, Refusal, Rows

LISTS: Final = ("/api/progress", "/api/events")

NO_LABELS: Final = {
    "without a colon": CANARY,
    "empty": "",
    "without a key": f":{CANARY}",
    "with a long key": f"{'k' * 65}:{CANARY}",
    "with a long value": f"canary:{'v' * 257}",
    "with NUL": "canary:%00",
    "with NUL in the key": "canary%00:v",
    "not UTF-8": "canary:%ff",
    "with a surrogate": "canary:%ED%A0%80",
}

NO_STATUSES: Final = (CANARY, "", "not_found", "Running", "running,error")


def lists() -> Rows:
    """Prefixes that no id has, labels that no session has, and what is given once too often."""
    for path in LISTS:
        for name, prefix in NO_IDS.items():
            if name not in {".", ".."}:  # Ids begin with these.
                yield f"{path} of prefix {name}", Refusal("GET", f"{path}?prefix={prefix}", 422, "invalid-session-id")
        for name, label in NO_LABELS.items():
            yield f"{path} of a label {name}", Refusal("GET", f"{path}?label={label}", 422, "invalid-request")
        for query in (
            *(f"prefix=&status={status}" for status in NO_STATUSES),
            "prefix=canary&prefix=canary",
            "status=error&status=canary",
            "&".join(f"label=canary{number}:v" for number in range(17)),
        ):
            yield f"{path}?{query}", Refusal("GET", f"{path}?{query}", 422, "invalid-request")
    for query in ("prefix=canary", "prefix=", "label=canary:v", "status=error"):
        target = f"/api/events?session_id=s&{query}"
        yield target, Refusal("GET", target, 422, "invalid-request")
