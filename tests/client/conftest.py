from __future__ import annotations

import os

import pytest

from tests.client.shells import SHELLS, Shell


@pytest.fixture(params=SHELLS, ids=["sync", "async"])
def shell(request: pytest.FixtureRequest) -> Shell:
    """Each of both ways in turn."""
    shell: Shell = request.param
    return shell


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but what a test sets says where to report to."""
    for name in list(os.environ):
        if name.startswith("PROGRESS_SSE_"):
            monkeypatch.delenv(name)
