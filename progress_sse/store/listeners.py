"""Notifications within one process, for the backends that only one process can use."""

from collections import defaultdict
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar


class AboutSession(Protocol):
    """A notification about one session."""

    @property
    def session_id(self) -> str:
        """The session."""


N = TypeVar("N", bound=AboutSession)


class ListenerRegistry(Generic[N]):
    """The listeners of each session, to notifications of one kind."""

    def __init__(self) -> None:
        self._listeners: defaultdict[str, list[Callable[[N], None]]] = defaultdict(list)

    def add(self, session_id: str, listener: Callable[[N], None]) -> None:
        """Notify `listener` of the session's changes from now on."""
        self._listeners[session_id].append(listener)

    def remove(self, session_id: str, listener: Callable[[N], None]) -> None:
        """Remove a listener; one that was not added is no error."""
        listeners = self._listeners.get(session_id, [])
        if listener in listeners:
            listeners.remove(listener)
        if not listeners:
            self._listeners.pop(session_id, None)

    def clear(self) -> None:
        """Remove all listeners."""
        self._listeners.clear()

    def notify(self, notification: N) -> None:
        """Call the listeners of the notification's session."""
        for listener in tuple(self._listeners.get(notification.session_id, ())):
            listener(notification)
