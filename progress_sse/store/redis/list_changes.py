"""The listeners of all sessions in this process, which follow lists."""

import asyncio
import logging

from progress_sse.store.redis.keys import Keyspace
from progress_sse.store.redis.list_messages import decode_change
from progress_sse.store.redis.pubsub import PubSub
from progress_sse.store.types import ChangedSession, ChangesListener

logger = logging.getLogger(__name__)


class ListChanges:
    """Notifies the listeners of all sessions; the channels are subscribed to while there are any."""

    def __init__(self, keyspace: Keyspace) -> None:
        """Begin without listeners."""
        self._channels = frozenset(keyspace.list_channels)
        self._listeners: list[ChangesListener] = []

    async def add(self, listener: ChangesListener, pubsub: PubSub) -> None:
        """Notify `listener`; see `Backend.listen_to_all`."""
        self._listeners.append(listener)
        try:
            await asyncio.gather(*map(pubsub.subscribe, self._channels))
        except BaseException:
            self.remove(listener, pubsub)
            raise

    def remove(self, listener: ChangesListener, pubsub: PubSub) -> None:
        """Undo `add`; a listener that was not added is no error."""
        if listener in self._listeners:
            self._listeners.remove(listener)
            if not self._listeners:
                for channel in self._channels:
                    pubsub.unsubscribe(channel)

    def takes(self, channel: str) -> bool:
        """Return whether a channel is one of these."""
        return channel in self._channels

    def on_message(self, payload: bytes) -> None:
        """Take a message from one of the channels."""
        try:
            change = decode_change(payload)
        except UnicodeDecodeError:  # Other programs may publish anything there.
            logger.exception("A message from Redis could not be decoded")
            self.on_gap()
        else:
            self._notify(change)

    def on_gap(self) -> None:
        """Take note that messages may have been missed."""
        self._notify(None)

    def _notify(self, change: ChangedSession | None) -> None:
        for listener in tuple(self._listeners):
            listener(change)
