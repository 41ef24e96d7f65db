"""Coroutines that begin at once: one that never has to wait needs no task, and no turn of the event loop.

Python 3.12 has tasks like that (`eager_start`); this is the part of them that is needed here, for every version.
"""

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any


def run_eagerly(work: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
    """Run `work` up to where it waits for something, and the rest of it in a task; `None` if there is no rest.

    In its first part `work` has no task of its own: neither `asyncio.timeout` nor `asyncio.current_task` belong there.
    """
    try:
        awaited = work.send(None)
    except StopIteration:
        return None
    return asyncio.get_running_loop().create_task(_finished(_Rest(work, awaited)))


async def _finished(rest: "_Rest") -> None:
    await rest


class _Rest:
    """The rest of a coroutine that has begun: it waits for `awaited` now."""

    def __init__(self, work: Coroutine[Any, Any, None], awaited: Any) -> None:
        self._work = work
        self._awaited = awaited

    def __await__(self) -> Generator[Any, Any, None]:
        while True:
            try:
                yield self._awaited
            except BaseException as error:  # noqa: BLE001  # it is for the work to say what becomes of it
                try:
                    self._awaited = self._work.throw(error)
                except StopIteration:
                    return
            else:
                break
        yield from self._work.__await__()
