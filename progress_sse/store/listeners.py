"""Notifications within one process, for the backends that only one process can use."""

from collections import defaultdict

from progress_sse.store.types import Listener, Notification


class ListenerRegistry:
    """The listeners of each session."""

    def __init__(self) -> None:
        self._listeners: defaultdict[str, list[Listener]] = defaultdict(list)

    def add(self, session_id: str, listener: Listener) -> None:
        """Notify `listener` of the session's changes from now on."""
        self._listeners[session_id].append(listener)

    def remove(self, session_id: str, listener: Listener) -> None:
        """Remove a listener; one that was not added is no error."""
        listeners = self._listeners.get(session_id, [])
        if listener in listeners:
            listeners.remove(listener)
        if not listeners:
            self._listeners.pop(session_id, None)

    def clear(self) -> None:
        """Remove all listeners."""
        self._listeners.clear()

    def notify(self, notification: Notification) -> None:
        """Call the listeners of the notification's session."""
        for listener in tuple(self._listeners.get(notification.session_id, ())):
            listener(notification)
