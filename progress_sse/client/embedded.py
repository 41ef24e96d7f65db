"""Transports to a store in the same process, for applications that embed the server: the same guarantees, no HTTP."""

import asyncio
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Final

from progress_sse.client.exchange import ReportAnswer, ReportRequest
from progress_sse.client.report_commands import to_command
from progress_sse.client.reports import Create
from progress_sse.core.errors import ProblemError
from progress_sse.core.idempotency import IdempotencyKey
from progress_sse.store.progress_store import ProgressStore

ANSWER_S: Final = 10.0
"""Seconds that a thread waits for the event loop of the store."""


class AsyncStoreTransport:
    """Transport of an `AsyncProgress` on the event loop of the store."""

    def __init__(self, store: ProgressStore) -> None:
        """Apply reports to `store`."""
        self._store = store

    async def send(self, request: ReportRequest) -> ReportAnswer:
        """Apply a report once, even if the answer is lost."""
        report = request.report
        key = IdempotencyKey(request.key, repr(report)) if request.key else None
        try:
            command = self._store.admit(to_command(request, self._store))
            applied = await self._store.apply(request.session_id, command, key)
        except ProblemError as error:
            retry_after = error.headers.get("Retry-After")
            return ReportAnswer(error.status, error.problem, str(error), float(retry_after) if retry_after else None)
        if not isinstance(report, Create):
            return ReportAnswer(200)
        assert applied.record is not None
        return ReportAnswer(200, run=applied.record.session.run)

    async def aclose(self) -> None:
        """Leave the store open: the application closes it."""


class StoreTransport:
    """Transport of a `Progress` in a thread of the process that has the store's event loop."""

    def __init__(self, store: ProgressStore, loop: asyncio.AbstractEventLoop) -> None:
        """Apply reports to `store`, on the `loop` that it was opened on."""
        self._transport = AsyncStoreTransport(store)
        self._loop = loop

    def send(self, request: ReportRequest) -> ReportAnswer:
        """Apply a report once, and wait for the answer."""
        applied: SimpleQueue[asyncio.Task[ReportAnswer]] = SimpleQueue()
        self._loop.call_soon_threadsafe(
            lambda: self._loop.create_task(self._transport.send(request)).add_done_callback(applied.put)
        )
        with suppress(Empty):
            task = applied.get(timeout=ANSWER_S)
            if not task.cancelled():  # The end of the loop cancels it.
                return task.result()
        return ReportAnswer(0, detail="the event loop of the store does not answer")
