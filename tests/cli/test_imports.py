"""A job's machine needs nothing of the server: its modules import nothing of it, and the others say what is missing."""

import subprocess
import sys

import pytest

from progress_sse._internal.optional_imports import SERVER_PACKAGES

pytestmark = [pytest.mark.unmeasured, pytest.mark.processes]

COMMANDS = ("create", "doctor", "finish", "hooks", "list", "run", "step", "watch")
"""The commands of a client."""

SERVER_LIBRARIES = {*SERVER_PACKAGES, "sqlite3", "redis"} - {"rich"}
"""Libraries that a client must not load; httpx loads rich where it is installed."""

CLIENT_PACKAGES = {"_internal", "cli", "client", "core", "observability", "story", "wire"}
"""Our packages that a client may import."""

INSTALL = "pip install 'progress-sse[server]'"

WITHOUT_SERVER = f"import sys; sys.modules.update(dict.fromkeys({SERVER_PACKAGES!r}))\n"
"""Makes an interpreter behave as one whose environment lacks the extra `server`."""


def python(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)


def loaded_by(code: str) -> set[str]:
    """The modules that a fresh interpreter has imported at its end."""
    result = python(f"import atexit, sys; atexit.register(lambda: print('modules:', *sys.modules))\n{code}")
    assert result.returncode == 0, result.stderr
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
    assert "progress_sse.cli.client_commands" in modules
    assert not server_parts(modules)


CLIENT_MODULES = [
    *("progress_sse.client", "progress_sse.client.aio", "progress_sse.client.http", "progress_sse.client.testing"),
    *("progress_sse.cli.run_command", "progress_sse.cli.reports", "progress_sse.cli.watch"),
    *("progress_sse.cli.list_sessions", "progress_sse.cli.doctor", "progress_sse.cli.doctor.examination"),
]


@pytest.mark.parametrize("module", [*CLIENT_MODULES, "progress_sse.cli.terminal"])
def test_a_client_module_imports_nothing_of_the_server(module: str) -> None:
    """A job's machine does not need the server's libraries."""
    modules = loaded_by(f"import {module}")
    assert module in modules
    assert not server_parts(modules)


def test_the_clients_modules_work_without_the_server() -> None:
    """All that a job imports, where the extra is not installed."""
    result = python(f"{WITHOUT_SERVER}import {', '.join(CLIENT_MODULES)}, progress_sse.bridges.logging")
    assert result.returncode == 0, result.stderr


def test_serving_imports_the_modules_of_this_check() -> None:
    """Otherwise the tests above could pass by checking nothing."""
    found = server_parts(loaded_by("import progress_sse.api.app, progress_sse.server.uvicorn_server"))
    assert {"pydantic", "starlette", "uvicorn", "sqlite3", "store", "streaming", "settings"} <= found


@pytest.mark.parametrize(
    "arguments", [["serve"], ["serve", "--port", "0"], ["serve", "--help"], ["demo"], ["token", "make", "--prefix", ""]]
)
def test_a_command_of_the_server_says_how_to_install_it(arguments: list[str]) -> None:
    """In one sentence, whatever its arguments."""
    result = python(f"{WITHOUT_SERVER}from progress_sse.cli.main import main; main({arguments!r})")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == f"Error: progress-sse {arguments[0]} needs a package that is not installed: {INSTALL}.\n"


def test_the_help_without_the_server_lists_all_commands() -> None:
    """And says which of them are missing."""
    result = python(f"{WITHOUT_SERVER}from progress_sse.cli.main import main; main(['--help'])")
    assert result.returncode == 0
    assert all(
        f"\n  {name} " in result.stdout
        for name in ("create", "demo", "doctor", "finish", "run", "serve", "step", "token", "watch")
    )
    assert " ".join(result.stdout.split()).count(INSTALL) == 3


@pytest.mark.parametrize("name", ["create_app", "ProgressHub", "ProgressService", "Settings"])
def test_a_name_of_the_server_says_how_to_install_it(name: str) -> None:
    """The error is one of imports, which programs may catch."""
    result = python(f"{WITHOUT_SERVER}from progress_sse import {name}")
    needs = f"progress_sse.{name} needs a package that is not installed: {INSTALL}."
    assert result.stderr.endswith(f"\nModuleNotFoundError: {needs}\n")


def test_a_star_import_works_without_the_server() -> None:
    """It leaves out what cannot be imported."""
    names = python(f"{WITHOUT_SERVER}from progress_sse import *; print(Progress.__name__, 'ProgressHub' in globals())")
    assert (names.stdout, names.stderr) == ("Progress False\n", "")


def test_a_session_is_drawn_only_where_rich_is_installed() -> None:
    """A terminal without it gets lines, and an explicit wish for a drawing an answer."""
    without_rich = f"{WITHOUT_SERVER}import os; os.isatty = lambda _: True; from progress_sse.cli import watch\n"
    shown = python(f"{without_rich}print(type(watch._display('auto', 'a', 'http://h')).__name__)")
    assert (shown.stdout, shown.stderr) == ("PlainDisplay\n", "")
    result = python(
        f"{without_rich}from progress_sse.cli.main import main\n"
        "main(['watch', 'a', '--url', 'http://127.0.0.1:1', '--output', 'tty'])"
    )
    assert result.returncode == 2
    assert f"--output tty needs a package that is not installed: {INSTALL}." in result.stderr
