"""The listeners in this process, and how the messages of all processes become their notifications."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol, TypeAlias

from progress_sse.store.listeners import Listeners, N, Topic, Unsubscribe
from progress_sse.store.redis.followed_sessions import FollowedSessions
from progress_sse.store.redis.keys import Keyspace
from progress_sse.store.redis.log_lines import RedisLines
from progress_sse.store.redis.messages import decode_list_message
from progress_sse.store.redis.pubsub import ClusterPubSub, RedisPubSub

logger = logging.getLogger(__name__)

PubSub: TypeAlias = RedisPubSub | ClusterPubSub


class Follower(Protocol):
    """Makes notifications of the messages on some channels."""

    def follow(self, channel: str, session_id: str, notify: Callable[[Any], None]) -> None:
        """Call `notify` with each notification from now on."""

    def leave(self, channel: str) -> None:
        """End that."""

    def on_message(self, channel: str, payload: bytes) -> None:
        """Notify of what was published; any exception shows that another program has published it."""

    def on_gap(self, channel: str) -> None:
        """Notify that messages may have been missed, or of what they were."""


class RedisTopics:
    """The listeners to all topics."""

    def __init__(
        self, keyspace: Keyspace, sessions: FollowedSessions, lines: RedisLines, make_pubsub: Callable[..., PubSub]
    ) -> None:
        self._keyspace = keyspace
        self._followers: dict[str, Follower] = {"changes": sessions, "lines": lines, "all": _ListChanges()}
        self._listeners = Listeners[Any]()
        self._by_channel: dict[str, Follower] = {}
        self._pubsub = make_pubsub(self._on_message, self._on_gap)

    def open(self) -> None:
        """Connect."""
        self._pubsub.open()

    async def aclose(self) -> None:
        """Remove all listeners, and close all connections."""
        self._by_channel.clear()
        self._listeners.clear()
        await self._pubsub.aclose()

    async def subscribe(self, topic: Topic[N], listener: Callable[[N], None]) -> Unsubscribe:
        """Notify `listener`; see `Backend.subscribe`."""
        follower, channels = self._followers[topic.kind], self._channels_of(topic)
        name = channels[0]

        def leave() -> None:
            for channel in channels:
                follower.leave(channel)
                del self._by_channel[channel]
                self._pubsub.unsubscribe(channel)

        if name not in self._listeners.by_name:
            for channel in channels:
                follower.follow(channel, topic.session_id, partial(self._listeners.notify, name))
                self._by_channel[channel] = follower
        unsubscribe = self._listeners.add(name, listener, leave)
        try:
            await asyncio.gather(*map(self._pubsub.subscribe, channels))
        except BaseException:
            unsubscribe()
            raise
        return unsubscribe

    def _channels_of(self, topic: Topic[Any]) -> Sequence[str]:
        if topic.kind == "all":
            return self._keyspace.list_channels
        keys = self._keyspace.of(topic.session_id)
        return (keys.channel if topic.kind == "changes" else keys.line_channel,)

    def _on_message(self, channel: str, payload: bytes) -> None:
        follower = self._by_channel.get(channel)
        if follower is not None:
            try:
                follower.on_message(channel, payload)
            except Exception:  # Other programs may publish anything there.
                logger.exception("A message from Redis could not be decoded")
                follower.on_gap(channel)

    def _on_gap(self, channel: str) -> None:
        if channel in self._by_channel:
            self._by_channel[channel].on_gap(channel)


class _ListChanges:
    """Notifies the listeners to all sessions, whichever of the channels a message came on."""

    def __init__(self) -> None:
        self._notify: dict[str, Callable[[Any], None]] = {}

    def follow(self, channel: str, _session_id: str, notify: Callable[[Any], None]) -> None:
        self._notify[channel] = notify

    def leave(self, channel: str) -> None:
        del self._notify[channel]

    def on_message(self, channel: str, payload: bytes) -> None:
        self._notify[channel](decode_list_message(payload))

    def on_gap(self, channel: str) -> None:
        self._notify[channel](None)
