"""A job's page as a notebook shows it: in a frame where the server allows that, and by a link."""

import re
from collections.abc import Mapping
from contextlib import suppress
from contextvars import copy_context
from html import escape
from queue import Empty
from typing import Final

from progress_sse._internal.threads import SimpleQueue, here, loading, run_apart, start_new_thread, take

ANSWER_S: Final = 1.0
"""Seconds that a notebook waits for the server; after that it gets a link."""

FRAME_PX: Final = 220
"""Height of the frame: the compact page of a job that runs, with labels and closed steps. More is scrolled."""

SANDBOX: Final = " ".join(
    f"allow-{what}" for what in ("downloads", "forms", "popups", "popups-to-escape-sandbox", "same-origin", "scripts")
)
"""What the page needs for its stream, its buttons and the job's links. It may not navigate the notebook."""

_ANCESTORS: Final = re.compile(r"(?:^|[;,])\s*frame-ancestors(?![^\s;,])([^;,]*)")


def page_html(session_id: str, link: str | None) -> str:
    """Return HTML that shows the page at `link`, or a text where there is none. Raises nothing.

    Asks for the page without a token, as browsers do, and waits `ANSWER_S` at most.
    """
    if link is None:
        return escape(f"Progress of {session_id}, which has no page.") if session_id else "Progress is not reported."
    url = escape(link)
    name = escape(session_id)
    shown = f'<a href="{url}" target="_blank" rel="noopener noreferrer">Progress of {name}</a>'
    if not _may_be_framed(link):
        return shown
    looks = f'width="100%" height="{FRAME_PX}" style="border: 0" sandbox="{SANDBOX}" referrerpolicy="no-referrer"'
    return f'<iframe src="{url}?compact" title="Progress of {name}" {looks}></iframe><br>{shown}'


def _may_be_framed(link: str) -> bool:
    answers: SimpleQueue[bool] = SimpleQueue()
    with suppress(RuntimeError, Empty):  # No further thread is possible, or no answer came in time.
        # In a thread, since nothing limits the time of a look-up of the host, or of all parts of an answer together.
        start_new_thread(run_apart, (here(), copy_context().run, _ask, link, answers))
        return take(answers, ANSWER_S)
    return False


def _ask(link: str, answers: SimpleQueue[bool]) -> None:
    is_allowed = False
    with suppress(Exception):  # Whatever fails, a link remains.
        with loading():
            from progress_sse._internal.http_library import httpx

            client = httpx.Client(timeout=ANSWER_S, verify=link.lower().startswith("https:"))
        with client:
            answer = client.head(link)
        is_allowed = answer.status_code == 200 and allows_frames(answer.headers)
    answers.put(is_allowed)


def allows_frames(headers: Mapping[str, str]) -> bool:
    """Return whether other origins, of which the notebook may be any, may show a page in a frame [CSP3 §6.4.2]."""
    if re.search("deny|sameorigin", headers.get("x-frame-options", ""), re.IGNORECASE):
        return False
    policies = headers.get("content-security-policy", "").lower()
    return all(set(sources.split()) - {"'none'", "'self'"} for sources in _ANCESTORS.findall(policies))
