"""Queues of those who are waited for."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from progress_sse.server.connection_limits import Client, Queue, Takers

TIMEOUT_S = 0.05


class Log:
    """A queue, and who was told that his time is over, in order."""

    def __init__(self) -> None:
        self.queue = Queue[str](TIMEOUT_S, self.tell)
        self.told: asyncio.Queue[str] = asyncio.Queue()

    def tell(self, name: str) -> None:
        self.told.put_nowait(name)
        if name == "broken":
            raise RuntimeError(name)

    async def next(self) -> str:
        async with asyncio.timeout(10):
            return await self.told.get()


@pytest.fixture
async def log() -> Log:
    return Log()


async def test_who_came_first_is_due_first_and_not_before_time(log: Log) -> None:
    """And whoever has left is not told."""
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


async def test_a_queue_goes_on_after_it_was_empty(log: Log) -> None:
    """Its timer is set whenever somebody is there, and once only."""
    for _ in range(3):
        log.queue.enter("again")
        assert await log.next() == "again"
        assert log.told.empty()


async def test_who_comes_while_others_wait_has_the_whole_time(log: Log) -> None:
    """One timer serves both."""
    loop = asyncio.get_running_loop()
    entered: list[float] = []

    def enter_late() -> None:
        entered.append(loop.time())
        log.queue.enter("late")

    log.queue.enter("early")
    loop.call_later(TIMEOUT_S / 2, enter_late)
    assert [await log.next(), await log.next()] == ["early", "late"]
    assert loop.time() - entered[0] >= TIMEOUT_S


async def test_one_that_fails_holds_nobody_up(log: Log, caplog: pytest.LogCaptureFixture) -> None:
    """Nor does it stop the timer."""
    log.queue.enter("broken")
    log.queue.enter("next")
    assert [await log.next(), await log.next()] == ["broken", "next"]
    log.queue.enter("later")
    assert await log.next() == "later"
    assert "could not be ended" in caplog.text


def test_what_waits_for_those_who_take_nothing_has_a_bound() -> None:
    """Whoever came first gives way, to others only; and what has been taken counts no more."""
    gone: list[str] = []

    class Slow:
        def __init__(self, name: str) -> None:
            self._name = name

        def give_way(self) -> None:
            gone.append(self._name)

    first, second, third, huge = (cast(Client, Slow(name)) for name in ("first", "second", "third", "huge"))
    takers = Takers(10)
    takers.enter(first, 4)
    takers.enter(second, 4)
    takers.enter(second, 6)
    assert (gone, takers.first) == ([], first)
    takers.enter(third, 4)
    assert (gone, takers.first) == (["first"], second)
    takers.leave(second)
    takers.leave(second)
    takers.enter(second, 6)
    assert (gone, takers.first) == (["first"], third)
    takers.enter(huge, 100)
    assert (gone, takers.first) == (["first", "third", "second"], huge)
