"""The log on streams: the newest lines first, then what comes, in its place among the transitions."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from progress_sse.core.errors import StoreUnavailableError
from progress_sse.core.log_lines import NewLine
from progress_sse.store.listeners import Listeners
from progress_sse.store.log_lines import StoredLines
from progress_sse.store.memory import MemoryBackend
from progress_sse.store.progress_store import ProgressStore
from progress_sse.store.types import StorageLimits
from progress_sse.streaming import line_feed
from progress_sse.streaming import subscriber as subscriber_module
from progress_sse.streaming.hub import Hub
from progress_sse.streaming.line_feed import MAX_READS, MAX_TAIL_BYTES, MAX_TAIL_LINES, LineBatch
from progress_sse.wire import sse
from progress_sse.wire.log_lines_json import NumberedLine
from tests.streaming.recorder import ROOM_BYTES, Reader, label


class LogBackend(MemoryBackend):
    """Memory whose reads of lines can be held up or fail, and which counts them."""

    def __init__(self) -> None:
        super().__init__(StorageLimits())
        self.gate = asyncio.Event()
        self.gate.set()
        self.failures = 0
        self.reads = 0
        self.most_lines = 0
        self._read_lines = self.lines.read_lines
        self.lines.read_lines = self.read_lines  # type: ignore[method-assign]

    async def read_lines(self, session_id: str, after: int) -> StoredLines | None:
        self.reads += 1
        found = await self._read_lines(session_id, after)
        self.most_lines = max(self.most_lines, len(found.lines) if found else 0)
        await self.gate.wait()
        if self.failures:
            self.failures -= 1
            raise StoreUnavailableError
        return found

    def publish(self, stored: StoredLines | None) -> None:
        """Notify the listeners of `s` as another process would."""
        self._topics.publish_lines("s", stored)

    @contextmanager
    def silence(self) -> Iterator[None]:
        """Notify no listener of lines, as where a message is lost."""
        self._topics._lines, listeners = Listeners(), self._topics._lines  # noqa: SLF001  # as lost messages do
        yield
        self._topics._lines = listeners  # noqa: SLF001  # likewise

    @property
    def has_listeners(self) -> bool:
        return "s" in self._topics._lines.by_name  # noqa: SLF001  # only this test needs to know


class LogReader(Reader):
    """A reader with the log, which records the labels of what it got: `step@3`, `4 5 6`."""

    def __init__(self, hub: Hub, *session_ids: str) -> None:
        super().__init__(hub, *session_ids, reads_lines=True)
        self.lines: dict[int, str] = {}
        self.lives: list[str] = []

    async def follow(self, session_id: str = "s") -> list[str]:
        """Subscribe, and take what there is."""
        await self.subscribe(session_id)
        return self.take()

    def take(self) -> list[str]:
        labels: list[str] = []
        while self.subscriber.has_waiting:
            for _, batch in self.subscriber.take(ROOM_BYTES):
                labels += self.shown(batch.data) if isinstance(batch, LineBatch) else map(label, batch.frames)
        return labels

    def shown(self, data: bytes) -> list[str]:
        name, event = sse.decode_event(data)
        log = json.loads(event)
        assert name == "log"
        self.lives += [log["life"]] if log["life"] not in self.lives else []
        self.lines |= {line["n"]: line["text"] for line in log["lines"]}
        numbers = [line["n"] for line in log["lines"]]
        assert log["next"] == numbers[-1]
        assert log["first"] <= numbers[0]
        return [" ".join(map(str, numbers))]


async def following(hub: Hub) -> LogReader:
    """A reader of `s` that has taken what there is."""
    reader = LogReader(hub, "s")
    await reader.follow()
    return reader


@pytest.fixture
def backend() -> LogBackend:
    return LogBackend()


@pytest.fixture
async def store(backend: LogBackend) -> ProgressStore:
    """A store with a session whose log has a line."""
    store = ProgressStore(backend)
    await store.create_session("s", 3)
    await write(store, "first")
    return store


@pytest.fixture
def hub(backend: LogBackend) -> Hub:
    return Hub(backend, retry_ms=1)


@pytest.fixture(autouse=True)
def _unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Publish each append by itself; one test looks at the interval."""
    monkeypatch.setattr(line_feed, "INTERVAL_S", 0.0)
    monkeypatch.setattr(line_feed, "RETRY_S", (0.0, 0.0))


