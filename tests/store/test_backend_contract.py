"""What `Backend` promises, sentence by sentence, of every backend."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from progress_sse.core.errors import ConflictError, StoreFullError
from progress_sse.core.model import Position, SessionStatus, StepAdvance, StepDefinition, StepProgress
from progress_sse.store.backend import Backend
from progress_sse.store.memory import MemoryBackend
from progress_sse.store.redis.backend import RedisBackend
from progress_sse.store.types import Change, LogEntry, Notification, PageCursor, Record, SessionSummary
from progress_sse.wire import session_json
from tests.store.changes import T0, after, apply, created, key, moved, removed
from tests.store.conftest import OpenBackend

HOSTILE_TEXT = "a\nb\r\nc\u2028\u0085\ufeff\x1b\"\\'; DROP TABLE sessions; -- 日本語 👩‍👩‍👧 e\u0301"

TRICKY_IDS = [
    "\u00e9", "e\u0301", "\u212b", "\u00c5",  # two pairs that normal forms would make equal
    "a", "A", "\u0130", "i\u0307", "ß", "ss", "\uff5a", "z",  # … that foldings would
    "a ", " a", "01", "1", "1.0", "NULL", "true",  # … that conversions would
    "*", "[a-z]*", "?", "%", "_", "\\", "{tag}", "{tag}:x", "a:b", "a.b", "..a",
    "'", '"', "'; DROP TABLE sessions; --", "?1", ":id", "$1", "日本語", "😀", "x" * 128, "😀" * 128,
]  # fmt: skip


async def apply_moves(backend: Backend, count: int, *, message: str = "") -> tuple[Record, list[LogEntry]]:
    """Make a session of `count` transitions, each a commit of its own."""
    record = await apply(backend, created())
    entries: list[LogEntry] = []
    for number in range(count):
        change = moved(record, number % 3 + 1, message=message)
        record = await apply(backend, change)
        entries += change.entries
    return record, entries


class TestLoad:
    """`load`: the session as last committed, or `None`."""

    async def test_is_none_for_an_unknown_session(self, backend: Backend) -> None:
        """Nobody ever committed it."""
        assert await backend.load("nobody") is None

    async def test_returns_what_was_committed_to_the_letter(self, backend: Backend) -> None:
        """Every field comes back, in every shape that it can have."""
        record = await apply(backend, created(total_steps=4))
        steps = {
            3: StepProgress(3, HOSTILE_TEXT, "error", T0, T0, 12, 5, HOSTILE_TEXT, HOSTILE_TEXT),
            1: StepProgress(1, "n", "running", T0, None, 0, None, "m", "", StepAdvance(3, None)),
            2: StepProgress(2, "", "running", T0, None, 2**53 - 1, 2**53 - 1, "", "", StepAdvance(0, 2**53 - 1)),
        }
        definitions = (StepDefinition(HOSTILE_TEXT, 1, 0), *record.session.definitions[1:])
        progress = record.session.progress._replace(current_step=2, status="error", steps=steps, updated_at="later")
        session = record.session._replace(progress=progress, definitions=definitions)
        target = Record(session, Position("second", 3))
        entries = tuple(
            LogEntry(n, step, session_json.encode_transition(session, step)) for n, step in enumerate(steps, start=1)
        )
        await backend.commit(Change("s", record.position, target, is_fresh=True, entries=entries))
        loaded = await backend.load("s")
        assert loaded == target
        assert loaded.body == target.body

    async def test_shows_each_commit_at_once(self, backend: Backend) -> None:
        """What was acknowledged is what everybody sees."""
        record = await apply(backend, created())
        assert await backend.load("s") == record
        for step in (1, 2, 1):
            record = await apply(backend, moved(record, step))
            assert await backend.load("s") == record
        await backend.commit(removed(record))
        assert await backend.load("s") is None

    async def test_never_goes_back_when_it_races_with_commits(self, backend: Backend) -> None:
        """A read that was under way while a commit came through leaves nothing outdated behind."""
        record = await apply(backend, created())
        seen: list[int] = []

        async def look() -> None:
            loaded = await backend.load("s")
            seen.append(loaded.position.offset if loaded else -1)

        for _ in range(100):
            change = moved(record, 1)
            await asyncio.gather(look(), backend.commit(change), look())
            record = after(change)
            assert await backend.load("s") == record
        assert all(n in (number // 2, number // 2 + 1) for number, n in enumerate(seen))


class TestCommit:
    """`commit`: all of it or nothing, and only on what is expected."""

    @pytest.mark.parametrize(
        "expected", [None, Position("first", 0), Position("first", 2), Position("other", 1)], ids=str
    )
    async def test_refuses_a_session_that_is_elsewhere(self, backend: Backend, expected: Position | None) -> None:
        """The session moved on, or lives another life: nothing changes, nobody is told."""
        record = await apply(backend, created(), moved(after(created()), 1))
        notifications: list[Notification] = []
        await backend.listen("s", notifications.append)
        for change in (moved(record, 2, keys=[key("k")]), created(epoch="second"), removed(record)):
            with pytest.raises(ConflictError):
                await backend.commit(change._replace(expected=expected))
        assert await backend.load("s") == record
        assert await backend.replay("s", record.position) == []
        assert await backend.find_idempotency_key("s", "k") is None
        assert notifications == []

    async def test_refuses_a_session_that_is_gone(self, backend: Backend) -> None:
        """A change of what was never there, or is there no more, makes nothing."""
        record = after(created())
        with pytest.raises(ConflictError):
            await backend.commit(moved(record, 1))
        assert await backend.load("s") is None
        await apply(backend, created())
        await backend.commit(removed(record))
        with pytest.raises(ConflictError):
            await backend.commit(moved(record, 1))
        assert await backend.load("s") is None

    async def test_refuses_one_without_hurting_others(self, backend: Backend) -> None:
        """Changes that are committed at the same time succeed or fail each for itself."""
        ids = [f"s{number}" for number in range(20)]
        changes = [created(session_id) for session_id in ids]
        wrong = [created(session_id)._replace(expected=Position("x", 1)) for session_id in ids]
        mixed = [change for pair in zip(changes, wrong, strict=True) for change in pair]
        outcomes = await asyncio.gather(*map(backend.commit, mixed), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [type(None), ConflictError] * 20
        assert [await backend.load(session_id) for session_id in ids] == [after(change) for change in changes]

    async def test_lets_one_of_equals_win(self, backend: Backend) -> None:
        """Of changes that expect the same position, one is applied."""
        record = await apply(backend, created())
        changes = [moved(record, 1, message=str(number)) for number in range(10)]
        outcomes = await asyncio.gather(*map(backend.commit, changes), return_exceptions=True)
        winners = [change for change, outcome in zip(changes, outcomes, strict=True) if outcome is None]
        assert [type(outcome) for outcome in outcomes].count(ConflictError) == 9
        assert [await backend.load("s")] == [after(change) for change in winners]

    async def test_takes_several_transitions_at_once(self, backend: Backend) -> None:
        """A batch is one change; the same step may occur in it more than once."""
        record = await apply(backend, created())
        change = moved(record, 1, 2, 1, 3)
        await backend.commit(change)
        assert await backend.load("s") == after(change)
        assert await backend.replay("s", Position("first", 0)) == list(change.entries)

    async def test_keeps_a_first_transition_that_comes_with_the_creation(self, backend: Backend) -> None:
        """A session made by `start` has its first transition, and its key, from the first moment."""
        change = moved(after(created()), 2, keys=[key("k")])
        await backend.commit(change._replace(expected=None, is_fresh=True))
        assert await backend.load("s") == after(change)
        assert await backend.replay("s", Position("first", 0)) == list(change.entries)
        assert await backend.find_idempotency_key("s", "k") == key("k")

    async def test_drops_everything_but_keys_with_the_session(self, backend: Backend) -> None:
        """A removed session leaves neither log nor steps to the next one of its id, and its keys are still used."""
        record = await apply(backend, created(keys=[key("k")]), moved(after(created()), 1, 2))
        await backend.commit(removed(record)._replace(keys=(key("removal"),)))
        assert await backend.replay("s", Position("first", 1)) is None
        assert await backend.find_idempotency_key("s", "k") == key("k")
        again = await apply(backend, created(epoch="second"))
        assert await backend.load("s") == again
        assert await backend.replay("s", Position("second", 0)) == []
        assert await backend.find_idempotency_key("s", "k") == key("k")
        assert await backend.find_idempotency_key("s", "removal") == key("removal")

    async def test_drops_everything_but_keys_before_a_new_life(self, backend: Backend) -> None:
        """A replacement has nothing of what was, and its keys are those of its id."""
        record = await apply(backend, created(keys=[key("old")]), moved(after(created()), 1, 2))
        fresh = created(epoch="second", expected=record.position, keys=[key("new")], total_steps=5)
        await backend.commit(fresh)
        assert await backend.load("s") == after(fresh)
        assert await backend.replay("s", Position("first", 1)) is None
        assert await backend.replay("s", Position("second", 0)) == []
        assert await backend.find_idempotency_key("s", "old") == key("old")
        assert await backend.find_idempotency_key("s", "new") == key("new")

    async def test_refuses_a_key_that_was_used_meanwhile(self, backend: Backend) -> None:
        """Although the session is where it is expected: gone again, as before, or not moved by what was done."""
        record = await apply(backend, created(keys=[key("k")]))
        notifications: list[Notification] = []
        await backend.listen("s", notifications.append)
        used = [key("new"), key("k", "again")]
        for change in (moved(record, 1, keys=used), moved(record, keys=used), created(epoch="x", keys=used)):
            with pytest.raises(ConflictError):
                await backend.commit(change._replace(expected=record.position))
        with pytest.raises(ConflictError):
            await backend.commit(removed(record)._replace(keys=tuple(used)))
        assert await backend.load("s") == record
        await backend.commit(removed(record))
        with pytest.raises(ConflictError):
            await backend.commit(created(epoch="second", keys=used))
        assert await backend.load("s") is None
        assert await backend.find_idempotency_key("s", "new") is None
        assert await backend.find_idempotency_key("s", "k") == key("k")
        assert notifications == [Notification("s", None)]

    async def test_takes_a_key_again_in_place_of_a_use_that_it_knows(self, backend: Backend) -> None:
        """One that was forgotten, by those who know how long it counts; of two who know of it one wins."""
        record = await apply(backend, created(keys=[key("k")]))
        again = [key("k", digest, used_at="later", former_use=T0) for digest in ("one", "two")]
        changes = [moved(record, 1, keys=[each]) for each in again]
        outcomes = await asyncio.gather(*map(backend.commit, changes), return_exceptions=True)
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["ConflictError", "NoneType"]
        winner = again[outcomes.index(None)]
        assert await backend.find_idempotency_key("s", "k") == key("k", winner.digest, used_at="later")
        for former_use in ("", T0):
            with pytest.raises(ConflictError):
                await backend.commit(moved(after(changes[0]), 2, keys=[key("k", former_use=former_use)]))

    async def test_is_applied_even_if_nobody_waits_for_it(self, backend: Backend) -> None:
        """A caller that is cancelled leaves a whole commit behind, or none; never half of one."""
        record = await apply(backend, created())
        change = moved(record, 1, 2)
        task = asyncio.ensure_future(backend.commit(change))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await backend.ping()
        loaded = await backend.load("s")
        assert loaded in (record, after(change))
        assert loaded is not None
        assert await backend.replay("s", record.position) == list(change.entries)[: loaded.position.offset]


class TestReplay:
    """`replay`: every transition after a position, or `None`."""

    async def test_gives_what_came_after(self, backend: Backend) -> None:
        """From any position of this life, exactly the rest of it, byte for byte."""
        record, entries = await apply_moves(backend, 5, message=HOSTILE_TEXT)
        for n in range(6):
            assert await backend.replay("s", Position("first", n)) == entries[n:]
        assert record.position.offset == 5

    @pytest.mark.parametrize(
        "position", [Position("first", 3), Position("first", 10**15), Position("second", 1), Position("", 0)], ids=str
    )
    async def test_does_not_know_other_positions(self, backend: Backend, position: Position) -> None:
        """The future of this life, and any other life."""
        await apply_moves(backend, 2)
        assert await backend.replay("s", position) is None
        assert await backend.replay("nobody", position) is None

    async def test_keeps_the_newest_by_number(self, open_backend: OpenBackend) -> None:
        """`history` transitions stay; from before them there is no replay, not even a partial one."""
        backend = await open_backend(history=4)
        _, entries = await apply_moves(backend, 10)
        assert await backend.replay("s", Position("first", 6)) == entries[6:]
        assert await backend.replay("s", Position("first", 5)) is None
        assert await backend.replay("s", Position("first", 0)) is None

    async def test_keeps_the_newest_by_bytes(self, open_backend: OpenBackend) -> None:
        """`history_bytes` of event data stay, counted in UTF-8."""
        entry = moved(after(created()), 1, message="日" * 100).entries[0]
        backend = await open_backend(history_bytes=3 * len(entry.data))
        _, entries = await apply_moves(backend, 7, message="日" * 100)
        assert await backend.replay("s", Position("first", 4)) == entries[4:]
        assert await backend.replay("s", Position("first", 3)) is None

    async def test_keeps_nothing_where_one_is_too_large(self, open_backend: OpenBackend) -> None:
        """A single transition over the limit leaves a log that is empty, and correct."""
        backend = await open_backend(history_bytes=1000)
        record, _ = await apply_moves(backend, 2)
        record = await apply(backend, moved(record, 1, message="x" * 2000))
        assert await backend.replay("s", Position("first", 3)) == []
        assert await backend.replay("s", Position("first", 2)) is None
        change = moved(record, 2)
        await backend.commit(change)
        assert await backend.replay("s", Position("first", 3)) == list(change.entries)

    async def test_trims_within_one_change(self, open_backend: OpenBackend) -> None:
        """A batch larger than the history leaves its newest transitions."""
        backend = await open_backend(history=3)
        record = await apply(backend, created())
        change = moved(record, 1, 2, 3, 1, 2)
        await backend.commit(change)
        assert await backend.replay("s", Position("first", 2)) == list(change.entries[2:])
        assert await backend.replay("s", Position("first", 1)) is None

    async def test_is_trimmed_for_each_session_by_itself(self, open_backend: OpenBackend) -> None:
        """A busy session does not push out another one's history."""
        backend = await open_backend(history=3)
        quiet = moved(await apply(backend, created("quiet")), 1)
        await backend.commit(quiet)
        await apply_moves(backend, 10)
        assert await backend.replay("quiet", Position("first", 0)) == list(quiet.entries)


