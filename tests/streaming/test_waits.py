"""Requests that wait for a change of a session."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from progress_sse.core.errors import StoreUnavailableError
from progress_sse.store.listeners import N, Topic
from progress_sse.store.progress_store import ProgressStore
from progress_sse.store.types import Record
from progress_sse.streaming.hub import Hub
from progress_sse.streaming.timers import Expiry
from progress_sse.streaming.waits import Places, WaitOutcome, WaitRequest, Waits
from tests.clock import ManualClock, tasks_ran
from tests.harness.serving import eventually
from tests.streaming.client import Client
from tests.streaming.recorder import DEADLINE_S, SlowBackend

SECONDS = 30


def is_running(record: Record | None) -> bool:
    return record is not None and record.status == "running"


class Waiting:
    """At most two waits, of which a caller has one."""

    def __init__(self, hub: Hub) -> None:
        self.clock = ManualClock()
        self.hub = hub
        self.expiry = Expiry(self.clock)
        self.places = Places(2, 1)
        self.waits = Waits(hub, self.expiry, self.clock, self.places)

    def begin(
        self,
        *session_ids: str,
        is_met: Callable[[Record | None], bool] = is_running,
        client: Client | None = None,
        **given: Any,
    ) -> asyncio.Task[WaitOutcome]:
        receive = (client or Client()).receive
        request = WaitRequest(session_ids or ("a",), is_met, SECONDS, receive, **given)
        return asyncio.create_task(self.waits.run(request))

    async def begun(self, *session_ids: str, **given: Any) -> asyncio.Task[WaitOutcome]:
        """Begin to wait in a task, and return once it watches all of its sessions."""
        count, task = len(self.waits), self.begin(*session_ids, **given)
        watched = session_ids or ("a",)
        await eventually(lambda: len(self.waits) == count + 1 and self.hub.channel_count >= len(watched), DEADLINE_S)
        await tasks_ran()
        return task

    def check_released(self) -> None:
        """Fail if something is left of a wait."""
        assert len(self.waits) == 0
        assert self.hub.channel_count == 0
        assert len(self.expiry) == 0
        assert self.places.shortage("c") is None
        names = [getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks()]
        assert not [name for name in names if name.startswith("_Wait.")]


@pytest.fixture
def waiting(hub: Hub) -> Waiting:
    return Waiting(hub)


async def test_a_wait_ends_as_soon_as_a_session_is_as_wanted(store: ProgressStore, waiting: Waiting) -> None:
    """Not with another change, nor with one of another session."""
    await store.create_session("b", 2)
    wait = await waiting.begun("a", "b", caller="c", expires_at=waiting.clock.now().timestamp() + 60)
    await store.describe_session("b", title="x")
    await store.start_step("other", 1)
    await asyncio.sleep(0)
    assert not wait.done()
    await store.start_step("b", 1)
    assert await wait == "met"
    waiting.check_released()


async def test_a_wait_for_what_is_so_already_takes_no_place(store: ProgressStore, waiting: Waiting) -> None:
    """It is answered at once, even where all places are taken."""
    await store.start_step("b", 1)
    others = [await waiting.begun("a"), await waiting.begun("a")]
    assert await waiting.begin("a", "b") == "met"
    waiting.waits.drain()
    assert await asyncio.gather(*others) == ["drained", "drained"]


async def test_a_change_between_the_first_look_and_the_watch_is_seen(
    backend: SlowBackend, store: ProgressStore, waiting: Waiting
) -> None:
    """The store is asked again once the channel listens."""
    subscribe = backend.subscribe

    async def subscribe_late(topic: Topic[N], listener: Callable[[N], None]) -> Callable[[], None]:
        await store.start_step("a", 1)
        return await subscribe(topic, listener)

    backend.subscribe = subscribe_late  # type: ignore[method-assign]
    assert await waiting.begin("a") == "met"


async def test_a_change_while_the_store_is_asked_is_seen(
    backend: SlowBackend, store: ProgressStore, waiting: Waiting
) -> None:
    """The answer of the store is from before it then."""
    other = await waiting.begun("a")  # Its channel is open, so the next wait asks the store just twice.
    load, asked = backend.load, 0

    async def load_late(session_id: str) -> Record | None:
        nonlocal asked
        asked += 1
        found, is_second = await load(session_id), asked == 2
        if is_second:
            await store.start_step("a", 1)
        return found

    backend.load = load_late  # type: ignore[method-assign]
    assert await waiting.begin("a") == "met"
    assert await other == "met"


async def test_a_channel_behind_the_store_ends_no_wait(
    backend: SlowBackend, store: ProgressStore, waiting: Waiting
) -> None:
    """On several servers a notification may come after the answer that the client has."""
    await store.start_step("a", 1)
    record = await store.load("a")
    assert record is not None
    wait = await waiting.begun("a", is_met=lambda other: other is None or other.position != record.position)
    for channel in [waiting.hub._channels["a"]]:  # noqa: SLF001  # what a late notification calls
        for watcher in channel.watchers:
            watcher(None)
    await tasks_ran()
    assert not wait.done()
    await store.complete_step("a", 1)
    assert await wait == "met"


async def test_a_wait_ends_after_its_time(waiting: Waiting) -> None:
    """Not a moment before."""
    wait = await waiting.begun()
    waiting.clock.advance(SECONDS - 0.1)
    await asyncio.sleep(0)
    assert not wait.done()
    waiting.clock.advance(0.1)
    assert await wait == "unmet"
    waiting.check_released()


async def test_a_wait_ends_with_its_client(waiting: Waiting) -> None:
    """Nothing is kept for one that has gone."""
    client = Client()
    wait = await waiting.begun(client=client, caller="c")
    client.leave()
    assert await wait == "gone"
    waiting.check_released()


async def test_a_wait_ends_with_its_authorization(waiting: Waiting) -> None:
    """As a stream does."""
    wait = await waiting.begun(expires_at=waiting.clock.now().timestamp() + 5)
    expiring = asyncio.create_task(waiting.expiry.run())
    await asyncio.sleep(0)
    waiting.clock.advance(6)
    assert await wait == "expired"
    expiring.cancel()
    waiting.check_released()


async def test_a_wait_ends_when_the_server_stops(waiting: Waiting) -> None:
    """None begins until it continues."""
    wait = await waiting.begun()
    waiting.places.are_draining = True
    waiting.waits.drain()
    assert await wait == "drained"
    assert await waiting.begin() == "refused"
    waiting.places.are_draining = False
    waiting.check_released()
    (await waiting.begun()).cancel()


async def test_a_cancelled_wait_leaves_nothing(waiting: Waiting) -> None:
    """Some servers cancel the request of a client that has gone."""
    wait = await waiting.begun("a", "b", caller="c", expires_at=waiting.clock.now().timestamp() + 60)
    wait.cancel()
    with pytest.raises(asyncio.CancelledError):
        await wait
    waiting.check_released()


async def test_waits_take_places(waiting: Waiting) -> None:
    """One of each caller, two in all; a request without one is refused at once."""
    waits = [await waiting.begun("a", caller="c")]
    assert await waiting.begin("a", caller="c") == "refused"
    waits.append(await waiting.begun("a"))
    assert await waiting.begin("a") == "refused"
    waiting.waits.drain()
    await asyncio.gather(*waits)
    assert waiting.waits.ended == {"refused": 2, "drained": 2}
    waiting.check_released()


@pytest.mark.parametrize("calls", [1, 2])
async def test_a_failure_of_the_store_is_the_answer(backend: SlowBackend, waiting: Waiting, calls: int) -> None:
    """Whether at the first look or later, and nothing is left."""
    load, left = backend.load, calls

    async def failing(session_id: str) -> Record | None:
        nonlocal left
        left -= 1
        if left == 0:
            raise StoreUnavailableError
        return await load(session_id)

    backend.load = failing  # type: ignore[method-assign]
    with pytest.raises(StoreUnavailableError):
        await waiting.begin()
    waiting.check_released()


async def test_one_channel_serves_the_waits_and_streams_of_a_session(store: ProgressStore, waiting: Waiting) -> None:
    """Waits are no readers that events are counted for."""
    waits = [await waiting.begun("a"), await waiting.begun("a")]
    assert waiting.hub.channel_count == 1
    assert waiting.hub.subscription_count == 0
    await store.start_step("a", 1)
    assert await asyncio.gather(*waits) == ["met", "met"]
    assert waiting.hub.counts.deliveries == 0
    waiting.check_released()
