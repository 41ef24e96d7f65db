"""The callbacks of a job: which requests of readers each of them gets."""

import threading

from progress_sse import Progress
from progress_sse.client.inbox import Request
from progress_sse.client.sync import current
from progress_sse.client.testing import recording
from progress_sse.core.updates import Acknowledge
from tests.client.shells import Shell
from tests.client.test_cancel import SOON_S
from tests.harness.serving import eventually


async def test_a_callback_gets_what_is_open_already(shell: Shell) -> None:
    """Once, and it may decline that. What the job has answered, or has acted upon, is over."""
    first: list[Request] = []
    second: list[Request] = []
    with recording() as recorder:
        progress = shell.progress.attach("a", accepts=["cancel", "retry"])
        step = progress.step(1)
        recorder.ask("a", "retry")
        step.start()  # That honours it.
        cancel = recorder.ask("a", "cancel")
        progress.on_request(first.append)
        await eventually(lambda: len(first) == 1, SOON_S)
        first[0].decline("nearly done")
        step.check()
        retry = recorder.ask("a", "retry")
        await eventually(lambda: len(first) == 2, SOON_S)
        progress.on_request(second.append)
        await eventually(lambda: len(second) == 1, SOON_S)
        last = recorder.ask("a", "cancel")
        await eventually(lambda: len(first) == 3 and len(second) == 2, SOON_S)
    assert [each.id for each in first] == [cancel, retry, last]
    assert [each.id for each in second] == [retry, last]
    assert Acknowledge(cancel, "declined", "nearly done") in recorder.of("a")


async def test_a_callback_gets_what_came_before_the_job_began(shell: Shell) -> None:
    """It may have been asked of the worker before, and was learned with the first answer of the server."""
    called: list[Request] = []
    with recording() as recorder:
        request = recorder.ask("a")
        progress = shell.progress.attach("a", accepts=["cancel"])
        progress.on_request(called.append)
        await eventually(lambda: [each.id for each in called] == [request], SOON_S)


async def test_a_callback_gets_what_no_step_has_heeded_once_that_is_open_still(shell: Shell) -> None:
    """Between its steps a job does not know whether its session has ended."""
    called: list[Request] = []
    with recording() as recorder:
        progress = shell.progress("a", steps=["One", "Two"], accepts=["cancel"])
        with progress.step(1):
            request = recorder.ask("a")
        progress.on_request(called.append)
        assert called == []
        step = progress.step(2)
        step.start()
        await eventually(lambda: [each.id for each in called] == [request], SOON_S)
        await eventually(lambda: step.pending_cancel() is not None, SOON_S)


async def test_a_job_is_not_cancelled_before_all_of_its_callbacks_have_answered() -> None:
    """A later one that says nothing does not answer for an earlier one that still decides."""
    begun, may_answer, called = threading.Event(), threading.Event(), threading.Event()

    def decide(request: Request) -> None:
        begun.set()
        may_answer.wait(SOON_S)
        request.decline("nearly done")

    with recording() as recorder:
        progress = Progress.attach("a", accepts=["cancel"])
        step = progress.step(1)
        step.start()
        progress.on_request(decide)
        request = recorder.ask("a")
        await eventually(begun.is_set, SOON_S)
        progress.on_request(lambda _: called.set())
        await eventually(called.is_set, SOON_S)
        step.check()
        may_answer.set()
        declined = Acknowledge(request, "declined", "nearly done")
        await eventually(lambda: declined in recorder.of("a"), SOON_S)
        step.check()


def test_a_job_without_a_server_is_asked_nothing() -> None:
    """Neither is code outside of any job."""
    current().on_request(print)
    with Progress("a", steps=["One"], accepts=["cancel"], disabled=True) as progress:
        progress.on_request(print)
