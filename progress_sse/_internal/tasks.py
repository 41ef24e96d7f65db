"""Tasks of asyncio: run at once as far as possible, or cancelled until they have ended."""

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any, Final


def run_eagerly(work: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
    """Run `work` up to its first wait, and the rest of it in a task; `None` if it never waits.

    Before its first wait `work` has no task of its own, so it must not use `asyncio.timeout` or `asyncio.current_task`.
    """
    try:
        awaited = work.send(None)
    except StopIteration:
        return None
    rest = _finished(_Rest(work, awaited))
    rest.send(None)
    return asyncio.get_running_loop().create_task(rest)


async def _finished(rest: "_Rest") -> None:
    await rest


class _Rest:
    """The rest of a coroutine that was started and now waits for `awaited`."""

    def __init__(self, work: Coroutine[Any, Any, None], awaited: Any) -> None:
        self._work = work
        self._awaited = awaited

    def __await__(self) -> Generator[Any, Any, None]:
        try:
            yield  # Up to here without the task: a cancellation before its first turn so reaches the coroutine, too.
        except BaseException as error:  # noqa: BLE001  # the coroutine handles it
            if self._awaited is not None:
                self._awaited.cancel()  # As a task does with what it waits for.
            if self._has_ended_by(error):
                return
        while True:
            try:
                yield self._awaited
            except BaseException as error:  # noqa: BLE001  # see above
                if self._has_ended_by(error):
                    return
            else:
                break
        yield from self._work.__await__()

    def _has_ended_by(self, error: BaseException) -> bool:
        try:
            self._awaited = self._work.throw(error)
        except StopIteration:
            return True
        return False


AGAIN_S: Final = 0.05
"""Seconds after which a task that has not ended is cancelled again."""


async def cancel(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks until all of them have ended, with any result or exception.

    One cancellation is not enough. Some libraries turn it into a success or an error of their own, as
    `asyncio.wait_for` does before Python 3.12 [python/cpython#86296]. The task would go on then, and the wait for it
    would never end.
    """
    # Created first, so that it retrieves each task's exception even if this call itself is cancelled.
    ended = asyncio.gather(*tasks, return_exceptions=True)
    while not ended.done():
        for task in tasks:
            task.cancel()
        await asyncio.wait([ended], timeout=AGAIN_S)


def has_failed(task: asyncio.Future[Any]) -> bool:
    """Return whether a task has ended with an error, or was cancelled; asyncio then does not log the error."""
    return task.done() and (task.cancelled() or task.exception() is not None)
