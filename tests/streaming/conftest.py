import pytest

from progress_sse.store.progress_store import ProgressStore
from progress_sse.streaming.hub import Hub
from tests.streaming.recorder import SlowBackend


@pytest.fixture
def backend() -> SlowBackend:
    return SlowBackend()


@pytest.fixture
def store(backend: SlowBackend) -> ProgressStore:
    return ProgressStore(backend)


@pytest.fixture
def hub(backend: SlowBackend) -> Hub:
    return Hub(backend, retry_ms=2000)
