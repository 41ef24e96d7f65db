"""Reporting to a store in the same process, for applications that embed the server: no HTTP, the same promises."""

import asyncio
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Final

from progress_sse.client.exchange import Answer, Request
from progress_sse.client.reports import Advance, Complete, Create, Report, Start
from progress_sse.core import commands
from progress_sse.core.errors import ProblemError
from progress_sse.core.idempotency import IdempotencyKey
from progress_sse.store.progress_store import ProgressStore

ANSWER_S: Final = 10.0
"""Seconds that a thread waits for the event loop of the store."""


class AsyncStoreTransport:
    """For an `AsyncProgress` on the event loop of the store."""

    def __init__(self, store: ProgressStore) -> None:
        """Apply reports to `store`."""
        self._store = store

    async def send(self, request: Request) -> Answer:
        """Apply a report once, whatever becomes of the answer."""
        session_id, report, key, run = request
        try:
            command = self._command(report, run or None)
            applied = await self._store.apply(session_id, command, IdempotencyKey(key, repr(report)))
        except ProblemError as error:
            retry_after = error.headers.get("Retry-After")
            return Answer(error.status, error.problem, str(error), float(retry_after) if retry_after else None)
        if not isinstance(report, Create):
            return Answer(200)
        assert applied.record is not None
        return Answer(200, run=applied.record.session.run)

    async def aclose(self) -> None:
        """Leave the store open: the application closes it."""

    def _command(self, report: Report, run: str | None) -> commands.Command:
        match report:
            case Create(steps=None, workflow=None, replace=replace):
                return commands.Create(self._store.workflows.named(), replace)
            case Create(steps=None, workflow=str(workflow), replace=replace):
                return commands.Create(self._store.workflows.named(workflow), replace)
            case Create(steps=steps, replace=replace):
                return commands.Create(steps or (), replace)
            case Start(step, timeout_ms):
                return self._store.start_command(step, timeout_ms, run)
            case Advance(step, current, total, message):
                return commands.Advance(step, current, total, message, run)
            case Complete(step, success, message, error):
                return commands.Complete(step, success, message, error, run)


class StoreTransport:
    """For a `Progress` in a thread of the process whose event loop the store is on."""

    def __init__(self, store: ProgressStore, loop: asyncio.AbstractEventLoop) -> None:
        """Apply reports to `store`, on the `loop` that it was opened on."""
        self._transport = AsyncStoreTransport(store)
        self._loop = loop

    def send(self, request: Request) -> Answer:
        """Apply a report once, and wait until that is done."""
        applied: SimpleQueue[asyncio.Task[Answer]] = SimpleQueue()
        self._loop.call_soon_threadsafe(
            lambda: self._loop.create_task(self._transport.send(request)).add_done_callback(applied.put)
        )
        with suppress(Empty):
            task = applied.get(timeout=ANSWER_S)
            if not task.cancelled():  # As the end of the loop does.
                return task.result()
        return Answer(0, detail="the event loop of the store does not answer")
