"""Attempts, names and ends of sessions, reported to a real server."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

import httpx
import pytest

from progress_sse.client.reporter import Reporter
from tests.client.job_errors import OopsError
from tests.client.shells import Shell
from tests.conftest import Serve
from tests.harness.serving import Server, eventually, session_path

pytestmark = pytest.mark.processes


async def poll(server: Server) -> Any:
    """The polled state."""
    async with httpx.AsyncClient(base_url=server.url) as client:
        return (await client.get(session_path("nightly"))).json()


def shown(session: Any) -> list[tuple[str, str, str | None]]:
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
    assert shown(session) == [
        ("Parse", "success", None),
        ("Parse", "success", None),
        ("Save", "success", None),
        ("Tell", "success", "skipped"),
    ]
    assert (session["status"], session["title"], session["labels"]) == ("completed", "Nightly", {"c": "d"})
    assert session["links"] == [{"label": "Logs", "url": "/logs"}]


async def test_a_crash_between_two_steps_fails_the_session(serve: Serve, shell: Shell) -> None:
    """Its error is shown, and its running steps end with it."""
    server = serve()

    def crash(progress: Reporter) -> None:
        with progress.step(1):
            pass
        progress.step(3).start()
        raise OopsError("disk full")

    with pytest.raises(OopsError):
        await shell.run(crash, shell.progress("nightly", steps=["One", "Two", "Three"], url=server.url))
    session = await poll(server)
    assert (session["status"], session["error"]) == ("error", "OopsError: disk full")
    assert [step["status"] for step in session["steps"]] == ["success", "pending", "error"]


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


async def test_a_step_may_begin_in_one_process_and_end_in_the_next(serve: Serve, shell: Shell) -> None:
    """The next one has no attempt at it, so that its report is no other attempt's."""
    server = serve()
    first = shell.progress("nightly", steps=["One"], url=server.url)
    first.step(1).start()
    await shell.close(first)
    following = shell.progress.attach("nightly", url=server.url)
    following.step(1).complete()
    await shell.close(following)
    assert (await poll(server))["status"] == "completed"
    assert following.lost == 0


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
    await asyncio.to_thread(server.kill)
    await asyncio.to_thread(server.start)
    async with asyncio.timeout(20):
        while (await poll(server))["status"] != "running":
            await shell.flush(progress, 0.1)
    assert shown(await poll(server)) == [("One", "running", None)]
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
    await asyncio.to_thread(server.kill)
    await asyncio.to_thread(server.start)
    progress.finish()
    await shell.close(progress)
    session = await poll(server)
    assert (session["status"], session["title"]) == ("completed", "Nightly")
    assert shown(session) == [("Parse", "success", None)] * 2
    assert progress.lost == 0
