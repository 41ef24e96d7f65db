"""Requests and answers of reports in their HTTP form."""

import email.utils
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from progress_sse.client.attempt import Attempt
from progress_sse.client.codec import EncodedRequest, encode, encode_batch, read_answer, read_answers, retry_after_s
from progress_sse.client.exchange import ReportAnswer, ReportRequest
from progress_sse.client.reports import Create, Report
from progress_sse.core.details import Link
from progress_sse.core.model import StepDefinition
from progress_sse.core.updates import Advance, Beat, Complete, Describe, Envelope, Finish, Plan, Skip, Start
from tests.client.bench import OK

LEASE = Attempt(30_000, 600_000, "mine")
LINK = Link("Logs", "/logs")
STRICT = {"Prefer": "handling=strict"}
ONE = {"name": "One"}

MESSAGES: list[tuple[Report, dict[str, object]]] = [
    (Create(), {}),
    (Create(replace=False), {}),
    (Create(workflow="report"), {"workflow": "report"}),
    (Create(profile="nightly"), {"profile": "nightly"}),
    (
        Create((StepDefinition("原稿", 1000, 2000),)),
        {"steps": [{"name": "原稿", "timeout_ms": 1000, "estimated_ms": 2000}]},
    ),
    (Start(2, 500), {"action": "start", "step": 2, "timeout_ms": 500}),
    (Advance(2, 3, 8, "half"), {"action": "progress", "step": 2, "current": 3, "total": 8, "message": "half"}),
    (Complete(2, False, "m", "e"), {"action": "complete", "step": 2, "success": False, "message": "m", "error": "e"}),
    (
        Create(title="T", labels={"a": "b"}, links=(LINK,), open_ended=True, lease=LEASE),
        {"title": "T", "labels": {"a": "b"}, "links": [LINK._asdict()], "open_ended": True, "attempt_id": "mine"},
    ),
    (
        Start("Parse", append=True, estimated_ms=9, envelope=Envelope(LEASE)),
        {
            "action": "start",
            "name": "Parse",
            "timeout_ms": None,
            "append": True,
            "estimated_ms": 9,
            "attempt_id": "mine",
            "lease_ms": 30_000,
            "lost_after_ms": 600_000,
        },
    ),
    (
        Advance("Parse", 1, envelope=Envelope(LEASE)),
        {"action": "progress", "name": "Parse", "current": 1, "total": None, "message": "", "attempt_id": "mine"},
    ),
    (Skip(2, "m"), {"action": "skip", "step": 2, "message": "m"}),
    (Beat("Parse", envelope=Envelope(LEASE)), {"action": "beat", "name": "Parse", "attempt_id": "mine"}),
    (Finish(), {"action": "finish", "success": True, "error": ""}),
    (Finish(False, "e", (LINK,)), {"action": "finish", "success": False, "error": "e", "links": [LINK._asdict()]}),
    (Plan((StepDefinition("One"),)), {"action": "plan", "steps": [ONE]}),
    (Describe(title=None), {"action": "describe", "title": None}),
    (
        Describe(labels={"a": None}, links=(LINK,)),
        {"action": "describe", "labels": {"a": None}, "links": [LINK._asdict()]},
    ),
    (Describe(labels=None, links=None), {"action": "describe", "labels": None, "links": None}),
]


@pytest.mark.protocol("P-2.6")
@pytest.mark.parametrize(("report", "body"), MESSAGES)
def test_reports_become_requests(report: Report, body: dict[str, object]) -> None:
    """They follow the protocol; an id is opaque, and one segment of the path."""
    message = encode(ReportRequest("日 本?#%", report, "key"))
    path = "/api/progress/%E6%97%A5%20%E6%9C%AC%3F%23%25"
    method, path = ("PUT", path) if isinstance(report, Create) else ("POST", f"{path}/update")
    if isinstance(report, Create) and report.replace:
        path += "?replace=true"
    headers = {"Idempotency-Key": "key"} if method == "PUT" else {"Idempotency-Key": "key", **STRICT}
    assert message == EncodedRequest(method, path, message.body, headers)
    assert json.loads(message.body) == body


def test_a_report_names_its_run() -> None:
    """A creation, which begins a run, names none."""
    headers = {"Idempotency-Key": "key", **STRICT, "Progress-Run": "run"}
    assert encode(ReportRequest("a", Start(1), "key", "run")).headers == headers


def test_a_report_says_how_long_ago_it_was_made() -> None:
    """This is the last key, and is left out where it says nothing."""
    assert encode(ReportRequest("a", Start(1), "key", ago_ms=5)).body.endswith(b'"timeout_ms":null,"ago_ms":5}')
    assert b"ago_ms" not in encode(ReportRequest("a", Start(1), "key")).body


def test_a_sign_of_life_has_no_idempotency_key() -> None:
    """It is never sent again; in a batch it has none either."""
    request = ReportRequest("a", Beat(1), "", "run", 0)
    assert encode(request).headers == {**STRICT, "Progress-Run": "run"}
    batch = encode_batch([request])
    assert batch.headers == STRICT
    [update] = json.loads(batch.body)["updates"]
    assert update == {"session_id": "a", "run": "run", "action": "beat", "step": 1}


@pytest.mark.parametrize("dates", [{}, {"date": ""}, {"date": "today"}], ids=["none", "empty", "not a date"])
def test_a_pause_until_a_date_is_obeyed_without_the_servers_time(dates: Mapping[str, str]) -> None:
    """Our own clock then has to do."""
    until = email.utils.formatdate(time.time() + 100, usegmt=True)
    pause_s = retry_after_s({**dates, "retry-after": until})
    assert pause_s is not None
    assert 30 < pause_s <= 100


