"""`progress-sse step`, `create` and `finish`: each sends one report, and returns whether the server accepted it.

The whole takes `within_s` seconds at most, for which the server may be away.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias
from urllib.parse import quote

from progress_sse._internal.http_library import httpx
from progress_sse.cli.responses import NotAllowedError, UnexpectedResponseError, client_of, get, read_json, run
from progress_sse.client.config import Address, link_to, session_of
from progress_sse.client.definitions import define
from progress_sse.client.errors import ReportError
from progress_sse.client.own_log import log
from progress_sse.client.report_queue import ReportQueue
from progress_sse.client.sync import Progress
from progress_sse.client.thread_sender import load_http, thread_sender

Action: TypeAlias = Literal["start", "progress", "complete", "fail", "skip"]


def report_step(
    session_id: str,
    number: int | str,
    action: Action,
    server: Address | None,
    within_s: float,
    *,
    message: str | None,
    error: str | None,
    current: int | None,
    total: int | None,
    timeout_ms: int | None,
    create: bool | None,
) -> bool:
    """Report on a step, and return whether the server accepted that; the log has the reason if it did not.

    A detail that the action does not use is `None`. A start that would create the session is not sent without `create`:
    its id may be mistyped.

    Raises:
        ConfigurationError: The session id or the step is not valid.
    """
    until = time.monotonic() + within_s
    needs_session = action == "start" and not create
    if server is not None and needs_session and _is_missing(session_of(session_id), server, within_s):
        ways = "progress-sse create --steps NAME,NAME, or this step with --create, begins it"
        log(logging.WARNING, "there is no session %r; %s", session_id, ways)
        return False

    def report(progress: Progress) -> None:
        step = progress.step(number, message=message or "", timeout_ms=timeout_ms)
        match action:
            case "start":
                step.start()
            case "progress":
                step.report(current or 0, total)
            case "complete":
                step.complete()
            case "fail":
                step.fail(error or "")
            case "skip":
                progress.skip(number, message or "")

    return _send(session_id, server, until - time.monotonic(), report)


def _is_missing(session_id: str, server: Address, within_s: float) -> bool:
    """Return whether the server says that there is no such session."""

    async def ask() -> bool:
        async with asyncio.timeout(within_s), client_of(server) as client:
            answer = await get(client, f"/api/progress/{quote(session_id, safe='')}")
            return read_json(*answer, lambda session: bool(session["status"] == "not_found"))

    try:
        return run(ask())
    except (TimeoutError, httpx.HTTPError, NotAllowedError, UnexpectedResponseError):
        return False  # The report itself will fail, and the log has the reason.


def finish_session(
    session_id: str, error: str | None, links: Sequence[tuple[str, str]], server: Address | None, within_s: float
) -> bool:
    """End a session, and return whether the server accepted that; the log has the reason if it did not.

    Raises:
        ConfigurationError: The session id is not valid.
    """

    def report(progress: Progress) -> None:
        if error is None:
            progress.finish(links=links or None)
        else:
            progress.fail(error, links=links or None)

    return _send(session_id, server, within_s, report)


def _send(session_id: str, server: Address | None, within_s: float, report: Callable[[Progress], None]) -> bool:
    """Send a report, and return whether the server accepted it in time; the log has the reason if it did not.

    It has no lease, since this process ends at once. Without a `server` reporting is switched off.
    """
    if server is None:
        return True
    progress = Progress.attach(
        session_id,
        url=server.url,
        token=server.token,
        on_error="raise",
        flush_timeout_s=max(0.0, within_s),
        lease_s=None,
    )
    try:
        report(progress)
        progress.close()
    except ReportError:
        return False
    return True


def create_session(
    session_id: str,
    steps: Sequence[str] | None,
    server: Address | None,
    within_s: float,
    *,
    workflow: str | None,
    open_ended: bool,
    profile: str | None,
    title: str | None,
    labels: Sequence[tuple[str, str]],
    links: Sequence[tuple[str, str]],
) -> str | None:
    """Create a session, and return the address of its page; `None` if the server did not accept it.

    The log has the reason of a refusal. Without a `server` reporting is switched off, and the address is empty.

    Raises:
        ConfigurationError: The session id or the steps are not valid.
    """
    creation = define(steps, workflow, title, dict(labels), links, open_ended, profile)
    if server is None:
        return ""
    load_http()
    queue = ReportQueue(session_of(session_id), server, thread_sender(), creation=creation, on_error="raise")
    queue.begin()
    thread_sender().wait([queue], within_s)
    is_settled = queue.is_settled
    if not is_settled:  # The end of the process would wait for the server again, and perhaps create the session yet.
        queue.give_up()
        log(logging.WARNING, "the process ends before all reports on %r were sent", queue.session_id)
    try:
        queue.raise_error()
    except ReportError:
        return None
    return link_to(server, session_id) if is_settled else None