class TestRecall:
    """`recall`: of the newest `history` keys of a session id."""

    async def test_returns_what_was_remembered(self, backend: Backend) -> None:
        """Whether the key came with a transition or alone."""
        record = await apply(backend, created(keys=[key("a")]), moved(after(created()), 1, keys=[key("b", "other")]))
        await backend.commit(moved(record, keys=[key("c")]))
        assert await backend.load("s") == record
        assert await backend.find_idempotency_key("s", "a") == key("a")
        assert await backend.find_idempotency_key("s", "b") == key("b", "other")
        assert await backend.find_idempotency_key("s", "c") == key("c")

    async def test_is_none_for_what_was_not(self, backend: Backend) -> None:
        """Another session's key is no key of this one; keys are compared to the letter."""
        await apply(backend, created(keys=[key("Key *")]), created("other"))
        assert await backend.find_idempotency_key("other", "Key *") is None
        assert await backend.find_idempotency_key("nobody", "Key *") is None
        for name in ("key *", "Key", "Key %", "Key * "):
            assert await backend.find_idempotency_key("s", name) is None

    async def test_keeps_the_newest(self, open_backend: OpenBackend) -> None:
        """A key used again is a new one, and stays in the place of an older one."""
        backend = await open_backend(history=3)
        record = await apply(backend, created(keys=[key("a"), key("b"), key("c")]))
        await backend.commit(moved(record, keys=[key("a", "again", former_use=T0)]))
        await backend.commit(moved(record, keys=[key("d")]))
        assert [await backend.find_idempotency_key("s", name) for name in "abcd"] == [
            key("a", "again"),
            None,
            key("c"),
            key("d"),
        ]
        await backend.commit(moved(record, keys=[key(name) for name in "efgh"]))
        assert [await backend.find_idempotency_key("s", name) for name in "acdefgh"] == [None] * 4 + [
            key(name) for name in "fgh"
        ]

    async def test_keeps_the_newest_of_all_lives(self, open_backend: OpenBackend) -> None:
        """Lives come and go, the keys of their id are one row."""
        backend = await open_backend(history=3)
        for number in range(5):
            record = await apply(backend, created(epoch=f"e{number}", keys=[key(f"k{number}")]))
            await backend.commit(removed(record))
        kept = [await backend.find_idempotency_key("s", f"k{number}") for number in range(5)]
        assert kept == [None, None, key("k2"), key("k3"), key("k4")]

    async def test_keeps_so_many_of_sessions_that_are_gone(self, open_backend: OpenBackend) -> None:
        """Each until so many are left by others that are removed later; one that is there again keeps its own."""
        backend = await open_backend(orphaned_keys=4)

        async def kept() -> str:
            both = [
                (await backend.find_idempotency_key(name, "1"), await backend.find_idempotency_key(name, "2"))
                for name in "abcd"
            ]
            assert set(both) <= {(None, None), (key("1"), key("2"))}
            return "".join(name for name, (one, _) in zip("abcd", both, strict=True) if one)

        records = [await apply(backend, created(name, keys=[key("1"), key("2")])) for name in "abcd"]
        for record in records[:3]:
            await backend.commit(removed(record))
        assert await kept() == "bcd"
        again = await apply(backend, created("b"))
        await backend.commit(removed(records[3]))
        assert await kept() in ("bcd", "bd")  # The place that one who came back has left may stay empty for a while.
        await backend.commit(removed(again))
        assert await kept() == "bd"
        for name, count, of_e in (("e", 9, key("0")), ("f", 3, key("0")), ("g", 1, None)):
            record = await apply(backend, created(name, keys=[key(str(number)) for number in range(count)]))
            await backend.commit(removed(record))
            assert await kept() == ""
            assert await backend.find_idempotency_key("e", "0") == of_e
        assert [await backend.find_idempotency_key(name, "0") for name in "fg"] == [key("0")] * 2


