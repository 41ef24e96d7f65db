"""The commands `create` and `finish`; what does the work is imported when one is called."""

import logging
import sys
from typing import Any

import click

from progress_sse.cli.client_commands import log_to_stderr, server_options
from progress_sse.cli.parameters import PAIR
from progress_sse.core.errors import ConfigurationError


@click.command(short_help="Create a session.")
@click.argument("session_id", metavar="SESSION")
@click.option("--steps", metavar="NAME,NAME...", help="The names of its steps. [default: those of the server]")
@click.option("--workflow", metavar="NAME", help="The name of steps that the server knows.")
@click.option("--open-ended", is_flag=True, help="It gets its steps as they start, and ends by progress-sse finish.")
@click.option(
    "--profile",
    metavar="NAME",
    help="The name under which the server learns what its steps take from run to run. [default: its workflow]",
)
@click.option("--title", help="Its name for people.")
@click.option("--label", "labels", type=PAIR, multiple=True, metavar="KEY=VALUE", help="A text by which it is found.")
@click.option("--link", "links", type=PAIR, multiple=True, metavar="LABEL=URL", help="A page about it.")
@server_options
def create(session_id: str, steps: str | None, url: str | None, token: str | None, **said: Any) -> None:
    """Create a session, in place of one of that id, and print the address of its page.

    All readers of the session read its title, labels and links.

    The exit status is 0 once the server has accepted it, and 1 if the server refused it, or was away for ten seconds.
    """
    from progress_sse.cli.report_session import create_session

    log_to_stderr(logging.WARNING)
    names = None if steps is None else [name.strip() for name in steps.split(",")]
    try:
        link = create_session(session_id, names, url, token, **said)
    except ConfigurationError as error:
        raise click.UsageError(str(error)) from error
    if link is None:
        sys.exit(1)
    if link:
        click.echo(link)


@click.command(short_help="End a session.")
@click.argument("session_id", metavar="SESSION")
@click.option("--error", help="Why it failed. [default: it succeeded]")
@click.option("--link", "links", type=PAIR, multiple=True, metavar="LABEL=URL", help="A page about its result.")
@server_options
def finish(session_id: str, error: str | None, links: tuple[tuple[str, str], ...], **server: str | None) -> None:
    """End a session: with success, or with --error as failure.

    With success its running steps succeed, and steps that were never started are skipped. With failure its running
    steps fail.

    The exit status is 0 once the server has accepted it, and 1 if the server refused it, or was away for ten seconds.
    """
    from progress_sse.cli.report_session import finish_session

    log_to_stderr(logging.WARNING)
    try:
        is_accepted = finish_session(session_id, error, links, **server)
    except ConfigurationError as failure:
        raise click.UsageError(str(failure)) from failure
    sys.exit(not is_accepted)
