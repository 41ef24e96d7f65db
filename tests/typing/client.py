"""The worker's client as type checkers see it; never run."""

from collections.abc import AsyncIterator, Iterator
from typing import assert_type

from progress_sse import AsyncProgress, Progress, StepDefinition, current
from progress_sse.client.aio import AsyncStep
from progress_sse.client.reports import Report
from progress_sse.client.steps import BaseStep
from progress_sse.client.sync import Step
from progress_sse.client.testing import recording


def blocking() -> None:
    """All that a blocking job uses."""
    with Progress("a", steps=["One", StepDefinition("Two")], url="http://h", on_error="raise") as progress:
        assert_type(progress, Progress)
        with progress.step(1, message="m", timeout_ms=5) as step:
            assert_type(step, Step)
            assert_type(step.track(["row"]), Iterator[str])
        assert_type(progress.step(2).run(len, "seven"), int)
        progress.step(2).run(len, unknown="seven")  # type: ignore[call-arg]
    with Progress("b", open_ended=True, title="B", labels={"a": "b"}, links={"L": "/l"}, lease_s=None) as found:
        with found.step("Parse", estimated_ms=5) as parsing:
            assert_type(parsing, Step)
        found.plan(["Save", StepDefinition("Tell")])
        found.skip("Tell", "no reader")
        found.describe(title=None, labels={"a": None}, links=[("L", "/l")])
        found.fail(OSError(), links={"L": "/l"})
        found.finish()
        found.describe(accepts=["cancel"])  # type: ignore[call-arg]
    assert_type(Progress.attach(disabled=True), Progress)
    assert_type(current().step(1), BaseStep)
    Progress("a", on_error="ignore")  # type: ignore[arg-type]
    Progress("a", server="http://h")  # type: ignore[call-arg]


async def on_a_loop() -> None:
    """All that a job on an event loop uses."""

    async def save(name: str) -> int:
        return len(name)

    async with AsyncProgress("a", workflow="report") as progress:
        assert_type(progress, AsyncProgress)
        async with progress.step(1) as step:
            assert_type(step, AsyncStep)
            assert_type(step.track(["row"]), AsyncIterator[str])
        assert_type(await progress.step(2).run(save, "a"), int)
    assert_type(await progress.flush(), bool)


def testing() -> None:
    """All that the tests of a job use."""
    with recording() as recorder:
        assert_type(recorder.of("a"), list[Report])
