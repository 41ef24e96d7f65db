"""Dramatiq's particulars: messages that are given up, and actors that send."""

import pytest

from tests.bridges.conftest import WorkersOf
from tests.bridges.queue_workers import QueueWorkers


@pytest.fixture
def workers(workers_of: WorkersOf) -> QueueWorkers:
    return workers_of("dramatiq")


@pytest.mark.parametrize(
    ("actor", "error"),
    [("expire", "given up before it ran"), pytest.param("give_up", "OSError: no use", marks=pytest.mark.full)],
)
async def test_a_message_that_is_given_up_fails(workers: QueueWorkers, actor: str, error: str) -> None:
    """It fails before it runs, or with attempts left."""
    code = f'broker.enqueue({actor}.message_with_options(progress_session="{actor}").copy(message_timestamp=0))'
    states = await workers.states_after(code, actor, 1, "error")
    assert [(each["status"], each["error"]) for each in states] == [("running", ""), ("error", error)]


async def test_a_message_that_its_actor_skips_is_done(workers: QueueWorkers) -> None:
    """Its step does not stay running."""
    states = await workers.states_after('skip.send_with_options(progress_session="skip")', "skip", 1, "success")
    assert [each["status"] for each in states] == ["running", "success"]


async def test_a_message_sent_by_an_actor_belongs_to_its_session(workers: QueueWorkers) -> None:
    """It is the step that the message names, also by way of an actor without a step."""
    states = await workers.states_after('outer.send_with_options(progress_session="nested")', "nested", 2, "success")
    assert [(each["step"], each["message"]) for each in states if each["status"] == "success"] == [
        (1, ""),
        (3, "inside nested"),
        (2, "inside nested"),
    ]
