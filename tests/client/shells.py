"""One interface to both ways to report: a test's job runs from blocking code and from an event loop."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from progress_sse import AsyncProgress, Progress
from progress_sse.client.reporter import Reporter
from tests.client.fake import AsyncFakeTransport, FakeTransport

Job = Callable[[Reporter], None]


class Shell(ABC):
    """A class that reports, and the differences of its use."""

    progress: ClassVar[type[Progress] | type[AsyncProgress]]

    @abstractmethod
    async def run(self, job: Job, progress: Any) -> None:
        """Run a job in a thread, inside the progress's block."""

    @abstractmethod
    async def flush(self, progress: Any, timeout_s: float) -> bool:
        """Wait until all reports are sent."""

    @abstractmethod
    async def close(self, progress: Any) -> None:
        """Close it without a block."""

    @abstractmethod
    async def track(self, step: Any, items: Sequence[int], total: int | None = None) -> list[int]:
        """Track items inside the step's block."""

    @abstractmethod
    async def call(self, step: Any, function: Callable[[int], int], number: int) -> int:
        """Run a function as the step."""

    @abstractmethod
    def transport(self, fake: FakeTransport) -> Any:
        """The transport that the class accepts."""

    def attached(self, **more: Any) -> tuple[FakeTransport, Any]:
        """What takes the reports on a session `a` of others, and the progress that makes them."""
        fake = FakeTransport()
        return fake, self.progress.attach("a", transport=self.transport(fake), **more)


class SyncShell(Shell):
    """Blocking code."""

    progress = Progress

    async def run(self, job: Job, progress: Progress) -> None:
        def work() -> None:
            with progress:
                job(progress)

        await asyncio.to_thread(work)

    async def flush(self, progress: Progress, timeout_s: float) -> bool:
        return await asyncio.to_thread(progress.flush, timeout_s)

    async def close(self, progress: Progress) -> None:
        await asyncio.to_thread(progress.close)

    async def track(self, step: Any, items: Sequence[int], total: int | None = None) -> list[int]:
        with step:
            return list(step.track(items, total))

    async def call(self, step: Any, function: Callable[[int], int], number: int) -> int:
        result: int = step.run(function, number)
        return result

    def transport(self, fake: FakeTransport) -> FakeTransport:
        return fake


class AsyncShell(Shell):
    """An event loop."""

    progress = AsyncProgress

    async def run(self, job: Job, progress: AsyncProgress) -> None:
        async with progress:
            await asyncio.to_thread(job, progress)

    async def flush(self, progress: AsyncProgress, timeout_s: float) -> bool:
        return await progress.flush(timeout_s)

    async def close(self, progress: AsyncProgress) -> None:
        await progress.aclose()

    async def track(self, step: Any, items: Sequence[int], total: int | None = None) -> list[int]:
        async with step:
            return [item async for item in step.track(items, total)]

    async def call(self, step: Any, function: Callable[[int], int], number: int) -> int:
        async def call(number: int) -> int:
            return function(number)

        result: int = await step.run(call, number)
        return result

    def transport(self, fake: FakeTransport) -> AsyncFakeTransport:
        return AsyncFakeTransport(fake)


SHELLS = [SyncShell(), AsyncShell()]
