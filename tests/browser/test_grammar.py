"""The vectors of event streams agree with the browser's parser, which is the tracker's."""

from typing import Any

from playwright.async_api import Browser

from tests.harness.vectors import misread


async def test_a_browser_reads_streams_as_the_vectors_say(chromium: Browser) -> None:
    """A parser that follows the vectors agrees with an EventSource, also in the id of its next request."""

    async def evaluate(url: str, expression: str) -> Any:
        page = await chromium.new_page()
        await page.goto(url)
        value = await page.evaluate(expression)
        await page.close()
        return value

    assert await misread(evaluate) == {"a stream is UTF-8, whatever its type says"}
