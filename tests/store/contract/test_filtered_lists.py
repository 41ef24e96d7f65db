"""The power `Lists`: how every backend finds the sessions of a list, whatever has happened to them."""

import random
from collections.abc import Mapping, Sequence
from typing import Final, Literal, get_args

import pytest

from progress_sse.core.details import Claim
from progress_sse.core.model import Liveness, SessionStatus
from progress_sse.core.session_filter import ALL_SESSIONS, ListStatus, SessionFilter, parse_statuses, state_of
from progress_sse.store.backend import FullBackend
from progress_sse.store.types import Change, PageCursor, Record
from progress_sse.wire import session_json
from tests.store.changes import T0, after, apply, created, moved, removed
from tests.store.observed import ids

STATUSES: Final[Sequence[SessionStatus]] = ("pending", "running", "completed", "error")
LISTS: Final[Sequence[Sequence[ListStatus]]] = (
    (),
    *[(status,) for status in get_args(ListStatus)],
    ("failed", "lost", "stalled"),
    ("pending", "error"),
)
ENDS: Final[Sequence[Literal["cancelled", "lost"] | None]] = (None, "cancelled", "lost")


def labelled(
    change: Change,
    labels: Mapping[str, str],
    conclusion: Literal["cancelled", "lost"] | None = None,
    *,
    is_stalled: bool = False,
) -> Change:
    """The change of a session that then has these labels, and so ended, or has steps that are all stalled."""
    record = after(change)
    progress = record.session.progress
    claims = dict.fromkeys(progress.steps, Claim("a", 1000, None)) if is_stalled else {}
    details = progress.details._replace(labels=labels, conclusion=conclusion, claims=claims)
    liveness = Liveness("stalled", T0) if is_stalled else None
    steps = {number: step._replace(liveness=liveness) for number, step in progress.steps.items()}
    session = record.session._replace(progress=progress._replace(steps=steps, details=details))
    entries = tuple(
        entry._replace(data=session_json.encode_transition(session, entry.step)) for entry in change.entries
    )
    return change._replace(
        record=Record(session, record.position), entries=entries, has_new_details=not change.is_fresh
    )


def wanted(prefix: str = "", *statuses: ListStatus, **labels: str) -> SessionFilter:
    return SessionFilter(prefix, frozenset(labels.items()), parse_statuses(statuses))


async def test_ids_are_found_by_their_beginning(backend: FullBackend) -> None:
    """By code points, and with no regard to what a pattern would mean."""
    for session_id in ("a", "a%", "a*b", "ab", "aB", "a\U0010ffff", "a\U0010ffffz", "b", "日本", "日", "[a", "a b"):
        await backend.commit(created(session_id))
    assert await ids(backend, wanted("a")) == ["a\U0010ffffz", "a\U0010ffff", "ab", "aB", "a*b", "a%", "a b", "a"]
    assert await ids(backend, wanted("a\U0010ffff")) == ["a\U0010ffffz", "a\U0010ffff"]
    assert await ids(backend, wanted("a*")) == ["a*b"]
    assert await ids(backend, wanted("日")) == ["日本", "日"]
    assert await ids(backend, wanted("nothing")) == []


async def test_sessions_are_found_by_their_labels(backend: FullBackend) -> None:
    """All must hold; a key with another value is another label."""
    for number in range(6):
        labels = {"customer": "acme" if number % 2 else "b:c", "kind": str(number % 3)}
        await backend.commit(labelled(created(f"s{number}"), labels))
    await backend.commit(created("bare"))
    assert await ids(backend, wanted(customer="acme")) == ["s5", "s3", "s1"]
    assert await ids(backend, wanted(customer="b:c", kind="0")) == ["s0"]
    assert await ids(backend, wanted(customer="b", kind="0")) == []
    assert await ids(backend, wanted("s3", customer="acme")) == ["s3"]


@pytest.mark.guarantee("P")
async def test_a_list_follows_what_becomes_of_a_session(backend: FullBackend) -> None:
    """It is labelled anew, moves on, is replaced, removed, and created again."""
    record = await apply(backend, labelled(created("s"), {"a": "1", "b": "2"}))
    record = await apply(backend, labelled(moved(record, 1), {"b": "2", "c": "3"}))
    assert await ids(backend, wanted(a="1")) == []
    assert await ids(backend, wanted("s", "running", b="2", c="3")) == ["s"]
    record = await apply(backend, moved(record, 2, status="completed"))
    assert [await ids(backend, wanted("", each)) for each in STATUSES] == [[], [], ["s"], []]
    record = await apply(backend, moved(record, 2, status="running"))
    assert [await ids(backend, wanted("", each)) for each in STATUSES] == [[], ["s"], [], []]
    later = T0.replace("2026", "2027")
    replacement = created("s", "second", expected=record.position, created_at=later)
    record = await apply(backend, labelled(replacement, {"a": "1"}))
    assert await ids(backend, wanted(b="2")) == []
    assert [await ids(backend, wanted(a="1")), await ids(backend, wanted("s"))] == [["s"], ["s"]]
    await backend.commit(removed(record))
    assert [await ids(backend, each) for each in (wanted("s"), wanted(a="1"), wanted("", "pending"))] == [[], [], []]
    await backend.commit(created("s", "third"))
    assert [await ids(backend, wanted("s")), await ids(backend, wanted(a="1"))] == [["s"], []]


