"""The parts of a step: each backend keeps all of them, and shows a few."""

import asyncio
import json

from progress_sse.core.model import StepDefinition
from progress_sse.core.parts import PartCounts, Parts
from progress_sse.core.updates import ReportPart, Start, Update
from progress_sse.store.backend import FullBackend
from progress_sse.store.progress_store import ProgressStore
from progress_sse.store.types import Record
from tests.core.samples import sent
from tests.store.changes import HOSTILE_TEXT
from tests.store.observed import notified, state

DEFINITIONS = (StepDefinition("Load"), StepDefinition("Save"))

COMMANDS: dict[str, Update] = {
    "the start": sent(Start(1, parts_total=30), definitions=DEFINITIONS),
    **{f"part {n}": ReportPart(1, f"part {n} 日本語", "running", n, 30, "working") for n in range(25)},
    "a failure": ReportPart(1, "part 3 日本語", "error", message="m", error=HOSTILE_TEXT[:200]),
    "a step without a total": sent(Start(2), attempt_id="a", lease_ms=30_000),
    "its part": sent(ReportPart(2, HOSTILE_TEXT[:100], "running"), attempt_id="a"),
    "a part that begins again": ReportPart(1, "part 3 日本語", "running"),
    "a start that forgets": Start(2, parts_total=2),
    "the first of two": ReportPart(2, "b", "success"),
    "the second of two": ReportPart(2, "a", "success"),
    "one that begins again": ReportPart(2, "b", "running"),
}


def parts_of(record: Record | None, step: int = 1) -> Parts:
    """The parts of a step."""
    assert record is not None
    parts = record.session.progress.steps[step].parts
    assert parts is not None
    return parts


async def test_a_durable_backend_keeps_all_of_them(store: ProgressStore, backend: FullBackend) -> None:
    """In the order of their first report, with what no event shows."""
    for command in COMMANDS.values():
        record = (await store.apply("s", command)).record
        assert await store.load("s") == record
    assert len(parts_of(record).by_name) == 25
    await backend.aclose()
    await backend.open()
    after = await store.load("s")
    if after is not None:  # Memory is lost with its process.
        assert after == record
        assert list(parts_of(after).by_name) == [f"part {n} 日本語" for n in range(25)]
        assert list(parts_of(after, 2).by_name) == ["b", "a"]


async def test_each_report_is_one_event_that_shows_a_few(store: ProgressStore, backend: FullBackend) -> None:
    """The history holds what readers see, and no more."""
    notifications = await notified(backend)
    for command in COMMANDS.values():
        await store.apply("s", command)
        record = await state(store)
        (entry,) = notifications[-1].entries
        step = json.loads(entry.data)["step"]
        assert json.loads(record.body)["steps"][step["step"] - 1] == step
        assert len(step.get("parts", {"listed": []})["listed"]) <= 20
        assert await backend.replay("s", record.position._replace(offset=record.position.offset - 1)) == [entry]


async def test_many_at_once_are_each_counted_once(store: ProgressStore) -> None:
    """Reports of all parts that arrive together."""
    await store.start_step("s", 1, parts_total=200)
    await asyncio.gather(*(store.report_part("s", 1, f"p{n}", "running") for n in range(200)))
    assert parts_of(await store.load("s")).counts == PartCounts(200, 0, 0)
    await asyncio.gather(*(store.report_part("s", 1, f"p{n}", "success" if n else "error") for n in range(200)))
    record = await state(store)
    assert parts_of(record).counts == PartCounts(0, 199, 1)
    step = record.session.progress.steps[1]
    assert (step.status, step.error) == ("error", "1 of 200 parts failed.")