class TestForgetKeys:
    """`forget_keys`: those whose time is up go."""

    async def test_lets_go_of_ids_whose_last_key_is_old(self, backend: Backend) -> None:
        """Be their session there or not; who used one since keeps all. Redis does so by itself, by its own clock."""
        old, new = key("k"), key("new", used_at=T0.replace("2026", "2027"))
        for name in ("there", "gone", "used"):
            await apply(backend, created(name, keys=[old]))
        await backend.commit(removed(after(created("gone"))))
        await backend.commit(moved(after(created("used")), 1, keys=[new]))
        await backend.forget_keys(T0)
        assert [await backend.find_idempotency_key(name, "k") for name in ("there", "gone", "used")] == [old] * 3
        await backend.forget_keys(T0.replace(":05.", ":06."))
        kept = [await backend.find_idempotency_key(name, "k") for name in ("there", "gone", "used")]
        assert kept == ([old] * 3 if isinstance(backend, RedisBackend) else [None, None, old])
        assert await backend.find_idempotency_key("used", "new") == new
        await apply(backend, created("gone"), created("others", keys=[old]))
        assert await backend.load("there") is not None

    async def test_passes_over_ids_of_which_none_was_kept(self, open_backend: OpenBackend) -> None:
        """A store that keeps no history remembers no keys either."""
        backend = await open_backend(history=0)
        record = await apply(backend, created(keys=[key("k")]))
        await backend.forget_keys(T0.replace("2026", "2027"))
        assert await backend.find_idempotency_key("s", "k") is None
        await backend.commit(removed(record))
        await backend.forget_keys(T0.replace("2026", "2027"))


