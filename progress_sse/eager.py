"""Coroutines that begin at once: one that never has to wait needs no task, and no turn of the event loop.

Python 3.12 has tasks like that (`eager_start`); this is the part of them that is needed here, for every version.
"""

import asyncio
from collections.abc import Coroutine, Generator
from types import coroutine
from typing import Any


def run_eagerly(work: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
    """Run `work` up to where it waits for something, and the rest of it in a task; `None` if there is no rest.

    In its first part `work` has no task of its own: neither `asyncio.timeout` nor `asyncio.current_task` belong there.
    """
    try:
        awaited = work.send(None)
    except StopIteration:
        return None
    return asyncio.get_running_loop().create_task(_rest(work, awaited))


@coroutine
def _rest(work: Coroutine[Any, Any, None], awaited: Any) -> Generator[Any, Any, None]:
    while True:
        try:
            yield awaited
        except BaseException as error:  # noqa: BLE001  # it is for the work to say what becomes of it
            try:
                awaited = work.throw(error)
            except StopIteration:
                return
        else:
            break
    yield from work
