from collections.abc import Iterator
from typing import Any

import pytest

from tests.harness.serving import Server
from tests.live.standards.server_settings import HEARTBEAT_S, ORIGIN


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, factory: str | None) -> Iterator[Server]:
    """A server in memory that the tests of a module share; it logs no traceback. Each test has sessions of its own."""
    settings: dict[str, Any] = {"heartbeat_s": HEARTBEAT_S, "retry_ms": 100, "allow_origins": ORIGIN}
    with Server(tmp_path_factory.mktemp("server"), factory=factory, **settings) as running:
        yield running
        assert "Traceback" not in running.log()


@pytest.fixture(scope="module")
def quiet_server(tmp_path_factory: pytest.TempPathFactory, factory: str | None) -> Iterator[Server]:
    """A server that sends no heartbeat during a test, so that a stream's bytes come at once or never."""
    settings: dict[str, Any] = {"heartbeat_s": 600, "retry_ms": 100, "allow_origins": ORIGIN}
    with Server(tmp_path_factory.mktemp("quiet"), factory=factory, **settings) as running:
        yield running
        assert "Traceback" not in running.log()
