"""Reports to a real server, also through outages of the server and the network."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from progress_sse.client import availability, thread_sender
from progress_sse.client.reporter import Reporter
from progress_sse.client.reports import MAX_TEXT_CHARS
from tests.client.shells import Shell
from tests.conftest import Serve
from tests.harness.chaos import ChaosProxy, Cut, Mode, Pass, Reset
from tests.harness.http1 import HOST
from tests.harness.rawsse import RawStream
from tests.harness.serving import Server, eventually, session_path

STEPS = 40
TOKEN = "hush"


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the pauses; tests on a simulated clock check their lengths."""
    monkeypatch.setattr(availability, "LONGEST_PAUSE_S", 0.05)


def work(progress: Reporter) -> None:
    """Report two transitions per step, all at once."""
    for number in range(1, STEPS + 1):
        with progress.step(number, message=f"no. {number}"):
            pass


EXPECTED = [(step, status) for step in range(1, STEPS + 1) for status in ("running", "success")]


async def poll(server: Server, session_id: str = "nightly") -> Any:
    """The polled state."""
    async with httpx.AsyncClient(base_url=server.url) as client:
        return (await client.get(session_path(session_id))).json()


async def transitions(server: Server, count: int) -> list[tuple[int, str]]:
    """Return the step and status of each transition of the session, after checking their number."""
    async with httpx.AsyncClient(base_url=server.url) as client:
        tag = (await client.get(session_path("nightly"))).headers["etag"]
    epoch, _, n = tag.strip('"').rpartition("-")
    assert int(n) == count
    stream = await RawStream.open(server.port, session_path("nightly", "events"), last_event_id=f"{epoch}-0")
    async with stream:
        events = await stream.next_events(count, timeout_s=20)
    return [(event.json()["step"]["step"], event.json()["step"]["status"]) for event in events]


@pytest.mark.guarantee(2)
@pytest.mark.protocol("P-10.4")
async def test_each_report_counts_once_over_a_server_that_is_killed(serve: Serve, shell: Shell) -> None:
    """Kills come at any moment, and answered reports are on disk: no report is lost, repeated or out of order."""
    server = serve(store="sqlite")
    progress = shell.progress("nightly", steps=[f"Step {n}" for n in range(1, STEPS + 1)], url=server.url)
    job = asyncio.create_task(shell.run(work, progress))
    for share in (5, 40):
        await eventually_at(server, share)
        await asyncio.to_thread(server.restart)
    await job
    assert await shell.flush(progress, 30)
    assert (await poll(server))["status"] == "completed"
    assert await transitions(server, 2 * STEPS) == EXPECTED
    assert progress.lost == 0


async def eventually_at(server: Server, percentage: int) -> None:
    """Wait until the session has this progress."""
    async with asyncio.timeout(20):
        while (await poll(server))["percentage"] < percentage:  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.005)


@pytest.mark.guarantee(45)
@pytest.mark.full
async def test_each_report_counts_once_over_a_connection_that_flaps(serve: Serve, shell: Shell) -> None:
    """Answers are lost or cut after the server has applied their reports."""
    server = serve()
    # Connections that end before the first byte of an answer, within an answer, and after several ones.
    failures: list[Mode] = [Reset(0), Cut(0), Cut(40), Reset(900), Reset(60), Cut(2000)]
    async with ChaosProxy(server.port, [*failures * 4, Pass()]) as proxy:
        url = f"http://{HOST}:{proxy.port}"
        progress = shell.progress("nightly", steps=[f"Step {n}" for n in range(1, STEPS + 1)], url=url)
        await shell.run(work, progress)
        assert await shell.flush(progress, 30)
        assert len(proxy.links) > len(failures) * 4
    assert await transitions(server, 2 * STEPS) == EXPECTED
    assert progress.lost == 0


