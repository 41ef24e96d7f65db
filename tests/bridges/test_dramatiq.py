"""Dramatiq's particulars: messages that are given up, and actors that send."""

from __future__ import annotations

import pytest

from tests.bridges.conftest import Sites
from tests.bridges.queue_workers import Site


@pytest.fixture
def site(sites: Sites) -> Site:
    """A worker of Dramatiq."""
    return sites("dramatiq")


@pytest.mark.parametrize(("actor", "error"), [("expire", "given up before it ran"), ("give_up", "OSError: no use")])
async def test_a_message_that_is_given_up_fails(site: Site, actor: str, error: str) -> None:
    """It fails before it runs, or with attempts left."""
    stream = await site.follow(actor)
    await site.call(
        f'broker.enqueue({actor}.message_with_options(progress_session="{actor}").copy(message_timestamp=0))'
    )
    told = await site.until(stream, 1, "error")
    assert [(each["status"], each["error"]) for each in told] == [("running", ""), ("error", error)]


async def test_what_an_actor_sends_belongs_to_its_session(site: Site) -> None:
    """It is the step that the message names, also by way of an actor without a step."""
    stream = await site.follow("nested")
    await site.call('outer.send_with_options(progress_session="nested")')
    told = await site.until(stream, 2, "success")
    assert [(each["step"], each["message"]) for each in told if each["status"] == "success"] == [
        (1, ""),
        (3, "inside nested"),
        (2, "inside nested"),
    ]
