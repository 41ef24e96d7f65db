"""Reads the log of a session: each line once, in order, whatever a stream repeats or leaves out.

A stream begins with the newest lines each time, and repeats those that are known. Lines between the known ones and
these are asked for.
"""

import asyncio
import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple, get_args

from progress_sse._internal.http_library import httpx
from progress_sse.cli.responses import NotAllowedError, UnexpectedResponseError, get, read_json
from progress_sse.core.log_lines import MAX_READ_LINES, LogLevel, LogLine
from progress_sse.core.model import is_text
from progress_sse.story.session_state import is_count, is_list, is_object, is_time, or_null

RETRY_S: Final = 2.0
"""Seconds until lines are asked for again that could not be read."""

LAST_LINES_S: Final = 5.0
"""Seconds that the last lines of a session may take."""

_LINE: Final = {
    "n": is_count,
    "at": is_time,
    "step": or_null(is_count),
    "level": get_args(LogLevel).__contains__,
    "text": is_text,
}


class _Page(NamedTuple):
    """A part of a log, as an answer or an event has it; `first` is the number of the oldest line that is kept."""

    life: str
    lines: list[tuple[int, LogLine]]
    first: int


class LogReader:
    """Reads the log of one session; see the module."""

    def __init__(self, client: httpx.AsyncClient, path: str, show: Callable[[Sequence[LogLine], int], None]) -> None:
        """Ask for lines at the `path` of the session, and `show` them, and how many before them are not kept."""
        self._client = client
        self._path = f"{path}/log"
        self._show = show
        self._life = ""
        self._last = 0
        self._is_due = asyncio.Event()

    def add(self, data: Any) -> None:
        """Take in the data of an event of the stream.

        Raises:
            ValueError: It is not that of a progress server.
        """
        page = _page(data)
        added = [(number, line) for number, line in page.lines if number > self._last]
        follows = not added or added[0][0] in (self._last + 1, page.first)
        if page.life == self._life and follows:
            self._take(added)
        else:
            self.look()

    def look(self) -> None:
        """Ask soon for lines that may have come."""
        self._is_due.set()

    async def run(self) -> None:
        """Ask for lines whenever some may be missing."""
        while True:
            await self._is_due.wait()
            self._is_due.clear()
            try:
                await self._ask()
            except (httpx.HTTPError, UnexpectedResponseError, NotAllowedError):
                await asyncio.sleep(RETRY_S)
                self.look()

    async def finish(self) -> None:
        """Ask for the lines that came before the end of the session."""
        with suppress(httpx.HTTPError, UnexpectedResponseError, NotAllowedError, TimeoutError):
            async with asyncio.timeout(LAST_LINES_S):
                await self._ask()

    async def _ask(self) -> None:
        count = math.inf
        while count >= MAX_READ_LINES:
            page = await self._read()
            if page.life != self._life:
                is_other = self._last > 0
                self._life = page.life
                self._last = 0
                if is_other:  # The number that was asked for is not one of these lines.
                    page = await self._read()
            count = len(page.lines)
            self._take([(number, line) for number, line in page.lines if number > self._last])

    async def _read(self) -> _Page:
        response, content = await get(self._client, self._path, params={"after": self._last})
        if response.status_code == httpx.codes.NOT_FOUND:  # There is no such session.
            return _Page("", [], 1)
        return read_json(response, content, _page)

    def _take(self, added: Sequence[tuple[int, LogLine]]) -> None:
        if added:
            missed = added[0][0] - self._last - 1
            self._last = added[-1][0]
            self._show([line for _, line in added], missed)


_is_page: Final = is_object({"life": is_text, "first": is_count, "lines": is_list(is_object(_LINE))})


def _page(data: Any) -> _Page:
    if not _is_page(data):
        raise ValueError("no part of a log")
    numbers = [each["n"] for each in data["lines"]]
    if 0 in (data["first"], *numbers) or numbers != sorted(set(numbers)):
        raise ValueError("no numbers of lines")
    lines = [LogLine(each["at"], each["step"], each["level"], each["text"]) for each in data["lines"]]
    return _Page(data["life"], list(zip(numbers, lines, strict=True)), data["first"])
