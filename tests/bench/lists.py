"""Measure what lists cost in a large store: `python -m tests.bench.lists [memory://|sqlite|redis://…] [sessions]`.

The store is filled in the process of this program, without HTTP. Each list is then asked for as by its first reader:
once for its page, and once for its stream until the `list` event is there. At the end sessions change while lists of
others are followed, and while none is.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from statistics import median
from typing import Any, Final

import click
import uvloop

from progress_sse.core.commands import Create
from progress_sse.core.model import StepDefinition
from progress_sse.core.session_filter import ALL_SESSIONS, SessionFilter, parse_statuses
from progress_sse.core.updates import Advance, Finish, Start
from progress_sse.service import ProgressService
from progress_sse.settings import load_settings
from tests.core.samples import sent

SESSIONS: Final = 100_000
FEW: Final = 50
AT_ONCE: Final = 200
ROUNDS: Final = 7
CHANGES: Final = 5_000
PAGE: Final = 101
STEPS: Final = (StepDefinition("Load"), StepDefinition("Save"))

LISTS: Final = {
    f"a prefix of {FEW}": SessionFilter("rare-"),
    f"a label of {FEW}": SessionFilter(labels=frozenset({("customer", "rare")})),
    f"a label of half, a prefix of {FEW}": SessionFilter("rare-", frozenset({("kind", "0")})),
    f"the {FEW} that are running": SessionFilter(states=parse_statuses(["running"])),
    "a prefix of nearly all": SessionFilter("usual-"),
    "a label of half": SessionFilter(labels=frozenset({("kind", "0")})),
    "all": ALL_SESSIONS,
    "a prefix of none": SessionFilter("nothing-"),
}


async def fill(service: ProgressService, count: int) -> None:
    """Create the sessions: nearly all are completed, and some of the rare ones are running."""
    rare_every = count // FEW
    limit = asyncio.Semaphore(AT_ONCE)

    async def make(number: int) -> None:
        is_rare = number % rare_every == rare_every // 2
        session_id = f"{'rare' if is_rare else 'usual'}-{number:06}"
        labels = {"customer": "rare" if is_rare else str(number % 1000), "kind": str(number % 2)}
        async with limit:
            create = Create(STEPS, labels=labels)
            await service.store.apply(session_id, create)
            await service.store.apply(session_id, sent(Start(1), definitions=STEPS) if is_rare else Finish())

    for begin in range(0, count, 10 * AT_ONCE):
        await asyncio.gather(*(make(number) for number in range(begin, min(begin + 10 * AT_ONCE, count))))


async def time_of(work: Callable[[], Coroutine[Any, Any, None]]) -> str:
    """Milliseconds of several rounds: their median, and the slowest."""
    took = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        await work()
        took.append(time.perf_counter() - began)
    return f"{median(took) * 1000:.1f} ms (slowest {max(took) * 1000:.1f})"


@asynccontextmanager
async def followed(service: ProgressService, *followed_lists: SessionFilter) -> AsyncIterator[None]:
    """Follow lists, by readers that take nothing from their queues."""
    hub = service.streams.hub
    subscribers = [hub.new_subscriber(1, lambda: None) for _ in followed_lists]
    for each, wanted in zip(subscribers, followed_lists, strict=True):
        await hub.lists.subscribe(each, wanted)
    yield
    for each in subscribers:
        each.close()


async def measure_lists(service: ProgressService) -> None:
    for name, wanted in LISTS.items():

        async def read(wanted: SessionFilter = wanted) -> None:
            await service.store.backend.lists.list_summaries(wanted, PAGE, None)

        async def follow(wanted: SessionFilter = wanted) -> None:
            async with followed(service, wanted):
                pass

        found = len(await service.store.backend.lists.list_summaries(wanted, PAGE, None))
        click.echo(f"{name}: page {await time_of(read)}, stream {await time_of(follow)}; {found} on the page")


async def measure_changes(service: ProgressService) -> None:
    """Print what an update costs, without readers of lists and with some."""

    async def change(session_ids: Sequence[str]) -> None:
        for count in range(CHANGES // len(session_ids)):
            await asyncio.gather(
                *(service.store.apply(each, Advance(1, count, None, str(time.time()))) for each in session_ids)
            )

    rare = await service.store.backend.lists.list_summaries(SessionFilter("rare-"), FEW, None)
    ids = [summary.session_id for summary in rare]
    theirs = SessionFilter("rare-")
    of_others = [SessionFilter(labels=frozenset({("user", str(number))})) for number in range(1500)]
    for name, wanted in (
        ("no reader of lists", []),
        ("a reader of another list", [SessionFilter("nothing-")]),
        ("readers of 1500 labels of others", of_others),
        ("a reader of their list", [theirs]),
        ("100 readers of their list", [theirs] * 100),
        ("no reader of lists, again", []),
    ):
        async with followed(service, *wanted):
            began, cpu = time.perf_counter(), time.process_time()
            await change(ids)
            took, used = time.perf_counter() - began, time.process_time() - cpu
        each_us, cpu_us = took / CHANGES * 1e6, used / CHANGES * 1e6
        click.echo(f"an update with {name}: {each_us:.0f} µs, {cpu_us:.0f} µs of processor time")


async def measure(store: str, count: int) -> None:
    settings = load_settings(store=store, max_sessions=10 * count, redis_prefix=f"bench-{time.time_ns()}")
    service = ProgressService(settings)
    await service.start()
    began = time.monotonic()
    await fill(service, count)
    click.echo(f"{count} sessions stored in {time.monotonic() - began:.0f} s")
    await measure_lists(service)
    await measure_changes(service)
    await service.aclose()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        named = sys.argv[1] if len(sys.argv) > 1 else "memory://"
        url = f"sqlite:///{folder}/progress.db" if named == "sqlite" else named
        uvloop.run(measure(url, int(sys.argv[2]) if len(sys.argv) > 2 else SESSIONS))