class TestListen:
    """`listen`: each change, in order, once it is committed and before its worker is answered."""

    async def test_tells_of_each_change_in_order(self, backend: Backend) -> None:
        """Creation, transitions, keys, replacement and removal, as they were committed."""
        notifications: list[Notification] = []
        await backend.listen("s", notifications.append)
        first = created()
        batch = moved(after(first), 1, 2)
        fresh = created(epoch="second", expected=after(batch).position)
        gone = removed(after(fresh))
        for change in (first, batch, fresh, gone):
            await backend.commit(change)
        assert notifications == [
            Notification("s", after(first), is_fresh=True),
            Notification("s", after(batch), entries=batch.entries),
            Notification("s", after(fresh), is_fresh=True),
            Notification("s", None),
        ]

    async def test_tells_before_the_worker_is_answered(self, backend: Backend) -> None:
        """Whoever is answered can rely on it that the readers are under way."""
        events: list[str] = []
        await backend.listen("s", lambda _notice: events.append("told"))
        for change in (created(), moved(after(created()), 1)):
            await backend.commit(change)
            events.append("answered")
        assert events == ["told", "answered"] * 2

    async def test_keeps_order_among_concurrent_commits(self, backend: Backend) -> None:
        """A listener of one session hears contiguous positions, however many others commit at the same time."""
        notifications: list[Notification] = []
        await backend.listen("s", notifications.append)

        async def work(session_id: str) -> None:
            record = await apply(backend, created(session_id))
            for step in (1, 2, 3) * 10:
                record = await apply(backend, moved(record, step))

        await asyncio.gather(*(work(session_id) for session_id in ("s", "t", "u", "v")))
        assert [notification.record.position.offset for notification in notifications if notification.record] == list(
            range(31)
        )
        assert {notification.session_id for notification in notifications} == {"s"}

    async def test_tells_everybody_and_only_those_of_the_session(self, backend: Backend) -> None:
        """Any number of listeners; ids are opaque, so `*` hears only of `*`."""
        heard: list[list[Notification]] = [[], [], [], []]
        for session_id, notifications in zip(("s", "s", "*", "S"), heard, strict=True):
            await backend.listen(session_id, notifications.append)
        await apply(backend, created("s"), created("*"))
        assert [[notification.session_id for notification in notifications] for notifications in heard] == [
            ["s"],
            ["s"],
            ["*"],
            [],
        ]

    async def test_tells_no_more_after_unlisten(self, backend: Backend) -> None:
        """At once; those who stay are still told, also if one goes while being told."""
        first: list[Notification] = []
        second: list[Notification] = []

        def leave(notification: Notification) -> None:
            first.append(notification)
            backend.unlisten("s", leave)

        await backend.listen("s", leave)
        await backend.listen("s", second.append)
        record = await apply(backend, created())
        record = await apply(backend, moved(record, 1))
        assert (len(first), len(second)) == (1, 2)
        backend.unlisten("s", second.append)
        await backend.commit(moved(record, 2))
        assert (len(first), len(second)) == (1, 2)

    async def test_lets_go_twice_without_complaint(self, backend: Backend) -> None:
        """Cleaning up is done in `finally`, where nobody knows how far things got."""
        backend.unlisten("s", print)
        await backend.listen("s", print)
        backend.unlisten("s", print)
        backend.unlisten("s", print)


