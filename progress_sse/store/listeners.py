"""Notifications within one process, for the backends that only one process can use."""

from collections import defaultdict

from progress_sse.store.types import ChangedSession, ChangesListener, Listener, Notification


class ListenerRegistry:
    """The listeners of each session, and those of all."""

    def __init__(self) -> None:
        self._listeners: defaultdict[str, list[Listener]] = defaultdict(list)
        self._of_all: list[ChangesListener] = []

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

    def add_to_all(self, listener: ChangesListener) -> None:
        """Notify `listener` of the changes of all sessions from now on."""
        self._of_all.append(listener)

    def remove_from_all(self, listener: ChangesListener) -> None:
        """Remove a listener of all sessions; one that was not added is no error."""
        if listener in self._of_all:
            self._of_all.remove(listener)

    def clear(self) -> None:
        """Remove all listeners."""
        self._listeners.clear()
        self._of_all.clear()

    def notify(self, notification: Notification) -> None:
        """Call the listeners of the notification's session, and those of all."""
        for listener in tuple(self._listeners.get(notification.session_id, ())):
            listener(notification)
        for listen in tuple(self._of_all):
            record = notification.record
            listen(ChangedSession(notification.session_id, None if record is None else record.status))