async def test_a_fresh_session_replaces_the_one_before(serve: Serve, shell: Shell) -> None:
    """The same id again is a new run; the client sends a token where the server requires one."""
    server = serve(publish_token=TOKEN)
    for steps in (["One"], ["Eins", "Zwei"]):
        progress = shell.progress("nightly", steps=steps, url=server.url, token=TOKEN)
        await shell.run(lambda progress: progress.step(1).start(), progress)
    attached = shell.progress.attach("nightly", url=server.url, token=TOKEN)
    await shell.run(lambda progress: progress.step(1).complete(), attached)
    session = await poll(server)
    assert [(step["name"], step["status"]) for step in session["steps"]] == [("Eins", "success"), ("Zwei", "pending")]


async def test_every_kind_of_failure_of_a_job_is_shown(serve: Serve, shell: Shell) -> None:
    """The server accepts the text that is sent."""
    server = serve()
    progress = shell.progress("nightly", steps=["One"], url=server.url)

    def fail(progress: Reporter) -> None:
        with progress.step(1):
            raise OSError("\0\ud800" + "x" * 10_000)

    with pytest.raises(OSError, match="x"):
        await shell.run(fail, progress)
    session = await poll(server)
    [step] = session["steps"]
    assert (session["status"], step["status"]) == ("error", "error")
    assert session["error"] == step["error"]
    assert step["error"].startswith("OSError: \ufffd\ufffdxxx")
    assert len(step["error"]) == MAX_TEXT_CHARS
    assert progress.lost == 0


async def test_progress_is_seen_while_the_step_runs(serve: Serve, shell: Shell) -> None:
    """It is shown with its message."""
    server = serve()
    progress = shell.progress("nightly", steps=["One"], url=server.url)
    with progress.step(1, message="rows") as step:
        step.report(3, 8)
        assert await shell.flush(progress, 20)
        [shown] = (await poll(server))["steps"]
        assert (shown["progress"], shown["message"]) == ({"current": 3, "total": 8}, "rows")
    await shell.close(progress)
    assert (await poll(server))["status"] == "completed"


async def test_a_server_that_starts_late_gets_every_report(serve: Serve, shell: Shell) -> None:
    """The job does not wait for it, and no report is lost."""
    server = serve(store="sqlite")
    server.kill()
    progress = shell.progress("nightly", steps=[f"Step {n}" for n in range(1, STEPS + 1)], url=server.url)
    work(progress)
    assert not await shell.flush(progress, 0)
    await asyncio.to_thread(server.start)
    assert await shell.flush(progress, 30)
    assert await transitions(server, 2 * STEPS) == EXPECTED
    await shell.close(progress)


async def shown(server: Server) -> tuple[list[tuple[str, str]], str]:
    """Return the name and status of each step of the session, and its ETag."""
    async with httpx.AsyncClient(base_url=server.url) as client:
        response = await client.get(session_path("nightly"))
    return [(step["name"], step["status"]) for step in response.json()["steps"]], response.headers["etag"]


@pytest.mark.guarantee(53)
async def test_a_refused_creation_leaves_the_session_before_alone(
    serve: Serve, shell: Shell, caplog: pytest.LogCaptureFixture
) -> None:
    """The earlier session gets no new report; each report is counted, and the log has one line."""
    server = serve()
    yesterday = shell.progress("nightly", steps=["One"], url=server.url)
    await shell.run(lambda progress: progress.step(1).start(), yesterday)
    before = await shown(server)
    caplog.clear()  # The earlier job has left a step.
    today = shell.progress("nightly", workflow="unknown", url=server.url)
    today.step(2).start()
    assert await shell.flush(today, 20)

    def work(progress: Reporter) -> None:
        with progress.step(1) as step:
            for _ in range(1000):
                step.advance()
        progress.step(2).complete()

    await shell.run(work, today)
    assert await shown(server) == before
    assert today.lost == 6, "the creation, both starts and completions, and the advances"
    [line] = [record.getMessage() for record in caplog.records if record.name == "progress_sse.client"]
    assert line.endswith("nothing more is reported, since its creation was refused: 422 There is no such workflow.")


