"""The simulated jobs, which report by `AsyncProgress` as any job in Python does.

Each shows another thing that a job can report::

    agent    finds its steps while it runs, and writes a log
    export   may be cancelled; its last step fails, and is tried again
    film     has a step of many parts, of which some fail
    load     has a profile, so that the server learns how long it takes
"""

import asyncio
import contextlib
import itertools
import random
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, NamedTuple, TypeAlias

from progress_sse._internal.http_library import httpx
from progress_sse.client.aio import AsyncProgress, AsyncStep
from progress_sse.client.errors import Cancelled
from progress_sse.client.inbox import Request
from progress_sse.core.log_lines import LogLevel
from progress_sse.core.model import StepDefinition

TICK_S: Final = 0.2
"""Seconds between two reports of a step's progress."""

FLUSH_S: Final = 0.3
"""Seconds that the end of a run, or of the demo, waits for reports to be sent; later ones go while the demo runs."""


class Run(NamedTuple):
    """One run of a job: a session of its own, as any job of a user has.

    Attributes:
        job: The name of the job.
        number: Its number, from 1.
        url: The server that it reports to.
    """

    job: str
    number: int
    url: str

    @property
    def session_id(self) -> str:
        """The id of its session: `agent-1`."""
        return f"{self.job}-{self.number}"

    def progress(self, **options: Any) -> AsyncProgress:
        """Return its progress, with the options of `AsyncProgress`."""
        return AsyncProgress(self.session_id, url=self.url, flush_timeout_s=FLUSH_S, **options)