@pytest.mark.parametrize(("header", "run"), [("2026", "2026"), ("\xe9", ""), ("a\tb", ""), ("x" * 256, "")])
def test_a_run_is_accepted_if_a_header_can_have_it(header: str, run: str) -> None:
    """Otherwise no later report could be sent."""
    assert read_answer(201, {"progress-run": header}, b'{"session_id": "a"}') == ReportAnswer(201, run=run)


PROBLEM = b'{"type":"/problems/store-unavailable","status":503,"detail":"The store does not answer."}'
DATES = {"retry-after": "Wed, 25 Nov 2026 10:00:30 GMT", "date": "Wed, 25 Nov 2026 10:00:00 GMT"}


@pytest.mark.parametrize(
    ("status", "headers", "content", "answer"),
    [
        (200, {}, b'{"success":true,"session_id":"a"}', ReportAnswer(200)),
        (201, {}, b'{"session_id":"a","steps":[]}', ReportAnswer(201)),
        (
            200,
            {},
            b"<h1>Log in</h1>",
            ReportAnswer(0, detail="the answer, of status 200, is not that of a progress server"),
        ),
        (204, {}, b"", ReportAnswer(0, detail="the answer, of status 204, is not that of a progress server")),
        (503, {"retry-after": "2"}, PROBLEM, ReportAnswer(503, "store-unavailable", "The store does not answer.", 2)),
        (503, DATES, b"", ReportAnswer(503, retry_after_s=30)),
        (503, {**DATES, "retry-after": "Wed Nov 25 10:00:30 2026"}, b"", ReportAnswer(503, retry_after_s=30)),
        (503, {"retry-after": "Sun, 06 Nov 1994 08:49:37 GMT"}, b"", ReportAnswer(503, retry_after_s=0)),
        (503, {"retry-after": "-1"}, b"", ReportAnswer(503)),
        (502, {"retry-after": "soon"}, b"<h1>Bad Gateway</h1>", ReportAnswer(502)),
        (404, {}, b'["not", "a", "problem"]', ReportAnswer(404)),
        (308, {"location": "https://b.example/"}, b"", ReportAnswer(308, detail="see https://b.example/")),
        (503, {"retry-after": f"Mon, 01 Jan {10**20} 00:00:00 GMT", "date": DATES["date"]}, b"", ReportAnswer(503)),
        (
            400,
            {},
            b'{"type": "/problems/x\\u001b", "detail": "a\\nb\\u202e"}',
            ReportAnswer(400, "x\ufffd", "a\ufffdb\ufffd"),
        ),
        (400, {}, b'{"detail": "%b"}' % (b"x" * 9999), ReportAnswer(400, detail="x" * 500)),
    ],
)
def test_answers_are_read(status: int, headers: Mapping[str, str], content: bytes, answer: ReportAnswer) -> None:
    """A response that is not a progress server's, such as a proxy's page, counts as no answer, whatever its status."""
    assert read_answer(status, headers, content) == answer


CONVERSATIONS = json.loads((Path(__file__).parents[1] / "corpus" / "exchanges.json").read_text("utf-8"))
REFUSED = {
    exchange["answer"]["problem"]: exchange["answer"]
    for conversation in CONVERSATIONS
    for exchange in conversation["exchanges"]
    if exchange.get("request", {}).get("path", "").endswith("/update") and "problem" in exchange["answer"]
}


@pytest.mark.protocol("P-11.10", "P-16.4")
@pytest.mark.parametrize("answer", REFUSED.values(), ids=REFUSED)
def test_a_refusal_is_final_as_the_protocol_says(answer: dict[str, Any]) -> None:
    """No recorded refusal is retried, and each is recognised by its type."""
    body = {"type": answer["problem"], "status": answer["status"], "detail": "why", "success": False}
    taken = read_answer(answer["status"], {}, json.dumps(body).encode())
    assert (taken.is_success, taken.is_transient) == (False, False)
    assert f"/problems/{taken.problem}" == answer["problem"]


def test_a_batch_is_encoded_as_the_server_reads_it() -> None:
    """Each report has its session and its key."""
    requests = [ReportRequest("a", Start(1), "k1"), ReportRequest("a", Complete(1, message="m"), "k2", "r")]
    method, path, body, headers = encode_batch(requests)
    assert (method, path, headers) == ("POST", "/api/updates", STRICT)
    assert json.loads(body) == {
        "updates": [
            {"session_id": "a", "idempotency_key": "k1", **json.loads(encode(requests[0]).body)},
            {"session_id": "a", "idempotency_key": "k2", "run": "r", **json.loads(encode(requests[1]).body)},
        ]
    }


def test_the_answers_to_a_batch_are_read_one_by_one() -> None:
    """A response that no progress server sends is no answer; a refusal of the batch is one."""
    refused = {"type": "/problems/step-out-of-range", "status": 422, "detail": "no", "success": False}
    results = [{"status": 200}, refused, {}, None, *({"status": status} for status in (True, 0, -1, 99, 600, 10**99))]
    body = json.dumps({"results": results}).encode()
    ok, no, *odd = read_answers(200, {}, body, len(results))
    assert (ok, no) == (OK, ReportAnswer(422, "step-out-of-range", "no"))
    assert all(isinstance(answer, ReportAnswer) and answer.is_transient for answer in odd)
    for content in (body, b"{}", b"welcome", b'{"results": 2}'):
        assert isinstance(answer := read_answers(200, {}, content, 2), ReportAnswer)
        assert answer.is_transient
    assert read_answers(429, {"retry-after": "7"}, b"", 2) == ReportAnswer(429, retry_after_s=7)
