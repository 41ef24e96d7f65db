"""The command `progress-sse demo`."""

import click
import uvloop

from progress_sse.core.errors import ConfigurationError
from progress_sse.demo import supervisor


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port to listen on. [default: a free one]")
@click.option("--no-open", is_flag=True, help="Do not open a browser.")
def demo(port: int, no_open: bool) -> None:
    """Show how it looks: four jobs that run, one to move yourself, and ways to break the connection."""
    try:
        uvloop.run(supervisor.run(port, opens_browser=not no_open))
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from error
