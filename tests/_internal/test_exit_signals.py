"""Callbacks before the end of a process by a signal."""

import asyncio
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from types import FrameType

import pytest

from progress_sse._internal.exit_signals import called_on_exit

calls: list[str] = []


def handler(_number: int, _frame: FrameType | None) -> None:
    calls.append("handler")


@pytest.fixture(autouse=True)
def _handler() -> Iterator[None]:
    calls.clear()
    previous = signal.signal(signal.SIGTERM, handler)
    yield
    signal.signal(signal.SIGTERM, previous)


async def test_the_callback_runs_besides_the_handler() -> None:
    called = asyncio.Event()
    with called_on_exit(called.set):
        signal.raise_signal(signal.SIGTERM)
        await called.wait()
    signal.raise_signal(signal.SIGTERM)
    assert calls == ["handler"] * 2
    assert signal.getsignal(signal.SIGTERM) is handler


def enter_and_abandon(stack: ExitStack) -> None:
    async def enter() -> None:
        stack.enter_context(called_on_exit(lambda: calls.append("callback")))

    asyncio.run(enter())


def test_a_signal_after_the_end_of_the_loop_reaches_the_handler() -> None:
    with ExitStack() as stack:
        enter_and_abandon(stack)
        signal.raise_signal(signal.SIGTERM)
        assert calls == ["handler"]


def test_another_thread_may_collect_what_was_never_closed() -> None:
    """The thread may set no handler; an error in a finaliser would be printed to stderr, and fails this test."""
    stacks = [ExitStack()]
    enter_and_abandon(stacks[0])
    thread = threading.Thread(target=stacks.clear)
    thread.start()
    thread.join()
    signal.raise_signal(signal.SIGTERM)
    assert calls == ["handler"]
