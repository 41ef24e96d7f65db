"""How every backend opens, closes and opens again."""

import asyncio

from progress_sse.store.backend import FullBackend
from progress_sse.store.listeners import changes_of
from progress_sse.store.memory import MemoryBackend
from progress_sse.store.types import Notification, Record
from tests.store.changes import after, apply, created, key, moved
from tests.store.observed import ids, notified


class TestReopening:
    """`open` after `aclose` works as at first, with the stored sessions."""

    async def test_a_reopened_backend_has_what_was_committed(self, backend: FullBackend) -> None:
        """Repeatedly, and in any event loop, as where a host application is tested; memory begins empty."""
        await backend.aclose()
        kept: dict[str, Record] = {}
        for _ in range(2):
            await use_once(backend, kept)
            await asyncio.to_thread(asyncio.run, use_once(backend, kept))

    async def test_a_backend_opens_after_a_cancelled_opening(self, backend: FullBackend) -> None:
        """A host that stops waiting must not keep the store from the next one."""
        await backend.aclose()
        opening = asyncio.create_task(backend.open())
        await asyncio.sleep(0)
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)
        if not opening.cancelled():  # Memory is open at once.
            await backend.aclose()
        await use_once(backend, {})

    async def test_listeners_from_before_closing_are_removed(self, backend: FullBackend) -> None:
        """That they leave is no error then either."""
        before: list[Notification] = []
        leave = await backend.subscribe(changes_of("s"), before.append)
        gone = await backend.subscribe(changes_of("s"), before.append)
        await backend.aclose()
        gone()
        await backend.open()
        notifications = await notified(backend)
        await backend.commit(created())
        leave()
        await backend.commit(moved(after(created()), 1))
        assert (len(before), len(notifications)) == (0, 2)


async def use_once(backend: FullBackend, kept: dict[str, Record]) -> None:
    """Open the backend, check the sessions, change each with a listener, and close it."""
    await backend.open()
    await backend.ping()
    for session_id in map(str, range(20)):  # At all nodes of a cluster.
        record = kept.get(session_id)
        assert await backend.load(session_id) == record
        assert await backend.find_idempotency_key(session_id, "k") == (key("k") if record else None)
        change = moved(record, 1) if record else created(session_id, keys=[key("k")])
        notifications: list[Notification] = []
        await backend.subscribe(changes_of(session_id), notifications.append)
        await backend.commit(change)
        assert notifications == [Notification(session_id, change.record, change.is_fresh, change.entries)]
        kept[session_id] = after(change)
        assert await backend.replay(session_id, after(change).position._replace(offset=0)) is not None
    assert set(await ids(backend)) == set(kept)
    await backend.aclose()
    if isinstance(backend, MemoryBackend):
        kept.clear()


async def test_ping_returns_if_commits_work(backend: FullBackend) -> None:
    """On an empty backend and on one in use."""
    await backend.ping()
    await apply(backend, created())
    await backend.ping()
