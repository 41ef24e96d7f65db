"""Starts the demo's server, restarts it each time it ends, and runs the jobs."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import threading
import time
import webbrowser
from tempfile import TemporaryDirectory
from typing import Final

import click

from progress_sse._internal.http_library import httpx
from progress_sse._internal.terminal_progress import on_stderr
from progress_sse.core.errors import ConfigurationError
from progress_sse.demo import jobs
from progress_sse.server.supervisor import ServerProcess
from progress_sse.story.drawing import tab_state
from progress_sse.story.observed_session import observed

HOST: Final = "127.0.0.1"

AWAY_S: Final = 4.0
"""Seconds that a restarted server is away: long enough to be visible."""

STOP_TIMEOUT_S: Final = 4.0
"""Seconds that the server has to end before it is killed; only a frozen or stuck one needs more."""


async def run(port: int, *, opens_browser: bool, no_osc: bool) -> None:
    """Run the demo until SIGINT or SIGTERM.

    Args:
        port: The port of its server; 0 takes a free one.
        opens_browser: Whether to open its page in the user's browser.
        no_osc: Whether to show no progress in the tab of the terminal.

    Raises:
        ConfigurationError: The port cannot be had, or the server did not start.
    """
    task = asyncio.current_task()
    assert task is not None
    for each in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(each, task.cancel)
    with contextlib.suppress(asyncio.CancelledError), TemporaryDirectory(prefix="progress-sse-demo-") as folder:
        server = DemoServer(port, folder)
        try:
            await server.start()
            click.echo(f"The demo is at {server.url}/ (Ctrl+C ends it).")
            if opens_browser:
                # Terminal browsers run until the user leaves them.
                threading.Thread(target=webbrowser.open, args=(f"{server.url}/",), daemon=True).start()
            await _run_jobs(server, no_osc=no_osc)
        finally:
            await server.stop()


async def _run_jobs(server: "DemoServer", *, no_osc: bool) -> None:
    # Neither the settings of other servers nor a proxy are to come between the jobs and the demo's server.
    for name in [each for each in os.environ if each.startswith("PROGRESS_SSE_")]:
        del os.environ[name]
    others = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
    os.environ["no_proxy"] = f"{others},{HOST}" if others else HOST
    # While the server is away the jobs wait for it, as the page shows.
    logging.getLogger("progress_sse").setLevel(logging.CRITICAL)
    try:
        async with httpx.AsyncClient(base_url=server.url, trust_env=False) as client, asyncio.TaskGroup() as group:
            group.create_task(server.restart_whenever_it_ends())
            for job in jobs.JOBS:
                group.create_task(jobs.run_repeatedly(job, server.url, client))
            group.create_task(_show_in_tab(client, no_osc=no_osc))
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from errors


async def _show_in_tab(client: httpx.AsyncClient, *, no_osc: bool) -> None:
    """Show the newest export in the tab of the terminal: it has a percentage, and fails once."""
    with contextlib.closing(on_stderr(no_osc=no_osc)) as tab:
        while not tab.is_closed:
            await asyncio.sleep(1)
            with contextlib.suppress(httpx.HTTPError, LookupError, ValueError):  # The server is away, or there is none.
                [newest] = (await client.get("/api/progress?prefix=export-&limit=1")).json()["sessions"]
                state = (await client.get(f"/api/progress/{newest['session_id']}")).json()
                tab.set(tab_state(observed(None, state, time.time()), time.time()))


def _checked(port: int) -> int:
    """Return a free port, which the server opens itself.

    If this process held it, connections would wait there during a restart, and no browser would see the restart as it
    really is.

    Raises:
        ConfigurationError: The port is taken.
    """
    try:
        with socket.create_server((HOST, port)) as listener:
            return int(listener.getsockname()[1])
    except OSError as error:
        raise ConfigurationError(f"Cannot listen on port {port}: {os.strerror(error.errno or 0)}.") from error


class DemoServer:
    """The server, which keeps its port and its database across restarts."""

    def __init__(self, port: int, folder: str) -> None:
        """Prepare a server on this port, with its files in this folder."""
        self._port = _checked(port)
        self.url = f"http://{HOST}:{self._port}"
        self._arguments = ["-m", "progress_sse.demo.server", HOST, str(self._port), folder]
        self._process: ServerProcess | None = None

    async def start(self) -> None:
        """Start it, and wait until it accepts connections.

        Raises:
            ConfigurationError: The port is taken, or it ended instead.
        """
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
