"""What sessions say besides their steps, and changes that only a snapshot tells: the same on every backend."""

import pytest

from progress_sse.core.commands import Ask, Command, Create
from progress_sse.core.details import NO_DETAILS, Claim, Link
from progress_sse.core.errors import AttemptSupersededError, SessionCancelledError
from progress_sse.core.model import Position, StepDefinition
from progress_sse.core.updates import Acknowledge, Advance, Complete, Describe, Finish, Plan, Skip, Start
from progress_sse.store.backend import FullBackend
from progress_sse.store.progress_store import ProgressStore
from progress_sse.store.types import LogEntry
from tests.core.samples import sent
from tests.store.changes import HOSTILE_TEXT
from tests.store.observed import notified, state

CREATE = Create(
    (StepDefinition("Load"),),
    title="Nightly 日本語",
    labels={"customer": HOSTILE_TEXT, "kind": "import"},
    links=(Link("Log", "https://example.org/log?a=1&b=<2>"),),
    open_ended=True,
    accepts=("cancel", "retry"),
    attempt_id="A",
)

COMMANDS: dict[str, Command] = {
    "a step by its name": sent(Start("Load"), attempt_id="A", lease_ms=30_000, lost_after_ms=600_000),
    "a report": sent(Advance(1, 3, 8, "reading"), attempt_id="A"),
    "a description": Describe(title=None, labels={"kind": None, "région": "é"}),
    "a step that is appended": sent(Start("Parse"), attempt_id="A"),
    "a plan": Plan((StepDefinition("Check", 5, 6), StepDefinition("日本語"), StepDefinition("Upload"))),
    "links": sent(Complete(1, message="done", links=(Link("Result", "/files/1"),)), attempt_id="A"),
    "a second attempt": sent(Start(1), attempt_id="B", lease_ms=1000),
    "a request": Ask("cancel", "c", 1, HOSTILE_TEXT),
    "an answer": Acknowledge("c", "seen", "after 日本語"),
    "a step that is skipped": Skip("日本語", "not needed"),
    "the end": Finish(success=False, error="boom", conclusion="cancelled"),
    "another request": Ask("retry", "r"),
    "a retry": sent(Start(2), attempt_id="C"),
    "the definite end": Finish(),
}

SNAPSHOTS = {"a plan", "the end", "the definite end"}
"""The changes that only a snapshot tells."""


async def tell(store: ProgressStore) -> tuple[list[Position], list[str]]:
    """Apply all of it, and return the position after each command, and the command's name."""
    positions = []
    names = []
    for name, command in {"the creation": CREATE, **COMMANDS}.items():
        applied = await store.apply("s", command)
        assert applied.record is not None
        assert await store.load("s") == applied.record
        positions.append(applied.record.position)
        names.append(name)
    return positions, names


class TestStory:
    """Details, claims, appended steps, and snapshots."""

    async def test_each_change_takes_one_offset(self, store: ProgressStore) -> None:
        """Whatever it changes."""
        positions, _ = await tell(store)
        assert [position.offset for position in positions] == list(range(len(COMMANDS) + 1))
        assert len({position.epoch for position in positions}) == 1

    async def test_a_durable_backend_keeps_all_of_it(self, store: ProgressStore, backend: FullBackend) -> None:
        """Also what readers do not see."""
        await tell(store)
        before = await state(store)
        details = before.session.details
        assert details.claims == {1: Claim("B", 1000), 2: Claim("C")}
        assert [(each.id, each.state, each.message) for each in details.requests] == [
            ("r", "honoured", None),
            ("c", "honoured", "after 日本語"),
        ]
        assert (details.creator, details.replaced, details.is_finished) == (None, ("A",), True)
        await backend.aclose()
        await backend.open()
        after = await store.load("s")
        assert after is None or after == before  # Memory is lost with its process.

    async def test_a_durable_backend_keeps_that_a_session_was_cancelled(
        self, store: ProgressStore, backend: FullBackend
    ) -> None:
        """Which readers do not see by a key of its own."""
        await store.create_session("s", 2, accepts=["cancel", "retry"])
        await store.ask("s", "cancel")
        before = await state(store)
        assert before.session.details.is_cancelled
        await backend.aclose()
        await backend.open()
        after = await store.load("s")
        assert after is None or after == before  # Memory is lost with its process.
        if after is not None:
            with pytest.raises(SessionCancelledError):
                await store.start_step("s", 1)
            await store.ask("s", "retry")
            await store.start_step("s", 1)

    async def test_the_log_reaches_back_to_the_last_snapshot(self, store: ProgressStore, backend: FullBackend) -> None:
        """Who comes back from before it gets the newest snapshot."""
        kept: list[LogEntry] = []
        await store.apply("s", CREATE)
        for name, command in COMMANDS.items():
            record = (await store.apply("s", command)).record
            assert record is not None
            here = record.position
            before = record.position._replace(offset=record.position.offset - 1)
            missed = await backend.replay("s", before)
            if name in SNAPSHOTS:
                kept = []
                assert missed is None
            else:
                assert missed is not None
                kept.extend(missed)
                assert await backend.replay("s", here._replace(offset=here.offset - len(kept))) == kept
            assert await backend.replay("s", here) == []
            assert await backend.replay("s", here._replace(offset=here.offset - len(kept) - 1)) is None

    async def test_listeners_get_each_change(self, store: ProgressStore, backend: FullBackend) -> None:
        """The transitions with their entries, a snapshot without any."""
        notifications = await notified(backend)
        positions, names = await tell(store)
        assert [each.record and each.record.position for each in notifications] == positions
        without = {name for name, each in zip(names, notifications, strict=True) if not each.entries}
        assert without == {"the creation", *SNAPSHOTS}

    async def test_a_replacement_forgets_all_of_it(self, store: ProgressStore, backend: FullBackend) -> None:
        """The next session of that id is as if there had been none."""
        await tell(store)
        await store.create_session("s", 2)
        await backend.aclose()
        await backend.open()
        record = await store.load("s")
        if record is None:  # Memory
            await store.create_session("s", 2)
            record = await state(store)
        assert record.session.details == NO_DETAILS
        assert b"Nightly" not in record.body

    async def test_the_older_attempt_changes_nothing(self, store: ProgressStore) -> None:
        """Single or among others; the others are applied."""
        await tell(store)
        before = await state(store)
        for command in (
            sent(Complete(1), attempt_id="A"),
            sent(Start(2), attempt_id="A"),
            sent(Describe("x"), attempt_id="A"),
        ):
            with pytest.raises(AttemptSupersededError):
                await store.apply("s", command)
        assert await store.load("s") == before
        outcomes = await store.apply_all("s", [(sent(Complete(1), attempt_id="A"), None), (Complete(1, False), None)])
        assert isinstance(outcomes[0], AttemptSupersededError)
        after = await state(store)
        assert after.position.offset == before.position.offset + 1
