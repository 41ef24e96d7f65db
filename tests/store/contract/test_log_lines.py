"""The log lines of a session: numbered, trimmed, told to listeners and dropped alike on every backend."""

import asyncio

import pytest

from progress_sse.core.errors import ConflictError
from progress_sse.core.model import Position
from progress_sse.store.backend import FullBackend
from progress_sse.store.listeners import ALL_CHANGES, changes_of, lines_of
from progress_sse.store.log_lines import MAX_LINE_KEYS, StoredLines, find_digest, with_keys
from progress_sse.store.types import Change, LineKey, Record, fingerprint
from tests.store.changes import HOSTILE_TEXT, after, apply, created, moved, refuse, removed
from tests.store.conftest import OpenBackend
from tests.store.observed import state

AT_START = Position("first", 0)


def line_key(name: str, digest: str = "") -> LineKey:
    return LineKey(fingerprint(name), fingerprint(digest))


def written(*texts: str, expected: Position = AT_START, key: LineKey | None = None) -> Change:
    """The texts as lines of the session `s`, by one request. Of its record no more counts than the position."""
    lines = tuple(text.encode() for text in texts)
    record = Record(after(created()).session, expected)
    return Change("s", expected, record, lines=lines, line_keys=() if key is None else (key,))


async def append(backend: FullBackend, *texts: str, expected: Position = AT_START, key: LineKey | None = None) -> None:
    """Append the texts as lines to the session `s`, as one request."""
    await backend.commit(written(*texts, expected=expected, key=key))


async def stored(backend: FullBackend, after: int = 0) -> StoredLines:
    lines = await backend.lines.read_lines("s", after)
    assert lines is not None
    return lines


async def texts(backend: FullBackend, after: int = 0) -> dict[int, str]:
    """The kept lines by their numbers."""
    return {line.n: line.data.decode() for line in (await stored(backend, after)).lines}


class TestAppend:
    """`Change.lines` and `read_lines`."""

    async def test_lines_are_numbered_from_one(self, backend: FullBackend) -> None:
        """Whatever they contain, over several appends, from any number on, or the newest."""
        await apply(backend, created())
        assert await stored(backend) == StoredLines("first", 1, 0, [])
        await append(backend, "a", HOSTILE_TEXT)
        await append(backend, "c")
        assert await texts(backend) == {1: "a", 2: HOSTILE_TEXT, 3: "c"}
        assert await texts(backend, 2) == {3: "c"}
        assert await texts(backend, 9) == {}
        assert await texts(backend, -2) == {2: HOSTILE_TEXT, 3: "c"}
        assert await texts(backend, -9) == await texts(backend)
        assert (await stored(backend))[:3] == ("first", 1, 3)

    async def test_a_session_that_moved_refuses_them(self, backend: FullBackend) -> None:
        """So does one of another epoch, and one that does not exist."""
        for position in (AT_START, Position("", 0)):
            with pytest.raises(ConflictError):
                await append(backend, "a", expected=position)
        assert await backend.lines.read_lines("s", 0) is None
        record = await apply(backend, created(), moved(after(created()), 1))
        for position in (AT_START, Position("first", 2), Position("other", 1)):
            with pytest.raises(ConflictError):
                await append(backend, "a", expected=position)
        await append(backend, "b", expected=record.position)
        assert await texts(backend) == {1: "b"}

    async def test_they_change_no_session(self, backend: FullBackend) -> None:
        """Neither its record nor its history nor its place in lists; no listener to changes is notified."""
        record = await apply(backend, created())
        notifications: list[object] = []
        await backend.subscribe(changes_of("s"), notifications.append)
        await backend.subscribe(ALL_CHANGES, notifications.append)
        listed = await backend.lists.load_summaries(["s"])
        progress = record.session.progress._replace(status="running", updated_at="9")
        change = written("a", key=line_key("k"))
        await backend.commit(change._replace(record=Record(record.session._replace(progress=progress), AT_START)))
        assert await backend.lists.load_summaries(["s"]) == listed
        assert await backend.load("s") == record
        assert await backend.replay("s", AT_START) == []
        assert notifications == []

    async def test_transitions_leave_them_alone(self, backend: FullBackend) -> None:
        """Also one that resets the log of transitions."""
        record = await apply(backend, created())
        await append(backend, "a")
        change = moved(record, 1)
        await backend.commit(change._replace(resets_log=True, entries=(), steps=frozenset({1})))
        await append(backend, "b", expected=after(change).position)
        assert await texts(backend) == {1: "a", 2: "b"}

    async def test_a_durable_backend_keeps_them(self, backend: FullBackend) -> None:
        """With their numbers, and the keys of their requests."""
        record = await apply(backend, created())
        await append(backend, "a", "b", key=line_key("k"))
        await backend.aclose()
        await backend.open()
        if await backend.load("s") != record:  # Memory is lost with its process.
            return
        assert await texts(backend) == {1: "a", 2: "b"}
        with pytest.raises(ConflictError):
            await append(backend, "a", "b", key=line_key("k"))
        await append(backend, "c")
        assert await texts(backend) == {1: "a", 2: "b", 3: "c"}

    async def test_concurrent_appends_lose_none(self, backend: FullBackend) -> None:
        """Each keeps the order of its lines, and no number is used twice."""
        await apply(backend, created())
        await asyncio.gather(*(append(backend, f"{n} a", f"{n} b") for n in range(20)))
        kept = list((await texts(backend)).values())
        assert len(kept) == 40
        assert [each[:-2] for each in kept[::2]] == [each[:-2] for each in kept[1::2]]
        assert {each[-1] for each in kept[::2]} == {"a"}


