"""The commands `run`, `step` and `watch`; the module that does the work is imported when its command is called."""

import logging
import os
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import click

from progress_sse.cli.parameters import STEP
from progress_sse.core.errors import ConfigurationError
from progress_sse.observability.logs import TextFormatter

if TYPE_CHECKING:
    from progress_sse.cli.report_step import Action
    from progress_sse.cli.watch import Output

ENVIRONMENT: Final = "PROGRESS_SSE_"


def server_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that name the server."""
    for name, help_text in {
        "token": "A token of the server; safer in the environment, since lists of processes show arguments.",
        "url": "The URL of the server, such as http://127.0.0.1:8000.",
    }.items():
        command = click.option(f"--{name}", help=f"{help_text} [env: {ENVIRONMENT}{name.upper()}]")(command)
    return command


def log_to_stderr(level: int) -> None:
    """Write the log of reports to stderr."""
    handler = logging.StreamHandler()
    handler.setFormatter(TextFormatter("progress-sse: %(message)s"))  # It escapes the texts of servers.
    logger = logging.getLogger("progress_sse")
    logger.addHandler(handler)
    logger.setLevel(level)


@click.command(context_settings={"allow_interspersed_args": False}, short_help="Run a command as a step.")
@click.option("--session", "session_id", metavar="ID", help=f"The session. [env: {ENVIRONMENT}SESSION]")
@click.option(
    "--step", type=STEP, metavar="STEP", help="Which step of the session the command is: its number, or its name."
)
@click.option("--name", help="The name of the step, without --step. [default: the name of the command]")
@click.option(
    "--profile",
    help="The name under which the server learns from run to run what the command takes, without --step.",
)
@click.option(
    "--cancel",
    is_flag=True,
    help="Let readers stop it: by SIGTERM to its process group, and ten seconds later by SIGKILL. "
    "Beside a terminal the command alone gets them.",
)
@click.option(
    "--log",
    is_flag=True,
    help="Add each line that it writes to the log of the session, which all readers read. It then writes to a pipe.",
)
@server_options
@click.argument("command", nargs=-1, required=True, metavar="-- COMMAND [ARGS]...", type=click.UNPROCESSED)
def run(command: tuple[str, ...], step: int | str | None, name: str | None, **target: Any) -> None:
    """Run a command as a step, and end with its exit status: 0 completes the step, any other fails it.

    Without --step the session begins afresh, and the command is its only step.

    A failed step shows the end of what the command wrote to stderr. Signals to this process go to the command; if one
    ends it, the exit status is 128 and the number of the signal. The command finds the session in its environment. It
    runs whether or not there is a server to report to. While it runs, the server hears that it does: a step of which
    nothing is heard for half a minute is shown as stalled, and for ten minutes as lost.
    """
    if step is not None and (name is not None or target["profile"] is not None):
        raise click.UsageError(
            "--name and --profile are for a session that begins afresh; with --step the session is there already."
        )
    if sys.platform == "linux":
        from progress_sse.cli.run_command import Target
        from progress_sse.cli.run_command import run as run_command

        log_to_stderr(logging.INFO if os.isatty(2) else logging.WARNING)
        sys.exit(run_command(command, Target(step=step, name=name, **target)))
    raise click.ClickException("progress-sse run needs Linux; progress-sse step runs everywhere.")


_OPTIONS: Final = {
    "start": {"timeout_ms"},
    "progress": {"current", "total", "message"},
    "complete": {"message"},
    "fail": {"message", "error"},
    "skip": {"message"},
}
"""The options of each action of a step."""


@click.command(short_help="Report a step's start, progress or end.")
@click.argument("session_id", metavar="SESSION")
@click.argument("number", metavar="STEP", type=STEP)
@click.argument("action", type=click.Choice(list(_OPTIONS)))
@click.option("--message", help="A text that is shown with the step.")
@click.option("--error", help="The error of a failed step.")
@click.option("--current", type=click.IntRange(min=0), help="How many units are done: rows, files, per cent.")
@click.option("--total", type=click.IntRange(min=0), help="How many units there are in all. [default: unknown]")
@click.option(
    "--timeout-ms", type=click.IntRange(min=1), help="Milliseconds until it is overdue. [default: its definition's]"
)
@server_options
def step(
    session_id: str, number: int | str, action: "Action", url: str | None, token: str | None, **details: Any
) -> None:
    """Report that a step starts, how far it is, that it has ended, or that it is skipped, as it is not needed.

    STEP is its number, from 1, or its name. A name that an open-ended session does not have is a new step of it.

    The exit status is 0 once the server has accepted it, and 1 if the server refused it, or was away for ten seconds.
    """
    _check_details(action, details)
    from progress_sse.cli.report_step import StepReport, send_report

    log_to_stderr(logging.WARNING)
    try:
        is_accepted = send_report(session_id, number, StepReport(action, **details), url, token)
    except ConfigurationError as error:
        raise click.UsageError(str(error)) from error
    sys.exit(not is_accepted)


def _check_details(action: str, details: Mapping[str, Any]) -> None:
    for name, value in details.items():
        if value is not None and name not in _OPTIONS[action]:
            raise click.UsageError(f"--{name.replace('_', '-')} is not for {action}.")
    current, total = details["current"], details["total"]
    if action == "progress" and current is None:
        raise click.UsageError("progress needs --current.")
    if None not in (current, total) and current > total:
        raise click.UsageError("--current must not be more than --total.")


@click.command(short_help="Follow a session until its end.")
@click.argument("session_id", metavar="SESSION")
@click.option(
    "--output",
    type=click.Choice(["auto", "tty", "plain", "json", "quiet"]),
    default="auto",
    help="Drawn live on a terminal, a line for each change, the whole state as a line of JSON, or nothing. "
    "[default: tty on a terminal, else plain]",
)
@click.option("--log", "has_log", is_flag=True, help="Print the lines of its log, too, as they come.")
@server_options
def watch(session_id: str, output: "Output", url: str | None, token: str | None, has_log: bool) -> None:
    """Follow a session live until it is completed or has failed.

    The exit status is 0 for completed, 1 for failed, cancelled or lost, 2 for a wrong use of this command, and 3 if the
    server does not allow to read the session.
    """
    from progress_sse.cli.watch import watch as watch_session

    try:
        sys.exit(watch_session(session_id, output, url, token, has_log=has_log))
    except ConfigurationError as error:
        raise click.UsageError(str(error)) from error
