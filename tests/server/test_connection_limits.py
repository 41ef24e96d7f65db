"""Queues with deadlines, and the limit of unsent bytes."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from progress_sse.server.connection_limits import ConnectionLimits, DeadlineQueue, LimitedConnection, UnsentBuffers

TIMEOUT_S = 0.05


class Log:
    """A queue, and its overdue items in order."""

    def __init__(self) -> None:
        self.queue = DeadlineQueue[str](TIMEOUT_S, self.on_overdue)
        self.overdue: asyncio.Queue[str] = asyncio.Queue()

    def on_overdue(self, name: str) -> None:
        self.overdue.put_nowait(name)
        if name == "broken":
            raise RuntimeError(name)

    async def next(self) -> str:
        async with asyncio.timeout(10):
            return await self.overdue.get()


@pytest.fixture
async def log() -> Log:
    return Log()


async def test_items_are_overdue_in_order_and_not_before_their_time(log: Log) -> None:
    """An item that has left is not reported."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    for name in ("first", "gone", "last"):
        log.queue.enter(name)
    log.queue.leave("gone")
    log.queue.leave("gone")
    assert (log.queue.first, len(log.queue)) == ("first", 2)
    assert [await log.next(), await log.next()] == ["first", "last"]
    assert loop.time() - began >= TIMEOUT_S
    assert (log.queue.first, len(log.queue)) == (None, 0)


async def test_a_queue_works_again_after_it_was_empty(log: Log) -> None:
    """It sets one timer while it has items."""
    for _ in range(3):
        log.queue.enter("again")
        assert await log.next() == "again"
        assert log.overdue.empty()


async def test_an_item_that_enters_later_has_the_whole_timeout(log: Log) -> None:
    """One timer serves both items."""
    loop = asyncio.get_running_loop()
    entered: list[float] = []

    def enter_late() -> None:
        entered.append(loop.time())
        log.queue.enter("late")

    log.queue.enter("early")
    loop.call_later(TIMEOUT_S / 2, enter_late)
    assert [await log.next(), await log.next()] == ["early", "late"]
    assert loop.time() - entered[0] >= TIMEOUT_S


async def test_an_item_that_fails_does_not_affect_the_others(log: Log, caplog: pytest.LogCaptureFixture) -> None:
    """The timer goes on."""
    log.queue.enter("broken")
    log.queue.enter("next")
    assert [await log.next(), await log.next()] == ["broken", "next"]
    log.queue.enter("later")
    assert await log.next() == "later"
    assert "could not be ended" in caplog.text


@pytest.mark.parametrize("order", [("awaiting_head", "idle"), ("idle", "awaiting_head")])
async def test_room_is_made_by_the_connection_that_has_sent_no_request_for_longest(order: tuple[str, str]) -> None:
    """Whether it had an answer before or not; a connection whose body is awaited stays until there is no other."""
    limits = ConnectionLimits(head_timeout_s=9, body_timeout_s=1, keep_alive_s=5, max_body_bytes=1, max_connections=1)
    evicted = []

    class Waiting:
        def __init__(self, name: str) -> None:
            self.name = name
            self.queue: DeadlineQueue[LimitedConnection] = getattr(limits, name)
            self.queue.enter(cast("LimitedConnection", self))

        def evict(self) -> None:
            self.queue.leave(cast("LimitedConnection", self))
            evicted.append(self.name)

    for name in ("awaiting_body", *order):
        Waiting(name)
    while limits.make_room():
        pass
    assert evicted == [*order, "awaiting_body"]


def test_the_oldest_connections_are_evicted_when_unsent_bytes_exceed_the_limit() -> None:
    """A connection is not evicted for its own bytes, and bytes that its client took no longer count."""
    gone: list[str] = []

    class Slow:
        def __init__(self, name: str) -> None:
            self._name = name

        def evict(self) -> None:
            gone.append(self._name)

    first, second, third, huge = (cast(LimitedConnection, Slow(name)) for name in ("first", "second", "third", "huge"))
    unsent_buffers = UnsentBuffers(10)
    unsent_buffers.enter(first, 4)
    unsent_buffers.enter(second, 4)
    unsent_buffers.enter(second, 6)
    assert (gone, unsent_buffers.first) == ([], first)
    unsent_buffers.enter(third, 4)
    assert (gone, unsent_buffers.first) == (["first"], second)
    unsent_buffers.leave(second)
    unsent_buffers.leave(second)
    unsent_buffers.enter(second, 6)
    assert (gone, unsent_buffers.first) == (["first"], third)
    unsent_buffers.enter(huge, 100)
    assert (gone, unsent_buffers.first) == (["first", "third", "second"], huge)
