"""Tasks of real queues as steps: what holds for each library, shown by its program in `docs/bridges.md`."""

from __future__ import annotations

import pytest

from tests.bridges.conftest import Sites
from tests.bridges.sites import LIBRARIES


@pytest.mark.parametrize("name", LIBRARIES)
async def test_tasks_are_steps(sites: Sites, name: str) -> None:
    """Each starts, is tried again, completes or fails, and tells how far it is inside; those that follow, too."""
    site = sites(name)
    stream = await site.follow("import-42")
    await site.call('run("import-42")')
    told = await site.until(stream, 3, "error")
    changes = [each for each in told if "progress" not in each]
    assert [(each["step"], each["name"], each["status"], each["message"], each["error"]) for each in changes] == [
        (1, "Download", "running", "", ""),
        (1, "Download", "running", "", ""),
        (1, "Download", "success", "attempt 2", ""),
        (2, "Parse", "running", "", ""),
        (2, "Parse", "success", "Rows", ""),
        (3, "Save", "running", "", ""),
        (3, "Save", "error", "", "OSError: disk full"),
    ]
    messages = [each["message"] for each in told if "progress" in each]
    assert messages[0] == "will be tried again: ConnectionError: the first time it never works"
