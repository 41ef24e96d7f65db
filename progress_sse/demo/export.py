"""An export that its readers may cancel. Its last step fails once; a reader may have it tried again at once."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

from progress_sse.client.aio import AsyncProgress, AsyncStep
from progress_sse.client.inbox import Request
from progress_sse.core.model import StepDefinition
from progress_sse.demo.job import FLUSH_S, Run, work

RETRY_S: Final = 8.0
"""Seconds that a failure is shown, unless a reader asks for another attempt sooner."""

CLEAN_UP_S: Final = 2.0
"""Seconds that a cancelled export takes to remove its files."""

STEPS: Final = (
    StepDefinition("Collect the photos", estimated_ms=5_000),
    StepDefinition("Compress them", estimated_ms=9_000),
    StepDefinition("Upload the archive", estimated_ms=6_000),
)


class Wishes:
    """What readers have asked of a run.

    Attributes:
        is_cancelled: Whether one has asked to cancel it.
    """

    def __init__(self) -> None:
        """Begin without wishes."""
        self.is_cancelled = False
        self._retry = asyncio.Event()

    def note(self, request: Request) -> None:
        """Remember a request. One to cancel ends the block of the progress after that, by `Cancelled`."""
        if request.kind == "cancel":
            self.is_cancelled = True
        else:
            self._retry.set()

    async def retry(self) -> None:
        """Wait for a request to try again, for `RETRY_S` at most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RETRY_S):
                await self._retry.wait()


async def run_export(run: Run) -> None:
    """Collect, compress and upload; the upload breaks off at its first attempt.

    Raises:
        Cancelled: A reader has asked for that.
    """
    async with AsyncProgress(
        run.session_id,
        steps=STEPS,
        title="Export of 1,200 photos",
        labels={"job": "export", "format": "zip"},
        accepts=["cancel", "retry"],
        url=run.url,
        flush_timeout_s=FLUSH_S,
    ) as progress:
        wishes = Wishes()
        progress.on_request(wishes.note)
        async with _stage(progress.step(1), wishes) as step:
            step.log("3 albums, 1,200 photos")
            await work(step, 1200, took_s=5, total=1200)
        async with _stage(progress.step(2), wishes) as step:
            step.log("1,200 photos into parts of 8 MB")
            await work(step, 1200, took_s=9, total=1200)
        try:
            async with _stage(progress.step(3), wishes) as step:
                await work(step, 31, took_s=4, total=52)
                step.log("the connection broke off", "error")
                raise ConnectionResetError("closed after 31 of 52 MB")
        except ConnectionResetError:
            await wishes.retry()
        second = progress.step(3)
        second.take_over()  # It counts as another attempt, as the retry of a queue does.
        async with _stage(second, wishes) as step:
            step.log("going on with another connection")
            await work(step, 52, took_s=6, total=52)


@contextlib.asynccontextmanager
async def _stage(step: AsyncStep, wishes: Wishes) -> AsyncIterator[AsyncStep]:
    """Run a step that cleans up before it ends as cancelled."""
    async with step:
        try:
            yield step
        except asyncio.CancelledError:
            if wishes.is_cancelled:  # Otherwise the demo ends.
                await _clean_up(step)
            raise


async def _clean_up(step: AsyncStep) -> None:
    step.log("cancelled: removing the files that were written", "warning")
    await work(step, 0, CLEAN_UP_S, total=None, message="removing what was written")
    step.log("nothing is left behind")
