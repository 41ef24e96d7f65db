"""The commands that need the server: `serve` and `demo`."""

import logging
import os
import socket
import sys
from contextlib import suppress
from functools import partial
from importlib.metadata import version
from typing import Final

import click
import uvloop

from progress_sse.api.app import create_app
from progress_sse.api.hot_routes import HotRoutes
from progress_sse.api.routes import ROUTES
from progress_sse.cli.client_commands import no_osc
from progress_sse.cli.setting_options import setting_options
from progress_sse.observability import logs
from progress_sse.server import uvicorn_server
from progress_sse.server.sockets import InheritedSockets, listen
from progress_sse.server.supervisor import Supervisor
from progress_sse.service import ProgressService
from progress_sse.settings import Settings, load_settings, unknown_variables, without_secrets

logger: Final = logging.getLogger(__name__)

_READERS: Final = {"open": "any client that knows a session's id", "token": "any client with a token for the session"}


@click.command()
@setting_options
def serve(**flags: str | bool | None) -> None:
    """Serve progress until a signal stops it. Every setting is a flag or an environment variable; the flag wins."""
    settings = load_settings(**{name: value for name, value in flags.items() if value is not None})
    logs.configure(settings.log_level, settings.log_format, sys.stderr)
    update = {
        "max_streams": min(settings.max_streams, uvicorn_server.raise_descriptor_limit()),
        "dev": _is_for_developers(settings),
    }
    try:
        _run(settings.model_copy(update=update))
    finally:
        logging.shutdown()  # Not left to the interpreter, which may end without: what was counted is written.


def _run(settings: Settings) -> None:
    inherited = InheritedSockets.take()
    hooks_text = None if inherited is None else inherited.receive_hooks()
    service = ProgressService(settings, hooks_text=hooks_text)  # Refuses wrong settings before the server listens.
    app = create_app(settings, service=service)
    serve_on = partial(uvicorn_server.serve, service, app, hot_routes=HotRoutes(service, ROUTES))
    if inherited is not None and inherited.listener is not None:
        uvloop.run(serve_on(inherited.listener, on_started=inherited.send_ready, watch=inherited.watch))
        return
    for sentence in unknown_variables(os.environ):
        logger.warning(sentence)
    with listen(settings) as listener:
        greet = partial(print_greeting, settings, listener)
        if settings.workers > 1:
            uvloop.run(Supervisor(settings, listener, greet).run())
        else:
            uvloop.run(serve_on(listener, on_started=greet))


def _is_for_developers(settings: Settings) -> bool:
    """Return whether the readers of a page also develop the job: by the setting, or since no others can reach it."""
    return settings.is_loopback and not _publishers(settings) if settings.dev is None else settings.dev


def print_greeting(settings: Settings, listener: socket.socket) -> None:
    """Print where the server listens, what it allows, and how to begin; do nothing if nothing takes that."""
    host, port = listener.getsockname()[:2]
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # shown, not bound
    url = f"http://{f'[{reachable}]' if ':' in reachable else reachable}:{port}"
    publishers = _publishers(settings)
    token = ' -H "Authorization: Bearer $PROGRESS_SSE_TOKEN"' if publishers else ""
    session = f"{url}/api/progress/demo"
    json = f"-H 'Content-Type: application/json'{token} -d"
    files = f"  www      the files below {settings.www}, for any client\n" if settings.www else ""
    with suppress(OSError):
        print(  # noqa: T201  # `click.echo` of click 8.1.0 fails if there is no stdout
            f"progress-sse {version('progress-sse')}\n"
            f"  address  {url}/\n"
            f"  store    {without_secrets(settings.store)}\n"
            f"  publish  {f'any client with {publishers}' if publishers else 'any client that reaches this address'}\n"
            f"  read     {_READERS[settings.read]}\n"
            f"{files}"
            f"\n{_invitation(settings, url)}\n"
            f"""  curl -X PUT {session} {json} '{{"steps":["Download","Convert","Upload"]}}'\n"""
            f"""  curl -X POST {session}/update {json} '{{"action":"start","step":1}}'""",
            flush=True,
        )


def _invitation(settings: Settings, url: str) -> str:
    """Return how to open the page; where readers need a token, by a link."""
    if settings.read == "open":
        return f"Open {url}/s/demo and move its bar:"
    return f"Open the link that this prints, and move its bar:\n  progress-sse token link --session demo --url {url}"


def _publishers(settings: Settings) -> str:
    """Return the kinds of token that a client needs to publish; empty if it needs none."""
    kinds = {"a publish_token": settings.publish_token, "a signed token that allows it": settings.token_key}
    return " or ".join(kind for kind, tokens in kinds.items() if tokens)


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port to listen on. [default: a free one]")
@click.option("--no-open", is_flag=True, help="Do not open a browser.")
@no_osc
def demo(port: int, no_open: bool, no_osc: bool) -> None:
    """Show how it looks: four jobs that run, one that you move yourself, and ways to break the connection."""
    from progress_sse.demo import supervisor  # A server needs nothing of it.

    uvloop.run(supervisor.run(port, opens_browser=not no_open, no_osc=no_osc))
