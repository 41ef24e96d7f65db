"""`progress-sse watch`: follows a session, shows it, and ends with its outcome as the exit status."""

import os
import signal
import sys
from contextlib import closing, suppress
from typing import Final, Literal, TypeAlias

import click

from progress_sse._internal.optional_imports import from_extra
from progress_sse._internal.terminal_progress import on_stderr
from progress_sse.cli.display import Display, JsonDisplay, PlainDisplay
from progress_sse.cli.follower import follow
from progress_sse.cli.responses import NotAllowedError, run
from progress_sse.client.config import Address, session_of
from progress_sse.core.errors import ConfigurationError

Output: TypeAlias = Literal["auto", "tty", "plain", "json", "quiet"]

COMPLETED: Final = 0
FAILED: Final = 1
NOT_ALLOWED: Final = 3
TERMINATED: Final = 143
"""Exit statuses; the last one is 128 and the signal's number."""


def watch(session_id: str, output: Output, server: Address, *, has_log: bool, no_osc: bool) -> int:
    """Show a session until it is completed or has failed, and return the exit status.

    With `has_log` the session's log is shown, too.

    Raises:
        ConfigurationError: The session id or the environment cannot be used, or `output` needs a missing package.
    """
    session_id = session_of(session_id)
    # The display must leave the terminal as it was, also after this signal.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    try:
        tab = on_stderr(no_osc=no_osc or output == "quiet")
        with _display(output, session_id, server.url) as display, closing(tab) as display.tab:
            state = run(follow(server, session_id, display, has_log=has_log))
    except NotAllowedError as error:
        click.echo(f"progress-sse: {error}", err=True)
        return NOT_ALLOWED
    return COMPLETED if state["status"] == "completed" else FAILED


def _display(output: Output, session_id: str, server_url: str) -> Display:
    if output == "json":
        return JsonDisplay()
    if output == "quiet":
        return Display()
    if output == "tty" or (output == "auto" and os.isatty(1)):
        errors = [ConfigurationError] if output == "auto" else []  # Lines need no package.
        with suppress(*errors), from_extra("server", "rich", need="--output tty needs"):
            from progress_sse.cli.terminal import Terminal  # Rich takes time to load.

            terminal = Terminal(session_id, server_url)
            if output == "tty" or terminal.can_draw:
                return terminal
    return PlainDisplay(server_url)
