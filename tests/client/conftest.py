from __future__ import annotations

import os

import pytest

from tests.client.shells import SHELLS, Shell


@pytest.fixture(params=SHELLS, ids=["sync", "async"])
def shell(request: pytest.FixtureRequest) -> Shell:
    """Run a test with both ways to report."""
    shell: Shell = request.param
    return shell


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the client's variables from the environment."""
    for name in list(os.environ):
        if name.startswith("PROGRESS_SSE_"):
            monkeypatch.delenv(name)
