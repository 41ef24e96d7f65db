"""The command line: `progress-sse serve`, `progress-sse demo` and `progress-sse token`; ``shell`` has the others."""

import secrets
import socket
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from typing import Any, Final, get_args

import click
import uvloop
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from progress_sse._internal.clock import SystemClock
from progress_sse.api.app import create_app
from progress_sse.auth.grants import Action, Grant
from progress_sse.cli.client_commands import COMMANDS
from progress_sse.core.errors import ConfigurationError, InvalidSessionIdError
from progress_sse.core.model import check_session_id
from progress_sse.core.validation import first_fault, without_secrets
from progress_sse.observability import logs
from progress_sse.server import uvicorn_server
from progress_sse.server.inherited_sockets import InheritedSockets
from progress_sse.server.sockets import listen
from progress_sse.server.supervisor import Supervisor
from progress_sse.service import ProgressService
from progress_sse.settings import ENV_PREFIX, Settings, load_settings

SECRET_BYTES: Final = 32
"""Random bytes of a secret: as many as HS256 asks for, once they are written as text and more."""

_READERS: Final = {"open": "whoever knows the id of a session", "token": "whoever brings a token for a session"}

_METAVARS: Final = {str(int): "INTEGER", str(int | None): "INTEGER", str(float): "NUMBER"}


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("progress-sse"), prog_name="progress-sse")
def main() -> None:
    """Live progress of multi-step jobs, pushed to browsers by Server-Sent Events."""


for _command in COMMANDS:
    main.add_command(_command)


def _setting_option(name: str, field: FieldInfo) -> Callable[[Any], Any]:
    """Return the flag of a setting; what it parses to is decided by `Settings`, as for the environment."""
    flag = f"--{name.replace('_', '-')}"
    default = "none" if field.default in (None, ()) else field.default
    help_text = f"{field.description} [default: {default}; env: {ENV_PREFIX}{name.upper()}]"
    if field.annotation is bool:
        return click.option(flag, name, is_flag=True, default=None, help=help_text)
    choices = [choice for choice in get_args(field.annotation) if isinstance(choice, str)]
    metavar = "|".join(choices) or _METAVARS.get(str(field.annotation), "TEXT")
    return click.option(flag, name, default=None, metavar=metavar, help=help_text)


def _setting_options(command: Callable[..., None]) -> Callable[..., None]:
    for name, field in reversed(Settings.model_fields.items()):
        command = _setting_option(name, field)(command)
    return command


@main.command()
@_setting_options
def serve(**flags: str | bool | None) -> None:
    """Serve progress until told to stop; every setting is a flag or an environment variable, the flag winning."""
    try:
        settings = load_settings(**{name: value for name, value in flags.items() if value is not None})
        logs.configure(settings.log_level, settings.log_format, sys.stderr)
        settings = settings.model_copy(
            update={"max_streams": min(settings.max_streams, uvicorn_server.raise_descriptor_limit())}
        )
        _run(settings)
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from error


@main.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port to listen on. [default: a free one]")
@click.option("--no-open", is_flag=True, help="Do not open a browser.")
def demo(port: int, no_open: bool) -> None:
    """Show how it looks: three sessions that move, one to move yourself, and ways to break the connection."""
    from progress_sse.demo import supervisor  # has an HTTP client, which a server needs not wait for

    try:
        uvloop.run(supervisor.run(port, opens_browser=not no_open))
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from error


@main.group()
def token() -> None:
    """Make what the settings publish_token and token_key need, and tokens for readers."""


@token.command()
def secret() -> None:
    """Print a secret that cannot be guessed, for publish_token, or for token_key."""
    click.echo(secrets.token_urlsafe(SECRET_BYTES))


@token.command()
@_setting_option("token_key", Settings.model_fields["token_key"])
@_setting_option("token_algorithm", Settings.model_fields["token_algorithm"])
@click.option("--session", "sessions", multiple=True, metavar="ID", help="A session that the token is for.")
@click.option("--prefix", "prefixes", multiple=True, help="What the ids of further sessions begin with; '' is all.")
@click.option(
    "--action",
    "actions",
    multiple=True,
    default=["read"],
    type=click.Choice(get_args(Action)),
    help="What it allows; list, which shows all sessions, needs --prefix ''. [default: read]",
)
@click.option("--subject", help="Whom it is for.")
@click.option("--expires-s", type=click.IntRange(min=1), default=3600, help="Seconds that it counts. [default: 3600]")
def make(
    sessions: Sequence[str],
    prefixes: Sequence[str],
    actions: Sequence[str],
    subject: str | None,
    expires_s: int,
    **flags: str | None,
) -> None:
    """Print a token, signed with the token_key that the server has, too."""
    if not sessions and not prefixes:
        raise click.UsageError("A token is for some --session or --prefix.")
    from progress_sse.auth.tokens import SignedTokens  # as in the gate

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


def _run(settings: Settings) -> None:
    service = ProgressService(settings)  # What cannot work is refused before anything listens.
    app = create_app(settings, service=service)
    inherited = InheritedSockets.take()
    if inherited is not None:
        listener, send_ready, watch = inherited.listener, inherited.send_ready, inherited.watch
        uvloop.run(uvicorn_server.serve(service, app, listener, on_started=send_ready, watch=watch))
        return
    with listen(settings) as listener:
        greet = partial(_greet, settings, listener)
        if settings.workers > 1:
            uvloop.run(Supervisor(settings, listener, greet).run())
        else:
            uvloop.run(uvicorn_server.serve(service, app, listener, on_started=greet))


def _greet(settings: Settings, listener: socket.socket) -> None:
    host, port = listener.getsockname()[:2]
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # shown, not bound
    url = f"http://{f'[{reachable}]' if ':' in reachable else reachable}:{port}"
    publishers = _publishers(settings)
    token = ' -H "Authorization: Bearer $PROGRESS_SSE_TOKEN"' if publishers else ""
    click.echo(
        f"progress-sse {version('progress-sse')}\n"
        f"  address  {url}/\n"
        f"  store    {without_secrets(settings.store)}\n"
        f"  publish  {f'whoever brings {publishers}' if publishers else 'whoever reaches this address'}\n"
        f"  read     {_READERS[settings.read]}\n"
        f"\n{_invitation(settings, f'{url}/s/demo')}\n"
        f"  curl -X POST {url}/api/progress/demo/update -H 'Content-Type: application/json'{token}"
        """ -d '{"action":"start","step":1}'"""
    )
    sys.stdout.flush()


def _invitation(settings: Settings, page: str) -> str:
    """Return where there is something to see, which is not the page alone where readers need a token."""
    if settings.read == "open":
        return f"Open {page} and move its bar:"
    return f"Open {page}, paste there what this prints, and move its bar:\n  progress-sse token make --session demo"


def _publishers(settings: Settings) -> str:
    """Return what those bring who may publish; empty, where that is nothing."""
    kinds = {"a publish_token": settings.publish_token, "a signed token that allows it": settings.token_key}
    return " or ".join(kind for kind, tokens in kinds.items() if tokens)
