"""The command `list`; the module that does the work is imported when it is called."""

import sys

import click

from progress_sse.cli.client_commands import server_options
from progress_sse.cli.parameters import LABEL
from progress_sse.core.errors import ConfigurationError


@click.command(short_help="List sessions.")
@click.option("--prefix", default="", metavar="TEXT", help="Begins the ids of the sessions. [default: all sessions]")
@click.option(
    "--label", "labels", type=LABEL, multiple=True, metavar="KEY:VALUE", help="A label that they have; several: all."
)
@click.option("--status", type=click.Choice(["pending", "running", "completed", "error"]), help="The status they have.")
@click.option("--json", "is_json", is_flag=True, help="Print each as a line of JSON.")
@server_options
def list(  # noqa: A001  # the name of the command
    prefix: str,
    labels: tuple[str, ...],
    status: str | None,
    *,
    is_json: bool,
    url: str | None,
    token: str | None,
) -> None:
    """List the sessions of a server, newest first.

    With a token that may list some prefixes only, --prefix must lie within one of them.

    The exit status is 0, 1 if the server does not answer, 2 for a wrong use of this command, and 3 if the server does
    not allow to list these sessions.
    """
    from progress_sse.cli.list_sessions import list_sessions

    query = (("prefix", prefix), *(("label", label) for label in labels), *((("status", status),) if status else ()))
    try:
        sys.exit(list_sessions(query, url, token, is_json=is_json))
    except ConfigurationError as error:
        raise click.UsageError(str(error)) from error