class TestCountByStatus:
    """`count_by_status`: how many sessions there are."""

    async def test_counts_each_session_once(self, backend: Backend) -> None:
        """By the status that it has now; more of them than are looked at in one go."""
        assert dict(await backend.count_by_status()) == {}
        records = [await apply(backend, created(f"s-{number}")) for number in range(250)]
        await backend.commit(moved(records[0], 1, status="error"))
        await backend.commit(moved(records[1], 1))
        await backend.commit(removed(records[2]))
        assert dict(await backend.count_by_status()) == {"pending": 247, "error": 1, "running": 1}


class TestListHeads:
    """`list_summaries`: pages of sessions, newest first."""

    async def test_is_empty_at_first(self, backend: Backend) -> None:
        """No session, no head."""
        assert await backend.list_summaries(None, 10, None) == []

    async def test_shows_a_session_as_it_is(self, backend: Backend) -> None:
        """Its head follows each transition."""
        record = await apply(backend, created("日本語"))
        change = moved(record, 2, status="error")
        await backend.commit(change)
        (head,) = await backend.list_summaries(None, 10, None)
        assert (head.session_id, head.status, head.created_at, head.updated_at) == ("日本語", "error", T0, T0)
        assert (
            head.listed
            == (
                '{"session_id":"日本語","current_step":2,"total_steps":3,"status":"error","percentage":0,'
                f'"estimated_remaining_ms":30000,"created_at":"{T0}","updated_at":"{T0}"}}'
            ).encode()
        )

    @pytest.mark.parametrize("limit", [1, 2, 3, 100])
    async def test_pages_from_newest_to_oldest(self, backend: Backend, limit: int) -> None:
        """Of equal times the greater id first, by code points; pages have neither gap nor repeat."""
        early, late = T0, T0.replace("2026", "2027")
        made = [(early, "b"), (late, "a"), (early, "😀"), (early, "\uff5a"), (late, "c"), (early, "B")]
        for created_at, session_id in made:
            await backend.commit(created(session_id, created_at=created_at))
        order = ["c", "a", "😀", "\uff5a", "b", "B"]
        assert [head.session_id for head in await pages(backend, None, limit)] == order

    async def test_goes_on_behind_a_session_that_is_gone(self, backend: Backend) -> None:
        """A cursor names a place, not a session that must still be there."""
        for session_id in "abcd":
            await backend.commit(created(session_id))
        await backend.commit(removed(after(created("c"))))
        heads = await backend.list_summaries(None, 10, PageCursor(T0, "c"))
        assert [head.session_id for head in heads] == ["b", "a"]

    async def test_shows_one_status_only(self, backend: Backend) -> None:
        """The limit counts what is shown."""
        statuses: list[SessionStatus] = ["pending", "running", "completed", "error"]
        for number in range(12):
            record = await apply(backend, created(f"s{number:02}"))
            await backend.commit(moved(record, 1, status=statuses[number % 4]))
        for number, status in enumerate(statuses):
            heads = await pages(backend, status, 2)
            assert [head.session_id for head in heads] == [f"s{number + n:02}" for n in (8, 4, 0)]


