"""The commands of clients; what does the work is imported when one is called."""

import logging
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, get_args

import click

from progress_sse.core.errors import ConfigurationError
from progress_sse.core.session_filter import ListStatus
from progress_sse.observability.logs import TextFormatter

if TYPE_CHECKING:
    from progress_sse.cli.reports import Action
    from progress_sse.cli.watch import Output
    from progress_sse.client.config import Address


class ClientCommand(click.Command):
    """Reports values that cannot be used, of options or of the environment, as a wrong use."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except ConfigurationError as error:
            raise click.UsageError(str(error), ctx) from error


def _step_of(ctx: click.Context, param: click.Parameter, value: str | None) -> int | str | None:
    """Return a step's number or its name; digits are always a number."""
    if value is None or not value.removeprefix("-").isdecimal():
        if value == "":
            raise click.BadParameter("a step has a number or a name")
        return value
    number: int = click.IntRange(min=1)(value, param, ctx)
    return number


def _split_at(sign: str) -> Callable[[click.Context, click.Parameter, Sequence[str]], Sequence[tuple[str, str]]]:
    """Return a callback that splits each value of an option at the first `sign`, before which there must be a text."""

    def split(_ctx: click.Context, param: click.Parameter, values: Sequence[str]) -> Sequence[tuple[str, str]]:
        pairs = []
        for value in values:
            left, found, right = value.partition(sign)
            if not left or not found:
                raise click.BadParameter(f"{value!r} is not of the form {param.metavar}")
            pairs.append((left, right))
        return pairs

    return split


ENVIRONMENT: Final = "PROGRESS_SSE_"

SEND_S: Final = 10.0
"""Seconds that a server may be away until a report counts as failed."""

_ACCEPTED: Final = (
    "The exit status is 0 once the server has accepted the report, and 1 if the server refused it "
    f"or was away for {SEND_S:g} seconds."
)
"""The last paragraph of the help of each command that sends one report."""

no_osc: Final = click.option("--no-osc", is_flag=True, help="Do not show progress in the terminal's tab (OSC 9;4).")


token_option: Final = click.option(
    "--token",
    help="A token of the server. It is safer in the environment, since lists of processes show arguments. "
    f"[env: {ENVIRONMENT}TOKEN]",
)