@pytest.mark.protocol("P-24.5")
class TestLimits:
    """The ring keeps exactly the newest lines that fit."""

    async def test_so_many_lines(self, open_backend: OpenBackend) -> None:
        """One by one, and several at once; numbers go on."""
        backend = await open_backend(log_lines=5)
        await apply(backend, created())
        for n in range(1, 8):
            await append(backend, str(n))
        assert await texts(backend) == {n: str(n) for n in range(3, 8)}
        await append(backend, *map(str, range(8, 100)))
        assert await texts(backend) == {n: str(n) for n in range(95, 100)}
        assert (await stored(backend))[:3] == ("first", 95, 99)

    async def test_so_many_bytes(self, open_backend: OpenBackend) -> None:
        """Of UTF-8; a line that exceeds them alone empties the log, and the next one is kept."""
        backend = await open_backend(log_bytes=30)
        await apply(backend, created())
        for _ in range(7):
            await append(backend, "日" * 3)
        assert list(await texts(backend)) == [5, 6, 7]
        await append(backend, "a" * 12)
        assert list(await texts(backend)) == [6, 7, 8]
        await append(backend, "b" * 31)
        assert (await stored(backend))[:] == ("first", 10, 9, [])
        await append(backend, "c")
        assert await texts(backend) == {10: "c"}

    async def test_no_lines_at_all(self, open_backend: OpenBackend) -> None:
        """They are counted, and none is kept."""
        backend = await open_backend(log_lines=0)
        await apply(backend, created())
        await append(backend, "a", "b")
        await append(backend, "c")
        assert await stored(backend) == StoredLines("first", 4, 3, [])


class TestKeys:
    """A request that is sent again under its key brings nothing more."""

    async def test_a_known_key_brings_nothing(self, backend: FullBackend) -> None:
        """Nor a transition; the digest of the first request is known."""
        record = await apply(backend, created())
        assert await backend.lines.find_line_key("s", fingerprint("k")) is None
        change = moved(record, 1)
        record = await apply(backend, change._replace(lines=(b"a",), line_keys=(line_key("k"), line_key("l", "m"))))
        for again in (moved(record, 2), Change("s", record.position, record)):
            await refuse(
                backend, again._replace(lines=(b"b",), line_keys=(line_key("n"), line_key("l"))), ConflictError
            )
        assert await backend.load("s") == record
        assert await texts(backend) == {1: "a"}
        found = [await backend.lines.find_line_key("s", fingerprint(name)) for name in "kln"]
        assert found == [fingerprint(""), fingerprint("m"), None]

    async def test_the_newest_keys_are_remembered(self, backend: FullBackend) -> None:
        """As many as the protocol promises."""
        await apply(backend, created())
        for n in range(MAX_LINE_KEYS + 1):
            await append(backend, str(n), key=line_key(str(n)))
        with pytest.raises(ConflictError):
            await append(backend, "1", key=line_key("1"))
        await append(backend, "0", key=line_key("0"))

    def test_a_key_is_found_in_its_place_alone(self) -> None:
        """And not across two keys, nor as a digest."""
        keys = with_keys("", [line_key("a"), line_key("b")])
        assert find_digest(keys, fingerprint("b")) == fingerprint("")
        assert find_digest(keys, fingerprint("")) is None
        assert find_digest(keys, keys[16:48]) is None


