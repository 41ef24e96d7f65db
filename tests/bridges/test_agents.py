"""Calls of agents as steps, and a session's percentage for a function; the frameworks have tests of their own."""

import asyncio
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from progress_sse.bridges.agents import AgentProgress, mirror
from progress_sse.client.testing import Complete, Finish, Plan, Recorder, ReportPart, Start
from progress_sse.core.errors import ConfigurationError
from tests.harness.serving import Server, Worker, eventually

TWO = [{"name": "One"}, {"name": "Two"}]


@pytest.fixture
def mirrored_from(server: Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """The server that the environment names."""
    monkeypatch.setenv("PROGRESS_SSE_URL", server.url)
    return server.url


async def test_calls_of_one_tool_are_steps_and_a_failed_one_is_done_once_the_agent_goes_on(recorder: Recorder) -> None:
    """At once, and ended in any order; a call that has not begun has no end."""
    async with AgentProgress("trip") as progress:
        for call in "ab":
            progress.begin(call, "look up")
        progress.end("b", KeyError("Oslo"))
        progress.end("a")
        progress.end("other", "no tool")
        progress.begin("b", "book")
        progress.end("b")
    shown = [each for each in recorder.of("trip") if isinstance(each, Start | Complete | ReportPart)]
    reports = ", ".join(f"{type(each).__name__} {each.step}" for each in shown)
    assert reports == "Start 1, Start 2, ReportPart 2, Complete 1, Complete 2, Start 3, Complete 3"
    assert [each.steps[0].name for each in recorder.of("trip") if isinstance(each, Plan)] == ["look up"] * 2 + ["book"]


async def test_a_failure_that_ends_the_run_fails_its_session(recorder: Recorder) -> None:
    """Whose steps that run fail with it."""
    with suppress(KeyError):
        async with AgentProgress("trip") as progress:
            progress.begin(1, "look up")
            progress.end(1, error := KeyError("Oslo"))
            raise error
    assert [each.error for each in recorder.of("trip") if isinstance(each, Finish)] == ["KeyError: 'Oslo'"]
    assert Complete not in map(type, recorder.of("trip"))


async def test_a_function_gets_each_percentage_that_is_higher(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the end, of which the headline and the error are returned; without a server it says so."""
    with pytest.raises(ConfigurationError, match="PROGRESS_SSE_URL"):
        await mirror("copy", print)  # type: ignore[arg-type]
    monkeypatch.setenv("PROGRESS_SSE_URL", server.url)
    received = asyncio.Queue[tuple[float, ...]]()

    async def receive(*progress: float) -> None:
        await received.put(progress)

    mirrored = asyncio.create_task(mirror("copy", receive))
    with suppress(OSError):
        async with AgentProgress("copy", url=server.url) as progress:
            progress.plan(["a", "b"])
            async with progress.step(1):
                pass
            assert await received.get() == (50, 100)
            raise OSError("disk full")
    assert (await mirrored, received.empty()) == ("Failed: OSError: disk full", True)


FAILED = {"success": False, "error": "no disk"}


@pytest.mark.parametrize(
    ("reports", "percentages", "end"),
    [
        ([("complete", FAILED)], [], "Failed at step 1: no disk"),
        ([("complete", {"success": False})], [], "Failed at step 1"),
        ([("finish", FAILED)], [], "Failed at step 1: no disk"),
        ([("finish", FAILED | {"conclusion": "cancelled"})], [], "Cancelled at step 1: no disk"),
        (
            [("complete", {}), ("start", {"step": 2}), ("complete", FAILED | {"step": 2})],
            [50],
            "Failed at step 2: no disk",
        ),
        ([("complete", {}), ("start", {"step": 2}), ("complete", {"step": 2})], [100], None),
    ],
)
@pytest.mark.usefixtures("mirrored_from")
async def test_the_end_is_that_of_the_page_however_it_is_reported(
    worker: Worker,
    sid: str,
    reports: list[tuple[str, dict[str, Any]]],
    percentages: list[float],
    end: str | None,
) -> None:
    """Only success has none. A failed step is no progress, though the server's own percentage counts it."""
    received = list[float]()
    await worker.create(sid, steps=TWO)
    await worker.start(sid, 1)
    for action, keys in reports:
        step = {} if action == "finish" else {"step": 1}
        assert (await worker.update(sid, action=action, **step | keys)).is_success
    assert await mirror(sid, partial(receive, received)) == end
    assert received == percentages


@pytest.mark.usefixtures("mirrored_from")
@pytest.mark.parametrize("is_watched", [True, False])
async def test_a_session_that_is_removed_has_not_succeeded(worker: Worker, sid: str, is_watched: bool) -> None:
    """Also one that was removed before."""
    received = list[float]()
    await worker.create(sid, steps=TWO)
    await worker.run(sid, 1)
    if not is_watched:
        await worker.delete(sid)
    mirrored = asyncio.create_task(mirror(sid, partial(receive, received)))
    if is_watched:
        await eventually(lambda: received == [50], 60)
        await worker.delete(sid)
    assert await mirrored == "This job was deleted"


@pytest.mark.usefixtures("mirrored_from")
async def test_a_lost_worker_has_not_succeeded(worker: Worker, sid: str) -> None:
    """No report ends its step."""
    await worker.create(sid, steps=TWO)
    await worker.start(sid, 1, attempt_id="a", lease_ms=1000, lost_after_ms=1000)
    end = await mirror(sid, partial(receive, []))
    assert end is not None
    assert end.startswith("Lost at step 1: ")


@pytest.mark.usefixtures("mirrored_from")
async def test_the_wait_for_an_end_is_limited(worker: Worker, sid: str) -> None:
    """Also that for a session that does not exist. Errors of the function are raised."""

    async def fail(*_: float) -> None:
        raise TimeoutError("too slow")

    assert await mirror(sid, fail, timeout_s=0.1) == "Waiting for the job to start"
    await worker.create(sid, steps=TWO)
    await worker.start(sid, 1)
    assert await mirror(sid, fail, timeout_s=2) == "Step 1 of 2: One"
    await worker.complete(sid, 1)
    with pytest.raises(TimeoutError, match="too slow"):
        await mirror(sid, fail)


async def receive(received: list[float], percentage: float, _: float) -> None:
    received.append(percentage)
