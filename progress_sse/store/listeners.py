"""What listeners are notified of, and the notifications within one process."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, Literal, TypeAlias, TypeVar

from progress_sse.store.log_lines import StoredLines
from progress_sse.store.types import ChangedSession, Notification

N = TypeVar("N")

Unsubscribe: TypeAlias = Callable[[], None]
"""Ends a subscription at once; one that has ended is no error."""


@dataclass(frozen=True, slots=True)
class Topic(Generic[N]):
    """What a listener is notified of, by an `N` each time.

    Attributes:
        kind: The changes of a session, the lines of one, or the changes of all sessions.
        session_id: The session; empty for all.
    """

    kind: Literal["changes", "lines", "all"]
    session_id: str = ""


def changes_of(session_id: str) -> Topic[Notification]:
    """Return the topic of a session's changes."""
    return Topic("changes", session_id)


def lines_of(session_id: str) -> Topic[StoredLines | None]:
    """Return the topic of the lines of a session's log, which end with the newest one.

    Without lines, or as `None`, a notification lets the listener read what is new.
    """
    return Topic("lines", session_id)


ALL_CHANGES: Final[Topic[ChangedSession | None]] = Topic("all")
"""The topic of the changes of all sessions; `None`: changes may have been missed, of any session."""


class Listeners(Generic[N]):
    """The listeners to one kind of topic.

    Attributes:
        by_name: Those of each session or channel that has any.
    """

    def __init__(self) -> None:
        self.by_name: dict[str, dict[object, Callable[[N], None]]] = {}

    def add(self, name: str, listener: Callable[[N], None], on_last: Callable[[], None] | None = None) -> Unsubscribe:
        """Notify `listener` from now on; call `on_last` when the last listener under the name has left."""
        subscription = object()
        self.by_name.setdefault(name, {})[subscription] = listener

        def unsubscribe() -> None:
            listeners = self.by_name.get(name, {})
            if listeners.pop(subscription, None) is not None and not listeners:
                del self.by_name[name]
                if on_last is not None:
                    on_last()

        return unsubscribe

    def notify(self, name: str, notification: N) -> None:
        """Call the listeners under a name."""
        listeners = self.by_name.get(name)
        if listeners is not None:
            for subscription, listener in tuple(listeners.items()):
                if subscription in listeners:  # Else another one has just removed it.
                    listener(notification)

    def clear(self) -> None:
        """Remove all listeners."""
        self.by_name.clear()


class LocalTopics:
    """The listeners to all topics of a backend that only one process uses."""

    def __init__(self) -> None:
        self._changes = Listeners[Notification]()
        self._lines = Listeners[StoredLines | None]()
        self._all = Listeners[ChangedSession | None]()

    def subscribe(self, topic: Topic[N], listener: Callable[[N], None]) -> Unsubscribe:
        """Notify `listener`; see `Backend.subscribe`."""
        listeners: dict[str, Listeners[Any]] = {"changes": self._changes, "lines": self._lines, "all": self._all}
        return listeners[topic.kind].add(topic.session_id, listener)

    def publish(self, notification: Notification) -> None:
        """Notify the listeners to the changes of a session, and then those to all."""
        self._changes.notify(notification.session_id, notification)
        if self._all.by_name:
            record = notification.record
            self._all.notify("", ChangedSession(notification.session_id, None if record is None else record.status))

    def publish_lines(self, session_id: str, lines: StoredLines | None) -> None:
        """Notify the listeners to the lines of a session."""
        self._lines.notify(session_id, lines)

    def clear(self) -> None:
        """Remove all listeners."""
        for listeners in (self._changes, self._lines, self._all):
            listeners.clear()
