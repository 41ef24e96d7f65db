"""`progress-sse step`: one report, and whether it was taken."""

from typing import Literal, NamedTuple, TypeAlias

from progress_sse.client.config import Options, address_of, is_disabled
from progress_sse.client.errors import ReportError
from progress_sse.client.sync import Progress
from progress_sse.core.errors import ConfigurationError

Action: TypeAlias = Literal["start", "progress", "complete", "fail"]


class Told(NamedTuple):
    """What to report of a step; what its action has no use for is `None`."""

    action: Action
    message: str | None
    error: str | None
    current: int | None
    total: int | None
    timeout_ms: int | None


def report(session_id: str, number: int, told: Told, url: str | None, token: str | None) -> bool:
    """Report, and return whether that was taken; why not is in the log by then.

    Raises:
        ConfigurationError: There is no server named, or it or the session cannot be one.
    """
    if is_disabled(None):
        return True
    if address_of(url, token) is None:
        raise ConfigurationError("Name the server by --url, or by PROGRESS_SSE_URL.")
    options: Options = {"url": url, "token": token, "on_error": "raise"}
    progress = Progress.attach(session_id, **options)
    try:
        _tell(progress, number, told)
        if not progress.flush():
            return False
        progress.close()
    except ReportError:
        return False
    return True


def _tell(progress: Progress, number: int, told: Told) -> None:
    step = progress.step(number, message=told.message or "", timeout_ms=told.timeout_ms)
    match told.action:
        case "start":
            step.start()
        case "progress":
            step.report(told.current or 0, told.total)
        case "complete":
            step.complete()
        case "fail":
            step.fail(told.error or "")
