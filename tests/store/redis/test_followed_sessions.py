"""Which notifications listeners get, in every order of messages, reads and commits: without Redis."""

import asyncio
from collections.abc import Callable, Sequence
from typing import cast

import pytest

from progress_sse.core.errors import StoreUnavailableError
from progress_sse.core.model import Position
from progress_sse.store.listeners import changes_of
from progress_sse.store.redis.codec import ReadResult
from progress_sse.store.redis.followed_sessions import FollowedSessions
from progress_sse.store.redis.keys import Keyspace
from progress_sse.store.redis.log_lines import RedisLines
from progress_sse.store.redis.messages import encode_message
from progress_sse.store.redis.topics import PubSub, RedisTopics
from progress_sse.store.types import Change, LogEntry, Notification, Record
from tests.clock import tasks_ran
from tests.store.changes import after, created, moved, removed

KEYSPACE = Keyspace("prefix", 0)
CHANNEL = KEYSPACE.of("s").channel

FIRST = created()
ONE = moved(after(FIRST), 1)
TWO = moved(after(ONE), 2)
THREE = moved(after(TWO), 3)
SECOND = created(epoch="second", expected=after(ONE).position)
GONE = removed(after(ONE))


class Follower:
    """A listener of the session `s`, and a store whose content the test sets."""

    def __init__(self) -> None:
        self.notifications: list[Notification] = []
        self.stored = ReadResult(0, None, None, ())
        self.reads = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.is_away = False
        self.sessions = FollowedSessions(self.read)
        self.sessions.follow(CHANNEL, "s", self.notifications.append)

    async def read(self, _session_id: str, _after: Position) -> ReadResult:
        self.reads += 1
        stored = self.stored
        await self.gate.wait()
        if self.is_away:
            raise StoreUnavailableError
        return stored

    async def on_message(self, revision: int, change: Change, previous: int | None = None) -> None:
        """A change was published, and led to whatever it leads to."""
        revisions = b"%d %d\n" % (revision, revision - 1 if previous is None else previous)
        self.sessions.on_message(CHANNEL, revisions + encode_message(change))
        await tasks_ran()

    async def on_messages(self, *published: tuple[int, Change]) -> None:
        """Such changes were published, one after the other."""
        for revision, change in published:
            await self.on_message(revision, change)

    def on_read(self, revision: int, record: Record | None) -> None:
        """The session was read, for another reason."""
        session = self.sessions.get(CHANNEL)
        assert session is not None
        session.on_read(read_result(revision, record))

    def store(self, revision: int, record: Record | None, entries: Sequence[LogEntry] = ()) -> None:
        """Let the store contain this from now on."""
        self.stored = read_result(revision, record, entries)

    async def on_commit(self, revision: int | None, change: Change) -> None:
        """A commit of this process was applied."""
        await self.sessions.on_commit(CHANNEL, change, revision)


class Messages:
    """A subscription to everything, on which a test publishes."""

    on_message: Callable[[str, bytes], None]

    def begin(self, on_message: Callable[[str, bytes], None], _on_gap: object) -> PubSub:
        self.on_message = on_message
        return cast(PubSub, self)

    async def subscribe(self, channel: str) -> None:
        pass


def read_result(revision: int, record: Record | None, entries: Sequence[LogEntry] = ()) -> ReadResult:
    return ReadResult(revision, record.position if record else None, record, entries)


def notification(change: Change) -> Notification:
    return Notification("s", change.record, change.is_fresh, change.entries)


@pytest.fixture
async def follower() -> Follower:
    """A listener that has read the session at its creation, revision 1."""
    follower = Follower()
    follower.on_read(1, after(FIRST))
    return follower


