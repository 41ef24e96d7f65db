"""The listeners of all sessions in this process, which follow lists."""

import logging
from collections.abc import Callable
from typing import Any, Protocol

from progress_sse.store.listeners import Listeners, Unsubscribe
from progress_sse.store.redis.list_messages import decode_change
from progress_sse.store.types import ChangedSession

logger = logging.getLogger(__name__)


class ChannelFollower(Protocol):
    """Takes the messages on channels, and notifies listeners."""

    def add(
        self, channel: str, session_id: str, listener: Callable[[Any], None], on_last: Callable[[], None]
    ) -> Unsubscribe:
        """Notify `listener` from now on; call `on_last` when the last one of the channel has left."""

    def on_message(self, channel: str, payload: bytes) -> None:
        """Notify the listeners of what a process has published; other programs may publish anything there."""

    def on_gap(self, channel: str) -> None:
        """Notify the listeners that messages may have been missed."""


class ListChanges:
    """Notifies the listeners of all sessions, whichever of the channels a message came on."""

    def __init__(self) -> None:
        """Begin without listeners."""
        self._listeners = Listeners[ChangedSession | None]()

    def add(
        self,
        _channel: str,
        session_id: str,
        listener: Callable[[ChangedSession | None], None],
        on_last: Callable[[], None],
    ) -> Unsubscribe:
        """Notify `listener`; see `ChannelFollower.add`."""
        return self._listeners.add(session_id, listener, on_last)

    def on_message(self, channel: str, payload: bytes) -> None:
        """Notify the listeners of a change."""
        try:
            change = decode_change(payload)
        except UnicodeDecodeError:
            logger.exception("A message from Redis could not be decoded")
            self.on_gap(channel)
        else:
            self._listeners.notify("", change)

    def on_gap(self, _channel: str) -> None:
        """Let the listeners read what they may have missed."""
        self._listeners.notify("", None)
