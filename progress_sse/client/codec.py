"""The HTTP form of requests and answers [docs/protocol.md]. Pure, but for our time where an answer has none."""

import email.utils
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlencode

from progress_sse.client.exchange import Asked, AskedRequest, ReportAnswer, ReportRequest
from progress_sse.client.reports import Create, Log, Report
from progress_sse.wire import update_json

MAX_RUN_CHARS: Final = 255  # Of a run's name.
MAX_DETAIL_CHARS: Final = 500  # Of the server's text that is shown.
_RUN: Final = "Progress-Run"
_STRICT: Final = {"Prefer": "handling=strict"}


class EncodedRequest(NamedTuple):
    """The HTTP request of a report; the path follows the server's URL."""

    method: str
    path: str
    body: bytes
    headers: Mapping[str, str]


def encode(request: ReportRequest) -> EncodedRequest:
    """Return the HTTP request of one report [docs/protocol.md]."""
    path = f"/api/progress/{quote(request.session_id, safe='')}"
    body = json.dumps(report_body(request.report, request.ago_ms), separators=(",", ":")).encode()
    headers = {"Idempotency-Key": request.key} if request.key else {}
    if isinstance(request.report, Create):
        return EncodedRequest("PUT", path + ("?replace=true" if request.report.replace else ""), body, headers)
    headers |= _STRICT | ({_RUN: request.run} if request.run else {})
    return EncodedRequest("POST", f"{path}/update", body, headers)


def report_body(report: Report, ago_ms: int = 0) -> dict[str, Any]:
    """Return the JSON object of a report that was made so many milliseconds ago."""
    if isinstance(report, Log):
        return update_json.encode(report.update(ago_ms))
    if not isinstance(report, Create):
        return update_json.encode(report, ago_ms)
    body = {
        "steps": None if report.steps is None else update_json.show_steps(report.steps),
        "workflow": report.workflow if report.steps is None else None,
        "title": report.title,
        "labels": dict(report.labels) or None,
        "links": update_json.show_links(report.links) or None,
        "open_ended": report.open_ended or None,
        "accepts": list(report.accepts) or None,
        "profile": report.profile,
        "attempt_id": None if report.lease is None else report.lease.attempt_id,
        "ago_ms": ago_ms or None,
    }
    return {key: value for key, value in body.items() if value is not None}


def read_answer(status: int, headers: Mapping[str, str], content: bytes) -> ReportAnswer:
    """Return the answer of an HTTP response; header names are in lower case, or compared without case."""
    fields = _fields(content)
    if not 200 <= status < 300:
        return _problem(status, headers, fields)
    if "session_id" not in fields:
        return _foreign_answer(status)
    return ReportAnswer(status, run=_run_of(headers), requests=_requests(fields))


def _run_of(headers: Mapping[str, str]) -> str:
    """Return the run that was created; empty if the header is missing, or no request could send it back."""
    run = headers.get(_RUN.lower(), "")
    return run if run.isascii() and run.isprintable() and len(run) <= MAX_RUN_CHARS else ""


def encode_batch(requests: Sequence[ReportRequest]) -> EncodedRequest:
    """Return the HTTP request of several reports; none of them is a creation."""
    updates = [
        {"session_id": session_id}
        | ({"idempotency_key": key} if key else {})
        | ({"run": run} if run else {})
        | report_body(report, ago_ms)
        for session_id, report, key, run, ago_ms in requests
    ]
    body = json.dumps({"updates": updates}, separators=(",", ":")).encode()
    return EncodedRequest("POST", "/api/updates", body, _STRICT)


def read_answers(
    status: int, headers: Mapping[str, str], content: bytes, count: int
) -> list[ReportAnswer] | ReportAnswer:
    """Return the answer to each of `count` reports, or one answer if the server processed none of them."""
    fields = _fields(content)
    if not 200 <= status < 300:
        return _problem(status, headers, fields)
    results = fields.get("results")
    if not isinstance(results, list) or len(results) != count:
        return _foreign_answer(status)
    return [_result(each) for each in results]


def _result(result: Any) -> ReportAnswer:
    status = result.get("status") if isinstance(result, dict) else None
    if type(status) is not int or not 100 <= status < 600:  # `true` is an int, too
        return _foreign_answer(200)
    return ReportAnswer(status, requests=_requests(result)) if 200 <= status < 300 else _problem(status, {}, result)


def encode_wait(session_ids: Sequence[str], wait_s: int) -> EncodedRequest:
    """Return the HTTP request that waits until readers ask something of one of these sessions."""
    query = urlencode([("session_id", each) for each in session_ids])
    return EncodedRequest("GET", f"/api/requests?{query}", b"", {"Prefer": f"wait={wait_s}"} if wait_s else {})


def read_asked(status: int, headers: Mapping[str, str], content: bytes) -> Asked | ReportAnswer:
    """Return the open requests of each session, or the answer of a server that refuses."""
    fields = _fields(content)
    if not 200 <= status < 300:
        return _problem(status, headers, fields)
    if not isinstance(fields.get("requests"), list):
        return _foreign_answer(status)
    sent = [each for each in fields["requests"] if isinstance(each, dict)]
    return [(str(each.get("session_id")), request) for each in sent for request in _requests({"requests": [each]})]


def _requests(fields: Mapping[str, Any]) -> tuple[AskedRequest, ...]:
    sent = fields.get("requests")
    return tuple(filter(None, map(_request, sent))) if isinstance(sent, list) else ()


def _request(sent: Any) -> AskedRequest | None:
    if not isinstance(sent, dict) or not isinstance(sent.get("id"), str) or not isinstance(sent.get("kind"), str):
        return None
    step = sent.get("step")
    state = sent.get("state", "asked")
    reason = sent.get("reason") or ""
    return AskedRequest(sent["id"], sent["kind"], step if isinstance(step, int) else None, str(state), str(reason))


def _fields(content: bytes) -> dict[str, Any]:
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _foreign_answer(status: int) -> ReportAnswer:
    return ReportAnswer(0, detail=f"the answer, of status {status}, is not that of a progress server")


def _problem(status: int, headers: Mapping[str, str], fields: Mapping[str, Any]) -> ReportAnswer:
    return ReportAnswer(
        status,
        _printable(fields.get("type", "")).rpartition("/")[2],
        _printable(fields.get("detail") or (f"see {headers['location']}" if "location" in headers else "")),
        retry_after_s(headers),
    )


def _printable(value: object) -> str:
    """Return a server's text, made safe for a line of the job's log."""
    text = str(value)[:MAX_DETAIL_CHARS]
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of `Retry-After`, which has a number or a date [RFC 9110 §10.2.3]."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    until = _http_date(value)
    if until is None:
        return None
    # By the server's clock where it sends its time, as ours may be wrong.
    now = _http_date(headers.get("date", "")) or datetime.now(UTC)
    return max(0.0, (until - now).total_seconds())


def _http_date(text: str) -> datetime | None:
    try:
        date = email.utils.parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)  # asctime's form names no zone [RFC 9110 §5.6.7].
