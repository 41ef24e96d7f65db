"""Coroutines that start at once: one that never waits needs no task, and no iteration of the event loop.

Python 3.12 has such tasks (`eager_start`); this is the part of them that this package needs, for every version.
"""

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any


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
