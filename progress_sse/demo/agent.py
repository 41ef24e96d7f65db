"""An agent: it finds its steps while it runs, writes a log, and answers word by word."""

import asyncio
from typing import Final, TypeAlias

from progress_sse.client.aio import AsyncProgress
from progress_sse.core.log_lines import LogLevel
from progress_sse.demo.job import FLUSH_S, Run, work

LINE_S: Final = 0.7
"""Seconds that a line of the log takes."""

WORD_S: Final = 0.15
"""Seconds that a word of the answer takes."""

Lines: TypeAlias = tuple[tuple[LogLevel, str], ...]

PLAN: Final[Lines] = (
    ("info", "question: why do the events of my jobs arrive late?"),
    ("debug", "tools: search, read, shell"),
    ("info", "plan: search the docs, read what fits, try it, answer"),
)

PAGES: Final[tuple[tuple[str, Lines], ...]] = (
    (
        "Read “Nothing arrives until the job ends”",
        (
            ("info", "GET docs/nothing-arrives → \x1b[32m200\x1b[0m, 9 kB"),
            ("info", "a proxy may hold a response back until it is complete"),
            ("info", "nginx obeys \x1b[36mX-Accel-Buffering: no\x1b[0m"),
        ),
    ),
    (
        "Read “Deploy”",
        (
            ("error", "GET docs/how-to-deploy → \x1b[31m404\x1b[0m"),
            ("info", "GET docs/deploy → \x1b[32m200\x1b[0m, 21 kB"),
            ("debug", "noted: buffering, compression, time-outs"),
        ),
    ),
)

TRIAL: Final[Lines] = (
    ("info", "\x1b[1m$ curl --no-buffer $URL/api/progress/mine/events\x1b[0m"),
    ("warning", "\x1b[33mfirst byte after 8.4 s\x1b[0m, through the proxy"),
    ("info", "\x1b[32mfirst byte after 0.1 s\x1b[0m, past it"),
    ("info", "so it is the proxy"),
)

ANSWER: Final = (
    "Your proxy holds the stream back. Turn its buffering off for /events, leave the compression of event streams "
    "off, and allow a minute of silence. Until then the page polls, so no bar stands still."
)


async def run_agent(run: Run) -> None:
    """Answer a question in five or six steps, of which only the first is known at the start."""
    async with AsyncProgress(
        run.session_id,
        open_ended=True,
        title="Agent: why do my events arrive late?",
        labels={"job": "agent", "tools": "search, shell"},
        url=run.url,
        flush_timeout_s=FLUSH_S,
    ) as progress:
        await _think(progress, "Plan", PLAN)
        await _search(progress)
        for name, lines in PAGES[: 1 + run.number % 2]:
            await _think(progress, name, lines)
        await _think(progress, "Try it", TRIAL)
        await _answer(progress)
        here = f"/api/progress/{run.session_id}"
        progress.finish(links={"The answer as JSON": here, "The whole log": f"{here}/log"})


async def _think(progress: AsyncProgress, name: str, lines: Lines) -> None:
    """Run a step outside of its block, so that its lines belong to one log of the whole session."""
    step = progress.step(name)
    step.start()
    for level, text in lines:
        progress.log(text, level)
        await asyncio.sleep(LINE_S)
    step.complete()


async def _search(progress: AsyncProgress) -> None:
    """Follow links, whose number is unknown until the last one."""
    step = progress.step("Search the docs")
    step.start()
    progress.log("searching: events late buffering")
    await work(step, 315, took_s=4, total=None, message="following links")
    progress.log("315 pages, 2 of them fit")
    step.complete("315 pages")


async def _answer(progress: AsyncProgress) -> None:
    """Write the answer word by word, as the message of its step."""
    step = progress.step("Write the answer")
    step.start()
    progress.log("writing the answer")
    words = ANSWER.split()
    for count in range(1, len(words) + 1):
        step.report(count, message=" ".join(words[:count]))
        await asyncio.sleep(WORD_S)
    progress.log(f"{len(words)} words")
    step.complete()
