from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest

from progress_sse.client.testing import Recorder, recording
from tests.bridges.queue_workers import QueueWorkers
from tests.harness.redis import RedisServer


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    with recording() as recorder:
        yield recorder


WorkersOf = Callable[[str], QueueWorkers]


@pytest.fixture(scope="session")
def workers_of(redis_servers: dict[str, RedisServer], tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkersOf]:
    """Start the workers of a library on first use, one set for the whole run."""
    with ExitStack() as stack:

        @cache
        def start(name: str) -> QueueWorkers:
            return stack.enter_context(
                QueueWorkers(name, tmp_path_factory.mktemp("workers") / name, redis_servers["redis"])
            )

        yield start


Build = Callable[..., QueueWorkers]


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Build]:
    """Prepare workers with a broker of their own and further options; `with` starts them."""
    with RedisServer("redis", tmp_path / "redis") as broker:
        yield lambda name, *options: QueueWorkers(name, tmp_path / "workers", broker, *options)
