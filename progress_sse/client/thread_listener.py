"""The daemon threads that wait for the requests of readers, for every `Progress` of the process: one for each server.

Each has a connection of its own, so that reports go on meanwhile. The thread of ``thread_sender`` starts one, and
interrupts it where another session begins to listen. It keeps no process alive, and nothing waits for it.
"""

import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty
from typing import Generic, TypeVar

from progress_sse._internal.threads import SimpleQueue
from progress_sse.client.exchange import Asked, ReportAnswer
from progress_sse.client.listening import Group, Listening
from progress_sse.client.own_requests import sending
from progress_sse.client.report_queue import start_thread
from progress_sse.client.reports import describe_error
from progress_sse.client.targets import RequestWait

Q = TypeVar("Q", bound=Listening)


class ThreadListener(Generic[Q]):
    """Waits for the requests of one group of sessions."""

    def __init__(self, group: Group[Q], connect: Callable[[], RequestWait], on_refused: Callable[[Q], object]) -> None:
        """Begin without a thread. It calls `connect`, and `on_refused` with each session that it no longer serves."""
        self._group = group
        self._connect = connect
        self._on_refused = on_refused
        self._wait: RequestWait | None = None
        self._stopped: SimpleQueue[None] = SimpleQueue()

    def start(self) -> None:
        """Start the thread; without one the group is over."""
        self._group.is_over = not start_thread(self._run)

    def stop(self) -> None:
        """End the wait; called from any thread."""
        self._stopped.put(None)
        if self._wait is not None:
            self._wait.interrupt()

    def _run(self) -> None:
        try:
            self._wait = self._connect()
            self._listen(self._wait)
        except Exception:  # noqa: BLE001  # an error of a transport is not the job's
            self._group.is_refused = True
        finally:
            self._group.is_over = True
            if self._wait is not None:
                with suppress(Exception):
                    self._wait.close()
            if self._group.is_refused:
                for queue in self._group.queues():
                    self._on_refused(queue)

    def _listen(self, wait: RequestWait) -> None:
        while session_ids := self._group.session_ids():
            began = time.monotonic()
            pause_s = self._group.take(_ask(wait, session_ids, self._group.wait_s), time.monotonic() - began)
            if pause_s == math.inf:
                return
            with suppress(Empty):
                self._stopped.get(timeout=pause_s)
                return


def _ask(wait: RequestWait, session_ids: Sequence[str], wait_s: int) -> Asked | ReportAnswer:
    try:
        with sending():
            return wait.ask(session_ids, wait_s)
    except (ImportError, MemoryError, OSError) as error:  # The missing resource may be there later.
        return ReportAnswer(0, detail=describe_error(error))
