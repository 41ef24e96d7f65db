"""What embedders may say of a session besides the start, progress and end of a numbered step."""

from collections.abc import AsyncIterator

import pytest

from progress_sse.core.commands import StepName
from progress_sse.core.details import Link
from progress_sse.core.errors import (
    AttemptSupersededError,
    InvalidRequestError,
    RequestNotAcceptedError,
    RequestSettledError,
    SessionNotFoundError,
    StepHasPartsError,
    StepRunningError,
    UnknownStepNameError,
)
from progress_sse.core.log_lines import NewLine
from progress_sse.core.model import StepAdvance, StepDefinition
from progress_sse.store.memory import MemoryBackend
from progress_sse.store.progress_store import ProgressStore
from progress_sse.store.types import StorageLimits
from progress_sse.wire.log_lines_json import decode_line
from tests.clock import START, ManualClock
from tests.harness.presence import present

PARSE = StepName("Parse")


@pytest.fixture
async def store(clock: ManualClock) -> AsyncIterator[ProgressStore]:
    """An empty store in memory: the backends are equal, as their contract shows."""
    store = ProgressStore(MemoryBackend(StorageLimits()), clock=clock)
    await store.open()
    yield store
    await store.aclose()


async def test_a_session_says_what_it_is(store: ProgressStore) -> None:
    """Labels are merged with the former ones; `None` removes a value; what is not given stays."""
    created = await store.create_session(
        "s",
        title="Nightly",
        labels={"customer": "acme", "kind": "import"},
        links=[Link("Logs", "https://logs.example/1")],
        accepts=["cancel"],
    )
    assert created.total_steps == 7
    assert created.details.title == "Nightly"
    assert created.details.accepts == ("cancel",)
    described = await store.describe_session("s", labels={"kind": None, "size": "big"}, links=None, accepts=["retry"])
    assert described.details.labels == {"customer": "acme", "size": "big"}
    assert (described.details.title, described.details.links) == ("Nightly", ())
    assert described.details.accepts == ("retry",)
    removed = (
        await store.describe_session("s", title=None, labels=None, links=[Link("A", "/a")], accepts=None)
    ).details
    assert (removed.title, removed.labels, removed.links, removed.accepts) == (None, {}, (Link("A", "/a"),), ())


async def test_an_open_ended_session_finds_its_steps_on_the_way(store: ProgressStore) -> None:
    """It begins without steps, unless it is given some, and `finish_session` alone completes it."""
    assert (await store.create_session("s", open_ended=True)).total_steps == 0
    await store.start_step("s", PARSE, 5000, estimated_ms=1000)
    await store.report_progress("s", PARSE, 1, 2)
    await store.complete_step("s", PARSE, message="first")
    await store.start_step("s", PARSE, append=True)
    await store.plan_steps("s", [StepDefinition("Save"), StepDefinition("Tell")])
    await store.skip_step("s", StepName("Tell"), "no reader")
    session = await store.finish_session("s", links=[Link("Result", "/result")])
    assert session.status == "completed"
    assert [(step.name, step.status, step.message, step.conclusion) for step in session.steps.values()] == [
        ("Parse", "success", "first", None),
        ("Parse", "success", "", None),
        ("Tell", "success", "no reader", "skipped"),
        ("Save", "success", "", "skipped"),
    ]
    assert session.steps[1].timeout_ms == 5000
    assert session.details.links == (Link("Result", "/result"),)
    assert (await store.create_session("s", steps=[StepDefinition("One")], open_ended=True)).total_steps == 1


async def test_a_failure_ends_a_session_as_a_whole(store: ProgressStore) -> None:
    """Its running steps end with it, and the session bears the error."""
    await store.start_step("s", 1)
    session = await store.finish_session("s", False, "cancelled by hand", conclusion="cancelled")
    assert (session.status, session.details.conclusion) == ("error", "cancelled")
    assert session.details.error == "cancelled by hand"
    assert session.steps[1].error == "cancelled by hand"
    again = await store.complete_step("s", 1, False, error="no", conclusion="cancelled", links=[Link("Log", "/log")])
    assert (again.steps[1].conclusion, again.details.links) == ("cancelled", (Link("Log", "/log"),))