@pytest.mark.guarantee(2)
@pytest.mark.parametrize(
    "alone", [False, pytest.param(True, marks=pytest.mark.full)], ids=["together", "one at a time"]
)
async def test_a_session_that_the_server_has_lost_is_created_again(
    serve: Serve, shell: Shell, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, alone: bool
) -> None:
    """It has its own steps and their reports, whichever report comes first."""
    if alone:
        monkeypatch.setattr(thread_sender, "MAX_UPDATES", 1)
    server = serve()
    progress = shell.progress("nightly", steps=["One", "Two", "Three"], url=server.url)
    progress.step(1).start()
    progress.step(1).complete()
    progress.step(2).start()
    assert await shell.flush(progress, 20)
    expected = [("One", "success"), ("Two", "running"), ("Three", "pending")]
    reports: list[tuple[Callable[[], None], list[tuple[str, str]]]] = [
        (lambda: progress.step(2).report(1, 2), expected),
        (progress.step(2).complete, [*expected[:1], ("Two", "success"), expected[2]]),
        (progress.step(3).start, [*expected[:1], ("Two", "success"), ("Three", "running")]),
    ]
    for report, after in reports:
        await asyncio.to_thread(server.restart)
        report()
        assert await shell.flush(progress, 20)
        assert (await shown(server))[0] == after
    await shell.close(progress)
    assert progress.lost == 0
    lines = [record for record in caplog.records if "was created again" in record.getMessage()]
    assert len(lines) == 1


@pytest.mark.guarantee(53)
async def test_a_newer_run_gets_no_report_of_an_older_one(
    serve: Serve, shell: Shell, caplog: pytest.LogCaptureFixture
) -> None:
    """The newer run may have replaced the older one, or found it lost; the older one stops, and logs that."""
    server = serve()
    older = shell.progress("nightly", steps=["One"], url=server.url)
    older.step(1).start()
    assert await shell.flush(older, 20)
    newer = shell.progress("nightly", steps=["Eins", "Zwei"], url=server.url)
    newer.step(1).start()
    assert await shell.flush(newer, 20)
    before = await shown(server)
    older.step(1).complete()
    older.step(1).start()
    await shell.close(older)
    assert await shown(server) == before
    assert older.lost == 2
    await shell.close(newer)
    assert newer.lost == 0
    [line] = [record.getMessage() for record in caplog.records if record.name == "progress_sse.client"]
    lost = "nothing more is reported, since the session was lost, and its creation was refused"
    assert line.endswith(f"{lost}: 409 There is a session of that id already.")


def concluded(session: Any) -> list[tuple[str, str, str | None]]:
    """The name, the status and the conclusion of each step."""
    return [(step["name"], step["status"], step.get("conclusion")) for step in session["steps"]]


async def test_a_job_finds_its_steps_on_the_way(serve: Serve, shell: Shell) -> None:
    """The end of its block completes the session."""
    server = serve()
    progress = shell.progress(
        "nightly", open_ended=True, title="Nightly", labels={"a": "b"}, links={"Logs": "/logs"}, url=server.url
    )

    def work(progress: Reporter) -> None:
        for _ in range(2):
            with progress.step("Parse", timeout_ms=5000):
                pass
        progress.plan(["Save", "Tell"])
        progress.skip("Tell", "no reader")
        progress.step("Save").start()
        progress.describe(labels={"a": None, "c": "d"})

    await shell.run(work, progress)
    session = await poll(server)
    assert progress.lost == 0
    assert concluded(session) == [
        ("Parse", "success", None),
        ("Parse", "success", None),
        ("Save", "success", None),
        ("Tell", "success", "skipped"),
    ]
    assert (session["status"], session["title"], session["labels"]) == ("completed", "Nightly", {"c": "d"})
    assert session["links"] == [{"label": "Logs", "url": "/logs"}]


