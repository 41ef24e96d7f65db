"""Log lines in the commits of their session: in order, fenced, and once for each key."""

import asyncio

import pytest

from progress_sse.core.commands import IdempotencyKey
from progress_sse.core.errors import (
    AttemptSupersededError,
    ConflictError,
    InvalidRequestError,
    KeyReusedError,
    PreconditionFailedError,
    SessionNotFoundError,
    StepOutOfRangeError,
    StoreUnavailableError,
)
from progress_sse.core.log_lines import MAX_SPLIT_LINES, NewLine
from progress_sse.core.model import Liveness
from progress_sse.core.step_rules import timestamp
from progress_sse.core.updates import Advance, AppendLines, Complete, Update
from progress_sse.store import batch_committer
from progress_sse.store.batch_committer import MAX_APPENDED_LINES
from progress_sse.store.lease_watcher import LeaseWatcher
from progress_sse.store.memory import MemoryBackend
from progress_sse.store.progress_store import ProgressStore
from progress_sse.store.types import Applied, Change, Record, StorageLimits
from progress_sse.wire.log_lines_json import decode_line
from tests.clock import START, ManualClock
from tests.core.samples import sent, start_of
from tests.store.fake_backends import CachingBackend, SlowBackend
from tests.store.observed import state

KEY = IdempotencyKey("k", "digest")


def lines(*texts: str, step: int | None = None, attempt_id: str | None = None) -> AppendLines:
    return sent(AppendLines(tuple(map(NewLine, texts)), step), attempt_id=attempt_id)


async def texts(store: ProgressStore) -> list[str]:
    """The texts of the session `s`; checks that the numbers are contiguous."""
    stored = await store.read_lines("s")
    assert stored is not None
    assert [line.n for line in stored.lines] == list(range(stored.first, stored.last + 1))
    return [decode_line(line.data).text for line in stored.lines]


class RecordingBackend(MemoryBackend):
    """Memory that records what is committed, and fails some commits."""

    def __init__(self) -> None:
        super().__init__(StorageLimits())
        self.written: list[tuple[int, int]] = []
        self.failures: list[Exception | None] = []

    async def commit(self, change: Change) -> None:
        failure = self.failures.pop() if change.lines and self.failures else None
        if failure is not None:
            raise failure
        await super().commit(change)
        self.written.append((len(change.entries), len(change.lines)))


@pytest.fixture
def recording() -> RecordingBackend:
    """The backend of a store whose test looks at what is written."""
    return RecordingBackend()


@pytest.fixture
def recorded_store(recording: RecordingBackend, clock: ManualClock) -> ProgressStore:
    """A store on it."""
    return ProgressStore(recording, clock=clock)


