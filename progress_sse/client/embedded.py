"""Transports to a store in the same process, for applications that embed the server: the same guarantees, no HTTP."""

import asyncio
import time
from collections.abc import Sequence
from typing import Final

from progress_sse.client.exchange import Asked, AskedRequest, ReportAnswer, ReportRequest
from progress_sse.client.loops import AsyncioLoop
from progress_sse.client.reports import Create, Log
from progress_sse.client.targets import OnLoop
from progress_sse.core import commands
from progress_sse.core.asks import Asks, AskState, ends_wait
from progress_sse.core.commands import IdempotencyKey
from progress_sse.core.errors import ProblemError
from progress_sse.core.updates import Envelope, with_envelope
from progress_sse.core.workflows import DEFAULT, Workflows, profile_of
from progress_sse.store.progress_store import ProgressStore
from progress_sse.store.types import Record

REQUEST_POLL_S: Final = 0.5
"""Seconds between two looks for requests of readers."""


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
            command = _command(request, self._store.workflows)
            commands.check_command(command)
            applied = await self._store.apply(request.session_id, command, key)
        except ProblemError as error:
            retry_after = error.headers.get("Retry-After")
            return ReportAnswer(error.status, error.problem, str(error), float(retry_after) if retry_after else None)
        if not isinstance(report, Create):
            return ReportAnswer(200, requests=tuple(_open_requests(applied.record, "asked")))
        assert applied.record is not None
        return ReportAnswer(200, run=applied.record.session.run)

    async def ask(self, session_ids: Sequence[str], wait_s: int) -> Asked | ReportAnswer:
        """Return the open requests of these sessions, once there is one or after so many seconds."""
        until = time.monotonic() + wait_s
        known: set[str] | None = None
        while True:
            try:
                records = [(each, await self._store.load(each)) for each in session_ids]
            except ProblemError as error:
                return ReportAnswer(error.status, error.problem, str(error))
            requests = [each for _, record in records if record for each in record.session.details.requests]
            if time.monotonic() >= until or ends_wait(requests, known):
                return [(each, asked) for each, record in records for asked in _open_requests(record, "asked", "seen")]
            known = {each.id for each in requests} if known is None else known
            await asyncio.sleep(REQUEST_POLL_S)


def _command(request: ReportRequest, workflows: Workflows) -> commands.Command:
    """Return the command of the store that a report becomes.

    Raises:
        UnknownWorkflowError: No workflow has the name of a creation's.
    """
    report = request.report
    if isinstance(report, Create):
        return _creation(report, workflows)
    update = report.update(request.ago_ms) if isinstance(report, Log) else report
    envelope = Envelope(update.lease, request.run or None, request.ago_ms, definitions=workflows.named())
    return with_envelope(update, envelope)


def _creation(report: Create, workflows: Workflows) -> commands.Create:
    steps = report.steps
    if steps is None:
        is_empty = report.open_ended and report.workflow is None
        steps = () if is_empty else workflows.named(DEFAULT if report.workflow is None else report.workflow)
    return commands.Create(
        steps,
        report.replace,
        title=report.title,
        labels=dict(report.labels),
        links=report.links,
        open_ended=report.open_ended,
        accepts=report.accepts,
        attempt_id=None if report.lease is None else report.lease.attempt_id,
        is_timed=report.open_ended or any(said is not None for said in (report.steps, report.workflow, report.profile)),
        profile=profile_of(report.profile, report.workflow),
    )


def _open_requests(record: Record | None, *states: AskState) -> list[AskedRequest]:
    requests: Asks = () if record is None else record.session.details.requests
    return [
        AskedRequest(each.id, each.kind, each.step, each.state, each.reason or "")
        for each in requests
        if each.state in states
    ]


class StoreTransport(OnLoop):
    """Transport of a `Progress` in a thread of the process that has the store's event loop."""

    def __init__(self, store: ProgressStore, loop: asyncio.AbstractEventLoop) -> None:
        """Apply reports to `store`, on the `loop` that it was opened on."""
        super().__init__(AsyncStoreTransport(store), AsyncioLoop(loop))