async def write(store: ProgressStore, *texts: str, session_id: str = "s") -> None:
    await store.append_lines(session_id, [NewLine(text) for text in texts])


class TestFirst:
    """What a reader gets first."""

    async def test_the_lines_that_are_there(self, store: ProgressStore, hub: Hub) -> None:
        """After the snapshot; a reader that did not ask gets none."""
        plain = hub.new_subscriber(1, lambda: None)
        await hub.subscribe(plain, "s")
        reader = LogReader(hub, "s")
        assert await reader.follow() == ["snapshot@1", "1"]
        await write(store, "second", "third")
        assert reader.take() == ["2 3"]
        assert [label(frame) for _, batch in plain.take(ROOM_BYTES) for frame in batch.frames] == ["snapshot@1"]
        assert not plain.has_waiting

    @pytest.mark.protocol("P-24.15")
    async def test_the_newest_ones(self, backend: LogBackend, store: ProgressStore, hub: Hub) -> None:
        """So many, or as many as fit; no more are read."""
        for _ in range(3):
            await write(store, *["x"] * 100)
        reader = await following(hub)
        assert sorted(reader.lines) == list(range(302 - MAX_TAIL_LINES, 302))
        assert backend.most_lines == MAX_TAIL_LINES
        await write(store, *["y" * 1000] * 50)
        other = await following(hub)
        assert 20 < len(other.lines) <= MAX_TAIL_BYTES // 1000
        assert max(other.lines) == 351

    async def test_none(self, store: ProgressStore, hub: Hub) -> None:
        """Of a session without a log, or that does not exist; then what comes."""
        await store.create_session("s", 3)
        reader = LogReader(hub, "s", "later")
        assert await reader.follow() == ["snapshot@0"]
        assert await reader.follow("later") == ["snapshot@0"]
        await store.create_session("later", 1)
        await write(store, "a", session_id="later")
        assert reader.take() == ["snapshot@0", "session@1", "1"]


