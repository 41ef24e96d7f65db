"""Starts the demo's server, restarts it each time it ends, and runs the jobs."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import threading
import webbrowser
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import click

from progress_sse._internal.http_library import httpx
from progress_sse.core.errors import ConfigurationError
from progress_sse.demo import jobs
from progress_sse.server.supervisor import ServerProcess

HOST: Final = "127.0.0.1"

AWAY_S: Final = 4.0
"""Seconds that a restarted server is away: long enough to be visible."""

STOP_TIMEOUT_S: Final = 4.0
"""Seconds that the server has to end before it is killed; only a frozen or stuck one needs more."""


async def run(port: int, *, opens_browser: bool) -> None:
    """Run the demo until SIGINT or SIGTERM; port 0 takes a free one."""
    task = asyncio.current_task()
    assert task is not None
    for each in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(each, task.cancel)
    with contextlib.suppress(asyncio.CancelledError), TemporaryDirectory(prefix="progress-sse-demo-") as folder:
        await _run(_checked(port), Path(folder), opens_browser=opens_browser)


async def _run(port: int, folder: Path, *, opens_browser: bool) -> None:
    url = f"http://{HOST}:{port}"
    server = DemoServer(port, folder)
    try:
        await server.start()
        click.echo(f"The demo is at {url}/ (Ctrl+C ends it).")
        if opens_browser:
            # Terminal browsers run until the user leaves them.
            threading.Thread(target=webbrowser.open, args=(f"{url}/",), daemon=True).start()
        await _run_jobs(url, server)
    finally:
        await server.stop()


async def _run_jobs(url: str, server: "DemoServer") -> None:
    _leave_environment()
    # While the server is away the jobs wait for it, as the page shows.
    logging.getLogger("progress_sse").setLevel(logging.CRITICAL)
    try:
        async with httpx.AsyncClient(base_url=url, trust_env=False) as client, asyncio.TaskGroup() as group:
            group.create_task(server.restart_whenever_it_ends())
            for job in jobs.JOBS:
                group.create_task(jobs.run_repeatedly(job, url, client))
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from errors


def _leave_environment() -> None:
    """Let neither the settings of other servers nor a proxy come between the jobs and the demo's server."""
    for name in [each for each in os.environ if each.startswith("PROGRESS_SSE_")]:
        del os.environ[name]
    others = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
    os.environ["no_proxy"] = f"{others},{HOST}" if others else HOST


def _checked(port: int) -> int:
    """Return a free port, which the server opens itself.

    If this process held it, connections would wait there during a restart, and no browser would see it as it is.
    """
    try:
        with socket.create_server((HOST, port)) as listener:
            taken: int = listener.getsockname()[1]
            return taken
    except OSError as error:
        raise ConfigurationError(f"Cannot listen on port {port}: {os.strerror(error.errno or 0)}.") from error


class DemoServer:
    """The server, which keeps its port and its database across restarts."""

    def __init__(self, port: int, folder: Path) -> None:
        self._port = port
        self._arguments = ["-m", "progress_sse.demo.server", HOST, str(port), str(folder)]
        self._process: ServerProcess | None = None

    async def start(self) -> None:
        """Start it, and wait until it accepts connections."""
        _checked(self._port)
        self._process = await ServerProcess.start(self._arguments, None, STOP_TIMEOUT_S)
        if not await self._process.is_ready():
            raise ConfigurationError("The demo's server did not start.")

    async def restart_whenever_it_ends(self) -> None:
        """Restart it each time it ends, after a pause."""
        assert self._process is not None
        while True:
            await self._process.wait()
            await asyncio.sleep(AWAY_S)
            await self.start()

    async def stop(self) -> None:
        """End it, and wait until it has ended."""
        if self._process is not None:
            self._process.end()
            await self._process.wait()
