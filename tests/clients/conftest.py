"""Programs in Go for the tests of third-party clients and servers."""

import os
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """Return a function that builds a program with Debian's packages, in a folder of its own, and returns its path."""

    @cache
    def build(source: Path) -> Path:
        program = tmp_path_factory.mktemp("go") / source.stem
        environment = {**os.environ, "GO111MODULE": "off", "GOPATH": "/usr/share/gocode"}
        subprocess.run(["go", "build", "-o", program, source], env=environment, check=True)
        return program

    return build
