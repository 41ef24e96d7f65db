"""Who is told what, in which order, whatever comes by whichever way first: no Redis, and every order by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from progress_sse.core.errors import StoreUnavailableError
from progress_sse.core.model import Position
from progress_sse.store.redis.codec import Reading
from progress_sse.store.redis.followed_sessions import Following
from progress_sse.store.redis.messages import MAX_BYTES, bulletin, decode_bulletin, folded
from progress_sse.store.types import Change, LogEntry, Notification, Record
from tests.store.changes import after, created, key, moved, removed

FIRST = created()
ONE = moved(after(FIRST), 1)
TWO = moved(after(ONE), 2)
THREE = moved(after(TWO), 3)
SECOND = created(epoch="second", expected=after(ONE).position)
GONE = removed(after(ONE))


class Follower:
    """A listener of the session `s`, and a store that says what the test tells it to."""

    def __init__(self) -> None:
        self.notifications: list[Notification] = []
        self.reading = Reading(0, None, None, ())
        self.reads = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.is_away = False
        self.following = Following(self.read)
        self.following.add("c", "s", self.notifications.append)

    async def read(self, _session_id: str, _after: Position) -> Reading:
        self.reads += 1
        reading = self.reading
        await self.gate.wait()
        if self.is_away:
            raise StoreUnavailableError
        return reading

    def hear(self, revision: int, change: Change, previous: int | None = None) -> None:
        """Something was published."""
        revisions = b"%d %d\n" % (revision, revision - 1 if previous is None else previous)
        self.following.hear("c", revisions + bulletin(change))

    def note_read(self, revision: int, record: Record | None) -> None:
        """Somebody read the session."""
        followed = self.following.get("c")
        assert followed is not None
        followed.note_read(reading(revision, record))

    def knows(self, revision: int, record: Record | None, entries: Sequence[LogEntry] = ()) -> None:
        """Let the store say so from here on."""
        self.reading = reading(revision, record, entries)

    async def commit(self, revision: int | None, change: Change) -> None:
        """A commit of this process has been applied."""
        await self.following.settle("c", change, revision)


def reading(revision: int, record: Record | None, entries: Sequence[LogEntry] = ()) -> Reading:
    return Reading(revision, record.position if record else None, record, entries)


def notification(change: Change) -> Notification:
    return Notification("s", change.record, change.is_fresh, change.entries)


async def settled() -> None:
    """Let every task go as far as it can."""
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.fixture
async def follower() -> Follower:
    """Who has seen the session at its creation, revision 1."""
    follower = Follower()
    follower.note_read(1, after(FIRST))
    return follower


class TestHear:
    """News from the server."""

    async def test_are_folded_without_asking(self, follower: Follower) -> None:
        """One after the other."""
        follower.hear(2, ONE)
        follower.hear(3, TWO)
        follower.hear(4, GONE)
        assert follower.notifications == [notification(ONE), notification(TWO), Notification("s", None)]
        assert follower.reads == 0

    async def test_that_are_no_news_are_dropped(self, follower: Follower) -> None:
        """What was told already, and what was seen when it was read."""
        follower.hear(2, ONE)
        follower.hear(2, ONE)
        follower.hear(1, FIRST)
        await settled()
        assert follower.notifications == [notification(ONE)]
        assert follower.reads == 0

    async def test_of_what_was_read_meanwhile_are_told(self, follower: Follower) -> None:
        """Somebody else's reading tells the listeners nothing, so they get each transition still."""
        follower.note_read(3, after(TWO))
        follower.hear(2, ONE)
        follower.hear(3, TWO)
        assert follower.notifications == [notification(ONE), notification(TWO)]

    async def test_of_a_former_life_are_dropped_after_a_later_one_was_read(self, follower: Follower) -> None:
        """Even if the listeners have not heard of the later one yet."""
        follower.note_read(5, after(SECOND))
        follower.hear(2, ONE)
        follower.hear(3, GONE)
        assert follower.notifications == []

    async def test_of_a_life_that_is_over_are_dropped(self, follower: Follower) -> None:
        """Our own replacement was told first; what the other process did before it comes late."""
        await follower.commit(5, SECOND)
        follower.knows(5, after(SECOND))
        heard = len(follower.notifications)
        follower.hear(9, ONE)
        await settled()
        assert follower.notifications[heard:] == []

    async def test_with_a_gap_before_them_lead_to_the_store(self, follower: Follower) -> None:
        """Which gives what is missing."""
        follower.knows(4, after(THREE), [*ONE.entries, *TWO.entries, *THREE.entries])
        follower.hear(3, TWO)
        await settled()
        assert follower.notifications == [
            Notification("s", after(THREE), entries=(*ONE.entries, *TWO.entries, *THREE.entries))
        ]
        follower.hear(4, THREE)
        assert len(follower.notifications) == 1
        assert follower.reads == 1

    async def test_with_a_gap_that_the_log_does_not_fill_give_the_session_alone(self, follower: Follower) -> None:
        """A part of the transitions is worth nothing."""
        follower.knows(4, after(THREE), THREE.entries)
        follower.hear(4, THREE)
        await settled()
        assert follower.notifications == [Notification("s", after(THREE))]

    async def test_that_follow_on_another_revision_lead_to_the_store(self, follower: Follower) -> None:
        """The store was put back to an earlier time: a number that fits is no proof that a transition does."""
        adopted = Record(after(TWO).session, Position("adopted", 2))
        follower.knows(9, adopted)
        follower.hear(2, ONE)
        follower.hear(8, TWO, previous=7)
        await settled()
        assert follower.notifications == [notification(ONE), Notification("s", adopted)]

    async def test_of_a_new_life_are_read(self, follower: Follower) -> None:
        """They do not say what its steps are called."""
        follower.knows(3, after(SECOND))
        follower.hear(3, SECOND)
        await settled()
        assert follower.notifications == [notification(SECOND)]

    async def test_of_an_unknown_life_with_too_small_a_revision_are_looked_into(self, follower: Follower) -> None:
        """The server's clock was set back while the session did not exist."""
        follower.hear(1000, GONE)
        fresh = created(epoch="third")
        follower.knows(7, after(fresh))
        follower.hear(7, fresh)
        await settled()
        assert follower.notifications == [Notification("s", None), notification(fresh)]
        follower.hear(8, moved(after(fresh), 1))
        assert follower.notifications[2:] == [notification(moved(after(fresh), 1))]

    async def test_that_arrive_while_the_store_is_asked_are_not_undone(self, follower: Follower) -> None:
        """An answer that is older than what was told meanwhile counts for nothing."""
        follower.gate.clear()
        follower.knows(2, after(ONE), ONE.entries)
        follower.following.catch_up_soon("c")
        await settled()
        follower.hear(2, ONE)
        follower.hear(3, TWO)
        follower.gate.set()
        await settled()
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
    async def test_that_nobody_understands_lead_to_the_store(
        self, follower: Follower, payload: bytes, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Anybody may publish anything, and whoever runs the server is told of it."""
        follower.knows(2, after(ONE), ONE.entries)
        follower.following.hear("c", payload)
        await settled()
        assert follower.notifications == [notification(ONE)]
        assert [record.message for record in caplog.records] == ["a message could not be taken in"]

    async def test_are_looked_for_again_while_the_store_is_away(
        self, follower: Follower, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Until it answers."""
        monkeypatch.setattr("progress_sse.store.redis.followed_sessions.CATCHING_UP_PAUSE_S", 0)
        follower.is_away = True
        follower.knows(2, after(ONE), ONE.entries)
        follower.following.catch_up_soon("c")
        await settled()
        assert follower.reads > 1
        follower.is_away = False
        await settled()
        assert follower.notifications == [notification(ONE)]
        await follower.following.aclose()


class TestSettle:
    """Our own commits."""

    async def test_are_told_at_once_and_their_echo_is_not(self, follower: Follower) -> None:
        """Without asking."""
        await follower.commit(2, ONE)
        follower.hear(2, ONE)
        assert follower.notifications == [notification(ONE)]
        assert follower.reads == 0

    async def test_may_come_behind_their_echo(self, follower: Follower) -> None:
        """The two ways know nothing of each other."""
        follower.hear(2, ONE)
        follower.hear(3, TWO)
        await follower.commit(2, ONE)
        assert follower.notifications == [notification(ONE), notification(TWO)]
        assert follower.reads == 0

    async def test_bring_along_what_others_did_before_them(self, follower: Follower) -> None:
        """Another process's transition is still under way; no reader may miss it."""
        follower.knows(3, after(TWO), [*ONE.entries, *TWO.entries])
        await follower.commit(3, TWO)
        follower.hear(2, ONE)
        follower.hear(3, TWO)
        await settled()
        assert follower.notifications == [Notification("s", after(TWO), entries=(*ONE.entries, *TWO.entries))]

    async def test_of_unknown_revision_are_looked_up(self, follower: Follower) -> None:
        """Others may have moved the session on since."""
        follower.knows(3, after(TWO), [*ONE.entries, *TWO.entries])
        await follower.commit(None, ONE)
        assert follower.notifications == [Notification("s", after(TWO), entries=(*ONE.entries, *TWO.entries))]

    async def test_succeed_even_if_the_store_goes_away_then(
        self, follower: Follower, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """They are applied; the listeners hear of them later."""
        monkeypatch.setattr("progress_sse.store.redis.followed_sessions.CATCHING_UP_PAUSE_S", 0)
        follower.is_away = True
        follower.knows(3, after(TWO), [*ONE.entries, *TWO.entries])
        await follower.commit(3, TWO)
        assert follower.notifications == []
        follower.is_away = False
        await settled()
        assert follower.notifications == [Notification("s", after(TWO), entries=(*ONE.entries, *TWO.entries))]

    async def test_are_told_to_whoever_has_not_looked_yet(self) -> None:
        """From now on, whatever was before."""
        follower = Follower()
        await follower.commit(2, ONE)
        assert follower.notifications == [notification(ONE)]


class TestBulletin:
    """What is published."""

    @pytest.mark.parametrize(
        "change", [FIRST, ONE, moved(after(ONE), 1, 3, 1, message="\u2028\r\n\u0085"), SECOND, GONE]
    )
    def test_says_what_was_changed(self, change: Change) -> None:
        """To the letter."""
        news = decode_bulletin(b"17 16\n" + bulletin(change))
        position = change.record.position if change.record else None
        assert (news.revision, news.previous, news.position, news.is_fresh, news.entries) == (
            17,
            16,
            position,
            change.is_fresh,
            change.entries,
        )

    @pytest.mark.parametrize(
        ("change", "is_visible"),
        [
            (created(), True),
            (moved(after(created()), 1), True),
            (removed(after(created())), True),
            (moved(after(created()), keys=[key("k")]), False),
        ],
    )
    def test_is_empty_where_there_is_no_news(self, change: Change, is_visible: bool) -> None:
        """A key is remembered for its client alone."""
        assert change.is_visible == is_visible == bool(bulletin(change))

    def test_takes_a_record_on(self) -> None:
        """Also one that has heard of the first part of it."""
        batch = moved(after(FIRST), 1, 2, 1, status="error")
        news = decode_bulletin(b"1 0\n" + bulletin(batch))
        assert folded(after(FIRST), news) == after(batch)
        assert folded(after(moved(after(FIRST), 1, 2)), news) == after(batch)
        assert folded(after(batch), news) is None
        assert folded(after(created(epoch="other")), news) is None

    def test_leaves_out_what_is_too_large(self) -> None:
        """The position tells whoever listens that there is something to read."""
        change = moved(after(FIRST), 1, message="x" * MAX_BYTES)
        payload = bulletin(change)
        assert len(payload) < 1000
        news = decode_bulletin(b"1 0\n" + payload)
        assert (news.position, news.entries) == (after(change).position, ())
        assert folded(after(FIRST), news) is None
