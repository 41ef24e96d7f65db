"""The JSON object of a report [docs/protocol.md]. Pure.

A report without a lease, of a numbered step, has the keys that every server knows, in their order. Further keys follow
only where a job uses them.
"""

from collections.abc import Iterable
from typing import Any

from progress_sse.client.operation import MAX_AGE_MS
from progress_sse.client.reports import (
    Acknowledge,
    Advance,
    Beat,
    Complete,
    Create,
    Describe,
    Finish,
    Log,
    LogLine,
    Plan,
    Report,
    ReportPart,
    SessionReport,
    Skip,
    Start,
    StepRef,
    StepReport,
)
from progress_sse.core.commands import Unchanged
from progress_sse.core.details import Link
from progress_sse.core.model import StepDefinition


def report_body(report: Report, ago_ms: int = 0) -> dict[str, Any]:
    """Return the body of a report that was made so many milliseconds ago."""
    if isinstance(report, Log):
        return _log(report, ago_ms)
    body = _creation(report) if isinstance(report, Create) else _update(report)
    if report.lease is not None:
        body["attempt_id"] = report.lease.attempt_id
        if isinstance(report, Start):
            body |= _given(lease_ms=report.lease.lease_ms, lost_after_ms=report.lease.lost_after_ms)
    if ago_ms:
        body["ago_ms"] = ago_ms
    return body


def _log(log: Log, ago_ms: int) -> dict[str, Any]:
    step = {} if log.step is None else _step(log.step)
    attempt = {} if log.lease is None else {"attempt_id": log.lease.attempt_id}
    return {"action": "log", **step, "lines": [_line(each, ago_ms) for each in log.lines], **attempt}


def line_age_ms(line: LogLine, ago_ms: int) -> int:
    """Return how many milliseconds ago a line was made, whose report was made so many milliseconds ago."""
    return min(ago_ms + line.before_ms, MAX_AGE_MS)


def _line(line: LogLine, ago_ms: int) -> dict[str, Any]:
    age_ms = line_age_ms(line, ago_ms)
    return {"text": line.text, "level": line.level, **({"ago_ms": age_ms} if age_ms else {})}


def _creation(report: Create) -> dict[str, Any]:
    body: dict[str, Any] = {}
    if report.steps is not None:
        body["steps"] = _definitions(report.steps)
    elif report.workflow is not None:
        body["workflow"] = report.workflow
    body |= _given(title=report.title)
    if report.labels:
        body["labels"] = dict(report.labels)
    if report.links:
        body["links"] = _links(report.links)
    if report.open_ended:
        body["open_ended"] = True
    if report.accepts:
        body["accepts"] = list(report.accepts)
    body |= _given(profile=report.profile)
    return body


def _update(report: StepReport | SessionReport) -> dict[str, Any]:
    match report:
        case Start():
            appended = {"append": True} if report.append else {}
            return {
                "action": "start",
                **_step(report.step),
                "timeout_ms": report.timeout_ms,
                **appended,
                **_given(estimated_ms=report.estimated_ms, parts_total=report.parts_total),
            }
        case Advance(step, current, total, message):
            return {"action": "progress", **_step(step), "current": current, "total": total, "message": message}
        case Complete(step, success, message, error, conclusion):
            body = {"action": "complete", **_step(step), "success": success, "message": message, "error": error}
            return body | _given(conclusion=conclusion)
        case ReportPart():
            return _part(report)
        case Skip(step, message):
            return {"action": "skip", **_step(step), "message": message}
        case Beat(step):
            return {"action": "beat", **_step(step)}
        case _:
            return _session_update(report)


def _session_update(report: SessionReport) -> dict[str, Any]:
    match report:
        case Finish(success, error, links, conclusion):
            told = _given(conclusion=conclusion, links=None if links is None else _links(links))
            return {"action": "finish", "success": success, "error": error, **told}
        case Plan(steps):
            return {"action": "plan", "steps": _definitions(steps)}
        case Describe():
            return _description(report)
        case Acknowledge(request, state, message):
            told = {"message": message} if message else {}
            return {"action": "acknowledge", "request": request, "state": state, **told}


def _part(report: ReportPart) -> dict[str, Any]:
    said = {"action": "part", **_step(report.step), "part": report.part, "status": report.status}
    texts = {name: text for name, text in (("message", report.message), ("error", report.error)) if text}
    return {**said, **_given(current=report.current, total=report.total), **texts}


def _description(report: Describe) -> dict[str, Any]:
    body: dict[str, Any] = {"action": "describe"}
    if not isinstance(report.title, Unchanged):
        body["title"] = report.title
    if not isinstance(report.labels, Unchanged):
        body["labels"] = None if report.labels is None else dict(report.labels)
    if not isinstance(report.links, Unchanged):
        body["links"] = None if report.links is None else _links(report.links)
    if not isinstance(report.accepts, Unchanged):
        body["accepts"] = list(report.accepts)
    return body


def _step(step: StepRef) -> dict[str, StepRef]:
    return {"name": step} if isinstance(step, str) else {"step": step}


def _given(**values: object) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}


def _definitions(steps: Iterable[StepDefinition]) -> list[dict[str, Any]]:
    return [
        {"name": each.name, "timeout_ms": each.timeout_ms, **_given(estimated_ms=each.estimated_ms)} for each in steps
    ]


def _links(links: Iterable[Link]) -> list[dict[str, str]]:
    return [{"label": each.label, "url": each.url} for each in links]
