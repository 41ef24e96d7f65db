from collections.abc import Iterator
from typing import Any

import pytest

from tests.harness.redis import KINDS, RedisServer
from tests.harness.serving import Server
from tests.live.delivery.reading import HEARTBEAT_S

STORES = ["memory://", *(pytest.param(each, marks=pytest.mark.full) for each in ("sqlite", *KINDS))]


@pytest.fixture(scope="module", params=STORES)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, factory: str | None
) -> Iterator[Server]:
    """A server of each kind and store, shared by this module's tests; each test has sessions of its own."""
    folder = tmp_path_factory.mktemp("server")
    store: str = request.param
    settings: dict[str, Any] = {"heartbeat_s": HEARTBEAT_S, "retry_ms": 100}
    if store in KINDS:
        redis_servers: dict[str, RedisServer] = request.getfixturevalue("redis_servers")
        store, settings = redis_servers[store].url, settings | {"redis_prefix": folder.name}
    with Server(folder, store=store, factory=factory, **settings) as running:
        yield running
