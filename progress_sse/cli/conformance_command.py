"""The command `progress-sse conformance`."""

import asyncio
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from progress_sse._internal.http_library import httpx
from progress_sse.cli.client_commands import ClientCommand, server_of, token_option
from progress_sse.cli.responses import client_of, run, words_of
from progress_sse.client.config import Address
from progress_sse.conformance.open_stream import DEADLINE_S
from progress_sse.conformance.player import Played, play
from progress_sse.conformance.report import junit, rules_of, table
from progress_sse.conformance.vectors import LEVELS, Conversation, Level, conversations, servers, up_to

UNANSWERED: Final = 2
"""The exit status if the server does not answer."""

MAX_LATE: Final = 3
"""Conversations with an answer that does not end in time, after which the others are left out."""


@click.command(cls=ClientCommand, short_help="Check whether a server keeps the protocol.")
@click.argument("url")
@click.option("--level", type=click.Choice(LEVELS), help="Check this level and those below. [default: all]")
@click.option("--server", type=click.Choice(list(servers())), help="The settings of tests/corpus that the server has.")
@token_option
@click.option(
    "--junit",
    "report",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Also write the results as JUnit XML.",
)
def conformance(url: str, level: Level | None, server: str | None, token: str | None, report: Path | None) -> None:
    """Check whether the server at URL keeps the protocol.

    The command replays recorded conversations. Each requirement has a line: pass, FAIL with the exchange that failed,
    or - if an earlier failure kept its exchange from being played. Without --server the server must have its default
    settings. The command creates sessions with random ids, and removes them at the end.

    The exit status is 0 if all requirements hold, and 1 if one does not. It is 2 if the server does not answer, or if
    this command is used wrongly. An answer may take ten seconds; after three that took longer, the rest is left out.
    """
    chosen = conversations(*(LEVELS if level is None else up_to(level)), server=server)
    try:
        rules = rules_of(run(_played(server_of(url, token), chosen)))
    except httpx.HTTPError as error:
        click.echo(f"progress-sse: {words_of(error)}", err=True)
        sys.exit(UNANSWERED)
    for line in table(rules):
        click.echo(line)
    if report is not None:
        report.write_bytes(junit(rules))
    sys.exit(any(rule.state != "pass" for rule in rules))


async def _played(address: Address, chosen: Sequence[Conversation]) -> Sequence[Played]:
    async with client_of(address) as client:
        await _answered(client)
        played: list[Played] = []
        for each in chosen:
            if sum(one.is_late for one in played) < MAX_LATE:
                played.append(await play(client, each, f"{secrets.token_hex(4)}-"))
            else:
                played.append(Played(each, 0, []))
        return played


async def _answered(client: httpx.AsyncClient) -> None:
    """Wait until the server begins to answer, or raise an `httpx.HTTPError`."""
    request = client.build_request("GET", "/api/progress/here")
    try:
        async with asyncio.timeout(DEADLINE_S):
            await (await client.send(request, stream=True)).aclose()
    except TimeoutError:
        raise httpx.ReadTimeout(f"not within {DEADLINE_S:g} s", request=request) from None