async def test_many_do_one_step_in_parts(store: ProgressStore) -> None:
    """It ends by itself with the last of them."""
    await store.create_session("s", steps=[StepDefinition("Parse")])
    assert (await store.start_step("s", 1, parts_total=2)).steps[1].advance == StepAdvance(0, 2)
    await store.report_part("s", 1, "a", "running", current=1, total=4, message="m")
    with pytest.raises(StepHasPartsError):
        await store.report_progress("s", 1, 1)
    await store.report_part("s", 1, "a", "success")
    with pytest.raises(InvalidRequestError):
        await store.report_part("s", 1, "b" * 101, "running")
    step = (await store.report_part("s", PARSE, "b", "error", error="e", ago_ms=1)).steps[1]
    assert (step.status, step.error) == ("error", "1 of 2 parts failed.")
    assert {name: part.status for name, part in present(step.parts).by_name.items()} == {"a": "success", "b": "error"}


async def test_a_later_attempt_replaces_an_earlier_one(store: ProgressStore) -> None:
    """Every operation of the earlier one is refused, and the later one ends the step."""
    await store.create_session("s", attempt_id="creator")
    await store.start_step("s", 1, attempt_id="first", lease_ms=30_000, lost_after_ms=600_000)
    await store.beat("s", 1, attempt_id="first")
    with pytest.raises(StepRunningError):
        await store.finish_session("s", attempt_id="creator")
    started = await store.start_step("s", 1, attempt_id="second", lease_ms=30_000)
    assert started.steps[1].attempt == 2
    for refused in (
        store.start_step("s", 1, attempt_id="first"),
        store.beat("s", 1, attempt_id="first"),
        store.report_progress("s", 1, 1, attempt_id="first"),
        store.report_part("s", 1, "p", "running", attempt_id="first"),
        store.complete_step("s", 1, attempt_id="first"),
        store.skip_step("s", 2, attempt_id="first"),
        store.finish_session("s", attempt_id="first"),
        store.plan_steps("s", [StepDefinition("More")], attempt_id="first"),
        store.describe_session("s", title="Mine", attempt_id="first"),
    ):
        with pytest.raises(AttemptSupersededError):
            await refused
    assert (await store.complete_step("s", 1, attempt_id="second")).steps[1].status == "success"


async def test_it_happened_before_it_was_said(store: ProgressStore, clock: ManualClock) -> None:
    """`ago_ms` is subtracted, and durations are those of the job."""
    await store.create_session("s")
    clock.advance(100)
    await store.start_step("s", 1, ago_ms=60_000)
    session = await store.complete_step("s", 1, ago_ms=20_000)
    assert session.steps[1].elapsed_ms == 40_000
    assert present(session.steps[1].started_at) > START.isoformat()


async def test_a_reader_asks_and_the_worker_answers(store: ProgressStore) -> None:
    """Each request has an id of its own; of a kind, one is open at a time."""
    await store.create_session("s", 1, accepts=["cancel"])
    await store.start_step("s", 1)
    asked = await store.ask("s", "cancel", step=1, reason="wrong file")
    assert (asked.kind, asked.step, asked.state, asked.reason) == ("cancel", 1, "asked", "wrong file")
    assert await store.ask("s", "cancel") == asked
    answered = await store.acknowledge("s", asked.id, "declined", "nearly done")
    assert answered.details.requests == (asked._replace(state="declined", message="nearly done"),)
    again = await store.ask("s", "cancel")
    assert again.id != asked.id
    await store.complete_step("s", 1)
    with pytest.raises(RequestSettledError):
        await store.acknowledge("s", again.id, "honoured")
    with pytest.raises(RequestNotAcceptedError):
        await store.ask("s", "retry")
    with pytest.raises(InvalidRequestError):
        await store.ask("s", "stop")  # type: ignore[arg-type]
    with pytest.raises(SessionNotFoundError):
        await store.ask("none", "cancel")


async def test_lines_are_written_into_the_log(store: ProgressStore) -> None:
    """As texts, or with what there is to say of them; only the first ones change the session."""
    await store.start_step("s", 1)
    await store.append_lines("s", ["a\nb", NewLine("c", "error", 1000)], 1, ago_ms=500)
    before = await store.load("s")
    await store.append_lines("s", ["d"], attempt_id=None)
    assert await store.load("s") == before
    stored = await store.read_lines("s", after=1)
    assert stored is not None
    found = [(line.step, line.level, line.text) for line in map(decode_line, (each.data for each in stored.lines))]
    assert found == [(1, "info", "b"), (1, "error", "c"), (None, "info", "d")]
    assert await store.read_lines("t") is None
    with pytest.raises(UnknownStepNameError):
        await store.append_lines("s", ["a"], PARSE)
