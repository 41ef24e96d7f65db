"""Queues with deadlines, and the limit of unsent bytes."""

import asyncio

import pytest

from progress_sse.server import connection_limits
from progress_sse.server.connection_limits import ConnectionLimits, DeadlineQueue

TIMEOUT_S = 0.05


class Client:
    """A connection, which is its own transport."""

    def __init__(self, name: str, ends: asyncio.Queue[str]) -> None:
        self.name = name
        self.queue: DeadlineQueue | None = None
        self.transport = self
        self._ends = ends

    def on_overdue(self) -> None:
        self._ends.put_nowait(self.name)
        if self.name == "broken":
            raise RuntimeError(self.name)

    def abort(self) -> None:
        self._ends.put_nowait(self.name)


class Scene:
    """A queue, and the names of overdue and evicted connections in order."""

    def __init__(self) -> None:
        self.queue = DeadlineQueue(TIMEOUT_S)
        self.ends: asyncio.Queue[str] = asyncio.Queue()

    def client(self, name: str) -> Client:
        return Client(name, self.ends)

    def enter(self, name: str) -> Client:
        client = self.client(name)
        self.queue.enter(client)
        return client

    async def next(self) -> str:
        async with asyncio.timeout(10):
            return await self.ends.get()

    def ended(self) -> list[str]:
        return [self.ends.get_nowait() for _ in range(self.ends.qsize())]


@pytest.fixture
async def scene() -> Scene:
    return Scene()


@pytest.fixture
def limits() -> ConnectionLimits:
    return ConnectionLimits(head_timeout_s=9, body_timeout_s=1, keep_alive_s=5, max_body_bytes=1, max_connections=1)


async def test_connections_are_overdue_in_order_and_not_before_their_time(scene: Scene) -> None:
    """One that has left is not reported."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    first, gone, last = map(scene.enter, ("first", "gone", "last"))
    scene.queue.leave(gone)
    assert (scene.queue.first, last.queue, gone.queue, len(scene.queue)) == (first, scene.queue, None, 2)
    assert [await scene.next(), await scene.next()] == ["first", "last"]
    assert loop.time() - began >= TIMEOUT_S
    assert (scene.queue.first, last.queue, len(scene.queue)) == (None, None, 0)


async def test_a_queue_works_again_after_it_was_empty(scene: Scene) -> None:
    """It sets one timer while it has connections."""
    for _ in range(3):
        scene.enter("again")
        assert await scene.next() == "again"
        assert scene.ends.empty()


async def test_a_connection_that_enters_later_has_the_whole_timeout(scene: Scene) -> None:
    """One timer serves both."""
    loop = asyncio.get_running_loop()
    entered: list[float] = []

    def enter_late() -> None:
        entered.append(loop.time())
        scene.enter("late")

    scene.enter("early")
    loop.call_later(TIMEOUT_S / 2, enter_late)
    assert [await scene.next(), await scene.next()] == ["early", "late"]
    assert loop.time() - entered[0] >= TIMEOUT_S


async def test_a_connection_that_fails_does_not_affect_the_others(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    """The timer goes on."""
    scene.enter("broken")
    scene.enter("next")
    assert [await scene.next(), await scene.next()] == ["broken", "next"]
    scene.enter("later")
    assert await scene.next() == "later"
    assert "could not be ended" in caplog.text


@pytest.mark.parametrize("order", [("awaiting_head", "idle"), ("idle", "awaiting_head")])
async def test_room_is_made_by_the_connection_that_has_sent_no_request_for_longest(
    scene: Scene, limits: ConnectionLimits, order: tuple[str, str]
) -> None:
    """Whether it had an answer before or not; a connection whose body is awaited stays until there is no other."""
    for name in ("awaiting_body", *order):
        getattr(limits, name).enter(scene.client(name))
    while limits.make_room():
        pass
    assert scene.ended() == [*order, "awaiting_body"]


async def test_the_oldest_connections_are_evicted_when_unsent_bytes_exceed_the_limit(
    scene: Scene, limits: ConnectionLimits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection is not evicted for its own bytes, and bytes that its client took no longer count."""
    monkeypatch.setattr(connection_limits, "MAX_UNSENT_BUFFER_BYTES", 10)
    first, second, third, huge = map(scene.client, ("first", "second", "third", "huge"))
    limits.enter_unsent(first, 4)
    limits.enter_unsent(second, 4)
    limits.enter_unsent(second, 6)
    assert scene.ended() == []
    limits.enter_unsent(third, 4)
    assert scene.ended() == ["first"]
    limits.leave_unsent(second)
    limits.leave_unsent(second)
    limits.enter_unsent(second, 6)
    assert scene.ended() == []
    limits.enter_unsent(huge, 100)
    assert scene.ended() == ["third", "second"]
