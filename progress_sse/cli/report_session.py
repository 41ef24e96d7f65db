"""`progress-sse create` and `finish`: one report on a session, and whether the server accepted it."""

import logging
from collections.abc import Sequence

from progress_sse.cli.report_step import SEND_S, attach, reports_to
from progress_sse.client.config import link_to, session_of
from progress_sse.client.definitions import define
from progress_sse.client.errors import ReportError
from progress_sse.client.own_log import log
from progress_sse.client.report_queue import ReportQueue
from progress_sse.client.thread_sender import load_http, thread_sender


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
