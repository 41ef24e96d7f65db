"""The session `s` as a test observes it."""

from progress_sse.core.model import Position
from progress_sse.core.session_filter import ALL_SESSIONS, SessionFilter
from progress_sse.store.backend import FullBackend
from progress_sse.store.listeners import changes_of
from progress_sse.store.progress_store import ProgressStore
from progress_sse.store.types import Notification, Record
from tests.harness.presence import present


async def state(store: ProgressStore | FullBackend) -> Record:
    """The session `s`, which must exist."""
    return present(await store.load("s"))


async def ids(backend: FullBackend, wanted: SessionFilter = ALL_SESSIONS) -> list[str]:
    """The ids of the sessions of a list, the newest first."""
    return [summary.session_id for summary in await backend.lists.list_summaries(wanted, 1000, None)]


async def notified(backend: FullBackend, session_id: str = "s") -> list[Notification]:
    """Return the list of the notifications of a session from now on."""
    notifications: list[Notification] = []
    await backend.subscribe(changes_of(session_id), notifications.append)
    return notifications


def described(notification: Notification) -> list[str | int]:
    """Describe a notification: `new`, the steps that changed, `gone`."""
    return (
        ["new"] * notification.is_fresh
        + [entry.step for entry in notification.entries]
        + ["gone"] * (notification.record is None)
    )


async def transitions(store: ProgressStore, after: Position) -> list[int]:
    """The steps that changed after the position, in order; checks that the offsets are contiguous."""
    entries = present(await store.backend.replay("s", after))
    assert [entry.offset for entry in entries] == list(range(after.offset + 1, after.offset + 1 + len(entries)))
    return [entry.step for entry in entries]
