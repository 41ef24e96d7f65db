"""The command `doctor`; the modules that do the work are imported when it is called."""

import sys
from typing import TYPE_CHECKING

import click

from progress_sse.cli.client_commands import ClientCommand
from progress_sse.core.errors import ConfigurationError

if TYPE_CHECKING:
    from progress_sse.cli.doctor.findings import Finding


@click.command(cls=ClientCommand, short_help="Examine the way from here to a server.")
@click.argument("url", required=False)
@click.option("--token", help="A token of the server; safer in the environment. [env: PROGRESS_SSE_TOKEN]")
@click.option("--session", "session_id", metavar="ID", help="A session to read. [default: one of its own]")
@click.option("--origin", help="The origin of pages that are served from elsewhere, such as https://app.example.")
def doctor(url: str | None, token: str | None, session_id: str | None, origin: str | None) -> None:
    """Examine the way from here to the server at URL [env: PROGRESS_SSE_URL], as browsers use it.

    It creates a session of its own, reports on it, follows it, comes back after a cut, and removes it. That needs a
    token that may publish, where the server has tokens. A session that is given by --session is only read.

    Each check has a line: ok, warning, fault or skipped, what that means, and what to change, with the setting of the
    proxy in front. The whole takes a little longer than two heartbeats of the server (half a minute by default), and
    110 seconds at most.

    The exit status is 0 if all is well, 1 if there are warnings, and 2 if there is a fault, or this command is used
    wrongly.
    """
    from progress_sse.cli.doctor.findings import exit_status, line, summary

    findings = _examine(url, token, session_id, origin)
    for name, finding in findings.items():
        click.echo(line(name, finding))
    results = list(findings.values())
    click.echo(summary(results))
    sys.exit(exit_status(results))


def _examine(url: str | None, token: str | None, session_id: str | None, origin: str | None) -> "dict[str, Finding]":
    """Return the finding of each check."""
    import asyncio
    import secrets

    from progress_sse.cli.doctor.checks import findings_of
    from progress_sse.cli.doctor.examination import examine
    from progress_sse.cli.doctor.network import look_at
    from progress_sse.cli.doctor.observations import Observations
    from progress_sse.client.config import address_of, session_of

    address = address_of(url, token)
    if address is None:
        raise ConfigurationError("Name the server by URL, or by PROGRESS_SSE_URL.")
    given = session_of(session_id) if session_id else None
    session_id = given or f"doctor-{secrets.token_hex(4)}"
    seen = Observations(address.url, session_id, _checked_origin(origin), bool(address.token))
    seen.network = look_at(address.url)
    if seen.has_connection:
        asyncio.run(examine(address, seen, given))
    return findings_of(seen)


def _checked_origin(origin: str | None) -> str | None:
    """Return the origin as a browser would send it.

    Raises:
        ConfigurationError: It is not an origin.
    """
    from urllib.parse import urlsplit

    from progress_sse.cli.doctor.observations import origin_of

    if not origin:
        return None
    parts = urlsplit(origin)
    bare = f"{parts.scheme}://{parts.netloc}".lower()
    if parts.scheme not in ("http", "https") or origin.lower().removesuffix("/") != bare or not bare.isascii():
        raise ConfigurationError("An origin must be like https://app.example, without a path.")
    return origin_of(bare)
