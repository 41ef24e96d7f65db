"""The server inside an application of somebody's own: mounted under a prefix, opened and closed with it.

A hub holds all that there is of a server: several of them in one process know nothing of each other, and importing
this makes none. What a host has to do is to mount `ProgressHub.app`; everything else is for those who want it.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from starlette.types import ASGIApp

from progress_sse.api.app import create_app
from progress_sse.auth.authorizer import Authorize
from progress_sse.core.events import Event
from progress_sse.core.model import Position, check_session_id
from progress_sse.service import ProgressService, running
from progress_sse.settings import Settings, load_settings
from progress_sse.store.progress_store import ProgressStore
from progress_sse.streaming.hub import Subscription, standing_at
from progress_sse.wire import sse

MAX_TAKEN_BYTES: Final = 65_536
"""Bytes of events that are handed over before it is looked whether there are more."""


class ProgressHub:
    """A server to be mounted: `Mount("/jobs", hub.app)`.

    Attributes:
        app: The ASGI application; all its addresses are below wherever it is mounted. It opens the store with the first
            request if nobody has by then, since a host does not run the lifespan of what it mounts.
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
            settings: How it runs; from the environment where none are given.
            authorize: Decides on every request, in place of tokens; see `create_app`.
            on_transition: Called with each transition that is committed here, a `step` event, in the event loop and in
                order; it must not block. What it raises is logged. Of several processes on one store only the one
                that committed it calls; and where that dies in between, none does.

        Raises:
            ConfigurationError: The settings do not go together.
        """
        settings = settings or load_settings()
        self._service = ProgressService(settings, authorize=authorize, on_transition=on_transition)
        self._followers: dict[Subscription, asyncio.Event] = {}
        self.app: ASGIApp = create_app(settings, service=self._service)
        self.store: ProgressStore = self._service.store

    @asynccontextmanager
    async def lifespan(self, _app: object = None) -> AsyncIterator[None]:
        """Open the store, and close it at the end: the host's `lifespan`, or a part of it.

        Another one may follow, in another event loop too, as where each test of a host runs one.

        Raises:
            StoreRefusedError: The store cannot be used as it is.
        """
        async with running(self._service):
            try:
                yield
            finally:
                for subscription, is_woken in self._followers.items():
                    subscription.close()
                    is_woken.set()

    async def subscribe(self, session_id: str, *, last_event_id: str = "") -> AsyncGenerator[Event, None]:
        """Follow a session as a browser does: a `snapshot` first, then each `step`, until it is completed.

        Who does not keep up gets a `snapshot` in place of what was missed. A session that does not exist yet is waited
        for. The iteration also ends when the hub closes.

        Args:
            session_id: See `model.check_session_id`.
            last_event_id: Go on after this event, as `Last-Event-ID` does.

        Raises:
            InvalidSessionIdError: No session can have this id.
            StoreRefusedError: The store cannot be used as it is.
            StoreUnavailableError: The store does not answer at the beginning.
        """
        check_session_id(session_id)
        await self._service.start_if_needed()
        is_woken, hub = asyncio.Event(), self._service.streams.hub
        subscription = Subscription(hub, 1, is_woken.set)
        self._followers[subscription] = is_woken
        try:
            await hub.join(subscription, session_id, standing_at(Position.parse(last_event_id)))
            while not subscription.is_closed:
                for _, batch in subscription.take(MAX_TAKEN_BYTES):
                    for frame in batch.frames:
                        name, data = sse.decode_event(frame.data)
                        yield Event(name, str(frame.position), json.loads(data))
                if subscription.is_finished:
                    return
                await is_woken.wait()
                is_woken.clear()
        finally:
            self._followers.pop(subscription)
            subscription.close()
