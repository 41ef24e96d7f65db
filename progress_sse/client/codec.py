"""The HTTP form of requests and answers [docs/protocol.md]. Pure."""

import email.utils
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from progress_sse.client.exchange import ReportAnswer, ReportRequest
from progress_sse.client.report_body import report_body
from progress_sse.client.reports import Create

MAX_RUN_CHARS: Final = 255
"""Characters that a run's name may have."""

MAX_DETAIL_CHARS: Final = 500
"""Characters of the server's text that are shown."""

_RUN: Final = "Progress-Run"


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
    return EncodedRequest("POST", f"{path}/update", body, headers | ({_RUN: request.run} if request.run else {}))


def read_answer(status: int, headers: Mapping[str, str], content: bytes) -> ReportAnswer:
    """Return the answer of an HTTP response; header names are in lower case, or compared without case."""
    fields = _fields(content)
    if not 200 <= status < 300:
        return _problem(status, headers, fields)
    return ReportAnswer(status, run=_run_of(headers)) if "session_id" in fields else _foreign_answer(status)


def _run_of(headers: Mapping[str, str]) -> str:
    """Return the run that was created; empty if the header is missing, or no request could send it back."""
    run = headers.get(_RUN.lower(), "")
    return run if run.isascii() and run.isprintable() and len(run) <= MAX_RUN_CHARS else ""


def encode_batch(requests: Sequence[ReportRequest]) -> EncodedRequest:
    """Return the HTTP request of several reports; none of them is a creation."""
    updates = [
        {
            "session_id": session_id,
            **({"idempotency_key": key} if key else {}),
            **({"run": run} if run else {}),
            **report_body(report, ago_ms),
        }
        for session_id, report, key, run, ago_ms in requests
    ]
    return EncodedRequest("POST", "/api/updates", json.dumps({"updates": updates}, separators=(",", ":")).encode(), {})


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
    if not isinstance(status, int):
        return _foreign_answer(200)
    return ReportAnswer(status) if 200 <= status < 300 else _problem(status, {}, result)


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
    try:
        # By the server's clock, as ours may be wrong.
        until, now = (email.utils.parsedate_to_datetime(text) for text in (value, headers.get("date", "")))
        return max(0.0, (until - now).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None
