"""`progress-sse step`, `create` and `finish`: each sends one report, and returns whether the server accepted it."""

import logging
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple, TypeAlias

from progress_sse.client.config import Address, address_of, is_disabled, link_to, session_of
from progress_sse.client.definitions import define
from progress_sse.client.errors import ReportError
from progress_sse.client.own_log import log
from progress_sse.client.report_queue import ReportQueue
from progress_sse.client.sync import Progress
from progress_sse.client.thread_sender import load_http, thread_sender
from progress_sse.core.errors import ConfigurationError

Action: TypeAlias = Literal["start", "progress", "complete", "fail", "skip"]

SEND_S: Final = 10.0
"""Seconds that a server may be away until the report counts as failed."""


class StepReport(NamedTuple):
    """A report of a step; a field that its action does not use is `None`."""

    action: Action
    message: str | None
    error: str | None
    current: int | None
    total: int | None
    timeout_ms: int | None


def reports_to(url: str | None, token: str | None) -> Address | None:
    """Return the server to report to; `None` if reporting is switched off.

    Raises:
        ConfigurationError: No server is named, or the URL is not valid.
    """
    if is_disabled(None):
        return None
    address = address_of(url, token)
    if address is None:
        raise ConfigurationError("Name the server by --url, or by PROGRESS_SSE_URL.")
    return address


def attach(session_id: str, url: str | None, token: str | None) -> Progress:
    """Return a progress for one report, which raises if the server does not accept it.

    It has no lease, since this process ends at once.

    Raises:
        ConfigurationError: The URL or the session id is not valid.
    """
    return Progress.attach(session_id, url=url, token=token, on_error="raise", flush_timeout_s=SEND_S, lease_s=None)


def send_report(session_id: str, number: int | str, report: StepReport, url: str | None, token: str | None) -> bool:
    """Send a report, and return whether the server accepted it; the log has the reason if it did not.

    Raises:
        ConfigurationError: No server is named, or the URL or the session id is not valid.
    """
    if reports_to(url, token) is None:
        return True
    progress = attach(session_id, url, token)
    try:
        _apply(progress, number, report)
        progress.close()
    except ReportError:
        return False
    return True


def _apply(progress: Progress, number: int | str, report: StepReport) -> None:
    step = progress.step(number, message=report.message or "", timeout_ms=report.timeout_ms)
    match report.action:
        case "start":
            step.start()
        case "progress":
            step.report(report.current or 0, report.total)
        case "complete":
            step.complete()
        case "fail":
            step.fail(report.error or "")
        case "skip":
            progress.skip(number, report.message or "")


def create_session(
    session_id: str,
    steps: Sequence[str] | None,
    url: str | None,
    token: str | None,
    *,
    workflow: str | None,
    open_ended: bool,
    profile: str | None,
    title: str | None,
    labels: Sequence[tuple[str, str]],
    links: Sequence[tuple[str, str]],
) -> str | None:
    """Create a session, and return the address of its page; `None` if the server did not accept it.

    The address is empty where reporting is switched off. The log has the reason of a refusal.

    Raises:
        ConfigurationError: No server is named, or the URL, the session id or the steps are not valid.
    """
    creation = define(steps, workflow, title, dict(labels), links, open_ended, profile)
    address = reports_to(url, token)
    if address is None:
        return ""
    load_http()
    queue = ReportQueue(session_of(session_id), address, thread_sender(), creation=creation, on_error="raise")
    queue.begin()
    thread_sender().wait([queue], SEND_S)
    is_settled = queue.is_settled
    if not is_settled:  # The end of the process would wait for the server again, and perhaps create the session yet.
        queue.give_up()
        log(logging.WARNING, "the process ends before all reports on %r were sent", queue.session_id)
    try:
        queue.raise_error()
    except ReportError:
        return None
    return link_to(address, session_id) if is_settled else None


def finish_session(
    session_id: str, error: str | None, links: Sequence[tuple[str, str]], url: str | None, token: str | None
) -> bool:
    """End a session, and return whether the server accepted it; the log has the reason if it did not.

    Raises:
        ConfigurationError: No server is named, or the URL or the session id is not valid.
    """
    if reports_to(url, token) is None:
        return True
    progress = attach(session_id, url, token)
    try:
        if error is None:
            progress.finish(links=links or None)
        else:
            progress.fail(error, links=links or None)
        progress.close()
    except ReportError:
        return False
    return True
