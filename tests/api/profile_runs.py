"""Jobs of a profile, each step of which takes a known time."""

from typing import Any

import httpx

from tests.clock import ManualClock

LEARNED = "/api/steps?profile=nightly"

STALE_S = 11
"""Seconds after which what was learned is read anew."""


class Runs:
    """A client that runs jobs, each step for a known time."""

    def __init__(self, client: httpx.AsyncClient, clock: ManualClock, **headers: str) -> None:
        self.client = client
        self.clock = clock
        self._headers = headers
        self._count = 0

    async def run(self, *seconds: float, count: int = 1, **creation: Any) -> list[dict[str, Any]]:
        """Run jobs whose steps take so long; return their states after the last start."""
        return [await self._run(seconds, creation) for _ in range(count)]

    async def _run(self, seconds: tuple[float, ...], creation: dict[str, Any]) -> dict[str, Any]:
        self._count += 1
        path = f"/api/progress/run-{self._count}"
        created = await self.client.put(path, json=creation, headers=self._headers)
        assert created.status_code == 201
        before: dict[str, Any] = {}
        for step, each in enumerate(seconds, start=1):
            await self._report(path, "start", step)
            before = (await self.client.get(path, headers=self._headers)).json()
            self.clock.advance(each)
            await self._report(path, "complete", step)
        self.clock.advance(STALE_S)
        return before

    async def _report(self, path: str, action: str, step: int) -> None:
        response = await self.client.post(
            f"{path}/update", json={"action": action, "step": step}, headers=self._headers
        )
        assert response.status_code == 200


def nightly(*names: str) -> dict[str, Any]:
    return {"steps": [{"name": name} for name in names], "profile": "nightly"}
