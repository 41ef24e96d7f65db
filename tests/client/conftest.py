import os
from typing import Any

import pytest

from tests.client.shells import SHELLS, Shell


def pytest_collection_modifyitems(items: list[Any]) -> None:
    """Leave tests of the synchronous way at a real server to the full run: both ways share their core."""
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if "shell" in fixtures and "serve" in fixtures and item.callspec.params["shell"] is SHELLS[0]:
            item.add_marker(pytest.mark.full)


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