def server_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that name the server."""
    url = click.option("--url", help=f"The URL of the server, such as http://127.0.0.1:8000. [env: {ENVIRONMENT}URL]")
    return url(token_option(command))


def server_of(url: str | None, token: str | None) -> "Address":
    """Return the server that the options or the environment name.

    Raises:
        ConfigurationError: Neither names a server, or the URL is not valid.
    """
    from progress_sse.client.config import address_of

    address = address_of(url, token)
    if address is None:
        raise ConfigurationError("Name the server by --url, or by PROGRESS_SSE_URL.")
    return address


def _server_to_report_to(url: str | None, token: str | None) -> "Address | None":
    """Return the server; `None` if reporting is switched off. Warnings of the client go to stderr from now on.

    Raises:
        ConfigurationError: No server is named, or the URL is not valid.
    """
    from progress_sse.client.config import is_disabled

    _log_to_stderr(logging.WARNING)
    return None if is_disabled(None) else server_of(url, token)


def _log_to_stderr(level: int) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(TextFormatter("progress-sse: %(message)s"))  # It escapes the texts of servers.
    logger = logging.getLogger("progress_sse")
    logger.addHandler(handler)
    logger.setLevel(level)


@click.command(
    cls=ClientCommand, context_settings={"allow_interspersed_args": False}, short_help="Run a command as a step."
)
@click.option("--session", "session_id", metavar="ID", help=f"The session. [env: {ENVIRONMENT}SESSION]")
@click.option(
    "--step",
    callback=_step_of,
    metavar="STEP",
    help="The step of the session that the command is: its number or its name.",
)
@click.option("--name", help="Without --step, the name of the step. [default: the name of the command]")
@click.option(
    "--profile",
    help="Without --step, the name under which the server learns from run to run how long the command takes.",
)
@click.option(
    "--cancel",
    is_flag=True,
    help="Let readers stop the command: its process group gets SIGTERM, and ten seconds later SIGKILL. "
    "Beside a terminal the command alone gets these signals, unless --progress gives it a terminal of its own.",
)
@click.option(
    "--log",
    is_flag=True,
    help="Add each line that the command writes to the session's log, which all readers can read. "
    "The command then writes to a pipe.",
)
@click.option(
    "--progress",
    type=click.Choice(["auto"]),
    help="Report the progress that the command writes: bars, percentages, counts, and lines ::step NAME.",
)
@click.option(
    "--pty",
    is_flag=True,
    help="With --progress auto, let the command write to a terminal even where progress-sse does not.",
)
@no_osc
@server_options
@click.argument("command", nargs=-1, required=True, metavar="-- COMMAND [ARGS]...", type=click.UNPROCESSED)
def run(command: tuple[str, ...], step: int | str | None, name: str | None, **target: Any) -> None:
    """Run a command as a step, and end with its exit status: 0 completes the step, any other fails it.

    Without --step the session begins afresh, and the command is its only step.

    A failed step shows the end of what the command wrote to stderr. Signals to this process go to the command. If a
    signal ends the command, the exit status is 128 plus the signal's number. The command finds the session in its
    environment. It runs whether or not there is a server to report to. While it runs, the server receives signs of
    life. A step without one for half a minute is shown as stalled, and after ten minutes as lost.

    With --progress auto the command has a terminal of its own for each of our streams that is a terminal, and a pipe
    for each that is a pipe. Bytes, keys, the size of the terminal and stops are as without progress-sse. A stdout that
    is a file stays that file, and is not read. At a terminal, a last line on stderr names what was found.

    A line ::step NAME begins a step. The first such line begins the session anew, with that step in place of the
    command; lines that were logged before are lost. With --step, the name is shown as a message instead.
    """
    if step is not None and (name is not None or target["profile"] is not None):
        raise click.UsageError(
            "--name and --profile are for a session that begins afresh; with --step the session exists already."
        )
    if target["pty"] and target["progress"] is None:
        raise click.UsageError("--pty needs --progress auto.")
    if sys.platform == "linux":
        from progress_sse.cli.run_command import Target
        from progress_sse.cli.run_command import run as run_command

        _log_to_stderr(logging.INFO if os.isatty(2) else logging.WARNING)
        sys.exit(run_command(command, Target(step=step, name=name, **target)))
    raise click.ClickException("progress-sse run needs Linux; progress-sse step runs everywhere.")


_OPTIONS: Final = {
    "start": {"timeout_ms", "create"},
    "progress": {"current", "total", "message"},
    "complete": {"message"},
    "fail": {"message", "error"},
    "skip": {"message"},
}
"""The options of each action of a step."""


@click.command(cls=ClientCommand, short_help="Report a step's start, progress or end.", epilog=_ACCEPTED)
@click.argument("session_id", metavar="SESSION")
@click.argument("number", metavar="STEP", callback=_step_of)
@click.argument("action", type=click.Choice(list(_OPTIONS)))
@click.option("--message", help="A text that is shown with the step.")
@click.option("--error", help="The error of a failed step.")
@click.option("--current", type=click.IntRange(min=0), help="How many units are done: rows, files, per cent.")
@click.option("--total", type=click.IntRange(min=0), help="How many units there are in all. [default: unknown]")
@click.option(
    "--timeout-ms",
    type=click.IntRange(min=1),
    help="Milliseconds until the step is overdue. [default: that of its definition]",
)
@click.option("--create", is_flag=True, default=None, help="Create the session if it does not exist.")
@server_options
def step(
    session_id: str, number: int | str, action: "Action", url: str | None, token: str | None, **details: Any
) -> None:
    """Report the start, the progress or the end of a step, or that the step is skipped because it is not needed.

    STEP is the number of the step, from 1, or its name. In an open-ended session, a new name is a new step.
    """
    for name, value in details.items():
        if value is not None and name not in _OPTIONS[action]:
            raise click.UsageError(f"--{name.replace('_', '-')} is not for {action}.")
    current = details["current"]
    total = details["total"]
    if action == "progress" and current is None:
        raise click.UsageError("progress needs --current.")
    if None not in (current, total) and current > total:
        raise click.UsageError("--current must not be more than --total.")
    from progress_sse.cli.reports import report_step

    sys.exit(not report_step(session_id, number, action, _server_to_report_to(url, token), SEND_S, **details))


@click.command(cls=ClientCommand, short_help="Follow a session until its end.")
@click.argument("session_id", metavar="SESSION")
@click.option(
    "--output",
    type=click.Choice(["auto", "tty", "plain", "json", "quiet"]),
    default="auto",
    help="tty draws the session live on a terminal, and plain prints a line for each change. "
    "json prints the whole state after each change, as a line of JSON, and quiet prints nothing. "
    "[default: tty on a terminal, else plain]",
)
@click.option("--log", "has_log", is_flag=True, help="Also print the lines of the session's log as they arrive.")
@no_osc
@server_options
def watch(session_id: str, output: "Output", *, has_log: bool, no_osc: bool, **server: str | None) -> None:
    """Follow a session live until it is completed or has failed.

    The exit status is 0 if the session completed, and 1 if it failed, was cancelled or was lost. It is 2 if this
    command is used wrongly, and 3 if the server does not allow reading the session.
    """
    from progress_sse.cli.watch import watch as watch_session

    sys.exit(watch_session(session_id, output, server_of(**server), has_log=has_log, no_osc=no_osc))


@click.command(cls=ClientCommand, short_help="Create a session.", epilog=_ACCEPTED)
@click.argument("session_id", metavar="SESSION")
@click.option("--steps", metavar="NAME,NAME...", help="The names of the steps. [default: the server's own steps]")
@click.option("--workflow", metavar="NAME", help="The name of a list of steps that the server knows.")
@click.option(
    "--open-ended", is_flag=True, help="The session gets its steps as they start, and progress-sse finish ends it."
)
@click.option(
    "--profile",
    metavar="NAME",
    help="The name under which the server learns from run to run how long the steps take. [default: the workflow]",
)
@click.option("--title", help="The session's name for people.")
@click.option(
    "--label",
    "labels",
    callback=_split_at("="),
    multiple=True,
    metavar="KEY=VALUE",
    help="A text by which the session can be found.",
)
@click.option(
    "--link", "links", callback=_split_at("="), multiple=True, metavar="LABEL=URL", help="A page about the session."
)
@server_options
def create(session_id: str, steps: str | None, url: str | None, token: str | None, **details: Any) -> None:
    """Create a session, and print the address of its page. The session replaces an earlier one of the same id.

    All readers of the session can read its title, labels and links.
    """
    from progress_sse.cli.reports import create_session

    names = None if steps is None else [name.strip() for name in steps.split(",")]
    link = create_session(session_id, names, _server_to_report_to(url, token), SEND_S, **details)
    if link is None:
        sys.exit(1)
    if link:
        click.echo(link)


@click.command(cls=ClientCommand, short_help="End a session.", epilog=_ACCEPTED)
@click.argument("session_id", metavar="SESSION")
@click.option("--error", help="Why the session failed. [default: it succeeded]")
@click.option(
    "--link",
    "links",
    callback=_split_at("="),
    multiple=True,
    metavar="LABEL=URL",
    help="A page about the session's result.",
)
@server_options
def finish(session_id: str, error: str | None, links: Sequence[tuple[str, str]], **server: str | None) -> None:
    """End a session as successful or, with --error, as failed.

    If it is successful, its running steps succeed, and steps that never started are skipped. If it failed, its running
    steps fail.
    """
    from progress_sse.cli.reports import finish_session

    sys.exit(not finish_session(session_id, error, links, _server_to_report_to(**server), SEND_S))


_STATUS: Final = click.Choice(get_args(ListStatus))


@click.command(cls=ClientCommand, short_help="List sessions.")
@click.option("--prefix", default="", metavar="TEXT", help="How the ids of the sessions begin. [default: all sessions]")
@click.option(
    "--label",
    "labels",
    callback=_split_at(":"),
    multiple=True,
    metavar="KEY:VALUE",
    help="A label of the sessions. Of several, a session must have all.",
)
@click.option(
    "--status",
    "statuses",
    type=_STATUS,
    multiple=True,
    help="A state of the sessions. Of several, a session must be in one.",
)
@click.option("--json", "is_json", is_flag=True, help="Print each session as a line of JSON.")
@server_options
def list(  # noqa: A001  # the command
    prefix: str, labels: Sequence[tuple[str, str]], statuses: Sequence[str], *, is_json: bool, **server: str | None
) -> None:
    """List the sessions of a server, newest first.

    With a token that may list only some prefixes, --prefix must lie within one of them.

    The exit status is 0 on success, and 1 if the server does not answer. It is 2 if this command is used wrongly, and 3
    if the server does not allow listing these sessions.
    """
    from progress_sse.cli.list_sessions import list_sessions

    named = [*(("label", ":".join(each)) for each in labels), *(("status", each) for each in statuses)]
    sys.exit(list_sessions((("prefix", prefix), *named), server_of(**server), is_json=is_json))


@click.command(cls=ClientCommand, short_help="Examine the way from here to a server, or to any event stream.")
@click.argument("url", required=False)
@token_option
@click.option("--session", "session_id", metavar="ID", help="A session to read. [default: one of its own]")
@click.option("--origin", help="The origin of pages that another server serves, such as https://app.example.")
@click.option(
    *("--listen", "listen_s"),
    type=click.FloatRange(1, 3600),
    metavar="SECONDS",
    default=35,
    help="How long to listen to the stream. [default: 35]",
)
def doctor(url: str | None, token: str | None, session_id: str | None, origin: str | None, listen_s: float) -> None:
    """Examine the way from here to the server or event stream at URL [env: PROGRESS_SSE_URL], as browsers use it.

    The doctor listens to an event stream for --listen seconds, or until two comments have arrived, and then reconnects
    once. On a progress server it also creates a session of its own, reports on it, and removes it. Where the server has
    tokens, that needs a token that may publish. A session that is named by --session, or by the URL of its page, is
    only read.

    Each check prints a line: ok, warning, fault or skipped, what that means, and what to change. For a change of the
    proxy in front, the line names the setting. The examination takes a little over two heartbeats of the server (half a
    minute by default), and 110 seconds at most, unless --listen asks for more.

    The exit status is 0 if all is well, 1 if there are warnings, and 2 if there is a fault or this command is used
    wrongly.
    """
    from progress_sse.cli.doctor import examined
    from progress_sse.cli.doctor.findings import exit_status, line, summary

    findings = examined(url, token, session_id, origin, listen_s)
    for name, finding in findings.items():
        click.echo(line(name, finding))
    results = [*findings.values()]
    click.echo(summary(results))
    sys.exit(exit_status(results))
