"""The jobs of the demo, without a server and without waits: what they report, in which order."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Iterator
from typing import TypeVar

import httpx
import pytest

from progress_sse.client.errors import Cancelled
from progress_sse.client.reports import Create, Log
from progress_sse.client.testing import Recorder, recording
from progress_sse.core.updates import Acknowledge, Advance, Complete, Finish, ReportPart, Start
from progress_sse.demo import jobs
from progress_sse.demo.jobs import EARLIER_RUNS, FAILING, FRAMES, PROFILE, Run, run_agent, run_film, run_load

R = TypeVar("R")
SLEEP = asyncio.sleep
URL = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def _no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each sleep end with the next turn of the loop."""

    async def sleep(_delay: float) -> None:
        await SLEEP(0)

    monkeypatch.setattr(asyncio, "sleep", sleep)


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    """Record what the jobs report."""
    with recording() as recorder:
        yield recorder


def of_type(recorder: Recorder, session_id: str, kind: type[R]) -> list[R]:
    """The reports of one kind on a session."""
    return [report for report in recorder.of(session_id) if isinstance(report, kind)]


@pytest.mark.parametrize(("number", "steps"), [(1, 6), (2, 5)])
async def test_agent_finds_its_steps_and_writes_a_log(recorder: Recorder, number: int, steps: int) -> None:
    """It begins without steps, appends another number of them in each run, and ends with links to its own session."""
    await run_agent(Run("agent", number, URL))
    session_id = f"agent-{number}"
    [creation] = of_type(recorder, session_id, Create)
    assert (creation.open_ended, creation.steps) == (True, None)
    assert len(of_type(recorder, session_id, Start)) == steps
    lines = [line for log in of_type(recorder, session_id, Log) for line in log.lines]
    assert {line.level for line in lines} >= {"debug", "info", "warning"}
    assert any("\x1b[32m" in line.text for line in lines)
    [end] = of_type(recorder, session_id, Finish)
    assert end.success
    assert [link.url for link in end.links or ()] == [
        f"/api/progress/{session_id}",
        f"/api/progress/{session_id}/log",
    ]


async def test_agent_counts_without_an_end_and_answers_word_by_word(recorder: Recorder) -> None:
    """No total is known of its search, and each message of the answer continues the one before."""
    await run_agent(Run("agent", 1, URL))
    advances = of_type(recorder, "agent-1", Advance)
    assert {advance.total for advance in advances} == {None}
    texts = [advance.message for advance in advances if advance.message != "following links"]
    assert all(text.startswith(before) for before, text in itertools.pairwise(texts))
    assert len(texts[-1].split()) == len(texts)


