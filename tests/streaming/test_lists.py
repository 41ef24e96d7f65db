"""Lists that are followed in one process, over a store that fails and forgets as a test needs it."""

import asyncio
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import pytest

from progress_sse.core.errors import StoreUnavailableError
from progress_sse.core.session_filter import ALL_SESSIONS, SessionFilter, parse_statuses
from progress_sse.service import ProgressService
from progress_sse.settings import load_settings
from progress_sse.store.listeners import Listeners
from progress_sse.store.memory import MemoryBackend
from progress_sse.store.progress_store import ProgressStore
from progress_sse.store.types import PageCursor, SessionSummary, StorageLimits
from progress_sse.streaming import lists as lists_module
from progress_sse.streaming import subscriber as subscriber_module
from progress_sse.streaming.body_writer import extensions
from progress_sse.streaming.event_stream import StreamRequest
from progress_sse.streaming.hub import Hub
from progress_sse.streaming.list_channel import ListChannel
from progress_sse.wire import session_json
from progress_sse.wire.sse import StreamDecoder, decode_event
from tests.clock import ManualClock, tasks_ran
from tests.harness.list_fold import WINDOW, ListFold
from tests.harness.serving import eventually
from tests.harness.tokens import KEY
from tests.streaming.client import Client
from tests.streaming.recorder import DEADLINE_S
from tests.streaming.service import Service

ALICE = SessionFilter("alice-")


class UnsureBackend(MemoryBackend):
    """A memory backend that can be away, hold up its lists, and lose sessions and messages."""

    def __init__(self) -> None:
        super().__init__(StorageLimits())
        self.is_away = False
        self.is_mute = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.read_gate = asyncio.Event()
        self.read_gate.set()
        self.reads: list[Collection[str]] = []
        self.list_reads = 0
        self._list, self._load = self.lists.list_summaries, self.lists.load_summaries
        self.lists.list_summaries = self.list_summaries  # type: ignore[method-assign]
        self.lists.load_summaries = self.load_summaries  # type: ignore[method-assign]

    async def list_summaries(
        self, wanted: SessionFilter, limit: int, after: PageCursor | None
    ) -> Sequence[SessionSummary]:
        self.list_reads += 1
        found = await self._list(wanted, limit, after)
        await self.gate.wait()
        self._check_there()
        return found

    async def load_summaries(self, session_ids: Collection[str]) -> Mapping[str, SessionSummary]:
        self.reads.append(session_ids)
        self._check_there()
        found = await self._load(session_ids)
        await self.read_gate.wait()
        return found

    def _check_there(self) -> None:
        if self.is_away:
            raise StoreUnavailableError

    @property
    def listeners(self) -> list[Any]:
        return list(self._topics._all.by_name.get("", {}).values())  # noqa: SLF001  # only these tests need them

    def lose_messages(self, *, says_so: bool) -> None:
        """Let the messages of the changes so far be lost; then say so, as a connection does that was broken."""
        self._topics._all, self._kept = Listeners(), self._topics._all  # noqa: SLF001  # likewise
        self._says_so = says_so

    def find_messages(self) -> None:
        self._topics._all = self._kept  # noqa: SLF001  # likewise
        if self._says_so:
            for listener in self.listeners:
                listener(None)


class ListReader:
    """A subscriber of a list, with its fold."""

    def __init__(self, hub: Hub) -> None:
        self.lists = hub.lists
        self.woken = asyncio.Event()
        self.subscriber = hub.new_subscriber(1, self.woken.set)
        self.fold = ListFold()
        self.events: list[str] = []

    async def subscribe(self, wanted: SessionFilter) -> None:
        await self.lists.subscribe(self.subscriber, wanted)

    def take(self) -> None:
        while self.subscriber.has_waiting:
            for frame in (frame for _, batch in self.subscriber.take(2**20) for frame in batch.frames):
                name, data = decode_event(frame.data)
                assert frame.id_bytes == 0
                self.events.append(name)
                self.fold.apply(name, json.loads(data))

    async def until(self, is_so: Callable[[ListFold], bool]) -> None:
        """Take what comes, until the fold is so."""

        def is_so_now() -> bool:
            self.take()
            return is_so(self.fold)

        await eventually(is_so_now, DEADLINE_S)

    def knows(self, **statuses: str) -> bool:
        self.take()
        return {session_id: each["status"] for session_id, each in self.fold.entries.items()} == {
            session_id.replace("_", "-"): status for session_id, status in statuses.items()
        }

    async def until_it_knows(self, **statuses: str) -> None:
        await eventually(lambda: self.knows(**statuses), DEADLINE_S)