@pytest.mark.protocol("P-24.5", "P-24.6")
class TestLife:
    """Lines live as long as their session."""

    async def test_a_replaced_session_leaves_none(self, backend: FullBackend) -> None:
        """Its successor begins with the first number; keys of its lines are forgotten."""
        record = await apply(backend, created())
        await append(backend, "a", "b", key=line_key("k"))
        await backend.commit(created(epoch="second", expected=record.position))
        assert await stored(backend) == StoredLines("second", 1, 0, [])
        assert await backend.lines.find_line_key("s", fingerprint("k")) is None
        await append(backend, "c", expected=Position("second", 0), key=line_key("k"))
        assert await texts(backend) == {1: "c"}
        third = created(epoch="third", expected=Position("second", 0))
        await backend.commit(third._replace(lines=(b"d",), line_keys=(line_key("k"),)))
        assert await texts(backend) == {1: "d"}

    @pytest.mark.parametrize("ends", ["removed", "expired"])
    async def test_a_removed_session_leaves_none(self, backend: FullBackend, ends: str) -> None:
        """Nor one that the clean-up removed."""
        record = await apply(backend, created())
        await append(backend, "a", key=line_key("k"))
        if ends == "removed":
            await backend.commit(removed(record))
        else:
            assert await backend.expire("9", lambda _summary: True) == 1
        assert await backend.lines.read_lines("s", 0) is None
        await apply(backend, created(epoch="second"))
        assert await stored(backend) == StoredLines("second", 1, 0, [])


class TestListeners:
    """`lines_of`."""

    @pytest.fixture
    async def told(self, backend: FullBackend) -> list[StoredLines | None]:
        """What a listener to the lines of `s` was told."""
        told: list[StoredLines | None] = []
        await apply(backend, created())
        await backend.subscribe(lines_of("s"), told.append)
        return told

    @staticmethod
    def lines_of(told: list[StoredLines | None]) -> dict[int, str]:
        """The lines that a listener was told; it may be told some again."""
        return {line.n: line.data.decode() for each in told if each for line in each.lines}

    async def test_a_listener_is_told_before_the_worker(
        self, backend: FullBackend, told: list[StoredLines | None]
    ) -> None:
        """All lines, with their numbers."""
        await append(backend, "a", "b")
        assert self.lines_of(told) == {1: "a", 2: "b"}
        assert told[0] == StoredLines("first", 1, 2, (await stored(backend)).lines)
        await append(backend, "c")
        assert self.lines_of(told) == {1: "a", 2: "b", 3: "c"}

    async def test_lines_come_among_the_transitions(self, backend: FullBackend, told: list[StoredLines | None]) -> None:
        """In the order in which they were accepted."""
        order: list[str] = []
        await backend.subscribe(changes_of("s"), lambda _notification: order.append("transition"))
        await backend.subscribe(lines_of("s"), lambda _notification: order.append("lines"))
        record = await state(backend)
        await append(backend, "a")
        first = moved(record, 1)._replace(lines=(b"b",))
        await backend.commit(first)
        await backend.commit(moved(after(first), 1))
        assert [each for n, each in enumerate(order) if n == 0 or each != order[n - 1]] == ["lines", "transition"] * 2
        assert self.lines_of(told) == {1: "a", 2: "b"}

    async def test_lines_that_were_not_appended_are_not_told(
        self, backend: FullBackend, told: list[StoredLines | None]
    ) -> None:
        """Of a refused append, and of a request that came before."""
        await append(backend, "a", key=line_key("k"))
        with pytest.raises(ConflictError):
            await append(backend, "b", expected=Position("first", 1))
        with pytest.raises(ConflictError):
            await append(backend, "a", key=line_key("k"))
        await append(backend, "c")
        assert self.lines_of(told) == {1: "a", 2: "c"}
