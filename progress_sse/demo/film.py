"""A film whose frames four workers render at once, each frame a part of one step. Some fail, and are rendered again."""

import asyncio
from collections import deque
from typing import Final

from progress_sse.client.aio import AsyncProgress, AsyncStep
from progress_sse.core.model import StepDefinition
from progress_sse.demo.job import FLUSH_S, TICK_S, Run, work

FRAMES: Final = 40
WORKERS: Final = 4

FAILING: Final = frozenset({7, 18, 26})
"""The frames whose first attempt fails."""

RENDER: Final = f"Render {FRAMES} frames"


async def run_film(run: Run) -> None:
    """Render all frames as parts of a step, and join them."""
    async with AsyncProgress(
        run.session_id,
        steps=[StepDefinition(RENDER), StepDefinition("Join them", estimated_ms=3_000)],
        title=f"Film of {FRAMES} frames",
        labels={"job": "film", "workers": str(WORKERS)},
        url=run.url,
        flush_timeout_s=FLUSH_S,
    ) as progress:
        async with progress.step(1, parts_total=FRAMES) as step:
            await _render(step)
        async with progress.step(2) as step:
            await work(step, FRAMES, took_s=3, total=FRAMES)


async def _render(step: AsyncStep) -> None:
    waiting = deque(range(1, FRAMES + 1))
    failing = set(FAILING)

    async def worker() -> None:
        while waiting:
            frame = waiting.popleft()
            try:
                async with step.part(f"frame {frame:02}") as part:
                    await work(part, 4, took_s=(8 + frame % 5) * TICK_S, total=4)
                    if frame in failing:
                        raise MemoryError("a texture does not fit")
            except MemoryError:
                failing.discard(frame)
                waiting.append(frame)  # Others are rendered first.

    async with asyncio.TaskGroup() as workers:
        for _ in range(WORKERS):
            workers.create_task(worker())
