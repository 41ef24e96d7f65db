"""The promises of `Backend.load`, for every backend."""

import asyncio

from progress_sse.core.model import Position, StepAdvance, StepDefinition, StepProgress
from progress_sse.store.backend import FullBackend
from progress_sse.store.types import Change, LogEntry, Record
from progress_sse.wire import session_json
from tests.store.changes import HOSTILE_TEXT, T0, after, apply, created, key, moved
from tests.store.observed import ids

TRICKY_IDS = [
    "\u00e9", "e\u0301", "\u212b", "\u00c5",  # two pairs that normalisation would make equal
    "a", "A", "\u0130", "i\u0307", "ß", "ss", "\uff5a", "z",  # … that case folding would
    "a ", " a", "01", "1", "1.0", "NULL", "true",  # … that conversions would
    "*", "[a-z]*", "?", "%", "_", "\\", "{tag}", "{tag}:x", "a:b", "a.b", "..a",
    "'", '"', "'; DROP TABLE sessions; --", "?1", ":id", "$1", "日本語", "😀", "x" * 128, "😀" * 128,
]  # fmt: skip


class TestLoad:
    """`load`: the session as last committed, or `None`."""

    async def test_load_returns_none_for_an_unknown_session(self, backend: FullBackend) -> None:
        """It was never committed."""
        assert await backend.load("unknown") is None

    async def test_load_returns_exactly_what_was_committed(self, backend: FullBackend) -> None:
        """Every field comes back, in every form that it can have."""
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

    async def test_load_never_goes_back_during_commits(self, backend: FullBackend) -> None:
        """A read that was under way during a commit leaves no outdated record behind."""
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


async def test_ids_are_opaque(backend: FullBackend) -> None:
    """Ids that normal forms, case folding, conversions, globs or SQL might confuse are different sessions."""
    assert len(set(TRICKY_IDS)) == len(TRICKY_IDS)
    records = {}
    for number, session_id in enumerate(TRICKY_IDS):
        record = await apply(backend, created(session_id, f"e{number}", keys=[key(session_id)]))
        records[session_id] = await apply(backend, moved(record, 1, message=session_id))
    assert set(await ids(backend)) == set(TRICKY_IDS)
    for session_id in TRICKY_IDS:
        for each, record in records.items():
            assert await backend.load(each) == record
        position = records.pop(session_id).position
        assert await backend.replay(session_id, position) == []
        assert await backend.find_idempotency_key(session_id, session_id) == key(session_id)
        await backend.commit(Change(session_id, position, None))
        assert await backend.load(session_id) is None
