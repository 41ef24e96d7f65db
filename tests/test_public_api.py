"""What `import progress_sse` gives, and what it costs."""

from __future__ import annotations

import importlib.util
import inspect
import subprocess
import sys

import pytest

import progress_sse

OPTIONAL = {"redis", "prometheus_client"}
"""Modules of the extras: only the part of the server that uses one may import it."""


def imported_by(module: str) -> set[str]:
    """The top-level modules that a fresh interpreter holds after importing one."""
    code = f"import sys, {module}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return set(result.stdout.split())


def test_all_names_exactly_what_is_public() -> None:
    """Every public name is listed, every listed name is there, in order and only once."""
    public = {
        name for name, value in vars(progress_sse).items() if not (name.startswith("_") or inspect.ismodule(value))
    }
    assert set(progress_sse.__all__) == public - {"annotations"}
    assert list(progress_sse.__all__) == sorted(set(progress_sse.__all__))
    assert public, "a package without a public name is of no use"


@pytest.mark.parametrize("name", progress_sse.__all__)
def test_every_public_thing_says_what_it_is_for(name: str) -> None:
    """Classes and functions carry a docstring of their own."""
    thing = getattr(progress_sse, name)
    if inspect.isclass(thing) or inspect.isroutine(thing):
        assert (thing.__doc__ or "").strip()
        assert thing.__module__.startswith("progress_sse."), "not ours to export"


@pytest.mark.parametrize("module", ["progress_sse", "progress_sse.app", "progress_sse.cli"])
def test_importing_leaves_the_extras_alone(module: str) -> None:
    """The package works where its extras are not installed; here they are, so that importing one would show."""
    assert all(importlib.util.find_spec(name) for name in OPTIONAL)
    assert not imported_by(module) & OPTIONAL


@pytest.mark.parametrize("module", ["progress_sse", "progress_sse.cli"])
def test_a_server_does_without_the_clients_library(module: str) -> None:
    """Only workers talk HTTP to others, so a server need not spend its start and memory on a client."""
    assert "httpx" not in imported_by(module)
