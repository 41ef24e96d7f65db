"""The commands `progress-sse token secret` and `progress-sse token make`."""

import secrets
from collections.abc import Sequence
from typing import Final, get_args

import click
from pydantic import ValidationError

from progress_sse._internal.clock import SystemClock
from progress_sse.auth.grants import Action, Grant
from progress_sse.auth.tokens import SignedTokens
from progress_sse.cli.setting_options import setting_option
from progress_sse.core.errors import ConfigurationError, InvalidSessionIdError
from progress_sse.core.model import check_session_id
from progress_sse.settings import ENV_PREFIX, load_settings
from progress_sse.wire.text import first_fault

SECRET_BYTES: Final = 32
"""Random bytes of a secret: as text they have more bytes than HS256 requires."""


@click.group()
def token() -> None:
    """Make secrets for the settings publish_token and token_key, and tokens for readers."""


@token.command()
def secret() -> None:
    """Print a secret that cannot be guessed, for publish_token, or for token_key."""
    click.echo(secrets.token_urlsafe(SECRET_BYTES))


@token.command()
@setting_option("token_key")
@setting_option("token_algorithm")
@click.option("--session", "sessions", multiple=True, metavar="ID", help="A session that the token is for.")
@click.option("--prefix", "prefixes", multiple=True, help="A prefix of the ids of further sessions; '' is all.")
@click.option(
    "--action",
    "actions",
    multiple=True,
    default=["read"],
    type=click.Choice(get_args(Action)),
    help="An action that it allows; list shows the sessions of each --prefix. [default: read]",
)
@click.option("--subject", help="The holder of the token.")
@click.option("--expires-s", type=click.IntRange(min=1), default=3600, help="Seconds until it expires. [default: 3600]")
def make(
    sessions: Sequence[str],
    prefixes: Sequence[str],
    actions: Sequence[str],
    subject: str | None,
    expires_s: int,
    **flags: str | None,
) -> None:
    """Print a token, signed with the server's token_key."""
    if not sessions and not prefixes:
        raise click.UsageError("A token is for some --session or --prefix.")
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
        click.echo(tokens.make(grant, issued_at=now, subject=subject))
    except ValidationError as error:
        raise click.ClickException(first_fault(error)) from error
    except (ConfigurationError, InvalidSessionIdError) as error:
        raise click.ClickException(str(error)) from error
