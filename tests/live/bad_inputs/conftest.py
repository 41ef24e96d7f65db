from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.harness.serving import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, factory: str | None) -> Iterator[Server]:
    """A server shared by the tests of this module; each test has sessions of its own."""
    with Server(tmp_path_factory.mktemp("server"), store="sqlite", factory=factory, heartbeat_s=1) as running:
        yield running
