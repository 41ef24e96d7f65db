"""The promises of `Backend.subscribe`, for every backend."""

import asyncio
from typing import Final

from progress_sse.core.model import SessionStatus
from progress_sse.store.backend import FullBackend
from progress_sse.store.listeners import ALL_CHANGES, changes_of
from progress_sse.store.types import ChangedSession, Notification
from tests.harness.serving import eventually
from tests.store.changes import after, apply, created, moved, removed
from tests.store.observed import notified

DEADLINE_S: Final = 30


class TestChanges:
    """`changes_of`: each change, in order, once it is committed and before its worker is answered."""

    async def test_listeners_get_each_change_in_order(self, backend: FullBackend) -> None:
        """Creation, transitions, replacement and removal, as they were committed."""
        notifications = await notified(backend)
        first = created()
        batch = moved(after(first), 1, 2)
        fresh = created(epoch="second", expected=after(batch).position)
        gone = removed(after(fresh))
        for change in (first, batch, fresh, gone):
            await backend.commit(change)
        assert notifications == [
            Notification("s", after(first), is_fresh=True),
            Notification("s", after(batch), entries=batch.entries),
            Notification("s", after(fresh), is_fresh=True),
            Notification("s", None),
        ]

    async def test_listeners_are_notified_before_the_worker_is_answered(self, backend: FullBackend) -> None:
        """A worker with an answer can rely on its event being on the way."""
        events: list[str] = []
        await backend.subscribe(changes_of("s"), lambda _notification: events.append("notified"))
        for change in (created(), moved(after(created()), 1)):
            await backend.commit(change)
            events.append("answered")
        assert events == ["notified", "answered"] * 2

    async def test_notifications_keep_their_order_during_concurrent_commits(self, backend: FullBackend) -> None:
        """A listener of one session gets contiguous positions, however many others commit at the same time."""
        notifications = await notified(backend)

        async def work(session_id: str) -> None:
            record = await apply(backend, created(session_id))
            for step in (1, 2, 3) * 10:
                record = await apply(backend, moved(record, step))

        await asyncio.gather(*(work(session_id) for session_id in ("s", "t", "u", "v")))
        assert [notification.record.position.offset for notification in notifications if notification.record] == list(
            range(31)
        )
        assert {notification.session_id for notification in notifications} == {"s"}

    async def test_all_listeners_of_the_session_and_no_others_are_notified(self, backend: FullBackend) -> None:
        """A session has any number of listeners. Ids are opaque, so `*` matches only `*`."""
        received = [await notified(backend, session_id) for session_id in ("s", "s", "*", "S")]
        await apply(backend, created("s"), created("*"))
        assert [[each.session_id for each in notifications] for notifications in received] == [["s"], ["s"], ["*"], []]

    async def test_a_listener_that_leaves_is_notified_no_more(self, backend: FullBackend) -> None:
        """Other listeners still are, even if one leaves during a notification, or twice."""
        first: list[Notification] = []
        second: list[Notification] = []

        def take(notification: Notification) -> None:
            first.append(notification)
            leave()

        leave = await backend.subscribe(changes_of("s"), take)
        leave_too = await backend.subscribe(changes_of("s"), second.append)
        record = await apply(backend, created())
        record = await apply(backend, moved(record, 1))
        assert (len(first), len(second)) == (1, 2)
        leave()
        leave_too()
        leave_too()
        await backend.commit(moved(record, 2))
        assert (len(first), len(second)) == (1, 2)

    async def test_a_listener_may_subscribe_twice(self, backend: FullBackend) -> None:
        """Each subscription ends by itself."""
        notifications: list[Notification] = []
        leave, *_ = [await backend.subscribe(changes_of("s"), notifications.append) for _ in range(2)]
        record = await apply(backend, created())
        leave()
        leave()
        await backend.commit(moved(record, 1))
        assert len(notifications) == 3


class TestAll:
    """`ALL_CHANGES`: that a session has changed, for those who follow lists."""

    async def test_it_is_notified_of_each_session(self, backend: FullBackend) -> None:
        """Of each change that readers see, until it is taken back; the state is there by then."""
        notified: list[ChangedSession | None] = []
        leave = await backend.subscribe(ALL_CHANGES, notified.append)
        record = await apply(backend, created("a"))
        await backend.commit(created("b"))
        record = await apply(backend, moved(record, 1, 2), moved(after(moved(record, 1, 2)), 3, status="completed"))
        await backend.histories.forget("a")
        await backend.commit(removed(record))
        await eventually(lambda: ChangedSession("a", None) in notified, DEADLINE_S)
        leave()
        await backend.commit(created("a", "second"))
        statuses = [each.status for each in notified if each is not None and each.session_id == "a"]
        assert statuses == ["pending", "running", "completed", None]
        assert [each for each in notified if each is None or each.session_id != "a"] == [ChangedSession("b", "pending")]

    async def test_it_finds_what_it_was_notified_of(self, backend: FullBackend) -> None:
        """A session can be read at once, as it is after the change, or after a later one."""
        seen: list[SessionStatus | None] = []
        waiting: asyncio.Queue[ChangedSession | None] = asyncio.Queue()
        leave = await backend.subscribe(ALL_CHANGES, waiting.put_nowait)
        record = await apply(backend, created("s"))
        await backend.commit(moved(record, 1))
        await backend.commit(removed(after(moved(record, 1))))
        while not seen or seen[-1] is not None:
            change = await asyncio.wait_for(waiting.get(), DEADLINE_S)
            assert change is not None
            found = (await backend.lists.load_summaries([change.session_id])).get(change.session_id)
            seen.append(None if found is None else found.status)
            order = ["pending", "running", None]
            assert order.index(seen[-1]) >= order.index(change.status)
        leave()
