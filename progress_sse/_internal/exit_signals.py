"""Notice of the process's end under a server that is not ours.

A server such as plain uvicorn waits for its open connections before it shuts the application down, and a
stream stays open until the application ends it. The signal reaches both at the same time.
"""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Final

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def called_on_exit(callback: Callable[[], None]) -> Iterator[None]:
    """Call `callback` in the event loop when a signal ends the process, before the signal's existing handler.

    Does nothing outside the main thread, where signals do not arrive, and for signals without a handler.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handled = {each: handler for each in _SIGNALS if callable(handler := signal.getsignal(each))}
    for each, handler in handled.items():
        signal.signal(each, partial(_handle, asyncio.get_running_loop(), callback, handler))
    try:
        yield
    finally:
        # An application that is never shut down is collected as garbage, perhaps by a thread that may set no handler.
        with suppress(ValueError):
            for each, handler in handled.items():
                signal.signal(each, handler)


def _handle(
    loop: asyncio.AbstractEventLoop, callback: Callable[[], None], handler: Callable[..., Any], *received: Any
) -> None:
    with suppress(RuntimeError):  # The loop is closed.
        loop.call_soon_threadsafe(callback)
    handler(*received)