async def pages(backend: Backend, status: SessionStatus | None, limit: int) -> Sequence[SessionSummary]:
    """Read the list to its end, page by page."""
    heads: list[SessionSummary] = []
    cursor = None
    while page := await backend.list_summaries(status, limit, cursor):
        assert len(page) <= limit
        heads += page
        cursor = PageCursor(page[-1].created_at, page[-1].session_id)
        assert len(heads) < 1000
    return heads


class TestExpire:
    """`expire`: removes what is old and doomed."""

    async def test_removes_what_is_old_and_doomed(self, backend: Backend) -> None:
        """The time stamp comes first, strictly; then each candidate's head is asked about."""
        times = {"old": T0, "spared": T0, "limit": T0.replace("03:", "04:"), "new": T0.replace("2026", "2027")}
        for session_id, created_at in times.items():
            await backend.commit(created(session_id, created_at=created_at, keys=[key("k")]))
        notifications: list[Notification] = []
        for session_id in times:
            await backend.listen(session_id, notifications.append)
        asked: list[SessionSummary] = []

        def should_remove(head: SessionSummary) -> bool:
            asked.append(head)
            return head.session_id == "old"

        assert await backend.expire(times["limit"], should_remove) == 1
        assert sorted(head.session_id for head in asked) == ["old", "spared"]
        assert {head.created_at for head in asked} == {T0}
        assert notifications == [Notification("old", None)]
        assert await backend.load("old") is None
        assert await backend.find_idempotency_key("old", "k") == key("k")
        assert [await backend.load(session_id) is None for session_id in times] == [True, False, False, False]
        assert await backend.expire(times["limit"], should_remove) == 0

    async def test_removes_any_number(self, backend: Backend) -> None:
        """More than would fit into one transaction, with every third one spared."""
        await asyncio.gather(*(backend.commit(created(f"s{number:03}")) for number in range(250)))
        assert await backend.expire("3", lambda head: int(head.session_id[1:]) % 3 != 0) == 166
        left = await backend.list_summaries(None, 1000, None)
        assert sorted(head.session_id for head in left) == [f"s{number:03}" for number in range(0, 250, 3)]

    async def test_does_not_undo_a_change_that_comes_in_between(self, backend: Backend) -> None:
        """Whoever is first wins: either the session is gone and the change failed, or it is there with the change."""
        record = await apply(backend, created())
        change = moved(record, 1)
        updates: list[asyncio.Task[None]] = []

        def should_remove(_head: SessionSummary) -> bool:
            updates.append(asyncio.create_task(backend.commit(change)))
            return True

        removed_count = await backend.expire("3", should_remove)
        (outcome,) = await asyncio.gather(*updates, return_exceptions=True)
        assert (removed_count, type(outcome), await backend.load("s")) in [
            (1, ConflictError, None),
            (0, type(None), after(change)),
        ]