async def test_a_label_that_comes_back_is_found(backend: FullBackend) -> None:
    """However often it goes and comes."""
    record = await apply(backend, labelled(created("s"), {"a": "1"}))
    for number in range(1, 4):
        record = await apply(backend, labelled(moved(record, number), {}))
        assert await ids(backend, wanted(a="1")) == []
        record = await apply(backend, labelled(moved(record, number), {"a": "1"}))
        assert await ids(backend, wanted(a="1")) == ["s"]


async def test_expired_sessions_are_in_no_list(backend: FullBackend) -> None:
    """The clean-up leaves nothing of them in any index."""
    for number in range(4):
        await backend.commit(labelled(created(f"s{number}"), {"a": "1"}))
    assert await backend.expire("3", lambda summary: summary.session_id in {"s0", "s2"}) == 2
    for each in (wanted("s"), wanted(a="1"), wanted("", "pending"), ALL_SESSIONS):
        assert await ids(backend, each) == ["s3", "s1"]


async def test_pages_of_any_list_have_neither_gap_nor_repeat(backend: FullBackend) -> None:
    """After random changes, for each kind of list, and for pages of any size."""
    sessions = await _changed_at_random(backend, random.Random(7))
    for prefix in ("", "a", "ab", "b1"):
        for labels in ({}, {"k": "0"}, {"k": "1", "l": "0"}):
            for statuses in LISTS:
                each = wanted(prefix, *statuses, **labels)
                expected = _expected(sessions, each)
                for limit in (1, 7, 1000):
                    assert await pages(backend, each, limit) == expected, (each, limit)


async def _changed_at_random(backend: FullBackend, chance: random.Random) -> dict[str, Record]:
    sessions: dict[str, Record] = {}
    names = [prefix + str(number) for prefix in ("a", "ab", "b") for number in range(8)]
    for turn in range(150):
        name = chance.choice(names)
        record = sessions.get(name)
        labels = {"k": str(chance.randrange(2)), "l": str(chance.randrange(2))}
        if record is None or chance.random() < 0.15:
            expected = None if record is None else record.position
            created_at = f"2026-01-02T03:04:{turn % 60:02}.{turn:06}+00:00"
            change = labelled(created(name, f"e{turn}", expected=expected, created_at=created_at), labels)
        elif chance.random() < 0.15:
            await backend.commit(removed(sessions.pop(name)))
            continue
        else:
            status = chance.choice(STATUSES)
            conclusion = chance.choice(ENDS)
            is_stalled = status in ("running", "error") and chance.random() < 0.5
            change = moved(record, chance.randint(1, 3), status=status)
            change = labelled(change, labels, conclusion if status == "error" else None, is_stalled=is_stalled)
        sessions[name] = await apply(backend, change)
    return sessions


def _expected(sessions: Mapping[str, Record], each: SessionFilter) -> list[str]:
    progresses = [record.session.progress for record in sessions.values()]
    matching = [
        (progress.created_at, progress.session_id)
        for progress in progresses
        if each.matches(progress.session_id, state_of(progress), progress.details.labels)
    ]
    return [session_id for _, session_id in sorted(matching, reverse=True)]


async def pages(backend: FullBackend, each: SessionFilter, limit: int) -> list[str]:
    """The ids of a list to its end, page by page."""
    found: list[str] = []
    cursor = None
    while page := await backend.lists.list_summaries(each, limit, cursor):
        assert len(page) <= limit
        found += [summary.session_id for summary in page]
        cursor = PageCursor(page[-1].created_at, page[-1].session_id)
        assert len(found) < 1000
    return found


async def test_summaries_are_loaded_by_id(backend: FullBackend) -> None:
    """Those of sessions that there are, as lists have them."""
    for session_id in ("a", "日本", "c"):
        await backend.commit(created(session_id))
    listed = {summary.session_id: summary for summary in await backend.lists.list_summaries(ALL_SESSIONS, 10, None)}
    assert await backend.lists.load_summaries(["日本", "nothing", "a"]) == {
        each: listed[each] for each in ("日本", "a")
    }
    assert await backend.lists.load_summaries([]) == {}
