"""The server inside another application: mounted under a prefix, opened and closed with it.

A hub holds all parts of a server: several hubs in one process share nothing, and importing this module creates none. A
host only has to mount `ProgressHub.app`; everything else is optional.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any, Final

from starlette.types import ASGIApp

from progress_sse.api.app import create_app
from progress_sse.auth.authorizer import Authorize
from progress_sse.core.model import Event, Position, check_session_id
from progress_sse.core.session_filter import ListStatus, SessionFilter, check_prefix, parse_statuses
from progress_sse.service import ProgressService, running
from progress_sse.settings import Settings, load_settings
from progress_sse.store.progress_store import ProgressStore
from progress_sse.streaming.subscriber import Subscriber
from progress_sse.wire import sse
from progress_sse.wire.cursor import resume_from

MAX_TAKEN_BYTES: Final = 65_536
"""Bytes of events that are taken from the subscription at a time."""


class ProgressHub:
    """A server to be mounted: `Mount("/jobs", hub.app)`.

    Attributes:
        app: The ASGI application; all its paths are below the prefix that it is mounted at. It opens the store with the
            first request if it is not open yet, since a host does not run the lifespan of an application it mounts.
        store: The operations, for workers in the same process; open within `lifespan`, or from the first request on.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        authorize: Authorize | None = None,
        on_transition: Callable[[Event], object] | None = None,
    ) -> None:
        """Put a server together; nothing is opened yet.

        Args:
            settings: How it runs; from the environment by default.
            authorize: Decides on every request, in place of tokens; see `create_app`.
            on_transition: Called with each transition that is committed here, a `step` event, in the event loop and in
                order; it must not block. Its exceptions are logged. Of several processes on one store, only the one
                that committed the transition calls it; if that process dies in between, none does.

        Raises:
            ConfigurationError: The settings contradict each other.
        """
        settings = settings or load_settings()
        self._service = ProgressService(settings, authorize=authorize, on_transition=on_transition)
        self._subscribers: dict[Subscriber, asyncio.Event] = {}
        self.app: ASGIApp = create_app(settings, service=self._service)
        self.store: ProgressStore = self._service.store

    @asynccontextmanager
    async def lifespan(self, _app: object = None) -> AsyncIterator[None]:
        """Open the store, and close it at the end: the host's `lifespan`, or a part of it.

        It may be opened again afterwards, in another event loop too, as when each test of a host runs one. The host
        starts even if the store cannot be used, as one that another process holds. The log says so; requests get 503,
        and operations raise `StoreUnavailableError`, until it can.
        """
        async with running(self._service):
            try:
                yield
            finally:
                for subscriber, is_woken in self._subscribers.items():
                    subscriber.close()
                    is_woken.set()

    async def reload_hooks(self) -> None:
        """Read the file of hooks again, if the settings name one.

        Raises:
            ConfigurationError: It has a mistake; the hooks stay as they were.
        """
        await self._service.reload_hooks()

    async def subscribe(self, session_id: str, *, last_event_id: str = "") -> AsyncGenerator[Event, None]:
        """Follow a session as a browser does: a `snapshot` first, then each `step`, until it is completed.

        An iteration that does not keep up gets a `snapshot` in place of the events it missed. A session need not exist
        yet. The iteration also ends when the hub closes.

        Args:
            session_id: See `model.check_session_id`.
            last_event_id: Go on after this event, as `Last-Event-ID` does.

        Raises:
            InvalidSessionIdError: It is not a valid session id.
            StoreUnavailableError: The store cannot be used, or does not answer, when the iteration starts.
        """
        check_session_id(session_id)
        await self._service.start_if_needed()
        hub = self._service.streams.hub
        resume_point = resume_from(Position.parse(last_event_id))
        events = self._events(lambda subscriber: hub.subscribe(subscriber, session_id, resume_point))
        async with aclosing(events):
            async for name, position, data in events:
                yield Event(name, str(position), data)

    async def subscribe_to_list(
        self,
        *,
        prefix: str = "",
        labels: Mapping[str, str] | None = None,
        status: ListStatus | Sequence[ListStatus] = (),
    ) -> AsyncGenerator[Event, None]:
        """Follow a list of sessions as a browser does: a `list` first, then each `session` and `removed`, without ids.

        An iteration that does not keep up gets a `list` in place of the events it missed. It ends when the hub closes.

        Args:
            prefix: Only sessions whose id begins with it.
            labels: Only sessions that have all of these.
            status: Only sessions of that status, or that `failed`, were `cancelled`, or are `lost` or `stalled`; of
                several, any has to hold.

        Raises:
            InvalidSessionIdError: No session id begins with the prefix.
            StoreUnavailableError: The store cannot be used, or does not answer, when the iteration starts.
        """
        states = parse_statuses((status,) if isinstance(status, str) else status)
        wanted = SessionFilter(check_prefix(prefix), frozenset((labels or {}).items()), states)
        await self._service.start_if_needed()
        lists = self._service.streams.hub.lists
        events = self._events(lambda subscriber: lists.subscribe(subscriber, wanted))
        async with aclosing(events):
            async for name, _, data in events:
                yield Event(name, "", data)

    async def _events(
        self, subscribe: Callable[[Subscriber], Awaitable[None]]
    ) -> AsyncGenerator[tuple[str, Position, Any], None]:
        is_woken = asyncio.Event()
        subscriber = self._service.streams.hub.new_subscriber(1, is_woken.set)
        self._subscribers[subscriber] = is_woken
        try:
            await subscribe(subscriber)
            while not subscriber.is_closed:
                for _, batch in subscriber.take(MAX_TAKEN_BYTES):
                    for frame in batch.frames:
                        name, data = sse.decode_event(frame.data)
                        yield name, frame.position, json.loads(data)
                if subscriber.is_finished:
                    return
                await is_woken.wait()
                is_woken.clear()
        finally:
            self._subscribers.pop(subscriber)
            subscriber.close()
