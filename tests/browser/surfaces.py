"""What each surface shows of a session: the page, the element, both lists, and what terminals and wikis get."""

import asyncio
import os
import re
import sys
from typing import NamedTuple, Self

import httpx
from playwright.async_api import Page

from tests.browser.conftest import OpenPage
from tests.browser.home_page import home_of
from tests.browser.page_driver import PageDriver
from tests.browser.session_page import page_of
from tests.harness.serving import Server, session_path

EMBEDDING = """<!doctype html><html lang="{lang}"><meta charset="utf-8"><title>embedding</title>
<script type="module" src="/web/define.js"></script><script type="module" src="/web/define-list.js"></script>
<progress-steps session="{sid}"></progress-steps><progress-list prefix="{sid}"></progress-list>"""

WORDS = {
    "en": {
        "stalled": "stalled|no sign of life since",
        "completed": "completed",
        "failed": "failed",
        "cancelled": "cancelled",
        "lost": "lost",
    },
    "ja": {
        "stalled": "応答",
        "completed": "完了しました|^完了$",
        "failed": "失敗",
        "cancelled": "中止",
        "lost": "途絶",
    },
}
"""The words for a state, in a sentence and in a list. Steps are done as well, in Japanese by the same word."""

_DURATION = re.compile(r"(\d+) ?(?:min|分) ?(\d+) ?(?:s|秒)")
_SINCE = re.compile(r"since (\d\d:\d\d)|(\d\d:\d\d) 以降")
_PERCENTAGE = re.compile(r"(\d+)%")


class Reading(NamedTuple):
    """What a surface shows. `time` is the duration of the job, or when its worker last gave a sign of life."""

    state: str
    percentage: str
    time: str


def reading_of(text: str, language: str = "en") -> Reading:
    """Read what a surface shows; a later percentage counts more than an earlier one."""
    states = [state for state, words in WORDS[language].items() if re.search(words, text, re.IGNORECASE | re.MULTILINE)]
    found = _SINCE.search(text) or _DURATION.search(text)
    time = ":".join(filter(None, found.groups())) if found else ""
    return Reading(" ".join(states), (_PERCENTAGE.findall(text) or [""])[-1], time)


def text_reading(drawn: str) -> Reading:
    """Read the lines about the session, without those of its steps."""
    lines = drawn.split("\n")
    return reading_of("\n".join([*lines[:3], *(line for line in lines[3:] if line.startswith("no sign"))]))


async def shown_session(page: Page, language: str = "en") -> Reading:
    parts = page.locator("article").locator(".status, .bar, .note:visible")
    return reading_of("\n".join(await parts.all_inner_texts()), language)


async def shown_row(page: Page, language: str = "en") -> Reading:
    return reading_of("\n".join(await page.locator(".list-row > *").all_inner_texts()), language)


class Surfaces:
    """The pages of a session in one language, opened once, and the commands that read it."""

    def __init__(self, server: Server, sid: str, language: str, *pages: PageDriver) -> None:
        """Take the page of the session, the page that embeds the elements, and the home page."""
        self._server, self._sid, self._language = server, sid, language
        self._pages = pages

    @classmethod
    async def open(cls, server: Server, open_page: OpenPage, sid: str, language: str) -> Self:
        locale = {"en": "en-GB", "ja": "ja-JP"}[language]
        html = {f"{server.url}/embedding": EMBEDDING.format(lang=language, sid=sid)}
        addresses = (page_of(server, sid), *html, home_of(server, sid))
        pages = [await open_page(each, html=html.get(each, ""), locale=locale, timezone_id="UTC") for each in addresses]
        return cls(server, sid, language, *pages)

    @property
    def errors(self) -> list[str]:
        """What the consoles of the pages have."""
        return [error for each in self._pages for error in each.errors]

    async def on_pages(self) -> dict[str, Reading]:
        page, embedding, home = (each.page for each in self._pages)
        return {
            "page": await shown_session(page, self._language),
            "element": await shown_session(embedding, self._language),
            "home": await shown_row(home, self._language),
            "list element": await shown_row(embedding, self._language),
        }

    async def elsewhere(self) -> dict[str, Reading]:
        """Read what is in English for each reader."""
        return {
            "text": text_reading(await self._get(session_path(self._sid), accept="text/plain")),
            "badge": reading_of(await self._get(f"/s/{self._sid}/badge.svg")),
            "list": reading_of(await self._output("list", "--prefix", self._sid)),
            "watch": reading_of(await self._output("watch", self._sid, "--output", "plain")),
        }

    async def _get(self, path: str, **headers: str) -> str:
        async with httpx.AsyncClient(base_url=self._server.url) as client:
            return (await client.get(path, headers=headers)).text

    async def _output(self, *arguments: str) -> str:
        """Return the lines of a command until it ends, or until they name a state."""
        command = [sys.executable, "-m", "progress_sse", *arguments, "--url", self._server.url]
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, env={**os.environ, "TZ": "UTC"}
        )
        assert process.stdout
        lines = []
        async for line in process.stdout:
            lines.append(line.decode())
            if reading_of(lines[-1]).state == "stalled":  # Such a session goes on.
                process.kill()
        await process.wait()
        return "".join(lines)
