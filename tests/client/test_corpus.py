"""The worker's client sends the requests of the vectors, and reads their answers as specified."""

import json
from pathlib import Path
from typing import Any

import pytest

from progress_sse.client.attempt import Attempt
from progress_sse.client.codec import encode, read_answer
from progress_sse.client.outbox import Outbox
from progress_sse.client.reports import Report, by
from progress_sse.core.details import Link
from progress_sse.core.updates import Advance, Beat, Complete, Describe, Finish, Skip, Start

CONVERSATIONS = json.loads((Path(__file__).parents[1] / "corpus" / "exchanges.json").read_text("utf-8"))
UPDATES = [
    exchange
    for conversation in CONVERSATIONS
    for exchange in conversation["exchanges"]
    if exchange.get("request", {}).get("path", "").endswith("/update")
]
KINDS: dict[str, type[Any]] = {
    "start": Start,
    "progress": Advance,
    "complete": Complete,
    "skip": Skip,
    "beat": Beat,
    "finish": Finish,
    "describe": Describe,
}
FOREIGN = {"conclusion", "accepts", "part", "parts_total"}
"""Keys that this client never sends."""
APPLIED = {
    json.dumps(exchange["request"]["json"]): exchange["request"]
    for exchange in UPDATES
    if exchange["answer"]["status"] == 200
    and exchange["request"]["json"]["action"] in KINDS
    and not FOREIGN & exchange["request"]["json"].keys()
    and hasattr(KINDS[exchange["request"]["json"]["action"]], "links") >= ("links" in exchange["request"]["json"])
}
REFUSED = {exchange["answer"]["problem"]: exchange["answer"] for exchange in UPDATES if "problem" in exchange["answer"]}
DEFAULTS: dict[str, dict[str, Any]] = {
    "start": {"timeout_ms": None},
    "progress": {"total": None, "message": ""},
    "complete": {"success": True, "message": "", "error": ""},
    "skip": {"message": ""},
    "finish": {"success": True, "error": ""},
}


def _report(update: dict[str, Any]) -> Report:
    fields = {key: value for key, value in update.items() if key not in ("action", "ago_ms")}
    lease = {key: fields.pop(key) for key in ("lease_ms", "lost_after_ms", "attempt_id") if key in fields}
    if "name" in fields:
        fields["step"] = fields.pop("name")
    if fields.get("links") is not None:
        fields["links"] = tuple(Link(**link) for link in fields["links"])
    report: Report = KINDS[update["action"]](**fields, envelope=by(Attempt(**lease) if lease else None))
    return report


@pytest.mark.parametrize("recorded", APPLIED.values(), ids=APPLIED)
def test_a_report_is_sent_as_recorded(recorded: dict[str, Any]) -> None:
    """The protocol's page and our client's requests agree."""
    outbox = Outbox(recorded["path"].split("/")[3], tells_age=True)
    outbox.waiting.put(_report(recorded["json"]), 0)
    [sent] = outbox.next(recorded["json"].get("ago_ms", 0) / 1000)
    method, path, body, _ = encode(sent)
    defaults = DEFAULTS.get(recorded["json"]["action"], {})
    assert (method, path) == (recorded["method"], recorded["path"])
    assert {**defaults, **json.loads(body)} == {**defaults, **recorded["json"]}


@pytest.mark.protocol("P-11.10", "P-16.4")
@pytest.mark.parametrize("answer", REFUSED.values(), ids=REFUSED)
def test_a_refusal_is_final_as_the_protocol_says(answer: dict[str, Any]) -> None:
    """No recorded refusal is retried, and each is recognised by its type."""
    body = {"type": answer["problem"], "status": answer["status"], "detail": "why", "success": False}
    taken = read_answer(answer["status"], {}, json.dumps(body).encode())
    assert (taken.is_success, taken.is_transient) == (False, False)
    assert f"/problems/{taken.problem}" == answer["problem"]