class TestLimit:
    """`max_sessions`: one more is refused."""

    async def test_refuses_one_session_too_many(self, open_backend: OpenBackend) -> None:
        """What is there can still change, be replaced and go; then there is room again."""
        backend = await open_backend(max_sessions=2)
        first = await apply(backend, created("a"))
        second = await apply(backend, created("b"))
        with pytest.raises(StoreFullError):
            await backend.commit(created("c"))
        assert await backend.load("c") is None
        first = await apply(backend, moved(first, 1))
        await apply(backend, created("b", epoch="second", expected=second.position))
        with pytest.raises(StoreFullError):
            await backend.commit(created("c"))
        await backend.commit(removed(first))
        await apply(backend, created("c"))
        with pytest.raises(StoreFullError):
            await backend.commit(created("a"))
        assert await backend.expire("3", lambda _head: True) == 2
        await apply(backend, created("a"))

    async def test_holds_among_concurrent_creations(self, open_backend: OpenBackend) -> None:
        """However they are grouped, as many get in as there is room for."""
        backend = await open_backend(max_sessions=5)
        changes = [created(f"s{number}") for number in range(20)]
        outcomes = await asyncio.gather(*map(backend.commit, changes), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes].count(StoreFullError) == 15
        assert len(await backend.list_summaries(None, 100, None)) == 5


