"""A nightly load. Its profile lets the server learn what its steps take, and say when a run usually ends."""

import random
from typing import Final

from progress_sse.client.aio import AsyncProgress
from progress_sse.core.model import StepDefinition
from progress_sse.demo.job import FLUSH_S, Run, work

PROFILE: Final = "nightly-load"

EARLIER_RUNS: Final = 5
"""Runs at once at the start: as many as the server learns from before it speaks of earlier runs."""

STEPS: Final = (
    StepDefinition("Download", estimated_ms=4_000),
    StepDefinition("Parse", estimated_ms=8_000),
    StepDefinition("Check", estimated_ms=3_000),
    StepDefinition("Save", estimated_ms=4_000),
)

ROWS: Final = 8100


async def run_load(run: Run) -> None:
    """Run four steps; in each run they take other times, between half and one and a half of those declared."""
    chance = random.Random(run.number)  # noqa: S311  # no secret
    async with AsyncProgress(
        run.session_id,
        steps=STEPS,
        profile=PROFILE,
        title=f"Nightly load, run {run.number}",
        labels={"job": "load", "table": "orders"},
        url=run.url,
        flush_timeout_s=FLUSH_S,
    ) as progress:
        for number, definition in enumerate(STEPS, start=1):
            took_s = (definition.estimated_ms or 0) / 1000 * chance.uniform(0.6, 1.5)
            async with progress.step(number, message=f"{ROWS:,} rows") as step:
                await work(step, ROWS, took_s, total=ROWS, message=f"{ROWS:,} rows")