class TestMessage:
    """Messages from the server."""

    async def test_is_applied_without_a_read(self, follower: Follower) -> None:
        """One after the other."""
        await follower.on_messages((2, ONE), (3, TWO), (4, GONE))
        assert follower.notifications == [notification(ONE), notification(TWO), Notification("s", None)]
        assert follower.reads == 0

    async def test_is_dropped_when_it_is_known(self, follower: Follower) -> None:
        """From an earlier notification, or from the first read."""
        await follower.on_messages((2, ONE), (2, ONE), (1, FIRST))
        assert follower.notifications == [notification(ONE)]
        assert follower.reads == 0

    async def test_is_passed_on_though_its_state_was_read(self, follower: Follower) -> None:
        """A read for another reason notifies no listener, so each transition still arrives."""
        follower.on_read(3, after(TWO))
        await follower.on_messages((2, ONE), (3, TWO))
        assert follower.notifications == [notification(ONE), notification(TWO)]

    async def test_of_a_former_epoch_is_dropped_after_a_later_one_was_read(self, follower: Follower) -> None:
        """Even if the listeners do not know the later one yet."""
        follower.on_read(5, after(SECOND))
        await follower.on_messages((2, ONE), (3, GONE))
        assert follower.notifications == []

    async def test_of_an_ended_epoch_is_dropped(self, follower: Follower) -> None:
        """Our own replacement came first; another process's change before it arrives late."""
        await follower.on_commit(5, SECOND)
        follower.store(5, after(SECOND))
        notified = len(follower.notifications)
        await follower.on_message(9, ONE)
        assert follower.notifications[notified:] == []

    async def test_after_a_gap_leads_to_a_read(self, follower: Follower) -> None:
        """The read returns the missing transitions."""
        follower.store(4, after(THREE), [*ONE.entries, *TWO.entries, *THREE.entries])
        await follower.on_message(3, TWO)
        assert follower.notifications == [
            Notification("s", after(THREE), entries=(*ONE.entries, *TWO.entries, *THREE.entries))
        ]
        await follower.on_message(4, THREE)
        assert len(follower.notifications) == 1
        assert follower.reads == 1

    async def test_after_a_gap_that_the_log_does_not_fill_gives_the_session_alone(self, follower: Follower) -> None:
        """A part of the missing transitions is of no use."""
        follower.store(4, after(THREE), THREE.entries)
        await follower.on_message(4, THREE)
        assert follower.notifications == [Notification("s", after(THREE))]

    async def test_that_follows_on_another_revision_leads_to_a_read(self, follower: Follower) -> None:
        """The store was rolled back: a number that fits does not prove that the transition does."""
        rebound = Record(after(TWO).session, Position("rebound", 2))
        follower.store(9, rebound)
        await follower.on_message(2, ONE)
        await follower.on_message(8, TWO, previous=7)
        assert follower.notifications == [notification(ONE), Notification("s", rebound)]

    async def test_of_a_new_epoch_leads_to_a_read(self, follower: Follower) -> None:
        """It does not contain the names of the steps."""
        follower.store(3, after(SECOND))
        await follower.on_message(3, SECOND)
        assert follower.notifications == [notification(SECOND)]

    async def test_of_an_unknown_epoch_with_too_small_a_revision_leads_to_a_read(self, follower: Follower) -> None:
        """The server's clock was set back while the session did not exist."""
        await follower.on_message(1000, GONE)
        fresh = created(epoch="third")
        follower.store(7, after(fresh))
        await follower.on_message(7, fresh)
        assert follower.notifications == [Notification("s", None), notification(fresh)]
        await follower.on_message(8, moved(after(fresh), 1))
        assert follower.notifications[2:] == [notification(moved(after(fresh), 1))]

    async def test_that_arrives_during_a_read_is_not_undone(self, follower: Follower) -> None:
        """A result that is older than the last notification is dropped."""
        follower.gate.clear()
        follower.store(2, after(ONE), ONE.entries)
        follower.sessions.on_gap(CHANNEL)
        await tasks_ran()
        await follower.on_messages((2, ONE), (3, TWO))
        follower.gate.set()
        await tasks_ran()
        assert follower.notifications == [notification(ONE), notification(TWO)]

    @pytest.mark.parametrize(
        "payload",
        [
            *(b"", b"x", b"1\n", b"1 0\n{}", b"1 0\n[1,2]", b'1 0\n["e",1,"",false]\n{}', b"\xff"),
            b'9\n["first",1,"",false]\n' + ONE.entries[0].data,
            b'9 1\n["first",9,"",false]\n{"step":"x","session":{"current_step":1,"status":"running"}}',
            b'9 1\n["first",0.5,"",false]\n' + ONE.entries[0].data,
        ],
    )
    async def test_that_cannot_be_decoded_leads_to_a_read(
        self, follower: Follower, payload: bytes, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Other programs may publish anything there; the log says so."""
        pubsub = Messages()
        topics = RedisTopics(KEYSPACE, follower.sessions, cast(RedisLines, None), pubsub.begin)
        await topics.subscribe(changes_of("s"), follower.notifications.append)
        follower.on_read(1, after(FIRST))
        follower.store(2, after(ONE), ONE.entries)
        pubsub.on_message(CHANNEL, payload)
        await tasks_ran()
        assert follower.notifications == [notification(ONE)]
        assert [record.message for record in caplog.records] == ["A message from Redis could not be decoded"]

    async def test_after_a_gap_is_read_again_until_the_store_is_back(
        self, follower: Follower, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its listeners are then notified."""
        monkeypatch.setattr("progress_sse.store.redis.followed_sessions.CATCH_UP_RETRY_S", 0)
        follower.is_away = True
        follower.store(2, after(ONE), ONE.entries)
        follower.sessions.on_gap(CHANNEL)
        await tasks_ran()
        assert follower.reads > 1
        follower.is_away = False
        await tasks_ran()
        assert follower.notifications == [notification(ONE)]
        await follower.sessions.aclose()


class TestCommit:
    """Commits of this process."""

    async def test_notifies_at_once_and_its_echo_does_not(self, follower: Follower) -> None:
        """Without a read."""
        await follower.on_commit(2, ONE)
        await follower.on_message(2, ONE)
        assert follower.notifications == [notification(ONE)]
        assert follower.reads == 0

    async def test_may_come_after_its_echo(self, follower: Follower) -> None:
        """Messages and replies arrive by two connections, in any order."""
        await follower.on_messages((2, ONE), (3, TWO))
        await follower.on_commit(2, ONE)
        assert follower.notifications == [notification(ONE), notification(TWO)]
        assert follower.reads == 0

    async def test_brings_changes_of_others_before_it(self, follower: Follower) -> None:
        """Another process's transition is still on its way; no reader may miss it."""
        follower.store(3, after(TWO), [*ONE.entries, *TWO.entries])
        await follower.on_commit(3, TWO)
        await follower.on_messages((2, ONE), (3, TWO))
        assert follower.notifications == [Notification("s", after(TWO), entries=(*ONE.entries, *TWO.entries))]

    async def test_of_unknown_revision_leads_to_a_read(self, follower: Follower) -> None:
        """Other processes may have changed the session since."""
        follower.store(3, after(TWO), [*ONE.entries, *TWO.entries])
        await follower.on_commit(None, ONE)
        assert follower.notifications == [Notification("s", after(TWO), entries=(*ONE.entries, *TWO.entries))]

    async def test_succeeds_even_if_the_store_goes_away_then(
        self, follower: Follower, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is applied; the listeners are notified later."""
        monkeypatch.setattr("progress_sse.store.redis.followed_sessions.CATCH_UP_RETRY_S", 0)
        follower.is_away = True
        follower.store(3, after(TWO), [*ONE.entries, *TWO.entries])
        await follower.on_commit(3, TWO)
        assert follower.notifications == []
        follower.is_away = False
        await tasks_ran()
        assert follower.notifications == [Notification("s", after(TWO), entries=(*ONE.entries, *TWO.entries))]

    async def test_notifies_a_listener_that_has_not_read_yet(self) -> None:
        """From now on, after any earlier state."""
        follower = Follower()
        await follower.on_commit(2, ONE)
        assert follower.notifications == [notification(ONE)]
