"""What is sent in place of a report that the server has refused. Pure."""

import uuid
from dataclasses import replace

from progress_sse.client.exchange import ReportAnswer
from progress_sse.client.reports import Acknowledge, Create, Describe, Report, Start
from progress_sse.client.waiting_reports import Operation


def has_details(report: Report) -> bool:
    """Return whether a report is a creation with what readers find beside the steps."""
    return isinstance(report, Create) and bool(
        report.title is not None or report.labels or report.links or report.accepts
    )


def is_courtesy(report: Report) -> bool:
    """Return whether a report is the client's own, which the job does not miss: about the requests of readers."""
    return isinstance(report, Acknowledge) or (
        isinstance(report, Describe) and report == Describe(accepts=report.accepts)
    )


def is_refused_append(report: Report, answer: ReportAnswer) -> bool:
    """Return whether a step was to be appended to a session whose steps are fixed."""
    return isinstance(report, Start) and report.append and answer.problem == "unknown-step-name"


def in_place(operation: Operation) -> Operation:
    """Return an operation as one that was never sent; a start takes the step of that name."""
    report = operation.report
    return Operation(replace(report, append=False) if isinstance(report, Start) else report, made_at=operation.made_at)


def without_details(operation: Operation) -> Operation:
    """Return a creation without its title, labels, links and the requests that it takes.

    The key derives from that of the creation, so processes that share the run by a fork create it once.
    """
    assert isinstance(operation.report, Create)
    creation = replace(operation.report, title=None, labels={}, links=(), accepts=())
    return Operation(creation, str(uuid.uuid5(uuid.UUID(operation.key), "without details")))
