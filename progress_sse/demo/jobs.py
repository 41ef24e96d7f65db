"""The simulated jobs, each of which shows something else that a job can say. They report as any job in Python does."""

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from progress_sse._internal.http_library import httpx
from progress_sse.client.errors import Cancelled
from progress_sse.demo.agent import run_agent
from progress_sse.demo.export import run_export
from progress_sse.demo.film import run_film
from progress_sse.demo.job import Run
from progress_sse.demo.load import EARLIER_RUNS, run_load

REST_S: Final = 6.0
"""Seconds between two runs, in which the end of the first is shown."""

KEPT_RUNS: Final = 6
"""Runs of each job whose sessions are kept."""


class Job(NamedTuple):
    """A job that runs again and again.

    Attributes:
        name: It begins the ids of the sessions.
        run: Runs it once.
        at_first: How many runs there are at once at the start.
    """

    name: str
    run: Callable[[Run], Awaitable[None]]
    at_first: int = 1


JOBS: Final = (
    Job("agent", run_agent),
    Job("export", run_export),
    Job("film", run_film),
    Job("load", run_load, at_first=EARLIER_RUNS),
)


async def run_repeatedly(job: Job, url: str, client: httpx.AsyncClient) -> None:
    """Run a job for ever, each time in its own session: first `agent-1`, then `agent-2`.

    Args:
        job: The job.
        url: The server to which it reports.
        client: Removes old sessions from there.
    """
    first = range(1, job.at_first + 1)
    await asyncio.gather(*(_run(job, number, url) for number in first))
    for number in itertools.count(job.at_first + 1):
        await asyncio.sleep(REST_S)
        await _run(job, number, url)
        await _forget(Run(job.name, number - KEPT_RUNS, url), client)


async def _run(job: Job, number: int, url: str) -> None:
    with contextlib.suppress(Cancelled):  # by a visitor
        await job.run(Run(job.name, number, url))


async def _forget(run: Run, client: httpx.AsyncClient) -> None:
    """Remove the session of an old run; if the server is away, its own clean-up does that later."""
    with contextlib.suppress(httpx.TransportError):
        await client.delete(f"/api/progress/{run.session_id}")
