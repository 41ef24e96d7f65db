from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.harness.serving import Server
from tests.live.asgi_hosts import HOSTS


@pytest.fixture(scope="module", params=HOSTS)
def factory(request: pytest.FixtureRequest) -> str | None:
    """Each host in turn (see `asgi_hosts`): `serve` and a module's `server` start the current one."""
    factory: str | None = request.param
    return factory


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, factory: str | None) -> Iterator[Server]:
    """A server in memory that the tests of a module share; each has sessions of its own, and leaves it intact."""
    with Server(tmp_path_factory.mktemp("server"), factory=factory) as running:
        yield running
