from __future__ import annotations

from collections.abc import Iterator

import pytest

from progress_sse.client.testing import Recorder, recording


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    """Everything that is reported in this process."""
    with recording() as recorder:
        yield recorder
