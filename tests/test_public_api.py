"""The names that `import progress_sse` provides, and the modules that it loads."""

import ast
import importlib
import importlib.util
import inspect
import subprocess
import sys

import pytest

import progress_sse

OPTIONAL = {"cryptography", "limits", "opentelemetry", "prometheus_client", "pythonjsonlogger", "redis"}
"""Modules of the extras: only the part of the server that uses one may import it."""


def imported_by(module: str, *names: str) -> set[str]:
    """The top-level modules in a fresh interpreter after importing one and accessing some of its names."""
    asked = "".join(f"; {module}.{name}" for name in names)
    code = f"import sys, {module}{asked}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return set(result.stdout.split())


def block_for_type_checkers() -> ast.If:
    tree = ast.parse(inspect.getsource(progress_sse))
    [block] = [node for node in tree.body if isinstance(node, ast.If)]
    return block


def imports_for_type_checkers() -> dict[str, str]:
    """Each name that type checkers see in the package, and the module that it is from."""
    block = block_for_type_checkers()
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    return {alias.name: str(node.module) for node in imports for alias in node.names}


def test_dunder_all_lists_exactly_the_public_names() -> None:
    """Every public name is listed in order and once, and exists for users and type checkers alike."""
    assert list(progress_sse.__all__) == sorted(imports_for_type_checkers())
    [names] = [node.value for node in block_for_type_checkers().body if isinstance(node, ast.Assign)]
    assert list(progress_sse.__all__) == ast.literal_eval(names)
    assert set(progress_sse.__all__) <= set(dir(progress_sse))
    for name, module in imports_for_type_checkers().items():
        assert getattr(progress_sse, name) is getattr(importlib.import_module(module), name)
    with pytest.raises(AttributeError):
        progress_sse.nothing_of_that_name  # noqa: B018 - the access is the test


@pytest.mark.parametrize("name", progress_sse.__all__)
def test_every_public_object_has_a_docstring(name: str) -> None:
    """Classes and functions have one of their own."""
    thing = getattr(progress_sse, name)
    if inspect.isclass(thing) or inspect.isroutine(thing):
        assert (thing.__doc__ or "").strip()
        assert thing.__module__.startswith("progress_sse."), "not ours to export"


@pytest.mark.parametrize("module", ["progress_sse", "progress_sse.api.app", "progress_sse.cli.server_commands"])
def test_importing_loads_no_extra(module: str) -> None:
    """The package works without its extras; here they are installed, so that an import of one would show."""
    assert all(importlib.util.find_spec(name) for name in OPTIONAL)
    assert not imported_by(module) & OPTIONAL


@pytest.mark.parametrize("module", ["progress_sse", "progress_sse.cli.server_commands"])
def test_a_server_does_not_load_the_clients_libraries(module: str) -> None:
    """A server neither sends HTTP requests nor draws on a terminal, so it saves the time and memory of both."""
    assert not imported_by(module) & {"httpx", "rich"}


def test_a_worker_does_not_load_the_server() -> None:
    """Its import is fast, and loads no server, terminal or HTTP library."""
    imported = imported_by("progress_sse", "Progress", "AsyncProgress", "current", "StepDefinition", "ReportError")
    assert "progress_sse" in imported
    assert imported <= {*sys.stdlib_module_names, "progress_sse", *imported_by("sys")}


def test_a_bridge_loads_no_library_but_its_own() -> None:
    """So one of the libraries can be installed without the others."""
    others = {"celery", "django", "dramatiq", "rq", "taskiq", "tqdm"}
    bridges = ["progress_sse.bridges.logging", "progress_sse.bridges.attempts"]
    assert all(not imported_by(module) & others for module in bridges)
    assert imported_by("progress_sse.bridges.tqdm") & others == {"tqdm"}
