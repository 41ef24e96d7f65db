"""What all simulated jobs have in common: a run, and work that takes its time."""

import asyncio
from typing import Final, NamedTuple

from progress_sse.client.aio import AsyncStep

TICK_S: Final = 0.2
"""Seconds between two reports of a step's progress."""

FLUSH_S: Final = 0.3
"""Seconds that the end of a run, or of the demo, waits for reports to be sent; later ones go while the demo runs."""


class Run(NamedTuple):
    """One run of a job: a session of its own, as any job of a user has.

    Attributes:
        job: The name of the job.
        number: Its number, from 1.
        url: The server that it reports to.
    """

    job: str
    number: int
    url: str

    @property
    def session_id(self) -> str:
        """The id of its session: `agent-1`."""
        return f"{self.job}-{self.number}"


async def work(step: AsyncStep, units: int, took_s: float, *, total: int | None, message: str = "") -> None:
    """Do so many units of a running step evenly, of `total` ones (`None`: of an unknown number)."""
    ticks = round(took_s / TICK_S)
    for tick in range(1, ticks + 1):
        await asyncio.sleep(TICK_S)
        step.report(units * tick // ticks, total, message=message)
