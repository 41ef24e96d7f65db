"""Sessions as text, for terminals."""

import asyncio
import re
from typing import Any

import httpx
import pytest

from progress_sse import ProgressService, StepDefinition, create_app
from progress_sse.core.errors import OverloadedError
from progress_sse.settings import load_settings
from tests.api.conftest import Connect, client_of
from tests.api.profile_runs import Runs, nightly
from tests.clock import ManualClock

TEXT = {"accept": "text/plain"}


async def create(client: httpx.AsyncClient, **given: Any) -> None:
    created = await client.put("/api/progress/s", json={"steps": [{"name": "Fetch"}, {"name": "Load"}], **given})
    assert created.status_code == 201


async def post(client: httpx.AsyncClient, **body: object) -> None:
    response = await client.post("/api/progress/s/update", json=body)
    assert response.status_code == 200, response.text


@pytest.mark.protocol("P-22.8", "P-22.9", "P-22.10")
async def test_a_terminal_gets_the_session_drawn(client: httpx.AsyncClient) -> None:
    """By the same URL; caches keep it apart from the JSON."""
    await create(client, title="Import")
    await post(client, action="start", step=1)
    shown = await client.get("/api/progress/s", headers=TEXT)
    assert shown.headers["content-type"] == "text/plain; charset=utf-8"
    assert shown.headers["vary"] == "Authorization, Cookie, Accept"
    assert shown.text.startswith("Import\nStep 1 of 2: Fetch · 0 of 2 steps done\n[")
    assert "\n1  running           0 s  Fetch\n2  waiting                Load\n" in shown.text
    plain = await client.get("/api/progress/s")
    assert plain.headers["content-type"] == "application/json"
    assert plain.headers["vary"] == shown.headers["vary"]
    assert shown.headers["etag"] == f'W/{plain.headers["etag"][:-1]}-text"'


async def test_a_terminal_gets_what_steps_usually_take(connect: Connect) -> None:
    """Where the server has learned it; the bar has the ends of steps by it."""
    clock = ManualClock()
    async with connect(clock=clock) as client:
        runs = Runs(client, clock)
        await runs.run(100, 300, count=5, **nightly("Import", "Build"))
        await client.put("/api/progress/s", json=nightly("Import", "Build"))
        await post(client, action="start", step=1)
        shown = await client.get("/api/progress/s", headers=TEXT)
    _, _, bar, first, second = shown.text.splitlines()
    assert re.match(r"\[-+\]   0%", bar)
    assert re.fullmatch(r"1  running +0 s  Import  usually 1 min \d+ s", first)
    assert re.fullmatch(r"2  waiting +Build  usually [45] min \d+ s", second)


@pytest.mark.protocol("P-22.10")
async def test_the_text_has_a_tag_of_its_own(client: httpx.AsyncClient) -> None:
    """Who has the JSON does not have the text, and the other way round."""
    for exists in (False, True):
        if exists:
            await create(client)
        tag = (await client.get("/api/progress/s")).headers["etag"]
        text_tag = (await client.get("/api/progress/s", headers=TEXT)).headers["etag"]
        for headers, offered, status in (
            (TEXT, text_tag, 304),
            (TEXT, text_tag.removeprefix("W/"), 304),
            (TEXT, tag, 200),
            ({}, text_tag, 200),
            ({}, tag, 304),
        ):
            answer = await client.get("/api/progress/s", headers={**headers, "if-none-match": offered})
            assert answer.status_code == status
            assert answer.headers["etag"] == (text_tag if headers else tag)
            assert answer.headers["vary"] == "Authorization, Cookie, Accept"


async def test_the_text_of_an_unknown_session_says_so(client: httpx.AsyncClient) -> None:
    """With 200, as its JSON; and that of a deleted one says that it was deleted."""
    response = await client.get("/api/progress/s", headers=TEXT)
    question = "No job has reported here yet; is the id right?"
    assert (response.status_code, response.text) == (200, f"s\nWaiting for the job to start\n{question}\n")
    await create(client)
    await client.delete("/api/progress/s")
    assert "\nThis job was deleted\n" in (await client.get("/api/progress/s", headers=TEXT)).text


@pytest.mark.protocol("P-22.2")
async def test_the_text_can_be_waited_for(client: httpx.AsyncClient) -> None:
    """With its own tag."""
    tag = (await client.get("/api/progress/s", headers=TEXT)).headers["etag"]
    headers = {**TEXT, "if-none-match": tag, "prefer": "wait=30"}
    waiting = asyncio.create_task(client.get("/api/progress/s", headers=headers))
    await asyncio.sleep(0)
    await create(client)
    response = await waiting
    assert response.headers["preference-applied"] == "wait=30"
    assert "About to start" in response.text


@pytest.mark.protocol("P-22.11")
async def test_the_lines_of_a_job_that_is_over_end(client: httpx.AsyncClient) -> None:
    """Completed, or failed with no step running; a position of events is no matter."""
    await create(client, links=[{"label": "Log", "url": "/log"}])
    await post(client, action="start", step=1)
    await post(client, action="complete", step=1, success=False, error="no room")
    for headers in (TEXT, {**TEXT, "last-event-id": "x-1"}):
        shown = await client.get("/api/progress/s/events", headers=headers)
        assert shown.headers["content-type"] == "text/plain; charset=utf-8"
        assert shown.headers["vary"] == "Authorization, Cookie, Accept"
        first, *rest = shown.text.split("\n")
        assert first.startswith("  0%  1/2 Fetch: failed after 0.0 s, no room")
        assert rest == ["Failed at step 1 · 0 of 2 steps done", "Log: /log", ""]


async def test_lines_for_which_there_is_no_place_are_refused(connect: Connect) -> None:
    """A terminal cannot be told to come back later as an EventSource is; `curl --retry` heeds a 503."""
    async with connect(max_streams=1) as client:
        waiting = asyncio.create_task(
            client.get("/api/progress/s", headers={"if-none-match": '"absent"', "prefer": "wait=1"})
        )
        await asyncio.sleep(0.1)
        response = await client.get("/api/progress/s/events", headers=TEXT)
        assert (response.status_code, response.headers["retry-after"]) == (OverloadedError.status, "2")
        assert (await waiting).status_code == 304


async def test_lines_that_are_asked_for_too_often_are_refused(connect: Connect) -> None:
    """With 429, which stops no EventSource here."""
    async with connect(read_rate="1/hour") as client:
        await client.get("/api/progress/s")
        assert (await client.get("/api/progress/s/events", headers=TEXT)).status_code == 429


async def test_the_text_says_when_the_session_ends() -> None:
    """As the page does, and what each step was declared to take."""
    service = ProgressService(load_settings(store="memory://"))
    app = create_app(service.settings, service=service)
    async with app.router.lifespan_context(app), client_of(app) as client:
        steps = [StepDefinition("Fetch", estimated_ms=200_000), StepDefinition("Load", estimated_ms=40_000)]
        await service.store.create_session("s", steps=steps)
        await service.store.start_step("s", 1)
        shown = await client.get("/api/progress/s", headers=TEXT)
        assert shown.text.split("\n")[1:-1] == [
            "Step 1 of 2: Fetch · about 4 min left · 0 of 2 steps done",
            f"[{'-' * 40}]   0%",
            "1  running           0 s  Fetch  expected 3 min 20 s",
            "2  waiting                Load  expected 40 s",
        ]