class TestReopening:
    """`open` after `aclose`: as at first, with what the backend keeps."""

    async def test_goes_on_with_what_was_committed(self, backend: Backend) -> None:
        """Time and again, each time in any event loop, as where a host is tested; memory begins with nothing."""
        await backend.aclose()
        kept: dict[str, Record] = {}
        for _ in range(2):
            await use_once(backend, kept)
            await asyncio.to_thread(asyncio.run, use_once(backend, kept))

    async def test_is_possible_after_one_that_was_given_up(self, backend: Backend) -> None:
        """A host that does not wait for it any longer is no reason to keep the place from the next one."""
        await backend.aclose()
        opening = asyncio.create_task(backend.open())
        await asyncio.sleep(0)
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)
        if not opening.cancelled():  # Memory is open at once.
            await backend.aclose()
        await use_once(backend, {})

    async def test_tells_only_those_who_listen_anew(self, backend: Backend) -> None:
        """Who listened before is let go of; to take `listen` back is no error then either."""
        before: list[Notification] = []
        await backend.listen("s", before.append)
        await backend.aclose()
        backend.unlisten("s", print)
        await backend.open()
        notifications: list[Notification] = []
        await backend.listen("s", notifications.append)
        await backend.commit(created())
        backend.unlisten("s", before.append)
        assert (len(before), len(notifications)) == (0, 1)


async def use_once(backend: Backend, kept: dict[str, Record]) -> None:
    """Open the backend, find the sessions as they were left, change each and hear of that, and close it."""
    await backend.open()
    await backend.ping()
    for session_id in map(str, range(20)):  # At all nodes of a cluster.
        record = kept.get(session_id)
        assert await backend.load(session_id) == record
        assert await backend.find_idempotency_key(session_id, "k") == (key("k") if record else None)
        change = moved(record, 1) if record else created(session_id, keys=[key("k")])
        notifications: list[Notification] = []
        await backend.listen(session_id, notifications.append)
        await backend.commit(change)
        assert notifications == [Notification(session_id, change.record, change.is_fresh, change.entries)]
        kept[session_id] = after(change)
        assert await backend.replay(session_id, after(change).position._replace(offset=0)) is not None
    assert {head.session_id for head in await backend.list_summaries(None, 100, None)} == set(kept)
    await backend.aclose()
    if isinstance(backend, MemoryBackend):
        kept.clear()


async def test_ids_are_opaque(backend: Backend) -> None:
    """Ids that normal forms, case, conversions, globs or SQL might confuse are different sessions."""
    assert len(set(TRICKY_IDS)) == len(TRICKY_IDS)
    records = {}
    for number, session_id in enumerate(TRICKY_IDS):
        record = await apply(backend, created(session_id, f"e{number}", keys=[key(session_id)]))
        records[session_id] = await apply(backend, moved(record, 1, message=session_id))
    assert {head.session_id for head in await backend.list_summaries(None, 1000, None)} == set(TRICKY_IDS)
    for session_id in TRICKY_IDS:
        for each, record in records.items():
            assert await backend.load(each) == record
        position = records.pop(session_id).position
        assert await backend.replay(session_id, position) == []
        assert await backend.find_idempotency_key(session_id, session_id) == key(session_id)
        await backend.commit(Change(session_id, position, None))
        assert await backend.load(session_id) is None


async def test_ping_returns_where_commits_work(backend: Backend) -> None:
    """On an empty backend as well as on one in use."""
    await backend.ping()
    await apply(backend, created())
    await backend.ping()