async def work(step: AsyncStep, units: int, took_s: float, *, total: int | None, message: str = "") -> None:
    """Do so many units of a running step evenly, of `total` ones (`None`: of an unknown number)."""
    ticks = round(took_s / TICK_S)
    for tick in range(1, ticks + 1):
        await asyncio.sleep(TICK_S)
        step.report(units * tick // ticks, total, message=message)


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
    async with run.progress(
        open_ended=True, title="Agent: why do my events arrive late?", labels={"job": "agent", "tools": "search, shell"}
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


RETRY_S: Final = 8.0
"""Seconds that a failure is shown, unless a reader asks for another attempt sooner."""

CLEAN_UP_S: Final = 2.0
"""Seconds that a cancelled export takes to remove its files."""

EXPORT_STEPS: Final = (
    StepDefinition("Collect the photos", estimated_ms=5_000),
    StepDefinition("Compress them", estimated_ms=9_000),
    StepDefinition("Upload the archive", estimated_ms=6_000),
)


class Asked:
    """What readers have asked of a run.

    Attributes:
        is_cancelled: Whether one has asked to cancel it.
    """

    def __init__(self) -> None:
        self.is_cancelled = False
        self._retry = asyncio.Event()

    def add(self, request: Request) -> None:
        """Remember a request. One to cancel ends the block of the progress after that, by `Cancelled`."""
        if request.kind == "cancel":
            self.is_cancelled = True
        else:
            self._retry.set()

    async def retry(self) -> None:
        """Wait for a request to try again, for `RETRY_S` at most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RETRY_S):
                await self._retry.wait()


async def run_export(run: Run) -> None:
    """Collect, compress and upload; the upload breaks off at its first attempt.

    Raises:
        Cancelled: A reader has asked for that.
    """
    async with run.progress(
        steps=EXPORT_STEPS,
        title="Export of 1,200 photos",
        labels={"job": "export", "format": "zip"},
        accepts=["cancel", "retry"],
    ) as progress:
        asked = Asked()
        progress.on_request(asked.add)
        async with _stage(progress.step(1), asked) as step:
            step.log("3 albums, 1,200 photos")
            await work(step, 1200, took_s=5, total=1200)
        async with _stage(progress.step(2), asked) as step:
            step.log("1,200 photos into parts of 8 MB")
            await work(step, 1200, took_s=9, total=1200)
        try:
            async with _stage(progress.step(3), asked) as step:
                await work(step, 31, took_s=4, total=52)
                step.log("the connection broke off", "error")
                raise ConnectionResetError("closed after 31 of 52 MB")
        except ConnectionResetError:
            await asked.retry()
        second = progress.step(3)
        second.take_over()  # It counts as another attempt, as the retry of a queue does.
        async with _stage(second, asked) as step:
            step.log("going on with another connection")
            await work(step, 52, took_s=6, total=52)


@contextlib.asynccontextmanager
async def _stage(step: AsyncStep, asked: Asked) -> AsyncIterator[AsyncStep]:
    """Run a step that cleans up before it ends as cancelled."""
    async with step:
        try:
            yield step
        except asyncio.CancelledError:
            if asked.is_cancelled:  # Otherwise the demo ends.
                await _clean_up(step)
            raise


async def _clean_up(step: AsyncStep) -> None:
    step.log("cancelled: removing the files that were written", "warning")
    await work(step, 0, CLEAN_UP_S, total=None, message="removing what was written")
    step.log("nothing is left behind")


FRAMES: Final = 40
WORKERS: Final = 4

FAILING: Final = frozenset({7, 18, 26})
"""The frames whose first attempt fails."""


async def run_film(run: Run) -> None:
    """Render all frames as parts of a step, and join them."""
    async with run.progress(
        steps=[StepDefinition(f"Render {FRAMES} frames"), StepDefinition("Join them", estimated_ms=3_000)],
        title=f"Film of {FRAMES} frames",
        labels={"job": "film", "workers": str(WORKERS)},
    ) as progress:
        async with progress.step(1, parts_total=FRAMES) as step:
            await _render(step)
        async with progress.step(2) as step:
            await work(step, FRAMES, took_s=3, total=FRAMES)


async def _render(step: AsyncStep) -> None:
    waiting = deque(range(1, FRAMES + 1))
    failing = set(FAILING)

    async def worker() -> None:
        while waiting:
            frame = waiting.popleft()
            try:
                async with step.part(f"frame {frame:02}") as part:
                    await work(part, 4, took_s=(8 + frame % 5) * TICK_S, total=4)
                    if frame in failing:
                        raise MemoryError("a texture does not fit")
            except MemoryError:
                failing.discard(frame)
                waiting.append(frame)  # Others are rendered first.

    async with asyncio.TaskGroup() as workers:
        for _ in range(WORKERS):
            workers.create_task(worker())


PROFILE: Final = "nightly-load"

EARLIER_RUNS: Final = 5
"""Runs at once at the start: as many as the server needs before it uses earlier runs."""

LOAD_STEPS: Final = (
    StepDefinition("Download", estimated_ms=4_000),
    StepDefinition("Parse", estimated_ms=8_000),
    StepDefinition("Check", estimated_ms=3_000),
    StepDefinition("Save", estimated_ms=4_000),
)

ROWS: Final = 8100


async def run_load(run: Run) -> None:
    """Run four steps; in each run they take other times, between half and one and a half of those declared."""
    chance = random.Random(run.number)  # noqa: S311  # no secret
    async with run.progress(
        steps=LOAD_STEPS,
        profile=PROFILE,
        title=f"Nightly load, run {run.number}",
        labels={"job": "load", "table": "orders"},
    ) as progress:
        for number, definition in enumerate(LOAD_STEPS, start=1):
            took_s = (definition.estimated_ms or 0) / 1000 * chance.uniform(0.6, 1.5)
            async with progress.step(number, message=f"{ROWS:,} rows") as step:
                await work(step, ROWS, took_s, total=ROWS, message=f"{ROWS:,} rows")


REST_S: Final = 6.0
"""Seconds between two runs, in which the end of the first is shown."""

KEPT_RUNS: Final = 6
"""Runs of each job whose sessions are kept."""


class Job(NamedTuple):
    """A job that runs again and again.

    Attributes:
        name: It begins the ids of the sessions.
        run: Runs it once.
        at_first: How many runs there are at once at the start.
    """

    name: str
    run: Callable[[Run], Awaitable[None]]
    at_first: int = 1


JOBS: Final = (
    Job("agent", run_agent),
    Job("export", run_export),
    Job("film", run_film),
    Job("load", run_load, at_first=EARLIER_RUNS),
)


async def run_repeatedly(job: Job, url: str, client: httpx.AsyncClient) -> None:
    """Run a job for ever, each time in its own session: first `agent-1`, then `agent-2`.

    Args:
        job: The job.
        url: The server to which it reports.
        client: Removes old sessions from there.
    """
    first = range(1, job.at_first + 1)
    await asyncio.gather(*(_run(job, number, url) for number in first))
    for number in itertools.count(job.at_first + 1):
        await asyncio.sleep(REST_S)
        await _run(job, number, url)
        with contextlib.suppress(httpx.TransportError):  # If the server is away, its own clean-up does that later.
            await client.delete(f"/api/progress/{Run(job.name, number - KEPT_RUNS, url).session_id}")


async def _run(job: Job, number: int, url: str) -> None:
    with contextlib.suppress(Cancelled):  # by a visitor
        await job.run(Run(job.name, number, url))
