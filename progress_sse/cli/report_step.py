"""`progress-sse step`: sends one report of a step, and returns whether the server accepted it."""

from typing import Final, Literal, NamedTuple, TypeAlias

from progress_sse.client.config import Options, address_of, is_disabled
from progress_sse.client.errors import ReportError
from progress_sse.client.sync import Progress
from progress_sse.core.errors import ConfigurationError

Action: TypeAlias = Literal["start", "progress", "complete", "fail"]

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


def send_report(session_id: str, number: int, report: StepReport, url: str | None, token: str | None) -> bool:
    """Send a report, and return whether the server accepted it; the log has the reason if it did not.

    Raises:
        ConfigurationError: No server is named, or the URL or the session id is not valid.
    """
    if is_disabled(None):
        return True
    if address_of(url, token) is None:
        raise ConfigurationError("Name the server by --url, or by PROGRESS_SSE_URL.")
    options: Options = {"url": url, "token": token, "on_error": "raise", "flush_timeout_s": SEND_S}
    progress = Progress.attach(session_id, **options)
    try:
        _apply(progress, number, report)
        progress.close()
    except ReportError:
        return False
    return True


def _apply(progress: Progress, number: int, report: StepReport) -> None:
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