async def following(hub: Hub, wanted: SessionFilter) -> ListReader:
    reader = ListReader(hub)
    await reader.subscribe(wanted)
    return reader


@pytest.fixture
def backend() -> UnsureBackend:
    return UnsureBackend()


@pytest.fixture
def store(backend: UnsureBackend) -> ProgressStore:
    return ProgressStore(backend)


@pytest.fixture
def hub(backend: UnsureBackend) -> Hub:
    return Hub(backend, retry_ms=2000)


@pytest.fixture
async def reader(hub: Hub, store: ProgressStore) -> ListReader:
    """Follows the sessions of alice, of which there is one."""
    await store.create_session("alice-1", 1)
    return await following(hub, ALICE)


async def test_a_reader_gets_the_list_and_then_what_happens(reader: ListReader, store: ProgressStore) -> None:
    """What comes, changes and goes, of the sessions of the list alone."""
    await reader.until_it_knows(alice_1="pending")
    await store.create_session("bob-1", 1)
    await store.start_step("alice-2", 1)
    await store.start_step("alice-1", 1)
    await reader.until_it_knows(alice_1="running", alice_2="running")
    await store.complete_step("alice-1", 1)
    await store.delete_session("alice-2")
    await reader.until_it_knows(alice_1="completed")
    assert reader.events[0] == "list"
    assert reader.events.count("list") == 1


@pytest.mark.protocol("P-25.7", "P-25.8")
async def test_a_session_that_changes_often_is_published_four_times_a_second(
    reader: ListReader, store: ProgressStore, backend: UnsureBackend
) -> None:
    """It is read no more often than that, either; its end comes at once."""
    await store.start_step("alice-1", 1)
    loop = asyncio.get_running_loop()
    began, count = loop.time(), 0
    while count <= 50 or loop.time() < began + 1:
        count += 1
        await store.report_progress("alice-1", 1, count, 10_000_000)
        await asyncio.sleep(0.001)
    reads = len(backend.reads)
    await store.complete_step("alice-1", 1)
    await tasks_ran()
    assert reader.knows(alice_1="completed")
    assert reads <= 2 + 4 * (loop.time() - began)
    assert reader.events.count("session") == len(backend.reads) <= reads + 1


async def test_readers_of_one_list_share_all_work(
    reader: ListReader, hub: Hub, store: ProgressStore, backend: UnsureBackend
) -> None:
    """They have one channel, which is closed with the last of them; then no change is received."""
    others = [await following(hub, ALICE) for _ in range(3)]
    everything = await following(hub, ALL_SESSIONS)
    assert (hub.lists.count, hub.lists.subscription_count, backend.list_reads) == (2, 5, 2)
    await store.start_step("alice-1", 1)
    for each in (reader, *others, everything):
        await each.until_it_knows(alice_1="running")
    assert len(backend.reads) == 1
    for each in (reader, *others):
        each.subscriber.close()
    assert (hub.lists.count, len(backend.listeners)) == (1, 1)
    everything.subscriber.close()
    assert (hub.lists.count, backend.listeners) == (0, [])
    await store.complete_step("alice-1", 1)
    await asyncio.sleep(0)
    assert len(backend.reads) == 1
    await following(hub, ALICE)
    assert len(backend.listeners) == 1


