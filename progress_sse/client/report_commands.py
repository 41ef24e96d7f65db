"""The command of the store that a report becomes, in the process of an embedded server."""

from typing import TypedDict

from progress_sse.client.exchange import ReportRequest
from progress_sse.client.report_body import line_age_ms
from progress_sse.client.reports import (
    Acknowledge,
    Advance,
    Beat,
    Complete,
    Create,
    Describe,
    Finish,
    Log,
    Plan,
    ReportPart,
    SessionReport,
    Skip,
    Start,
    StepRef,
)
from progress_sse.core import commands
from progress_sse.core.log_lines import NewLine
from progress_sse.core.model import StepDefinition
from progress_sse.core.workflows import Workflows, profile_of
from progress_sse.store.progress_store import ProgressStore


class _Sent(TypedDict):
    """What every update says besides its content."""

    run: str | None
    attempt_id: str | None
    ago_ms: int


def to_command(request: ReportRequest, store: ProgressStore) -> commands.Command:
    """Return the command of a report.

    Raises:
        UnknownWorkflowError: No workflow has the name of a creation's.
    """
    report = request.report
    attempt_id = None if report.lease is None else report.lease.attempt_id
    sent = _Sent(run=request.run or None, attempt_id=attempt_id, ago_ms=request.ago_ms)
    match report:
        case Create():
            return _creation(report, store.workflows, attempt_id)
        case Start():
            return _start(report, store.start_command(_target(report.step), report.timeout_ms), sent)
        case Advance(step, current, total, message):
            return commands.Advance(_target(step), current, total, message, **sent)
        case Complete(step, success, message, error, conclusion):
            return commands.Complete(_target(step), success, message, error, conclusion=conclusion, **sent)
        case Skip(step, message):
            return commands.Skip(_target(step), message, **sent)
        case ReportPart(step, part, status, current, total, message, error):
            return commands.ReportPart(_target(step), part, status, current, total, message, error, **sent)
        case Beat(step):
            return commands.Beat(_target(step), **sent)
        case Log():
            return _lines(report, sent)
        case _:
            return _session_command(report, sent)


def _session_command(report: SessionReport, sent: _Sent) -> commands.Command:
    match report:
        case Finish(success, error, links, conclusion):
            return commands.Finish(success, error, conclusion, links, **sent)
        case Plan(steps):
            return commands.Plan(steps, **sent)
        case Describe(title, labels, links, accepts):
            return commands.Describe(title, labels, links, accepts, **sent)
        case Acknowledge(request, state, message):
            return commands.Acknowledge(request, state, message or None, **sent)


def _lines(log: Log, sent: _Sent) -> commands.AppendLines:
    lines = tuple(NewLine(line.text, line.level, line_age_ms(line, sent["ago_ms"])) for line in log.lines)
    return commands.AppendLines(lines, None if log.step is None else _target(log.step), **sent)


def _creation(report: Create, workflows: Workflows, attempt_id: str | None) -> commands.Create:
    return commands.Create(
        _definitions(report, workflows),
        report.replace,
        title=report.title,
        labels=dict(report.labels),
        links=report.links,
        open_ended=report.open_ended,
        accepts=report.accepts,
        attempt_id=attempt_id,
        is_timed=report.open_ended or any(said is not None for said in (report.steps, report.workflow, report.profile)),
        profile=profile_of(report.profile, report.workflow),
    )


def _definitions(report: Create, workflows: Workflows) -> tuple[StepDefinition, ...]:
    if report.steps is not None:
        return report.steps
    if report.workflow is not None:
        return workflows.named(report.workflow)
    return () if report.open_ended else workflows.named()


def _start(report: Start, start: commands.Start, sent: _Sent) -> commands.Start:
    lease = report.lease
    return start._replace(
        append=report.append,
        estimated_ms=report.estimated_ms,
        parts_total=report.parts_total,
        lease_ms=None if lease is None else lease.lease_ms,
        lost_after_ms=None if lease is None else lease.lost_after_ms,
        **sent,
    )


def _target(step: StepRef) -> commands.Target:
    return commands.StepName(step) if isinstance(step, str) else step
