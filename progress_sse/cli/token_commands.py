"""The commands `progress-sse token secret`, `progress-sse token make` and `progress-sse token link`."""

import secrets
from collections.abc import Callable, Sequence
from typing import Any, Final, get_args

import click
from pydantic import ValidationError

from progress_sse._internal.clock import SystemClock
from progress_sse.auth.grants import Action, Grant
from progress_sse.auth.tokens import SignedTokens
from progress_sse.cli.setting_options import setting_option
from progress_sse.client.config import address_of, link_to
from progress_sse.core.errors import ConfigurationError
from progress_sse.core.model import check_session_id
from progress_sse.settings import ENV_PREFIX, load_settings
from progress_sse.wire.text import first_fault

SECRET_BYTES: Final = 32
"""Random bytes of a secret: as text they have more bytes than HS256 requires."""


@click.group()
def token() -> None:
    """Make secrets for the settings publish_token and token_key, and tokens and links for readers."""


@token.command()
def secret() -> None:
    """Print a secret that cannot be guessed, for publish_token or for token_key."""
    click.echo(secrets.token_urlsafe(SECRET_BYTES))


def _key_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that name the key."""
    for name in ("token_algorithm", "token_key"):
        command = setting_option(name)(command)
    return command


def _holder_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options for the holder and the lifetime of a token."""
    lifetime = click.IntRange(min=1)
    command = click.option(
        "--expires-s", type=lifetime, default=3600, help="Seconds until it expires. [default: 3600]"
    )(command)
    return click.option("--subject", help="The holder of the token.")(command)


@token.command()
@_key_options
@click.option("--session", "sessions", multiple=True, metavar="ID", help="A session that the token is for.")
@click.option(
    "--prefix", "prefixes", multiple=True, help="A prefix of the ids of further sessions; '' stands for all sessions."
)
@click.option(
    "--action",
    "actions",
    multiple=True,
    default=["read"],
    type=click.Choice(get_args(Action)),
    help="An action that the token allows. list shows the sessions of each --prefix; admin, for hooks, "
    "needs --prefix ''. "
    "[default: read]",
)
@_holder_options
def make(sessions: Sequence[str], prefixes: Sequence[str], actions: Sequence[str], **token_options: Any) -> None:
    """Print a token, signed with the server's token_key."""
    if not sessions and not prefixes:
        raise click.UsageError("A token is for some --session or --prefix.")
    if "list" in actions and not prefixes:
        raise click.UsageError("A token to list sessions is for some --prefix; '' is all.")
    if "admin" in actions and "" not in prefixes:
        raise click.UsageError("A token with admin is for all sessions: --prefix ''.")
    click.echo(_signed(sessions, prefixes, actions, **token_options))


@token.command()
@_key_options
@click.option("--session", "session_id", required=True, metavar="ID", help="The session that the link shows.")
@click.option("--control", is_flag=True, help="Also let visitors of the link cancel the job, or start it again.")
@_holder_options
@click.option(
    "--url",
    envvar=f"{ENV_PREFIX}URL",
    default="http://127.0.0.1:8000",
    help=f"The URL of the server, as visitors see it. [env: {ENV_PREFIX}URL] [default: http://127.0.0.1:8000]",
)
def link(session_id: str, control: bool, url: str, **token_options: Any) -> None:
    """Print a link that opens the page of a session without a login, until the token in it expires."""
    signed = _signed([session_id], [], ["read", "control"] if control else ["read"], **token_options)
    try:
        address = address_of(url, None)
    except ConfigurationError as error:
        raise click.UsageError(str(error)) from error
    if address is None:  # The option is empty.
        raise click.UsageError("Name the server by --url.")
    click.echo(f"{link_to(address, session_id)}#token={signed}")


def _signed(
    sessions: Sequence[str],
    prefixes: Sequence[str],
    actions: Sequence[str],
    *,
    subject: str | None,
    expires_s: int,
    **flags: str | None,
) -> str:
    """Return a token, signed with the key in the settings, which the flags win over.

    Raises:
        ConfigurationError: The settings have no key.
    """
    now = int(SystemClock().now().timestamp())
    try:
        settings = load_settings(**{name: value for name, value in flags.items() if value is not None})
        if settings.token_key is None:
            raise ConfigurationError(f"There is no key to sign with: set {ENV_PREFIX}TOKEN_KEY.")
        tokens = SignedTokens(settings.token_key.get_secret_value(), settings.token_algorithm)
        grant = Grant(
            sessions=frozenset(map(check_session_id, sessions)),
            prefixes=tuple(prefixes),
            actions=frozenset(actions),
            expires_at=now + expires_s,
        )
        return tokens.make(grant, issued_at=now, subject=subject)
    except ValidationError as error:
        raise click.ClickException(first_fault(error)) from error
