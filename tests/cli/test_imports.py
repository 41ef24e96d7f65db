"""The commands of a job's machine import nothing of the server."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.unmeasured

COMMANDS = {"doctor": "doctor_command", "run": "client_commands", "step": "client_commands", "watch": "client_commands"}
"""The commands of a client, each with its module."""

SERVER_LIBRARIES = {
    *("pydantic", "pydantic_settings", "starlette", "sse_starlette", "uvicorn", "uvloop", "httptools", "jwt"),
    *("sqlite3", "redis"),
}
CLIENT_PACKAGES = {"_internal", "cli", "client", "core", "observability", "wire"}
"""Our packages that a client may import."""


def loaded_by(code: str) -> set[str]:
    """The modules that a fresh interpreter has imported at its end."""
    printing = "import atexit, sys; atexit.register(lambda: print('modules:', *sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", f"{printing}\n{code}"], capture_output=True, text=True, check=True, timeout=60
    )
    return set(result.stdout.rpartition("modules: ")[2].split())


def server_parts(modules: set[str]) -> set[str]:
    """The modules that only a server needs."""
    names = [name.split(".") for name in modules]
    libraries = {name[0] for name in names} & SERVER_LIBRARIES
    packages = {name[1] for name in names if name[0] == "progress_sse" and len(name) > 1}
    return libraries | packages - CLIENT_PACKAGES


@pytest.mark.parametrize("command", COMMANDS)
def test_a_client_command_imports_nothing_of_the_server(command: str) -> None:
    """Otherwise its start would take several times as long."""
    modules = loaded_by(f"from progress_sse.cli.main import main; main(['{command}', '--help'])")
    assert f"progress_sse.cli.{COMMANDS[command]}" in modules
    assert not server_parts(modules)


@pytest.mark.parametrize(
    "module",
    [
        *("progress_sse.client", "progress_sse.client.aio", "progress_sse.client.http", "progress_sse.client.testing"),
        *("progress_sse.cli.run_command", "progress_sse.cli.report_step", "progress_sse.cli.watch"),
        *("progress_sse.cli.terminal", "progress_sse.cli.doctor.checks", "progress_sse.cli.doctor.examination"),
    ],
)
def test_a_client_module_imports_nothing_of_the_server(module: str) -> None:
    """A job's machine does not need the server's libraries."""
    modules = loaded_by(f"import {module}")
    assert module in modules
    assert not server_parts(modules)


def test_serving_imports_the_modules_of_this_check() -> None:
    """Otherwise the tests above could pass by checking nothing."""
    found = server_parts(loaded_by("import progress_sse.api.app, progress_sse.server.uvicorn_server"))
    assert {"pydantic", "starlette", "uvicorn", "sqlite3", "store", "streaming", "settings"} <= found