class TestOrder:
    """Lines keep their place among the transitions of a batch."""

    async def test_a_commit_has_lines_after_transitions(
        self, recorded_store: ProgressStore, recording: RecordingBackend
    ) -> None:
        """As many of both as follow so; the first line of all brings a transition of its own."""
        store = recorded_store
        await store.apply("s", start_of(1))
        batch: list[Update] = [lines("a"), lines("b", "c"), Advance(1, 1), Advance(1, 2), lines("d"), Complete(1)]
        results = await store.apply_all("s", [(command, None) for command in batch])
        assert all(isinstance(result, Applied) for result in results)
        assert recording.written[1:] == [(1, 3), (2, 1), (1, 0)]
        assert await texts(store) == ["a", "b", "c", "d"]

    async def test_lines_are_appended_in_pieces(
        self, recorded_store: ProgressStore, recording: RecordingBackend
    ) -> None:
        """However many wait, others get their turn in between; the lines of one request stay together."""
        store = recorded_store
        await store.create_session("s")
        await store.append_lines("s", [NewLine("first")])
        batch = [AppendLines((NewLine("\n" * (MAX_SPLIT_LINES // 2 - 1)),)) for _ in range(5)]
        await store.apply_all("s", [(command, None) for command in batch])
        counts = [lines for _, lines in recording.written if lines]
        assert counts == [1, 998, 998, 499]
        assert max(counts) <= MAX_APPENDED_LINES

    async def test_what_follows_lines_that_failed_fails_too(
        self, recorded_store: ProgressStore, recording: RecordingBackend
    ) -> None:
        """Nothing is applied after something that was not; what came before is."""
        store = recorded_store
        await store.apply("s", start_of(1))
        await store.append_lines("s", [NewLine("first")])
        recording.failures = [StoreUnavailableError(), None]
        batch: list[Update] = [Advance(1, 1), lines("a"), Advance(1, 2), lines("b"), Complete(1)]
        results = await store.apply_all("s", [(command, None) for command in batch])
        assert [type(result) for result in results] == [Applied] * 2 + [StoreUnavailableError] * 3
        assert (await state(store)).position.offset == 3
        assert (await state(store)).session.progress.steps[1].status == "running"
        recording.failures = [StoreUnavailableError()]
        with pytest.raises(StoreUnavailableError):
            await store.apply("s", lines("a"))

    async def test_lines_wait_for_a_commit_that_is_under_way(self, slow_store: ProgressStore) -> None:
        """They were accepted after it."""
        backend = slow_store.backend
        assert isinstance(backend, SlowBackend)
        asked = [asyncio.create_task(slow_store.apply("s", each)) for each in (start_of(1), lines("a"))]
        await asyncio.sleep(0)
        backend.gate.set()
        started, written = await asyncio.gather(*asked)
        assert started.record is not None
        assert written.record is not None
        assert written.record.position.offset == started.record.position.offset + 1


class TestRefusals:
    """Lines are refused as any report."""

    async def test_each_by_itself(self, store: ProgressStore) -> None:
        """The others are appended."""
        await store.create_session("s", 2)
        batch: list[Update] = [lines("a"), lines("b", step=3), lines("c", step=2)]
        for _ in range(2):  # Before the session has a log, and after.
            results = await store.apply_all("s", [(command, None) for command in batch])
            assert [type(result) for result in results] == [Applied, StepOutOfRangeError, Applied]
        assert await texts(store) == ["a", "c"] * 2
        assert (await state(store)).position.offset == 1

    async def test_all_of_them(self, store: ProgressStore) -> None:
        """No session, or no step; then the session gets no log."""
        with pytest.raises(SessionNotFoundError):
            await store.apply("s", lines("a"))
        await store.create_session("s", 2)
        with pytest.raises(StepOutOfRangeError):
            await store.apply("s", lines("a", step=3))
        assert not (await state(store)).session.details.log
        with pytest.raises(InvalidRequestError):
            await store.append_lines("s", [])

    async def test_those_of_a_replaced_attempt(self, store: ProgressStore) -> None:
        """Before and after the first line."""
        for attempt_id in ("old", "new"):
            await store.apply("s", sent(start_of(1), attempt_id=attempt_id))
        for _ in range(2):
            with pytest.raises(AttemptSupersededError):
                await store.apply("s", lines("a", step=1, attempt_id="old"))
            await store.apply("s", lines("b", step=1, attempt_id="new"))
        assert await texts(store) == ["b", "b"]

    async def test_a_condition_holds_for_the_session_as_it_was(self, store: ProgressStore) -> None:
        """The first line moves the session, but fulfils a condition on where it was."""
        await store.create_session("s", 2)
        before = (await state(store)).position
        condition = sent(lines("a"), only_if=lambda position: position == before)
        await store.apply("s", condition)
        with pytest.raises(PreconditionFailedError):
            await store.apply("s", condition)
        assert await texts(store) == ["a"]

    async def test_a_refusal_is_not_decided_on_an_old_record(self, clock: ManualClock) -> None:
        """Another process may have changed the session since; then it is read again."""
        backend = CachingBackend()
        store = ProgressStore(backend, clock=clock)
        await store.create_session("s", 1)
        await store.append_lines("s", [NewLine("a")])
        backend.known = await backend.load("s")
        await ProgressStore(backend, clock=clock).create_session("s", 2)
        await store.append_lines("s", [NewLine("b")], 2)
        assert await texts(store) == ["b"]

    async def test_a_sign_of_life_of_one_line_admits_no_other(self, clock: ManualClock) -> None:
        """Another process has replaced the attempt of one step; the record at hand is of before that."""
        backend = CachingBackend()
        store = ProgressStore(backend, clock=clock)
        for step in (1, 2):
            await store.apply("s", sent(start_of(step), attempt_id="old", lease_ms=10_000))
        await store.append_lines("s", [NewLine("a")])
        backend.known = await backend.load("s")
        await ProgressStore(backend, clock=clock).apply("s", sent(start_of(1), attempt_id="new"))
        batch: list[Update] = [lines(text, step=step, attempt_id="old") for step, text in ((1, "late"), (2, "b"))]
        results = await store.apply_all("s", [(command, None) for command in batch])
        assert [type(result) for result in results] == [AttemptSupersededError, Applied]
        assert await texts(store) == ["a", "b"]


class TestKeys:
    """A request that is sent again under its key."""

    async def test_is_applied_once(self, store: ProgressStore) -> None:
        """Another one under the same key is refused; lines of the first request may be the first of the session."""
        await store.create_session("s", 2)
        for _ in range(3):
            assert (await store.apply("s", lines("a"), KEY)).effect == "updated"
        with pytest.raises(KeyReusedError):
            await store.apply("s", lines("b"), IdempotencyKey("k", "other"))
        assert await texts(store) == ["a"]
        assert store.committer.line_count == 1

    async def test_takes_no_place_of_other_keys(self, store: ProgressStore) -> None:
        """The same key may even stand for an update of another kind: they are remembered apart."""
        await store.apply("s", start_of(1), KEY)
        await store.apply("s", lines("a"), IdempotencyKey("k", "lines"))
        assert (await store.apply("s", start_of(1), KEY)).record == await store.load("s")
        assert await texts(store) == ["a"]


class TestCompetition:
    """Other processes change the session at the same time."""

    @pytest.fixture(autouse=True)
    def _quick(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(batch_committer, "PAUSES_S", (0.0, 0.0))

    async def test_lines_are_decided_again_after_a_conflict(
        self, recorded_store: ProgressStore, recording: RecordingBackend
    ) -> None:
        """As often as it takes, within reason."""
        store = recorded_store
        await store.create_session("s", 2)
        recording.failures = [ConflictError() for _ in range(5)]
        await store.append_lines("s", [NewLine("a")])
        assert await texts(store) == ["a"]
        recording.failures = [ConflictError() for _ in range(100)]
        with pytest.raises(StoreUnavailableError):
            await store.append_lines("s", [NewLine("b")])
        assert await texts(store) == ["a"]


@pytest.mark.protocol("P-24.9")
async def test_lines_are_signs_of_life(clock: ManualClock) -> None:
    """Of the attempt that holds the lease of their step; a stalled one is live again, as with any report."""
    store = ProgressStore(MemoryBackend(StorageLimits()), clock=clock)
    watcher = LeaseWatcher(store, clock)

    async def liveness_after(seconds: int) -> Liveness | None:
        for _ in range(seconds):
            clock.advance(1)
            await watcher.check()
        record: Record = await state(store)
        return record.session.progress.steps[1].liveness

    await watcher.check()
    await store.apply("s", sent(start_of(1), attempt_id="A", lease_ms=10_000))
    for _ in range(3):
        assert await liveness_after(8) == Liveness("live", timestamp(START))
        await store.apply("s", lines("a", step=1, attempt_id="A"))
    await store.apply("s", lines("of the session"))
    await store.apply("s", lines("of another step", step=2, attempt_id="A"))
    assert (stalled := await liveness_after(11)) is not None
    assert stalled.state == "stalled"
    await store.apply("s", lines("back", step=1, attempt_id="A"))
    assert await liveness_after(0) == Liveness("live", timestamp(clock.now()))


async def test_a_sign_of_life_is_in_the_commit_of_its_lines(
    recorded_store: ProgressStore, recording: RecordingBackend, clock: ManualClock
) -> None:
    """With the transition of a worker that is back."""
    store = recorded_store
    watcher = LeaseWatcher(recorded_store, clock)
    await watcher.check()
    await store.apply("s", sent(start_of(1), attempt_id="A", lease_ms=1000))
    await store.apply("s", lines("a", step=1, attempt_id="A"))
    for _ in range(2):
        clock.advance(1)
        await watcher.check()
    del recording.written[:]
    for text in "bc":
        clock.advance(0.5)
        await store.apply("s", lines(text, step=1, attempt_id="A"))
        (silence,) = (await recording.leases.silences("s", [1], clock.monotonic())).values()
        assert silence.ms == 0
    assert recording.written == [(1, 1), (0, 1)]
