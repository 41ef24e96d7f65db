"""The command `progress-sse`; each of its commands is imported when it is asked for.

`conformance`, `create`, `doctor`, `finish`, `hooks`, `list`, `run`, `step` and `watch` are clients, and import nothing
of the server.
"""

import errno
import io
import sys
from importlib import import_module
from typing import Any, Final

import click

from progress_sse._internal.optional_imports import SERVER_PACKAGES, from_extra
from progress_sse.core.errors import ConfigurationError, InvalidSessionIdError

_MODULES: Final = {
    **dict.fromkeys(("create", "doctor", "finish", "list", "run", "step", "watch"), "client_commands"),
    **dict.fromkeys(("demo", "serve"), "server_commands"),
    "conformance": "conformance_command",
    "hooks": "hook_commands",
    "token": "token_commands",
}
"""The module of each command, which has its name there. That of servers imports parts of Python that Windows lacks."""


INTERRUPTED: Final = 130
"""The exit status after SIGINT, at any moment: 128 and its number, as shells have it."""


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_MODULES)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            if isinstance(sys.stdout, io.TextIOWrapper):
                sys.stdout.reconfigure(errors="backslashreplace")  # It may lack a character of a name.
            return super().invoke(ctx)
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)
        except (ConfigurationError, InvalidSessionIdError) as error:
            raise click.ClickException(str(error)) from error
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise click.ClickException(f"Cannot write: {error.strerror}.") from error

    def get_command(self, ctx: click.Context, cmd_name: str) -> Any:
        if cmd_name not in _MODULES:
            return None
        if sys.platform == "win32" and _MODULES[cmd_name] == "server_commands":
            return _unavailable(cmd_name, f"progress-sse {cmd_name} does not run on Windows.")
        try:
            with from_extra("server", *SERVER_PACKAGES, need=f"progress-sse {cmd_name} needs"):
                return getattr(import_module(f"progress_sse.cli.{_MODULES[cmd_name]}"), cmd_name)
        except ConfigurationError as error:
            return _unavailable(cmd_name, str(error))


def _unavailable(name: str, reason: str) -> click.Command:
    """Return a command that only reports why it cannot run, with any arguments."""

    def refuse(arguments: tuple[str, ...]) -> None:
        raise click.ClickException(reason)

    return click.Command(
        name,
        callback=refuse,
        params=[click.Argument(["arguments"], nargs=-1, type=click.UNPROCESSED)],
        context_settings={"ignore_unknown_options": True},
        add_help_option=False,
        short_help=reason,
    )


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="progress-sse", prog_name="progress-sse")
def main() -> None:
    """Live progress of multi-step jobs, pushed to browsers by Server-Sent Events."""