async def test_upload_of_the_export_fails_and_is_tried_again(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader who asks for it ends the wait, which would be long otherwise."""
    monkeypatch.setattr(jobs, "RETRY_S", 3600)
    async with asyncio.timeout(10):
        running = asyncio.ensure_future(jobs.run_export(Run("export", 1, URL)))
        while all(each.success for each in of_type(recorder, "export-1", Complete)):  # noqa: ASYNC110 - its own turns
            await asyncio.sleep(0)
        recorder.ask("export-1", "retry")
        await running
    starts = of_type(recorder, "export-1", Start)
    assert [each.step for each in starts] == [1, 2, 3, 3]
    attempts = [each.lease.attempt_id for each in starts if each.lease is not None]
    assert attempts[0] == attempts[1] == attempts[2] != attempts[3]
    assert [(each.step, each.success) for each in of_type(recorder, "export-1", Complete)] == [
        (1, True),
        (2, True),
        (3, False),
        (3, True),
    ]


async def test_export_is_tried_again_without_a_reader(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits no longer than `RETRY_S`."""
    monkeypatch.setattr(jobs, "RETRY_S", 0)
    await jobs.run_export(Run("export", 1, URL))
    assert of_type(recorder, "export-1", Complete)[-1].success


async def started_export(recorder: Recorder) -> asyncio.Future[None]:
    """A run of the export that works at its first step."""
    running = asyncio.ensure_future(jobs.run_export(Run("export", 1, URL)))
    while not of_type(recorder, "export-1", Advance):  # noqa: ASYNC110 - its own turns
        await asyncio.sleep(0)
    return running


async def test_cancelled_export_cleans_up_first(recorder: Recorder) -> None:
    """The request is seen, what was written is removed, and only then the step ends as cancelled."""
    running = await started_export(recorder)
    recorder.ask("export-1", "cancel")
    with pytest.raises(Cancelled):
        await running
    reports = recorder.of("export-1")
    assert [each.state for each in reports if isinstance(each, Acknowledge)] == ["seen"]
    lines = [line.text for log in of_type(recorder, "export-1", Log) for line in log.lines]
    assert lines[-1] == "nothing is left behind"
    [end] = of_type(recorder, "export-1", Complete)
    assert end.conclusion == "cancelled"
    assert reports.index(end) > max(index for index, each in enumerate(reports) if isinstance(each, Log))


async def test_end_of_the_demo_does_not_wait_for_a_clean_up(recorder: Recorder) -> None:
    """Ctrl+C is no request of a reader."""
    running = await started_export(recorder)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    lines = [line.text for log in of_type(recorder, "export-1", Log) for line in log.lines]
    assert lines == ["3 albums, 1,200 photos"]


async def test_film_has_named_parts_of_which_some_fail_once(recorder: Recorder) -> None:
    """Those begin again before the last other one has ended, so that their step never ends in error."""
    await run_film(Run("film", 1, URL))
    parts = of_type(recorder, "film-1", ReportPart)
    ends = Counter((part.part, part.status) for part in parts if part.status != "running")
    assert {name for name, status in ends if status == "success"} == {f"frame {n:02}" for n in range(1, FRAMES + 1)}
    assert {name for name, status in ends if status == "error"} == {f"frame {n:02}" for n in FAILING}
    assert max(ends.values()) == 1
    ended: dict[str, str] = {}
    for part in parts:
        ended[part.part] = part.status
        assert len(ended) < FRAMES or "running" in ended.values() or "error" not in ended.values()


async def test_loads_take_other_times_under_one_profile(recorder: Recorder) -> None:
    """The server has something to learn from."""
    for number in (1, 2):
        await run_load(Run("load", number, URL))
    creations = [of_type(recorder, f"load-{number}", Create)[0] for number in (1, 2)]
    assert [each.profile for each in creations] == [PROFILE, PROFILE]
    first, second = (len(of_type(recorder, f"load-{number}", Advance)) for number in (1, 2))
    assert first != second


class StopError(Exception):
    """Ends jobs that would go on for ever."""


@pytest.mark.parametrize("has_server", [True, False])
async def test_jobs_run_again_and_old_sessions_are_removed(has_server: bool) -> None:
    """The first runs go at once. A cancelled run is followed by the next, and a server that is away does no harm."""
    runs: list[int] = []
    removed: list[str] = []
    together = asyncio.Barrier(EARLIER_RUNS)

    async def run_once(run: Run) -> None:
        runs.append(run.number)
        if run.number <= EARLIER_RUNS:
            await together.wait()
        if run.number == 9:
            raise Cancelled
        if run.number == 10:
            raise StopError

    def answer(request: httpx.Request) -> httpx.Response:
        removed.append(f"{request.method} {request.url.path}")
        if not has_server:
            raise httpx.ConnectError("away", request=request)
        return httpx.Response(200)

    async with httpx.AsyncClient(base_url=URL, transport=httpx.MockTransport(answer)) as client:
        with pytest.raises(StopError):
            await jobs.run_repeatedly(jobs.Job("load", run_once, at_first=EARLIER_RUNS), URL, client)
    assert runs == list(range(1, 11))
    kept = jobs.KEPT_RUNS
    assert removed == [f"DELETE /api/progress/load-{number - kept}" for number in range(EARLIER_RUNS + 1, 10)]