async def test_the_later_of_two_attempts_has_the_step(
    serve: Serve, shell: Shell, caplog: pytest.LogCaptureFixture
) -> None:
    """The earlier one reports nothing more, not even the end of the session, and its job goes on.

    In one process a task of a queue alone is an attempt of its own.
    """
    server = serve()
    earlier = shell.progress("nightly", steps=["One"], url=server.url)
    earlier.step(1).start()
    assert await shell.flush(earlier, 20)
    later = shell.progress.attach("nightly", url=server.url)
    retry = later.step(1)
    retry.take_over()
    retry.start()
    assert await shell.flush(later, 20)
    step = earlier.step(1)
    for row in range(100):
        step.report(row, 100)
    step.fail("no")
    earlier.fail("no")
    await shell.close(earlier)
    later.step(1).report(5, 8)
    assert await shell.flush(later, 20)
    [step] = (await poll(server))["steps"]
    assert (step["status"], step["attempt"], step["progress"]) == ("running", 2, {"current": 5, "total": 8})
    later.step(1).complete()
    await shell.close(later)
    assert (await poll(server))["status"] == "completed"
    assert later.lost == 0
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 1
    assert "nothing more is reported on step 1" in warnings[0]


async def test_the_server_takes_signs_of_life(serve: Serve, shell: Shell, caplog: pytest.LogCaptureFixture) -> None:
    """It hears the job while nothing is reported, and counts none of them as a change."""
    server = serve()
    progress = shell.progress("nightly", steps=["One"], url=server.url, lease_s=1)
    progress.step(1).start()
    assert await shell.flush(progress, 20)
    outbox = vars(progress)["sink"].outbox
    first = outbox.beat_at()
    await eventually(lambda: first < outbox.beat_at() < float("inf"), 20)
    second = outbox.beat_at()
    await eventually(lambda: second < outbox.beat_at() < float("inf"), 20)
    progress.step(1).complete()
    await shell.close(progress)
    async with httpx.AsyncClient(base_url=server.url) as client:
        tag = (await client.get(session_path("nightly"))).headers["etag"]
    assert tag.strip('"').rpartition("-")[2] == "2"
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_silent_job_gets_its_session_back(serve: Serve, shell: Shell) -> None:
    """A server that restarts without its sessions would otherwise show nothing of it until it reports again."""
    server = serve()
    progress = shell.progress("nightly", steps=["One"], url=server.url, lease_s=1)
    progress.step(1).start()
    assert await shell.flush(progress, 20)
    await asyncio.to_thread(server.restart)
    async with asyncio.timeout(20):
        while (await poll(server))["status"] != "running":
            await shell.flush(progress, 0.1)
    assert concluded(await poll(server)) == [("One", "running", None)]
    progress.step(1).complete()
    await shell.close(progress)
    assert progress.lost == 0


@pytest.mark.full
async def test_a_step_takes_as_long_as_its_work_though_the_server_was_away(serve: Serve, shell: Shell) -> None:
    """Its start and end reach the server together, and each says how long ago it was."""
    server = serve(store="sqlite")
    progress = shell.progress("nightly", steps=["One"], url=server.url)
    progress.describe(title="Nightly")
    assert await shell.flush(progress, 20)
    await asyncio.to_thread(server.kill)
    began = time.monotonic()
    progress.step(1).start()
    await asyncio.to_thread(serve)  # The work.
    progress.step(1).complete()
    took_ms = 1000 * (time.monotonic() - began)
    await asyncio.to_thread(server.start)
    assert await shell.flush(progress, 30)
    await shell.close(progress)
    [step] = (await poll(server))["steps"]
    assert took_ms / 2 < step["elapsed_ms"] < took_ms + 1000


@pytest.mark.full
async def test_steps_that_were_found_are_created_again(serve: Serve, shell: Shell) -> None:
    """A server that has lost the session gets it back, with its steps and what it says."""
    server = serve()
    progress = shell.progress("nightly", open_ended=True, title="T", url=server.url)
    for _ in range(2):
        progress.step("Parse").start()
        progress.step("Parse").complete()
    progress.describe(title="Nightly")
    assert await shell.flush(progress, 20)
    await asyncio.to_thread(server.restart)
    progress.finish()
    await shell.close(progress)
    session = await poll(server)
    assert (session["status"], session["title"]) == ("completed", "Nightly")
    assert concluded(session) == [("Parse", "success", None)] * 2
    assert progress.lost == 0
