"""What is particular to taskiq: tasks that send tasks, and ways to end."""

from __future__ import annotations

import pytest

from tests.bridges.conftest import Sites
from tests.bridges.sites import Site


@pytest.fixture
def site(sites: Sites) -> Site:
    """A worker, and what it needs."""
    return sites("taskiq")


async def test_what_a_task_sends_belongs_to_its_session(site: Site) -> None:
    """Also by way of a task that is no step, and where it runs in a thread."""
    stream = await site.follow("nested")
    await site.call('asyncio.run(send(outer, "nested"))')
    told = await site.until(stream, 3, "success")
    assert [(each["step"], each["message"]) for each in told if each["status"] == "success"] == [
        (1, ""),
        (2, "inside nested"),
        (3, "inside nested"),
    ]


@pytest.mark.parametrize(
    ("task", "status", "error"), [("hang", "error", "TimeoutError"), ("silent", "success", "")], ids=["hang", "silent"]
)
async def test_a_task_ends_as_it_means_to(site: Site, task: str, status: str, error: str) -> None:
    """Late is failed; and a task that wants no result has not failed for that."""
    stream = await site.follow(task)
    await site.call(f'asyncio.run(send({task}, "{task}"))')
    *_, last = await site.until(stream, 1, status)
    assert last["error"] == error
