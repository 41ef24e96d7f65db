"""Requests that wait until a session changes as they want, and their end.

A wait ends with the first of these, and releases all that it holds:

* the *store* has a record that the request waits for (`met`);
* the *time* that it would wait is over (`unmet`);
* the *client* goes (`gone`);
* the *server* shuts down (`drained`);
* the *authorization* of the client ends (`expired`).

The channel of a session gives notice, and the store decides: on several servers a channel may be a moment
behind the store that a poll reads.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Literal, NamedTuple, TypeAlias

from starlette.types import Receive

from progress_sse._internal.clock import Clock
from progress_sse._internal.tasks import cancel
from progress_sse.store.types import Record
from progress_sse.streaming.hub import Hub
from progress_sse.streaming.timers import Expiry

Shortage: TypeAlias = Literal["streams-full", "streams-of-caller-full", "draining"]
"""Why there is no place: none at all, none for this caller, or the server shuts down."""


class Places:
    """The places of this process: `most`, of which a caller whose identity is known takes at most `most_per_caller`."""

    def __init__(self, most: int, most_per_caller: int | None) -> None:
        self.are_draining = False
        self._most = most
        self._most_per_caller = most_per_caller or most
        self._taken = 0
        self._taken_by: Counter[str] = Counter()

    def shortage(self, caller: str | None) -> Shortage | None:
        """Return why there is no place for a caller; `None` if there is one."""
        if self.are_draining:
            return "draining"
        if self._taken >= self._most:
            return "streams-full"
        if caller is not None and self._taken_by[caller] >= self._most_per_caller:
            return "streams-of-caller-full"
        return None

    def take(self, caller: str | None) -> None:
        """Take a place; `give_back` returns it."""
        self._taken += 1
        if caller is not None:
            self._taken_by[caller] += 1

    def give_back(self, caller: str | None) -> None:
        """Give a place back that was taken."""
        self._taken -= 1
        if caller is not None:
            self._taken_by[caller] -= 1
            if not self._taken_by[caller]:
                del self._taken_by[caller]


WaitOutcome: TypeAlias = Literal["met", "unmet", "gone", "drained", "expired", "refused"]
"""How a wait ended; `refused`: it did not begin, as there was no place or the server shuts down."""


class WaitRequest(NamedTuple):
    """The request of a client that waits.

    Attributes:
        session_ids: The sessions, one of which is enough; they need not exist.
        is_met: Whether a session is as the client waits for it; `None` stands for one that does not exist.
        seconds: For how long it waits at most.
        receive: Reports, as in ASGI, when the client has gone.
        expires_at: When the client's right to it ends, in seconds since 1970; `None` for never.
        caller: The identity of the client (see `caller_of`); `None` if places are not limited by it.
        on_first_look: Called with each session as it is when the wait begins.
    """

    session_ids: Sequence[str]
    is_met: Callable[[Record | None], bool]
    seconds: float
    receive: Receive
    expires_at: float | None = None
    caller: str | None = None
    on_first_look: Callable[[Record | None], None] | None = None


class Waits:
    """The requests of this process that wait. They take places as streams do.

    Attributes:
        ended: How many waits have ended, by outcome.
    """

    def __init__(self, hub: Hub, expiry: Expiry, clock: Clock, places: Places) -> None:
        self.ended: Counter[WaitOutcome] = Counter()
        self._hub = hub
        self._expiry = expiry
        self._clock = clock
        self._places = places
        self._open: set[_Wait] = set()

    def __len__(self) -> int:
        """Return how many requests wait."""
        return len(self._open)

    async def run(self, request: WaitRequest) -> WaitOutcome:
        """Wait as the request wants, and return what ended it.

        Raises:
            StoreUnavailableError: The store does not answer.
        """
        outcome: WaitOutcome = "met" if await _is_met_at_first(self._hub, request) else await self._wait(request)
        self.ended[outcome] += 1
        return outcome

    async def _wait(self, request: WaitRequest) -> WaitOutcome:
        if self._places.shortage(request.caller) is not None:
            return "refused"
        wait = _Wait(request)
        self._open.add(wait)
        self._places.take(request.caller)
        self._expiry.add(request.expires_at, wait.expire)
        try:
            return await wait.run(self._hub, self._clock)
        finally:
            self._open.remove(wait)
            self._places.give_back(request.caller)
            self._expiry.remove(request.expires_at, wait.expire)

    def drain(self) -> None:
        """End every wait; none begins while the places are closed."""
        for wait in tuple(self._open):
            wait.end("drained")


class _Wait:
    """One request that waits."""

    def __init__(self, request: WaitRequest) -> None:
        self.request = request
        self._outcome: asyncio.Future[WaitOutcome] = asyncio.get_running_loop().create_future()
        self._may_be_met = asyncio.Event()

    async def run(self, hub: Hub, clock: Clock) -> WaitOutcome:
        """Wait for the first event that ends it."""
        loop = asyncio.get_running_loop()
        tasks = [loop.create_task(each) for each in (self._look(hub), self._time_out(clock), self._follow_client())]
        try:
            return await self._outcome
        finally:
            await cancel(*tasks)

    def end(self, outcome: WaitOutcome) -> None:
        """End it, unless it has ended."""
        if not self._outcome.done():
            self._outcome.set_result(outcome)

    def expire(self) -> None:
        """End it, as the client's authorization has."""
        self.end("expired")

    async def _look(self, hub: Hub) -> None:
        try:
            async with AsyncExitStack() as watches:
                for session_id in dict.fromkeys(self.request.session_ids):
                    await watches.enter_async_context(hub.watching(session_id, self._on_change))
                while not await _is_met_in(hub, self.request):
                    await self._may_be_met.wait()
                    self._may_be_met.clear()
            self.end("met")
        except Exception as error:  # noqa: BLE001  # the request is refused with it
            if not self._outcome.done():
                self._outcome.set_exception(error)

    def _on_change(self, record: Record | None) -> None:
        if self.request.is_met(record):
            self._may_be_met.set()

    async def _time_out(self, clock: Clock) -> None:
        await clock.sleep(self.request.seconds)
        self.end("unmet")

    async def _follow_client(self) -> None:
        while (await self.request.receive())["type"] != "http.disconnect":
            pass
        self.end("gone")


async def _is_met_at_first(hub: Hub, request: WaitRequest) -> bool:
    """Return whether the store has a session as the client waits for it, before it waits."""
    records = [await hub.load(session_id) for session_id in request.session_ids]
    if any(map(request.is_met, records)):
        return True
    if request.on_first_look is not None:
        for record in records:
            request.on_first_look(record)
    return False


async def _is_met_in(hub: Hub, request: WaitRequest) -> bool:
    """Return whether the store has a session as the client waits for it."""
    for session_id in request.session_ids:
        if request.is_met(await hub.load(session_id)):
            return True
    return False
