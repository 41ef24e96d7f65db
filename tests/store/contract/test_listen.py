"""What `Backend.listen` promises, of every backend."""

from __future__ import annotations

import asyncio

from progress_sse.store.backend import Backend
from progress_sse.store.types import Notification
from tests.store.changes import after, apply, created, moved, removed


class TestListen:
    """`listen`: each change, in order, once it is committed and before its worker is answered."""

    async def test_tells_of_each_change_in_order(self, backend: Backend) -> None:
        """Creation, transitions, keys, replacement and removal, as they were committed."""
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

    async def test_tells_before_the_worker_is_answered(self, backend: Backend) -> None:
        """Whoever is answered can rely on it that the readers are under way."""
        events: list[str] = []
        await backend.listen("s", lambda _notice: events.append("told"))
        for change in (created(), moved(after(created()), 1)):
            await backend.commit(change)
            events.append("answered")
        assert events == ["told", "answered"] * 2

    async def test_keeps_order_among_concurrent_commits(self, backend: Backend) -> None:
        """A listener of one session hears contiguous positions, however many others commit at the same time."""
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

    async def test_tells_everybody_and_only_those_of_the_session(self, backend: Backend) -> None:
        """Any number of listeners; ids are opaque, so `*` hears only of `*`."""
        heard: list[list[Notification]] = [[], [], [], []]
        for session_id, notifications in zip(("s", "s", "*", "S"), heard, strict=True):
            await backend.listen(session_id, notifications.append)
        await apply(backend, created("s"), created("*"))
        assert [[notification.session_id for notification in notifications] for notifications in heard] == [
            ["s"],
            ["s"],
            ["*"],
            [],
        ]

    async def test_tells_no_more_after_unlisten(self, backend: Backend) -> None:
        """At once; those who stay are still told, also if one goes while being told."""
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

    async def test_lets_go_twice_without_complaint(self, backend: Backend) -> None:
        """Cleaning up is done in `finally`, where nobody knows how far things got."""
        backend.unlisten("s", print)
        await backend.listen("s", print)
        backend.unlisten("s", print)
        backend.unlisten("s", print)