class TestOrder:
    """Lines keep their place among the transitions."""

    async def test_within_one_turn(self, store: ProgressStore, hub: Hub) -> None:
        """A transition does not overtake lines, nor lines a transition."""
        reader = await following(hub)
        await store.start_step("s", 1)
        await write(store, "a")
        await write(store, "b")
        await store.start_step("s", 2)
        await write(store, "c")
        await asyncio.sleep(0)
        assert reader.take() == ["step@2", "2", "3", "step@3", "4"]

    async def test_lines_that_wait_go_before_a_transition(
        self, store: ProgressStore, hub: Hub, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Those that come soon after others are published together, and at the latest with what follows."""
        monkeypatch.setattr(line_feed, "INTERVAL_S", 3600.0)
        reader = await following(hub)
        for text in "abc":
            await write(store, text)
        assert reader.take() == ["2"]
        await store.start_step("s", 1)
        await asyncio.sleep(0)
        assert reader.take() == ["3 4", "step@2"]
        await write(store, "d")
        late = LogReader(hub, "s")
        assert await late.follow() == ["snapshot@2", "1 2 3 4 5"]
        assert reader.take() == ["5"]

    async def test_lines_that_wait_are_published_in_the_end(
        self, store: ProgressStore, hub: Hub, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """When the time is up, or there are many of them."""
        monkeypatch.setattr(line_feed, "INTERVAL_S", 0.01)
        reader = await following(hub)
        await write(store, "a")
        await write(store, "b")
        reader.take()
        while 3 not in reader.lines:
            await reader.read()
        monkeypatch.setattr(line_feed, "INTERVAL_S", 3600.0)
        for _ in range(9):
            await write(store, "x" * 8000)
        reader.take()
        assert max(reader.lines) >= 11


class TestGaps:
    """Lines of which this process was not notified."""

    @pytest.mark.parametrize(
        "notified",
        [
            None,
            StoredLines("life", 1, 4, ()),
            StoredLines("life", 1, 4, [NumberedLine(4, b'"at":"","step":null,"level":"info","text":"d"}')]),
            StoredLines("other", 1, 1, ()),
        ],
        ids=["lost", "without lines", "out of turn", "of another life"],
    )
    async def test_are_read(
        self, store: ProgressStore, hub: Hub, backend: LogBackend, notified: StoredLines | None
    ) -> None:
        """As soon as it learns that they are there, and only those."""
        reader = await following(hub)
        with backend.silence():
            await write(store, "b", "c", "d")
        epoch = reader.lives[0]
        if notified is not None and notified.epoch == "life":
            notified = notified._replace(epoch=epoch)
        backend.publish(notified)
        assert reader.take() == ["2 3 4"]
        assert reader.lives == [epoch]

    async def test_lines_that_come_during_a_read_are_published_once(
        self, store: ProgressStore, hub: Hub, backend: LogBackend
    ) -> None:
        """Also to a reader that comes meanwhile."""
        backend.gate.clear()
        reader, other = LogReader(hub, "s"), LogReader(hub, "s")
        assert await reader.follow() == ["snapshot@1"]
        await write(store, "b")
        assert await other.follow() == ["snapshot@1"]
        backend.gate.set()
        while len(reader.lines) < 2 or len(other.lines) < 2:
            await asyncio.sleep(0)
            labels = reader.take(), other.take()
        assert labels == (["1 2"], ["1 2"]) or sorted(reader.lines) == sorted(other.lines) == [1, 2]

    async def test_a_reader_that_comes_during_a_read_gets_what_is_known(
        self, store: ProgressStore, hub: Hub, backend: LogBackend
    ) -> None:
        """At once, and the rest when it is there."""
        reader, other = LogReader(hub, "s"), LogReader(hub, "s")
        await reader.follow()
        with backend.silence():
            await write(store, "b")
        backend.gate.clear()
        backend.publish(None)
        assert await other.follow() == ["snapshot@1", "1"]
        backend.gate.set()
        for each in (reader, other):
            while 2 not in each.lines:
                await each.read()
            assert each.lines == {1: "first", 2: "b"}

    async def test_a_store_that_is_away_delays_no_transition(
        self, store: ProgressStore, hub: Hub, backend: LogBackend
    ) -> None:
        """The lines come once it is back."""
        backend.failures = 3
        reader = LogReader(hub, "s")
        assert await reader.follow() == ["snapshot@1"]
        await store.start_step("s", 1)
        received: list[str] = []
        while 1 not in reader.lines:
            received += await reader.read()
        assert received == ["step@2", "1"]


class TestAnotherLife:
    """Lines of another life replace those before."""

    async def test_a_replaced_session(self, store: ProgressStore, hub: Hub) -> None:
        """Its lines are numbered anew."""
        reader = await following(hub)
        await store.create_session("s", 2)
        await write(store, "a")
        assert reader.take() == ["snapshot@0", "session@1", "1"]
        assert len(reader.lives) == 2
        assert reader.lines == {1: "a"}

    async def test_a_session_that_goes_on_in_another_epoch(
        self, store: ProgressStore, hub: Hub, backend: LogBackend
    ) -> None:
        """As after a restart of Redis: its newest lines come again, with their numbers."""
        reader = await following(hub)
        stored = backend._sessions["s"]  # noqa: SLF001  # no command does this
        stored.record = type(stored.record)(stored.record.session, stored.record.position._replace(epoch="next"))
        channel = hub._channels["s"]  # noqa: SLF001
        await channel.refresh()
        assert reader.take() == ["snapshot@1", "1"]
        assert reader.lives[-1] == "next"

    async def test_a_reader_that_comes_meanwhile_gets_none_of_the_life_before(
        self, store: ProgressStore, hub: Hub, backend: LogBackend
    ) -> None:
        """The log of the new session is still to be read."""
        reader, late = LogReader(hub, "s"), LogReader(hub, "s")
        await reader.follow()
        backend.gate.clear()
        await store.create_session("s", 2)
        assert await late.follow() == ["snapshot@0"]
        backend.gate.set()
        await write(store, "b")
        while 1 not in late.lines:
            await late.read()
        assert late.lines == {1: "b"}
        assert len(late.lives) == 1

    async def test_a_slow_reader_gets_none_of_the_life_before(
        self, store: ProgressStore, hub: Hub, backend: LogBackend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It catches up once the session was replaced, and before the new log is read; then it gets that."""
        monkeypatch.setattr(subscriber_module, "MAX_QUEUED_LINE_BYTES", 100)
        reader = await following(hub)
        for _ in range(3):
            await write(store, "x" * 100)
        backend.gate.clear()
        await store.create_session("s", 2)
        await asyncio.sleep(0)
        assert reader.take() == ["snapshot@0"]
        await write(store, "b")
        backend.gate.set()
        while "b" not in reader.lines.values():
            await reader.read()
        assert reader.lines == {1: "b"}

    async def test_a_deleted_session(self, store: ProgressStore, hub: Hub) -> None:
        """It has no lines, and those of its successor come."""
        reader = await following(hub)
        await store.delete_session("s")
        assert reader.take() == ["snapshot@0"]
        await store.create_session("s", 1)
        await write(store, "b")
        await asyncio.sleep(0)
        assert reader.take() == ["snapshot@0", "session@1", "1"]


class TestTheEnd:
    """A stream ends after all lines that were accepted before its session was completed."""

    async def test_lines_that_were_not_published_are_read_first(
        self, store: ProgressStore, hub: Hub, backend: LogBackend
    ) -> None:
        """Only then is the reader finished; another one, without the log, is at once."""
        plain = hub.new_subscriber(1, lambda: None)
        await hub.subscribe(plain, "s")
        reader = await following(hub)
        with backend.silence():
            await write(store, "late")
        backend.gate.clear()
        await store.finish_session("s")
        await asyncio.sleep(0)
        assert reader.take() == ["snapshot@2"]
        while plain.has_waiting:
            plain.take(ROOM_BYTES)
        assert (plain.is_finished, reader.subscriber.is_finished) == (True, False)
        backend.gate.set()
        assert await reader.read() == []
        while not reader.subscriber.is_finished:
            assert await reader.read() in (["2"], [])
        assert reader.lines == {1: "first", 2: "late"}

    async def test_a_completed_session(self, store: ProgressStore, hub: Hub) -> None:
        """Its lines come to those who come later, and then the end."""
        await store.finish_session("s")
        reader = LogReader(hub, "s")
        assert await reader.follow() == ["snapshot@2", "1"]
        assert reader.subscriber.is_finished
        await write(store, "after the end")
        assert reader.take() == ["2"]
        assert reader.subscriber.is_finished

    async def test_lines_after_it_do_not_wait(
        self, store: ProgressStore, hub: Hub, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """On a stream whose other session goes on: it may end with the next event."""
        monkeypatch.setattr(line_feed, "INTERVAL_S", 3600.0)
        await store.create_session("t", 1)
        reader = LogReader(hub, "s", "t")
        for session_id in ("s", "t"):
            await reader.follow(session_id)
        await store.finish_session("s")
        for n in (2, 3, 4):
            await write(store, "late")
            assert reader.take()[-1] == str(n)

    async def test_lines_that_cannot_be_read_hold_it_up_for_a_while(
        self, store: ProgressStore, hub: Hub, backend: LogBackend
    ) -> None:
        """But not for ever."""
        backend.failures = 10**6
        await store.finish_session("s")
        reader = await following(hub)
        assert not reader.subscriber.is_finished
        while not reader.subscriber.is_finished:
            await reader.read()
        assert backend.reads >= MAX_READS
        reader.subscriber.close()


class TestSlowReaders:
    """A reader that does not keep up."""

    @pytest.mark.protocol("P-24.17")
    async def test_gets_the_newest_lines_in_place_of_others(
        self, store: ProgressStore, hub: Hub, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As a gap in the numbers; no transition is lost, and others are not affected."""
        monkeypatch.setattr(subscriber_module, "MAX_QUEUED_LINE_BYTES", 4000)
        slow, quick = LogReader(hub, "s"), LogReader(hub, "s")
        for reader in (slow, quick):
            await reader.follow()
        for n in range(6):
            await write(store, *["x" * 20] * 100)
            await store.report_progress("s", 1, n) if n else await store.start_step("s", 1)
            await asyncio.sleep(0)
            quick.take()
        received = slow.take()
        assert received[:6] == [f"step@{n}" for n in range(2, 8)]
        assert len(received) == 7
        assert sorted(slow.lines) == [1, *range(602 - MAX_TAIL_LINES, 602)]
        assert sorted(quick.lines) == list(range(1, 602))
        assert hub.counts.line_gaps == 1
        assert hub.counts.resyncs == {}
        await write(store, "next")
        assert slow.take() == ["602"]

    async def test_keeps_lines_when_it_lags_behind_the_transitions(
        self, store: ProgressStore, hub: Hub, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """They wait in a room of their own."""
        monkeypatch.setattr(subscriber_module, "MAX_QUEUED_BYTES", 1000)
        reader = await following(hub)
        await write(store, "a")
        for _ in range(9):
            await store.start_step("s", 1)
            await asyncio.sleep(0)
        await write(store, "b")
        assert reader.take() == ["snapshot@10", "2", "3"]

    async def test_one_that_fails_is_closed_alone(self, store: ProgressStore, hub: Hub) -> None:
        """The others get the lines."""

        def fail(_chunk: bytes) -> None:
            raise OSError

        broken, other = LogReader(hub, "s"), LogReader(hub, "s")
        for reader in (broken, other):
            await reader.follow()
        broken.subscriber.direct = fail
        await write(store, "a")
        assert broken.subscriber.is_closed
        assert other.take() == ["2"]


class TestLifetime:
    """A feed lives as long as its readers."""

    async def test_the_last_reader_ends_it(self, store: ProgressStore, hub: Hub, backend: LogBackend) -> None:
        """A session without readers of its log is not listened to, nor read."""
        plain = hub.new_subscriber(1, lambda: None)
        await hub.subscribe(plain, "s")
        assert not backend.has_listeners
        readers = [LogReader(hub, "s") for _ in range(2)]
        for reader in readers:
            await reader.follow()
        assert backend.has_listeners
        for reader in readers:
            assert backend.has_listeners
            reader.subscriber.close()
        assert not backend.has_listeners
        reads = backend.reads
        await store.create_session("s", 1)
        await write(store, "a")
        assert backend.reads == reads
        again = LogReader(hub, "s")
        assert await again.follow() == ["snapshot@1", "1"]

    async def test_it_may_end_during_its_first_read(self, store: ProgressStore, hub: Hub, backend: LogBackend) -> None:
        """Nothing is left behind."""
        backend.gate.clear()
        reader = await following(hub)
        reader.subscriber.close()
        assert not backend.has_listeners
        backend.gate.set()
        for _ in range(3):
            await asyncio.sleep(0)
        assert not backend.has_listeners
        assert hub.channel_count == 0
