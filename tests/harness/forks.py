"""Runs Python modules as commands in forks of one process that has imported the server.

A server then takes a quarter of the processor time of a new interpreter to start.
"""

import atexit
import contextlib
import multiprocessing
import os
import runpy
import subprocess
import sys
from pathlib import Path

# What `progress-sse serve` and an application under a plain uvicorn import.
import progress_sse.api.app
import progress_sse.cli.main
import progress_sse.cli.server_commands
import progress_sse.server.http_protocol
import progress_sse.server.protocol_probe
import progress_sse.store.redis.backend
import progress_sse.store.redis.rate_limits
import progress_sse.store.sqlite.backend  # noqa: F401

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload([__name__])


class Fork:
    """A running `python -m module arguments`, with the part of `Popen` that a server needs."""

    def __init__(self, command: list[str], folder: Path, environment: dict[str, str], log: Path) -> None:
        self._process = _FORKS.Process(target=_run, args=(command, folder, environment, log), daemon=True)
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if (code := self._process.exitcode) is None:
            raise subprocess.TimeoutExpired("a fork", timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        # Its parent reaps it, so it may be gone before its exit code is known here.
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


def _run(command: list[str], folder: Path, environment: dict[str, str], log: Path) -> None:
    with log.open("ab") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    sys.stdout.reconfigure(write_through=True)  # type: ignore[union-attr]
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = command
    try:
        runpy.run_module(command[0], run_name="__main__", alter_sys=True)
    finally:
        atexit._run_exitfuncs()  # noqa: SLF001 - a process of `multiprocessing` does not.