async def test_lists_of_labels_share_the_reading_of_an_entry(
    hub: Hub, store: ProgressStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each user may follow a list of their own: what one change costs must not be that of decoding it for each."""
    decoded: list[bytes] = []
    labels_of = session_json.labels_of

    def counted(entry: bytes) -> Mapping[str, str]:
        decoded.append(entry)
        return labels_of(entry)

    monkeypatch.setattr(session_json, "labels_of", counted)
    wanted = [SessionFilter(labels=frozenset({("user", str(number))})) for number in range(5)]
    readers = [await following(hub, each) for each in wanted]
    await store.create_session("alice-1", 1, labels={"user": "3"})
    await readers[3].until_it_knows(alice_1="pending")
    assert len(decoded) == 1
    assert readers[4].knows()


@pytest.mark.guarantee(78)
async def test_a_change_visits_the_lists_alone_that_it_can_concern(
    hub: Hub, store: ProgressStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 1500 that match nothing only the first, which is found by the label that all share; closed ones leave none."""
    visits: list[SessionFilter] = []
    apply = ListChannel.apply

    def counted(channel: ListChannel, session_id: str, summary: SessionSummary | None) -> None:
        visits.append(channel.wanted)
        apply(channel, session_id, summary)

    monkeypatch.setattr(ListChannel, "apply", counted)
    team, mine = ("team", "a"), ("user", "me")
    others = [SessionFilter(labels=frozenset({team, ("user", str(number))})) for number in range(500)]
    others += [SessionFilter(f"{number}-") for number in range(500)]
    others += [
        SessionFilter("alice-", frozenset({("user", str(number))}), parse_statuses(["error"])) for number in range(500)
    ]
    wanted = SessionFilter("alice-", frozenset({team, mine}), parse_statuses(["running"]))
    readers = [await following(hub, each) for each in (*others, wanted)]
    await store.create_session("alice-1", 1, labels=dict([team, mine]))
    await store.start_step("alice-1", 1)
    await readers[-1].until_it_knows(alice_1="running")
    await store.complete_step("alice-1", 1)
    await readers[-1].until_it_knows()
    assert set(visits) == {others[0], wanted}
    for reader in readers:
        reader.subscriber.close()
    assert not any(vars(hub.lists._index).values())  # noqa: SLF001  # what stays there would be found again


async def test_a_change_while_its_session_is_read_is_not_lost(
    hub: Hub, store: ProgressStore, backend: UnsureBackend
) -> None:
    """The session is found as it was in the list, and has left it by then."""
    reader = await following(hub, SessionFilter(states=parse_statuses(["running"])))
    backend.read_gate.clear()
    await store.start_step("alice-1", 1)
    await eventually(lambda: len(backend.reads) == 1, DEADLINE_S)
    await store.finish_session("alice-1")
    backend.read_gate.set()
    await reader.until(lambda _: reader.events[-2:] == ["session", "removed"])


@pytest.mark.parametrize(
    ("wanted", "known"),
    [
        (ALICE, {"alice_1": "running", "alice_2": "pending"}),
        (SessionFilter("alice-", states=parse_statuses(["pending"])), {"alice_2": "pending"}),
    ],
    ids=["that stays", "that leaves"],
)
async def test_a_change_while_the_list_is_read_is_not_lost(
    hub: Hub, store: ProgressStore, backend: UnsureBackend, wanted: SessionFilter, known: dict[str, str]
) -> None:
    """The list was read before the change, and arrives after it."""
    await store.create_session("alice-1", 1)
    backend.gate.clear()
    subscribing = asyncio.create_task(following(hub, wanted))
    await eventually(lambda: backend.list_reads == 1, DEADLINE_S)
    await store.start_step("alice-1", 1)
    await store.create_session("alice-2", 1)
    await eventually(lambda: len(backend.reads) > 0, DEADLINE_S)
    backend.gate.set()
    reader = await subscribing
    await reader.until_it_knows(**known)


async def test_a_gap_that_opens_while_the_list_is_read_is_filled(
    hub: Hub, store: ProgressStore, backend: UnsureBackend
) -> None:
    """By a session that does not change any more."""
    for number in range(WINDOW + 2):
        await store.create_session(f"alice-{number:03}", 1)
    backend.gate.clear()
    subscribing = asyncio.create_task(following(hub, SessionFilter(states=parse_statuses(["pending"]))))
    await eventually(lambda: backend.list_reads == 1, DEADLINE_S)
    await store.delete_session("alice-100")
    await eventually(lambda: len(backend.reads) > 0, DEADLINE_S)
    backend.gate.set()
    reader = await subscribing
    await reader.until(lambda fold: "alice-001" in fold.entries)


async def test_a_session_that_comes_while_the_list_is_read_again_does_not_go(
    reader: ListReader, store: ProgressStore, backend: UnsureBackend
) -> None:
    """The list was read before it came, and arrives after it was published."""
    backend.gate.clear()
    for listener in backend.listeners:
        listener(None)
    await eventually(lambda: backend.list_reads == 2, DEADLINE_S)
    await store.create_session("alice-2", 1)
    await reader.until_it_knows(alice_1="pending", alice_2="pending")
    backend.gate.set()
    await eventually(lambda: len(backend.reads) > 1, DEADLINE_S)
    assert reader.knows(alice_1="pending", alice_2="pending")
    assert "removed" not in reader.events


async def test_a_store_that_is_away_delays_what_is_published(
    reader: ListReader, store: ProgressStore, backend: UnsureBackend
) -> None:
    """The reader keeps what it has, and gets the rest when the store answers."""
    backend.is_away = True
    await store.start_step("alice-1", 1)
    await eventually(lambda: len(backend.reads) > 1, DEADLINE_S)
    assert reader.knows(alice_1="pending")
    backend.is_away = False
    await reader.until_it_knows(alice_1="running")


async def test_no_one_subscribes_while_the_store_is_away(
    hub: Hub, store: ProgressStore, backend: UnsureBackend
) -> None:
    """The call may be repeated; nothing of the failed one is left."""
    await store.create_session("alice-1", 1)
    backend.is_away = True
    reader = ListReader(hub)
    with pytest.raises(StoreUnavailableError):
        await reader.subscribe(ALICE)
    assert (hub.lists.count, backend.listeners) == (0, [])
    backend.is_away = False
    await reader.subscribe(ALICE)
    await reader.until_it_knows(alice_1="pending")


async def test_lost_messages_are_made_up_for(reader: ListReader, store: ProgressStore, backend: UnsureBackend) -> None:
    """Once the backend says that it missed some, the list is read again, and what is new is published."""
    backend.lose_messages(says_so=True)
    await store.start_step("alice-1", 1)
    await store.create_session("alice-2", 1)
    await store.create_session("alice-3", 1)
    await store.delete_session("alice-3")
    backend.find_messages()
    await reader.until_it_knows(alice_1="running", alice_2="pending")
    assert reader.events.count("list") == 1


async def test_what_a_store_forgets_silently_is_noticed(
    store: ProgressStore, backend: UnsureBackend, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lists of such a store are looked at from time to time, each in its turn."""
    monkeypatch.setattr(lists_module, "CHECK_INTERVAL_S", 0.01)
    monkeypatch.setattr(lists_module, "CHECKED_AT_ONCE", 1)
    monkeypatch.setattr(backend.lists, "forgets_silently", True)
    await store.create_session("alice-1", 1)
    await store.create_session("alice-2", 1)
    readers = [await following(hub, SessionFilter("alice-"[:length])) for length in (4, 5, 6)]
    backend.lose_messages(says_so=False)
    await store.delete_session("alice-1")
    backend.find_messages()
    for reader in readers:
        await reader.until_it_knows(alice_2="pending")


@pytest.mark.protocol("P-25.10")
async def test_a_gap_that_opens_in_the_window_is_filled(hub: Hub, store: ProgressStore) -> None:
    """The next older session moves up."""
    for number in range(WINDOW + 2):
        await store.create_session(f"alice-{number:03}", 1)
    reader = await following(hub, ALICE)
    reader.take()
    assert reader.fold.has_more
    assert "alice-001" not in reader.fold.entries
    await store.delete_session("alice-050")
    await reader.until(lambda fold: "alice-001" in fold.entries)
    assert len(reader.fold.entries) == WINDOW


@pytest.mark.protocol("P-25.12")
async def test_a_reader_that_lags_gets_a_new_list(
    store: ProgressStore, hub: Hub, reader: ListReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In place of all that it has not taken, so that little waits for it."""
    monkeypatch.setattr(subscriber_module, "MAX_QUEUED_BYTES", 3000)
    reader.take()
    for number in range(50):
        await store.create_session(f"alice-{number}", 1)
    other = await following(hub, ALICE)
    await other.until(lambda fold: len(fold.entries) == 50)
    assert reader.subscriber.queued_bytes <= 6000
    await reader.until(lambda fold: fold.newest == other.fold.newest)
    assert reader.events.count("list") == 2
    assert hub.counts.resyncs["behind"] == 1


@pytest.mark.protocol("P-25.11", "P-25.13")
@pytest.mark.parametrize("directly", [True, False], ids=["directly", "by ASGI"])
async def test_a_stream_of_a_list_never_ends_by_itself(directly: bool) -> None:
    """Its events have no ids; it counts as a stream, and goes with its client."""
    service = Service()
    await service.store.start_step("alice-1", 1, None)
    client, decoder, fold = Client(), StreamDecoder(), ListFold()
    service.connect(client, directly=directly, wanted=ALICE)
    await client.wait_until(lambda: b"event: list" in client.body)
    for step in range(1, 8):
        await service.store.start_step("alice-1", step)
        await service.store.complete_step("alice-1", step)
    await client.wait_until(lambda: b'"completed"' in client.body)
    for event in decoder.feed(client.body):
        assert event.event_id == ""
        fold.apply_text(event.event, event.data)
    assert [each["status"] for each in fold.newest] == ["completed"]
    assert not client.is_finished
    assert len(service.streams) == 1
    service.streams.drain()
    await client.end()
    assert service.hub.lists.count == 0
    assert service.streams.ended["drained"] == 1


async def test_streams_of_lists_take_places_as_others_do() -> None:
    """One too many is asked to come later; a caller's own limit counts them, too."""
    service = Service()
    clients = [Client() for _ in range(4)]
    for client in clients[:3]:
        service.connect(client, directly=True, wanted=ALICE)
    await eventually(lambda: all(b"event: list" in client.body for client in clients[:3]), DEADLINE_S)
    service.connect(clients[3], "alice-1", directly=True)
    await clients[3].end()
    assert clients[3].body == b"retry: 30000\n\n"
    assert service.streams.refusals == {"streams-full": 1}


async def test_the_stream_of_a_list_ends_with_its_token() -> None:
    """Even where reading needs none: the list does."""
    clock = ManualClock()
    settings = load_settings(store="memory://", token_key=KEY, max_streams_per_caller=1)
    service = ProgressService(settings, clock=clock)
    await service.start()
    expires_at = clock.now().timestamp() + 5
    request = StreamRequest({}, False, False, expires_at, "a caller", wanted=ALICE)
    client = Client()
    scope = {"type": "http", "method": "GET", "extensions": extensions(client)}
    await service.streams.respond(request)(scope, client.receive, client.send)
    await client.wait_until(lambda: b"event: list" in client.body)
    assert service.streams.respond(request).body == b"retry: 30000\n\n"  # type: ignore[attr-defined]
    clock.advance(6)
    await client.end()
    assert service.streams.ended == {"expired": 1}
    await service.aclose()
