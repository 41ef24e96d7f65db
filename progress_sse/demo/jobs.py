"""Three simulated jobs that report as real ones do."""

import asyncio
import contextlib
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from progress_sse._internal.http_library import httpx

TICK_S: Final = 0.2
"""Seconds between two reports of a step's progress."""

REST_S: Final = 5.0
"""Seconds that an outcome stays visible."""

RETRY_S: Final = 0.25
"""Seconds between two attempts to reach a server that is away."""


class DemoReporter:
    """Reports on one session, and retries while the server is away: a restart loses no report.

    Visitors may report on it as well, as its page offers.
    """

    def __init__(self, client: httpx.AsyncClient, session_id: str) -> None:
        """Report over a client whose `base_url` is the server."""
        self._client = client
        self._path = f"/api/progress/{session_id}"

    async def create(self, steps: Mapping[str, float | None], profile: str | None = None) -> None:
        """Create the session anew, with these steps and the seconds that each takes, where that is known."""
        body: dict[str, Any] = {"steps": [_definition(name, seconds) for name, seconds in steps.items()]}
        if profile is not None:
            body["profile"] = profile
        await self._send("PUT", f"{self._path}?replace=true", body)

    async def start(self, step: int) -> None:
        """Report a step's start."""
        await self._update(action="start", step=step)

    async def complete(self, step: int, **outcome: Any) -> None:
        """Report a step's end."""
        await self._update(action="complete", step=step, **outcome)

    async def work(self, step: int, amounts: range, total: int | None = None, message: str = "") -> None:
        """Report these amounts one after the other as the progress of a step."""
        for current in amounts:
            await asyncio.sleep(TICK_S)
            await self._update(action="progress", step=step, current=current, total=total, message=message)

    async def _update(self, **update: Any) -> None:
        await self._send("POST", f"{self._path}/update", update)

    async def _send(self, method: str, path: str, body: dict[str, Any]) -> None:
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        while True:
            try:
                response = await self._client.request(method, path, json=body, headers=headers)
            except httpx.TransportError:
                await asyncio.sleep(RETRY_S)
                continue
            if response.status_code == httpx.codes.SERVICE_UNAVAILABLE:
                await asyncio.sleep(RETRY_S)
                continue
            if response.status_code != httpx.codes.CONFLICT:  # A visitor has completed the step.
                response.raise_for_status()
            return


def _definition(name: str, seconds: float | None) -> dict[str, Any]:
    return {"name": name} if seconds is None else {"name": name, "estimated_ms": round(seconds * 1000)}


async def steady(reporter: DemoReporter) -> None:
    """Run steps of very different lengths without a failure."""
    await reporter.create({"Download": 5, "Parse": 16, "Check": 3, "Save": 4}, profile="steady")
    for step, ticks in enumerate((25, 81, 15, 20), start=1):
        await reporter.start(step)
        await reporter.work(step, range(8100 // ticks, 8101, 8100 // ticks), total=8100)
        await reporter.complete(step, message="8,100 rows")


async def retried(reporter: DemoReporter) -> None:
    """Fail in the second step, and complete it at the second attempt."""
    await reporter.create({"Collect": 5, "Render": 6, "Send": 2})
    await reporter.start(1)
    await reporter.work(1, range(1, 26), total=25)
    await reporter.complete(1)
    await reporter.start(2)
    await reporter.work(2, range(2, 32), total=52, message="rendering pages")
    await reporter.complete(2, success=False, error="the renderer ran out of memory\n  at page 31 of 52")
    await asyncio.sleep(REST_S)
    await reporter.start(2)
    await reporter.work(2, range(2, 53, 2), total=52, message="rendering pages, second attempt")
    await reporter.complete(2, message="52 pages")
    await reporter.start(3)
    await reporter.work(3, range(1, 11), total=10)
    await reporter.complete(3)


async def unknown(reporter: DemoReporter) -> None:
    """Run a step of unknown length, which finds the total of the next one; until then no end is known."""
    await reporter.create({"Discover pages": None, "Index them": None})
    await reporter.start(1)
    await reporter.work(1, range(7, 316, 7), message="following links")
    await reporter.complete(1, message="315 pages")
    await reporter.start(2)
    await reporter.work(2, range(7, 316, 7), total=315)
    await reporter.complete(2)


JOBS: Final = (steady, retried, unknown)


async def run_repeatedly(job: Callable[[DemoReporter], Awaitable[None]], client: httpx.AsyncClient) -> None:
    """Run a job for ever, each time in its own session: first `steady-1`, then `steady-2`."""
    number = 1
    while True:
        with contextlib.suppress(httpx.HTTPStatusError):  # A visitor has deleted the session: run it again.
            await job(DemoReporter(client, f"{job.__name__}-{number}"))
            number += 1
        await asyncio.sleep(REST_S)
