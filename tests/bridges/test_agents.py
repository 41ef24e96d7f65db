"""Calls of agents as steps, and a session's percentage for a function; the frameworks have tests of their own."""

import asyncio
from contextlib import suppress

import pytest

from progress_sse.bridges.agents import AgentProgress, mirror
from progress_sse.client.testing import Complete, Finish, Plan, Recorder, ReportPart, Start
from progress_sse.core.errors import ConfigurationError
from tests.harness.serving import Server


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
    """Until the end, of which the error is returned; without a server it says so."""
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
    assert (await mirrored, received.empty()) == ("OSError: disk full", True)
