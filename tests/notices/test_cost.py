"""What hooks cost an update: calls of ours, which do not depend on the machine."""

import sys
from collections.abc import AsyncIterator
from types import FrameType

import pytest

from progress_sse.core.updates import Advance, Complete, Start, Update
from progress_sse.notices.maker import NoticeMaker
from progress_sse.store.memory import MemoryBackend
from progress_sse.store.progress_store import ProgressStore
from progress_sse.store.types import StorageLimits
from tests.notices.test_maker import hook


@pytest.fixture
async def store() -> AsyncIterator[ProgressStore]:
    store = ProgressStore(MemoryBackend(StorageLimits()))
    await store.open()
    for session_id in ("job", "shop:1"):
        await store.create_session(session_id, total_steps=1)
    yield store
    await store.aclose()


async def calls_of(store: ProgressStore, update: Update, session_id: str = "job") -> int:
    """How many functions of ours an update calls."""
    calls = 0

    def note(frame: FrameType, event: str, _: object) -> None:
        nonlocal calls
        calls += event == "call" and "/progress_sse/" in frame.f_code.co_filename

    sys.setprofile(note)
    try:
        await store.apply(session_id, update)
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize("update", [Start(1), Advance(1, 1, 2), Complete(1)], ids=lambda update: update.action)
async def test_an_update_that_no_hook_matches_costs_nothing(store: ProgressStore, update: Update) -> None:
    """By its id, or by its labels."""
    for session_id in ("job", "shop:1"):
        await store.apply(session_id, Start(1))
        await store.apply(session_id, Advance(1, 0, 2))
    without = await calls_of(store, update)
    store.committer.notice_makers = (NoticeMaker([hook("a", "started", "completed", prefix="shop:")]),)
    await store.apply("job", Start(1))
    await store.apply("job", Advance(1, 0, 2))
    assert await calls_of(store, update) == without
    labels = frozenset({("team", "search")})
    store.committer.notice_makers = (NoticeMaker([hook("a", "started", "completed", prefix="shop:", labels=labels)]),)
    assert await calls_of(store, update, "shop:1") == without


async def test_an_update_without_a_notice_costs_few_calls(store: ProgressStore) -> None:
    await store.apply("job", Start(1))
    without = await calls_of(store, Advance(1, 1, 10))
    store.committer.notice_makers = (NoticeMaker([hook("a", "completed", "failed", "stalled", "recovered")]),)
    assert await calls_of(store, Advance(1, 2, 10)) - without <= 12
