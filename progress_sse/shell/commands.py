"""The command line of the clients; each part is imported when its command is called."""

import logging
import sys
from collections.abc import Callable
from typing import Any, Final

import click

ENVIRONMENT: Final = "PROGRESS_SSE_"


def _server_options(command: Callable[..., None]) -> Callable[..., None]:
    for name, help_text in {
        "token": "What the server asks for; safer in the environment, which no list of processes shows.",
        "url": "Where the server is, like http://127.0.0.1:8000.",
    }.items():
        command = click.option(f"--{name}", help=f"{help_text} [env: {ENVIRONMENT}{name.upper()}]")(command)
    return command


def _log_to_stderr(level: int) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("progress-sse: %(message)s"))
    logger = logging.getLogger("progress_sse")
    logger.addHandler(handler)
    logger.setLevel(level)


@click.command(context_settings={"allow_interspersed_args": False}, short_help="Run a command as a step.")
@click.option("--session", "session_id", metavar="ID", help=f"The session. [env: {ENVIRONMENT}SESSION]")
@click.option("--step", type=click.IntRange(min=1), help="Which step of the session the command is.")
@click.option("--name", help="What to call the command, where it is no --step. [default: its own name]")
@_server_options
@click.argument("command", nargs=-1, required=True, metavar="-- COMMAND [ARGS]...", type=click.UNPROCESSED)
def run(command: tuple[str, ...], step: int | None, name: str | None, **target: Any) -> None:
    """Run a command as a step, and end with its exit status: 0 completes the step, any other fails it.

    Without --step the session begins afresh, and the command is all of it.

    A failed step shows the end of what the command wrote to stderr. The command gets the signals that come to us (128
    and their number is the exit status of a command that ends by one), and finds the session in its environment. It
    runs whether or not there is a server to report to.
    """
    if step is not None and name is not None:
        raise click.UsageError("--name is for a session that begins afresh; with --step it has its names already.")
    from progress_sse.shell.run import Target
    from progress_sse.shell.run import run as run_command

    _log_to_stderr(logging.INFO if sys.stderr.isatty() else logging.WARNING)
    sys.exit(run_command(command, Target(step=step, name=name, **target)))


COMMANDS: Final = (run,)
