"""The vectors of event streams agree with the parser of each engine."""

from typing import Any

import pytest

from tests.engines.browser import Browser
from tests.engines.chromium import Chromium
from tests.engines.conftest import OpenTab
from tests.engines.firefox import Firefox
from tests.engines.webkit import WebKit
from tests.harness.vectors import GRAMMAR, misread

pytestmark = [pytest.mark.full, pytest.mark.alone]

ID_ALONE = "a block without data is not an event, and its id counts"

DEPARTURES = {
    Chromium: {"a stream is UTF-8, whatever its type says"},
    Firefox: {ID_ALONE, "an id with NUL anywhere is ignored"},
    # A byte order mark that comes in pieces, at times.
    WebKit: {ID_ALONE, *(vector["name"] for vector in GRAMMAR if vector["stream"].startswith("\ufeff"))},
}
"""What an engine may read otherwise, against the standard. No stream of this server has any of that."""


async def test_an_engine_reads_streams_as_the_vectors_say(browser: Browser, open_tab: OpenTab) -> None:
    """Its EventSource is the tracker's parser."""

    async def evaluate(url: str, expression: str) -> Any:
        return await (await open_tab(url)).evaluate(expression)

    assert await misread(evaluate) <= DEPARTURES[type(browser)]
