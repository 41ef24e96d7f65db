"""Notices come with the commit of their transition, for the hooks that want them."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from progress_sse._internal.http_library import httpx
from progress_sse.core.commands import Command
from progress_sse.core.notices import NoticeEvent
from progress_sse.core.session_filter import SessionFilter
from progress_sse.core.updates import Beat
from progress_sse.notices.hooks_file import Hook
from progress_sse.notices.maker import NoticeMaker
from progress_sse.store.lease_watcher import LeaseWatcher
from progress_sse.store.memory import MemoryBackend
from progress_sse.store.outbox import Taken
from progress_sse.store.progress_store import ProgressStore
from progress_sse.store.sqlite.backend import SqliteBackend
from progress_sse.store.types import StorageLimits
from tests.clock import ManualClock
from tests.core.samples import sent, start_of


def hook(name: str, *events: NoticeEvent, prefix: str = "", labels: frozenset[tuple[str, str]] = frozenset()) -> Hook:
    url = httpx.URL("https://example.org/")
    return Hook(name, url, (b"k" * 24,), events=frozenset(events), wanted=SessionFilter(prefix, labels))


ALL = hook("all", "started", "completed", "failed", "cancelled", "stalled", "recovered")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def store(clock: ManualClock) -> AsyncIterator[ProgressStore]:
    store = ProgressStore(MemoryBackend(StorageLimits()), clock=clock)
    await store.open()
    yield store
    await store.aclose()


def notify(store: ProgressStore, *hooks: Hook, public_url: str | None = None) -> None:
    store.committer.notice_makers = (NoticeMaker(hooks, public_url),)


async def taken(store: ProgressStore, clock: ManualClock, queue: str) -> list[Taken]:
    """All that waits in a queue, in order."""
    now_ms = int(clock.now().timestamp() * 1000)
    found: list[Taken] = []
    while page := await store.backend.outbox.take(queue, now_ms, 100):
        for each in page:
            await store.backend.outbox.settle(each, "delivered", now_ms)
        found += page
    return found


async def types(store: ProgressStore, clock: ManualClock, queue: str) -> list[str]:
    return [json.loads(each.body)["type"] for each in await taken(store, clock, queue)]


async def run_job(store: ProgressStore, session_id: str = "s", *, success: bool = True) -> None:
    await store.create_session(session_id, total_steps=1)
    await store.start_step(session_id, 1)
    await store.complete_step(session_id, 1, success=success)


async def let_leases_end(store: ProgressStore, clock: ManualClock) -> None:
    watcher = LeaseWatcher(store, clock)
    for _ in range(12):
        clock.advance(0.25)
        await watcher.check()


async def test_a_job_is_noticed(store: ProgressStore, clock: ManualClock) -> None:
    """By each hook in its own events, with an id of its own and the same body."""
    notify(store, ALL, hook("ends", "completed", "failed"), public_url="https://example.org/jobs")
    await run_job(store, "caf\u00e9/".rstrip("/"))
    everything, ends = [await taken(store, clock, name) for name in ("all", "ends")]
    bodies = [json.loads(each.body) for each in everything]
    assert [body["type"] for body in bodies] == ["session.started", "session.completed"]
    assert [each.body for each in ends] == [everything[1].body]
    assert len({each.notice_id for each in (*everything, *ends)}) == 3
    assert bodies[1]["data"]["page"] == "https://example.org/jobs/s/caf%C3%A9"
    assert bodies[1]["data"]["step"]["step"] == 1
    record = await store.load("caf\u00e9")
    assert record is not None
    assert bodies[1]["data"]["position"] == str(record.position)
    assert bodies[1]["timestamp"] == record.session.progress.updated_at


async def test_one_commit_may_bring_several(store: ProgressStore, clock: ManualClock) -> None:
    """A skip is about one step, a finish about all that it ends."""
    notify(store, ALL)
    await store.create_session("s", total_steps=3)
    await store.start_step("s", 1)
    await store.finish_session("s", success=False, error="no")
    started, failed = [json.loads(each.body)["data"] for each in await taken(store, clock, "all")]
    assert (started["step"]["status"], failed["step"]["status"]) == ("running", "error")
    await store.create_session("t", total_steps=2)
    await store.finish_session("t")
    (body,) = await taken(store, clock, "all")
    assert "step" not in json.loads(body.body)["data"]


async def test_hooks_choose_sessions(store: ProgressStore, clock: ManualClock) -> None:
    """By the beginning of the id, and by labels."""
    labelled = hook("search", "completed", prefix="shop:", labels=frozenset({("team", "search")}))
    notify(store, labelled, hook("shop", "completed", prefix="shop:"))
    for session_id, labels in {"shop:1": {"team": "search"}, "shop:2": {"team": "ads"}, "other": {}}.items():
        await run_job(store, session_id)
        await store.describe_session(session_id, labels=labels)
    assert await types(store, clock, "shop") == ["session.completed"] * 2
    assert await types(store, clock, "search") == []
    await store.start_step("shop:1", 1)
    await store.complete_step("shop:1", 1)
    assert await types(store, clock, "search") == ["session.completed"]


async def test_no_session_pays_that_no_hook_matches(store: ProgressStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not one call: hooks are asked only of sessions that may have a notice."""
    notify(store, hook("a", "completed", prefix="shop:", labels=frozenset({("team", "search")})))
    asked: list[str] = []

    def note(*_: object) -> tuple[()]:
        asked.append("")
        return ()

    monkeypatch.setattr(NoticeMaker, "__call__", note)
    await run_job(store, "other")
    await run_job(store, "shop:1")
    assert asked == []
    await store.create_session("shop:2", total_steps=1, labels={"team": "search"})
    assert len(asked) == 1


async def test_a_stalled_step_is_noticed_once(tmp_path: Path, clock: ManualClock) -> None:
    """In each of its attempts, also where the server was restarted meanwhile."""

    async def after_a_restart(command: Command) -> list[str]:
        store = ProgressStore(SqliteBackend(tmp_path / "jobs.db", StorageLimits()), clock=clock)
        await store.open()
        notify(store, ALL)
        await store.apply("s", command)
        await let_leases_end(store, clock)
        found = await types(store, clock, "all")
        await store.aclose()
        return [each.removeprefix("session.") for each in found]

    first, second = [sent(start_of(1), attempt_id=each, lease_ms=1000) for each in ("a", "b")]
    assert await after_a_restart(first) == ["started", "stalled"]
    assert await after_a_restart(sent(Beat(1), attempt_id="a")) == ["recovered"]
    assert await after_a_restart(first) == ["recovered"]
    assert await after_a_restart(second) == ["stalled"]


async def test_a_worker_that_dies_is_noticed_by_its_lease(store: ProgressStore, clock: ManualClock) -> None:
    """Of a job without one there is no notice."""
    notify(store, ALL)
    await store.start_step("leased", 1, attempt_id="a", lease_ms=1000, lost_after_ms=2000)
    await store.start_step("other", 1, attempt_id="a")
    await let_leases_end(store, clock)
    bodies = [json.loads(each.body) for each in await taken(store, clock, "all")]
    seen = [(body["data"]["session"]["session_id"], body["type"].removeprefix("session.")) for body in bodies]
    assert sorted(seen) == [("leased", "failed"), ("leased", "stalled"), ("leased", "started"), ("other", "started")]


async def test_without_hooks_there_are_none(store: ProgressStore, clock: ManualClock) -> None:
    await run_job(store)
    notify(store, ALL)
    await store.start_step("s", 1)
    assert await types(store, clock, "all") == []
