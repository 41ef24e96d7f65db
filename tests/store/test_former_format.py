"""A store that is used in the former format, by an application that embeds it."""

from __future__ import annotations

import pytest

from progress_sse.core.errors import InvalidRequestError
from progress_sse.store.memory import MemoryBackend
from progress_sse.store.progress_store import ProgressStore
from progress_sse.store.types import StorageLimits


async def test_it_writes_nothing_that_the_version_before_cannot_read() -> None:
    """Further arguments have no effect, further operations are refused."""
    store = ProgressStore(MemoryBackend(StorageLimits()), store_format=1)
    await store.create_session("s", 2, title="Nightly")
    await store.start_step("s", 1, attempt_id="a", lease_ms=1000, parts_total=2)
    with pytest.raises(InvalidRequestError):
        await store.skip_step("s", 2)
    with pytest.raises(InvalidRequestError):
        await store.report_part("s", 1, "p", "running")
    record = await store.load("s")
    assert record is not None
    assert b"Nightly" not in record.body
    assert b"attempt" not in record.body
    assert b"parts" not in record.body
