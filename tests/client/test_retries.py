"""Jobs that a reader asks to try again, and when they listen for that."""

import asyncio
from queue import SimpleQueue
from typing import Any

import pytest

from progress_sse import Progress
from progress_sse.client.inbox import Request
from progress_sse.client.reporter import Reporter
from progress_sse.client.testing import recording
from tests.client.asking_server import AskingServer
from tests.client.job_errors import OopsError
from tests.client.shells import Shell
from tests.client.test_cancel import SOON_S, actions
from tests.harness.serving import eventually


def fail(_: int) -> int:
    raise OopsError("disk full")


async def test_a_job_tries_again_within_its_block(shell: Shell) -> None:
    """It listens as long as the block lasts, though none of its steps runs; the next start honours the request."""
    retries: SimpleQueue[Request] = SimpleQueue()
    outcomes = [OopsError("disk full"), None]

    def work(progress: Reporter) -> None:
        while outcomes:
            try:
                with progress.step(1):
                    outcome = outcomes.pop(0)
                    if outcome is not None:
                        raise outcome
            except OopsError:
                assert retries.get(timeout=SOON_S).kind == "retry"

    async with AskingServer() as server:
        progress = shell.progress("a", steps=["One"], url=server.url, accepts=["retry"])
        progress.on_request(retries.put)
        job = asyncio.create_task(shell.run(work, progress))
        await eventually(lambda: ("complete", None) in actions(server) and server.waiting == [["a"]], SOON_S)
        await server.ask("a", "retry")
        await asyncio.wait_for(job, SOON_S)
        told = [("start", None), ("complete", None)]
        assert actions(server) == [*told, ("acknowledge", "seen"), *told]
        assert [each["success"] for each in server.updates if each["action"] == "complete"] == [False, True]


async def test_a_job_without_a_block_tries_again_after_a_failure(shell: Shell) -> None:
    """Its callback hears of it until the progress is closed."""
    asked: list[Request] = []
    async with AskingServer() as server:
        progress = shell.progress("a", steps=["One"], url=server.url, accepts=["retry"])
        progress.on_request(asked.append)
        with pytest.raises(OopsError):
            await shell.call(progress.step(1), fail, 0)
        await eventually(lambda: server.waiting == [["a"]], SOON_S)
        request = await server.ask("a", "retry")
        await eventually(lambda: [each.id for each in asked] == [request], SOON_S)
        with pytest.raises(OopsError):
            await shell.call(progress.step(1), fail, 0)
        assert progress.inbox.is_open
        await shell.close(progress)
        assert not progress.inbox.is_open


async def test_a_callback_that_comes_after_the_failure_hears_of_a_retry(shell: Shell) -> None:
    """The job listens from then on."""
    asked: list[Request] = []
    async with AskingServer() as server:
        progress = shell.progress("a", steps=["One"], url=server.url, accepts=["retry"])
        with pytest.raises(OopsError):
            await shell.call(progress.step(1), fail, 0)
        assert await shell.flush(progress, SOON_S)
        request = await server.ask("a", "retry")
        progress.on_request(asked.append)
        await eventually(lambda: [each.id for each in asked] == [request], SOON_S)
        await shell.close(progress)


def listening(end: Any) -> list[bool]:
    """Whether a job listens: after a failure without a callback, after that with one, and after `end`."""
    with recording():
        progress = Progress("a", steps=["One", "Two"], accepts=["retry"])
        progress.step(1).start()
        progress.step(1).fail("disk full")
        seen = [progress.inbox.is_open]
        progress.on_request(print)
        seen.append(progress.inbox.is_open)
        end(progress)
        return [*seen, progress.inbox.is_open]


@pytest.mark.parametrize(
    ("end", "is_open"),
    [
        (lambda progress: progress.step(2).run(abs, 1), True),
        (lambda progress: progress.step(1).run(abs, 1), False),
        (lambda progress: progress.step(1).complete(), False),
        (lambda progress: progress.skip(1), False),
        (lambda progress: progress.finish(), False),
        (lambda progress: progress.fail("no disk"), True),
        (lambda progress: progress.close(), False),
    ],
    ids=["another step", "the step", "its success", "without it", "the end", "a failure", "the close"],
)
def test_a_job_listens_for_a_retry_while_it_has_failed_and_a_callback_can_hear_it(end: Any, is_open: bool) -> None:
    """It asks the server for nothing that it could not act upon."""
    assert listening(end) == [False, True, is_open]


def test_a_job_does_not_listen_after_its_block() -> None:
    """It has gone on to other things, or ends."""
    with recording():
        progress = Progress("a", steps=["One"], accepts=["retry"])
        progress.on_request(print)
        with pytest.raises(OopsError), progress:
            progress.step(1).run(fail, 0)
    assert not progress.inbox.is_open
