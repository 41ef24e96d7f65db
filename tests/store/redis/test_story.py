"""What sessions say besides their steps reaches the listeners and the decisions of every other process."""

import asyncio

import pytest

from progress_sse.core.commands import Create
from progress_sse.core.errors import AttemptSupersededError
from progress_sse.core.model import Position, StepDefinition
from progress_sse.core.updates import Complete, Plan, Start
from progress_sse.store.progress_store import ProgressStore
from progress_sse.store.redis.backend import RedisBackend
from progress_sse.store.redis.codec import ReadResult
from progress_sse.store.redis.messages import MAX_BYTES, apply_message, decode_message, encode_message
from progress_sse.store.types import Change
from tests.clock import ManualClock
from tests.core.samples import sent
from tests.harness.redis import RedisServer
from tests.store.contract.test_story import COMMANDS, CREATE, SNAPSHOTS
from tests.store.redis.conftest import Open
from tests.store.redis.follower import Follower


async def test_each_change_arrives_as_it_was_committed(here: RedisBackend, there: RedisBackend) -> None:
    """With the details and the definitions, also those that readers do not see."""
    store = ProgressStore(here, clock=ManualClock())
    follower = await Follower.of(there)
    for name, command in {"the creation": CREATE, **COMMANDS}.items():
        record = (await store.apply("s", command)).record
        await follower.until_at(record)
        is_told_whole = name in SNAPSHOTS or name == "the creation"
        assert len(follower.notifications[-1].entries) == (0 if is_told_whole else 1), name
        assert follower.notifications[-1].is_told_whole is (name in SNAPSHOTS), name


async def test_another_process_refuses_a_superseded_attempt(server: RedisServer, connect: Open) -> None:
    """Whether it follows the session, has cached it, or never saw it."""
    here, following, caching, new = [await connect(server) for _ in range(4)]
    store = ProgressStore(here, clock=ManualClock())
    await Follower.of(following)
    await store.apply("s", CREATE)
    await caching.load("s")
    for command in COMMANDS.values():
        await store.apply("s", command)
    for other in (following, caching, new):
        with pytest.raises(AttemptSupersededError):
            await ProgressStore(other, clock=ManualClock()).apply("s", sent(Complete(1), attempt_id="A"))
    assert await new.load("s") == await here.load("s")


async def test_a_large_message_contains_the_position_alone(backend: RedisBackend) -> None:
    """And whether only a snapshot tells it; the others read the session."""
    changes: list[Change] = []
    store = ProgressStore(backend, clock=ManualClock(), on_commit=changes.append)
    await store.apply("s", CREATE)
    for _ in range(10):
        await store.apply("s", Plan((StepDefinition("x" * 8000),)))
        payload = encode_message(changes[-1])
        assert len(payload) < MAX_BYTES
        assert decode_message(b"2 1\n" + payload).is_told_whole


async def test_a_reader_elsewhere_sees_the_session_as_it_was_created(here: RedisBackend, there: RedisBackend) -> None:
    """With its title, though its first steps came before that server had read it."""
    store = ProgressStore(here, clock=ManualClock())
    follower = await Follower.of(there)
    read = there._followed._read  # noqa: SLF001  # held up
    may_read = asyncio.Event()

    async def late(session_id: str, after: Position) -> ReadResult:
        await may_read.wait()
        return await read(session_id, after)

    there._followed._read = late  # noqa: SLF001
    await store.apply("s", Create((StepDefinition("Load"),), title="Nightly"))
    record = (await store.apply("s", Start(1))).record
    may_read.set()
    await follower.until_at(record)
    assert not follower.notifications[-1].is_fresh


async def test_a_message_takes_a_record_on(backend: RedisBackend) -> None:
    """A snapshot does not: its session has to be read."""
    changes: list[Change] = []
    store = ProgressStore(backend, clock=ManualClock(), on_commit=changes.append)
    before = (await store.apply("s", CREATE)).record
    for name, command in COMMANDS.items():
        assert before is not None
        after = (await store.apply("s", command)).record
        payload = encode_message(changes[-1])
        assert len(payload) <= MAX_BYTES
        expected = None if name in SNAPSHOTS else after
        assert apply_message(before, decode_message(b"2 1\n" + payload)) == expected, name
        before = after
