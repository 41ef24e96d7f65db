"""The command line: `progress-sse serve` and `progress-sse demo`."""

import logging
import os
import socket
import sys
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from typing import Any, Final, get_args

import click
import uvloop
from pydantic.fields import FieldInfo

from progress_sse import workers
from progress_sse.app import create_app
from progress_sse.errors import ConfigurationError
from progress_sse.server import BACKLOG, Server, make_config, raise_descriptor_limit, tune_collector
from progress_sse.service import ProgressService
from progress_sse.settings import ENV_PREFIX, Settings, load_settings
from progress_sse.text import without_secrets

MAX_UNSENT_BYTES: Final = 16_384
"""Bytes that the kernel takes from us before it has sent what it already has."""

LOG_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"

_METAVARS: Final = {str(int): "INTEGER", str(float): "NUMBER"}


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("progress-sse"), prog_name="progress-sse")
def main() -> None:
    """Live progress of multi-step jobs, pushed to browsers by Server-Sent Events."""


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
    logging.basicConfig(format=LOG_FORMAT, level=logging.INFO, stream=sys.stderr)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    try:
        settings = load_settings(**{name: value for name, value in flags.items() if value is not None})
        settings = settings.model_copy(update={"max_streams": min(settings.max_streams, raise_descriptor_limit())})
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


def _run(settings: Settings) -> None:
    service = ProgressService(settings)  # What cannot work is refused before anything listens.
    inheritance = workers.Inheritance.take()
    if inheritance is not None:
        uvloop.run(_serve(service, inheritance.listener, inheritance.tell_ready, inheritance))
        return
    with _listen(settings) as listener:
        greet = partial(_greet, settings, listener)
        if settings.workers > 1:
            uvloop.run(workers.Supervisor(settings.workers, listener, greet).run())
        else:
            uvloop.run(_serve(service, listener, greet))


async def _serve(
    service: ProgressService,
    listener: socket.socket,
    on_started: Callable[[], None],
    inheritance: workers.Inheritance | None = None,
) -> None:
    settings = service.settings
    await service.start()
    tune_collector()
    try:
        server = Server(
            make_config(create_app(settings, service=service), graceful_timeout_s=settings.graceful_timeout_s),
            drain=service.streams.drain,
            on_started=on_started,
            graceful_timeout_s=settings.graceful_timeout_s,
        )
        if inheritance is not None:
            inheritance.watch(server.go_down)
        await server.serve(sockets=[listener])
    finally:
        await service.aclose()


def _listen(settings: Settings) -> socket.socket:
    host, port = settings.host, settings.port
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        raise ConfigurationError(f"Cannot listen on {host}, port {port}: {_reason(error)}.") from error
    # What a slow reader has not taken is to wait with us, where a snapshot can take its place, and not in the kernel,
    # which would keep megabytes of it. Connections inherit this.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, MAX_UNSENT_BYTES)
    # A peer that has vanished, or keeps its window shut: the kernel sees both, whatever there is to send.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(settings.send_timeout_s * 1000))
    return listener


def _reason(error: OSError) -> str:
    """Return the system's words; `socket.create_server` adds the address to them."""
    return os.strerror(error.errno) if error.errno and error.errno > 0 else str(error.strerror)


def _greet(settings: Settings, listener: socket.socket) -> None:
    host, port = listener.getsockname()[:2]
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # shown, not bound
    url = f"http://{f'[{reachable}]' if ':' in reachable else reachable}:{port}"
    needs_token = bool(settings.publish_token)
    token = ' -H "Authorization: Bearer $PROGRESS_SSE_TOKEN"' if needs_token else ""
    click.echo(
        f"progress-sse {version('progress-sse')}\n"
        f"  address  {url}/\n"
        f"  store    {without_secrets(settings.store)}\n"
        f"  publish  {'whoever brings a publish_token' if needs_token else 'whoever reaches this address'}\n"
        f"  read     whoever knows the id of a session\n"
        f"\nOpen {url}/s/demo and move its bar:\n"
        f"  curl -X POST {url}/api/progress/demo/update -H 'Content-Type: application/json'{token}"
        """ -d '{"action":"start","step":1}'"""
    )
    sys.stdout.flush()
