"""The promises of `Backend.listen`, for every backend."""

from __future__ import annotations

import asyncio

from progress_sse.store.backend import Backend
from progress_sse.store.types import Notification
from tests.store.changes import after, apply, created, moved, removed


class TestListen:
    """`listen`: each change, in order, once it is committed and before its worker is answered."""

    async def test_listeners_get_each_change_in_order(self, backend: Backend) -> None:
        """Creation, transitions, replacement and removal, as they were committed."""
        notifications: list[Notification] = []
        await backend.listen("s", notifications.append)
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

    async def test_listeners_are_notified_before_the_worker_is_answered(self, backend: Backend) -> None:
        """A worker with an answer can rely on its event being on the way."""
        events: list[str] = []
        await backend.listen("s", lambda _notification: events.append("notified"))
        for change in (created(), moved(after(created()), 1)):
            await backend.commit(change)
            events.append("answered")
        assert events == ["notified", "answered"] * 2

    async def test_notifications_keep_their_order_during_concurrent_commits(self, backend: Backend) -> None:
        """A listener of one session gets contiguous positions, however many others commit at the same time."""
        notifications: list[Notification] = []
        await backend.listen("s", notifications.append)

        async def work(session_id: str) -> None:
            record = await apply(backend, created(session_id))
            for step in (1, 2, 3) * 10:
                record = await apply(backend, moved(record, step))

        await asyncio.gather(*(work(session_id) for session_id in ("s", "t", "u", "v")))
        assert [notification.record.position.offset for notification in notifications if notification.record] == list(
            range(31)
        )
        assert {notification.session_id for notification in notifications} == {"s"}

    async def test_all_listeners_of_the_session_and_no_others_are_notified(self, backend: Backend) -> None:
        """A session has any number of listeners. Ids are opaque, so `*` matches only `*`."""
        received: list[list[Notification]] = [[], [], [], []]
        for session_id, notifications in zip(("s", "s", "*", "S"), received, strict=True):
            await backend.listen(session_id, notifications.append)
        await apply(backend, created("s"), created("*"))
        assert [[notification.session_id for notification in notifications] for notifications in received] == [
            ["s"],
            ["s"],
            ["*"],
            [],
        ]

    async def test_unlisten_ends_notifications_at_once(self, backend: Backend) -> None:
        """Other listeners are still notified, even if one leaves during a notification."""
        first: list[Notification] = []
        second: list[Notification] = []

        def leave(notification: Notification) -> None:
            first.append(notification)
            backend.unlisten("s", leave)

        await backend.listen("s", leave)
        await backend.listen("s", second.append)
        record = await apply(backend, created())
        record = await apply(backend, moved(record, 1))
        assert (len(first), len(second)) == (1, 2)
        backend.unlisten("s", second.append)
        await backend.commit(moved(record, 2))
        assert (len(first), len(second)) == (1, 2)

    async def test_unlisten_of_no_listener_is_no_error(self, backend: Backend) -> None:
        """It is called in `finally`, where it is unknown how far `listen` came."""
        backend.unlisten("s", print)
        await backend.listen("s", print)
        backend.unlisten("s", print)
        backend.unlisten("s", print)
