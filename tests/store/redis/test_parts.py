"""The parts of a step reach every other process, though a message has those alone that changed."""

import asyncio
from itertools import islice

from progress_sse.core.errors import TooManyPartsError
from progress_sse.core.parts import PartCounts
from progress_sse.core.updates import ReportPart
from progress_sse.store.progress_store import ProgressStore
from progress_sse.store.redis.backend import RedisBackend
from progress_sse.store.redis.messages import apply_message, decode_message, encode_message
from progress_sse.store.types import Change
from tests.clock import ManualClock
from tests.harness.redis import RedisServer
from tests.store.contract.test_parts import COMMANDS, parts_of
from tests.store.observed import state
from tests.store.redis.conftest import Open
from tests.store.redis.follower import Follower


async def test_a_follower_holds_all_of_them(here: RedisBackend, there: RedisBackend) -> None:
    """In their order, after each report; it reads the session once."""
    store = ProgressStore(here, clock=ManualClock())
    follower = await Follower.of(there)
    for name, command in COMMANDS.items():
        record = (await store.apply("s", command)).record
        await follower.until_at(record)
        shown = follower.notifications[-1].record
        assert shown == record
        assert list(parts_of(shown).by_name) == list(parts_of(record).by_name), name


async def test_a_message_takes_a_record_on(server: RedisServer, connect: Open) -> None:
    """With the parts that changed, of one command or of several."""
    changes: list[Change] = []
    store = ProgressStore(await connect(server), clock=ManualClock(), on_commit=changes.append)
    commands = iter(COMMANDS.values())
    before = (await store.apply("s", next(commands))).record
    for size in (1, 3, 1, 20, 1, 2, 1, 1, 1, 1, 1):
        await store.apply_all("s", [(command, None) for command in islice(commands, size)])
        after = await state(store)
        assert before is not None
        taken_on = apply_message(before, decode_message(b"2 1\n" + encode_message(changes[-1])))
        assert taken_on == after
        assert list(parts_of(taken_on).by_name) == list(parts_of(after).by_name)
        before = after
    assert not list(commands)


async def test_a_report_is_a_short_message(server: RedisServer, connect: Open) -> None:
    """However many parts the step has."""
    changes: list[Change] = []
    store = ProgressStore(await connect(server), clock=ManualClock(), on_commit=changes.append)
    await store.start_step("s", 1)
    await store.apply_all("s", [(ReportPart(1, f"p{n}", "running", message="m" * 200), None) for n in range(199)])
    assert len(encode_message(changes[-1])) < 1000
    assert decode_message(b"2 1\n" + encode_message(changes[-1])).entries == ()
    await store.report_part("s", 1, "last", "running")
    assert len(encode_message(changes[-1])) < 10_000


async def test_two_processes_count_each_part_once(server: RedisServer, connect: Open) -> None:
    """They report at the same time, and each decides on what both said."""
    stores = [ProgressStore(await connect(server), clock=ManualClock()) for _ in range(2)]
    await stores[0].start_step("s", 1, parts_total=40)
    await asyncio.gather(*(stores[n % 2].report_part("s", 1, f"p{n}", "running") for n in range(40)))
    await asyncio.gather(*(stores[(n + 1) % 2].report_part("s", 1, f"p{n}", "success") for n in range(39)))
    for store in stores:
        assert parts_of(await store.load("s")).counts == PartCounts(1, 39, 0)
        outcome, _ = await store.apply_all(
            "s", [(ReportPart(1, "more", "running"), None), (ReportPart(1, "p39", "running"), None)]
        )
        assert isinstance(outcome, TooManyPartsError)
    assert (await stores[1].report_part("s", 1, "p39", "success")).steps[1].status == "success"
