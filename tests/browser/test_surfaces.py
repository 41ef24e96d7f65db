"""However a job ends, each surface shows the same state, percentage and time, in each language."""

import asyncio
import re
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Route

from progress_sse.cli.list_sessions import listed_words
from progress_sse.story.drawing import badge, drawn
from progress_sse.story.session_state import checked
from tests.browser.conftest import OpenPage
from tests.browser.session_states import every_state
from tests.browser.stubbed_session import StubbedSession
from tests.browser.surfaces import EMBEDDING, Reading, Surfaces, reading_of, shown_row, shown_session, text_reading
from tests.conftest import Serve
from tests.harness.faketime import WallClock
from tests.harness.serving import Server, Worker, session_path

pytestmark = [pytest.mark.full, pytest.mark.timeout(400)]  # Twelve jobs end in one test.

DEADLINE_S = 30

TOOK = timedelta(minutes=2, seconds=13)
"""What each job takes, by the server's clock."""

REVOKED = {"success": False, "error": "revoked", "conclusion": "cancelled"}

LEASED = {"attempt_id": "a", "lease_ms": 1000}

LONG_AGO = "2026-01-01T00:00:00+00:00"


class Job:
    """A job of three steps, whose worker sets the server's clock."""

    def __init__(self, worker: Worker, sid: str, clock: WallClock) -> None:
        self._worker, self._sid, self._clock = worker, sid, clock

    async def create(self) -> None:
        await self._worker.create(self._sid, steps=["Find", "Resize", "Upload"], accepts=["cancel"], replace=True)

    async def begin(self, last: int, **more: Any) -> None:
        """Do the steps before `last`, and start that one, which takes some time."""
        await self.create()
        for step in range(1, last):
            await self._worker.start(self._sid, step)
            await self._worker.complete(self._sid, step)
        await self._worker.start(self._sid, last, **more)
        self._clock.set(self._clock.now() + TOOK)

    async def publish(self, **update: Any) -> None:
        response = await self._worker.update(self._sid, **update)
        assert response.status_code == 200, response.text

    async def ask(self) -> None:
        """Ask for its cancellation, as a reader does."""
        response = await self._worker.client.post(session_path(self._sid, "requests"), json={"kind": "cancel"})
        assert response.status_code == 202, response.text

    async def ended(self, *, is_stalled: bool) -> tuple[str, str]:
        """Wait for that; return what the job took, or else when its worker last gave a sign of life."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                steps = (await self._worker.poll(self._sid))["steps"]
                signs = [step.get("liveness", {"state": "live"}) for step in steps if step["status"] == "running"]
                if [sign["state"] for sign in signs] == ["stalled"] * is_stalled:
                    break
                await asyncio.sleep(0.05)
        begun = [step for step in steps if step["status"] != "pending"]
        if not begun or signs:
            return "", datetime.fromisoformat(signs[0]["since"]).strftime("%H:%M") if signs else ""
        first, last = (
            f(map(datetime.fromisoformat, (each[key] for each in begun)))
            for f, key in ((min, "started_at"), (max, "completed_at"))
        )
        return ":".join(map(str, divmod(int((last - first).total_seconds()), 60))), ""


async def completed(job: Job) -> None:
    await job.begin(3)
    await job.publish(action="complete", step=3)


async def skipped(job: Job) -> None:
    """A finish with success skips the steps that were never started."""
    await job.begin(1)
    await job.publish(action="skip", step=2, message="nothing to do")
    await job.publish(action="finish")


def failed_at(step: int) -> "End":
    async def fail(job: Job) -> None:
        await job.begin(step)
        await job.publish(action="complete", step=step, success=False, error="disk full")

    return fail


async def failed_as_a_whole(job: Job) -> None:
    await job.begin(2)
    await job.publish(action="complete", step=2)
    await job.publish(action="finish", success=False, error="disk full")


async def cancelled_by_a_reader(job: Job) -> None:
    await job.begin(2)
    await job.ask()
    await job.publish(action="complete", step=2, **REVOKED)


async def cancelled_by_its_queue(job: Job) -> None:
    """No reader has asked, as where Celery revokes a task."""
    await job.begin(2)
    await job.publish(action="complete", step=2, **REVOKED)


async def cancelled_as_a_whole(job: Job) -> None:
    await job.begin(3)
    await job.publish(action="finish", **REVOKED)


async def cancelled_before_it_began(job: Job) -> None:
    """The server itself ends it."""
    await job.create()
    await job.ask()


async def stalled(job: Job) -> None:
    await job.begin(2, **LEASED)


async def lost(job: Job) -> None:
    await job.begin(2, **LEASED, lost_after_ms=1000)


End = Callable[[Job], Awaitable[None]]

ENDS: list[tuple[End, str, str]] = [
    (completed, "completed", "100"),
    (failed_at(1), "failed", "0"),
    (failed_at(2), "failed", "33"),
    (failed_at(3), "failed", "66"),
    (failed_as_a_whole, "failed", "66"),
    (skipped, "completed", "100"),
    (cancelled_by_a_reader, "cancelled", "33"),
    (cancelled_by_its_queue, "cancelled", "33"),
    (cancelled_as_a_whole, "cancelled", "66"),
    (cancelled_before_it_began, "cancelled", "0"),
    (stalled, "stalled", "33"),
    (lost, "lost", "33"),
]
"""How a job ends, and then its state and its percentage."""


@pytest.mark.parametrize(
    ("language", "ends"),
    [("en", ENDS[1::5]), *(pytest.param(each, ENDS, marks=pytest.mark.full) for each in ("en", "ja"))],
    ids=["some", "en", "ja"],
)
async def test_every_surface_shows_the_same_end(
    serve: Serve, open_page: OpenPage, tmp_path: Path, sid: str, language: str, ends: list[tuple[End, str, str]]
) -> None:
    """One job runs again and again before the eyes of its readers."""
    clock = WallClock(tmp_path)
    serving = clock.command(sys.executable, "-m", "progress_sse", "serve", "--port", "{port}", "--store", "memory://")
    server = serve(command=serving)
    surfaces = await Surfaces.open(server, open_page, sid, language)
    async with Worker.at(server) as worker:
        for end, state, percentage in ends:
            job = Job(worker, sid, clock)
            await end(job)
            took, since = await job.ended(is_stalled=state == "stalled")
            of_session, of_row = (Reading(state, percentage, time) for time in (took or since, since))
            shown = {"page": of_session, "element": of_session, "home": of_row, "list element": of_row}
            with suppress(TimeoutError):
                async with asyncio.timeout(DEADLINE_S):
                    while True:
                        if await surfaces.on_pages() == shown:
                            break
                        await asyncio.sleep(0.05)
            assert await surfaces.on_pages() == shown, end
            lines = of_session if took or since else of_session._replace(percentage="")  # No step has a line.
            badge = Reading(state, percentage if since else "", "")  # In place of it there is how the job ended.
            expected = {"text": of_session, "badge": badge, "list": of_row, "watch": lines}
            assert await surfaces.elsewhere() == expected, end
    assert surfaces.errors == []


def entry_of(state: dict[str, Any]) -> dict[str, Any]:
    """The session as lists have it; one of its steps may be stalled, or none may run."""
    begun = [step for step in state["steps"] if step["status"] != "pending"]
    starts, ends = [step["started_at"] for step in begun], [step["completed_at"] for step in begun]
    signs = [step["liveness"] for step in begun if "liveness" in step]
    entry = {key: value for key, value in state.items() if key not in ("steps", "requests")}
    entry |= {"created_at": min(starts, default=LONG_AGO), "updated_at": datetime.now(UTC).isoformat()}
    if state["status"] == "running" and ends and all(ends):
        entry["idle_since"] = max(ends)
    return entry | ({"liveness": signs[0]} if signs else {})


async def test_every_state_reads_the_same(server: Server, open_page: OpenPage, sid: str) -> None:
    """Where no time is known, by which the percentage would move meanwhile."""
    states = {name: state for name, state in every_state(sid).items() if name != "not_found" and "time" not in state}
    html = EMBEDDING.format(lang="en", sid=sid)
    stubbed = await StubbedSession.open(dict(states["pending"]), server, open_page, html, timezone_id="UTC")
    page = stubbed.shown.page

    async def answer(route: Route) -> None:
        await route.fulfill(json={"sessions": [entry_of(stubbed.state)], "next": None})

    await page.route(re.compile(r"/api/progress\?"), answer)
    for name, state in sorted(states.items(), key=lambda each: each[0] == "completed"):
        stubbed.state.clear()
        await stubbed.change(**state)
        now_s = await stubbed.shown.evaluate("Date.now()") / 1000
        expected = text_reading(drawn(checked(state, sid), now_s, server.url))[:2]
        words = " ".join(listed_words(entry_of(state), now_s))
        assert (name, *reading_of(words)[:2]) == (name, *expected)
        if state["status"] == "error" or expected[0]:
            assert (name, reading_of(badge(state)).state) == (name, expected[0])
        with suppress(TimeoutError):
            async with asyncio.timeout(DEADLINE_S):
                while True:
                    shown = (await shown_session(page))[:2], (await shown_row(page))[:2]
                    if shown == (expected, expected):
                        break
                    await asyncio.sleep(0.05)
        assert (name, *shown) == (name, expected, expected)
