from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest

from progress_sse.client.testing import Recorder, recording
from tests.bridges.queue_workers import Site
from tests.harness.redis import RedisServer


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    """Everything that is reported in this process."""
    with recording() as recorder:
        yield recorder


Sites = Callable[[str], Site]


@pytest.fixture(scope="session")
def sites(redis_servers: dict[str, RedisServer], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sites]:
    """What runs jobs with a library, each started when it is first asked for."""
    with ExitStack() as stack:

        @cache
        def start(name: str) -> Site:
            return stack.enter_context(Site(name, tmp_path_factory.mktemp("site") / name, redis_servers["redis"]))

        yield start


Build = Callable[..., Site]


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Build]:
    """Prepare a site with a broker of its own, and options of the test's for the worker; `with` starts it."""
    with RedisServer("redis", tmp_path / "redis") as broker:
        yield lambda name, *options: Site(name, tmp_path / "site", broker, *options)
