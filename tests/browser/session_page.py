"""Helpers of the tests of a session's page."""

import re
import subprocess
from urllib.parse import quote

from tests.browser.page_driver import PageDriver
from tests.harness.serving import Server

COMPLETED = re.compile(r"^Completed( in .*)?$")
"""The headline of a completed session; one that took less than a second has no duration."""


def page_of(server: Server, session_id: str) -> str:
    return f"{server.url}/s/{quote(session_id, safe='')}"


async def texts(shown: PageDriver, selector: str) -> list[str]:
    return await shown.page.locator(selector).all_text_contents()


def run(command: str, **environment: str) -> None:
    """Run a line as if it were pasted into a shell."""
    result = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, timeout=30, env={"PATH": "/usr/bin:/bin", **environment}
    )
    assert '"session_id":' in result.stdout, result
