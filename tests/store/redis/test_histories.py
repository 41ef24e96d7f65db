"""What runs taught, in Redis: beside the sessions, and once for each run."""

# ruff: noqa: ASYNC221 - a test may wait for processes of its own

import asyncio
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest
from redis import Redis

from progress_sse.core.errors import OutcomeUnknownError, StoreUnavailableError
from progress_sse.core.history import NOTHING_LEARNED, RUNS, Cell
from progress_sse.core.updates import Complete
from progress_sse.store.progress_store import ProgressStore
from progress_sse.store.redis.backend import RedisBackend
from progress_sse.store.redis.histories import HISTORY_LIFETIME_MS, LESSON_LIFETIME_MS, RedisHistories
from progress_sse.store.redis.scripts import TEACH
from progress_sse.store.types import fingerprint
from tests.clock import ManualClock
from tests.harness.redis import KeyDump, RedisServer
from tests.store.learning import PROFILE, STEPS, run, runs_in, teach
from tests.store.redis.conftest import Open
from tests.store.redis.lost_replies import LostReplies
from tests.store.redis.teaching_server import KEY

RUN, LOAD = Cell(105_700, "", RUNS), Cell(105_700, "Load", 80)


@pytest.mark.guarantee("N")
@pytest.mark.parametrize("times", [1, 3])
async def test_a_lesson_that_is_sent_again_counts_once(
    backend: RedisBackend, lost_replies: LostReplies, times: int
) -> None:
    """Its reply was lost."""
    lost_replies.lose(times, of=TEACH)
    await teach(backend, "a", RUN, LOAD, LOAD)
    assert await backend.histories.load(PROFILE) == {RUN: 1, LOAD: 2}


async def test_a_repeated_commit_teaches_once(server: RedisServer, connect: Open, lost_replies: LostReplies) -> None:
    """It was applied when its reply was lost."""
    store = ProgressStore(await connect(server))
    await store.create_session("s", steps=STEPS[:1], profile=PROFILE)
    await store.start_step("s", 1)
    lost_replies.lose(2)
    await store.complete_step("s", 1)
    assert runs_in(await store.backend.histories.load(PROFILE)) == store.committer.runs_learned == 1


async def test_servers_learn_together(server: RedisServer, connect: Open) -> None:
    """Two of them, at once; what one has learned the other uses."""
    stores = [ProgressStore(await connect(server)) for _ in range(2)]
    names = [f"run {number}" for number in range(40)]
    works = (_quick_run(stores[number % 2], name) for number, name in enumerate(names))
    await asyncio.gather(*works)
    assert [runs_in(await store.backend.histories.load(PROFILE)) for store in stores] == [40, 40]
    assert [store.committer.runs_learned for store in stores] == [20, 20]
    late = ProgressStore(await connect(server))
    assert (await late.learned(PROFILE)).steps["Load"].runs == 40


async def _quick_run(store: ProgressStore, session_id: str) -> None:
    await store.create_session(session_id, steps=STEPS, profile=PROFILE)
    for step in (1, 2):
        await store.start_step(session_id, step)
        await store.complete_step(session_id, step)


@pytest.mark.guarantee("N")
@pytest.mark.processes
@pytest.mark.parametrize(("moment", "taught"), [("before", 0), pytest.param("after", 1, marks=pytest.mark.full)])
async def test_a_kill_between_commit_and_lesson_loses_that_run_at_most(
    server: RedisServer, connect: Open, tmp_path: Path, moment: str, taught: int
) -> None:
    """The run stays completed, and what its worker sends again teaches nothing more. The next run is learned from."""
    command = [sys.executable, "-m", "tests.store.redis.teaching_server", str(server.port), str(tmp_path), moment]
    assert subprocess.run(command, timeout=60, check=False).returncode == -signal.SIGKILL
    store = ProgressStore(await connect(server))
    assert runs_in(await store.backend.histories.load(PROFILE)) == taught
    again = await store.apply("s", Complete(1), KEY)
    assert again.record is not None
    assert again.record.status == "completed"
    await store.complete_step("s", 1, message="another word")
    assert runs_in(await store.backend.histories.load(PROFILE)) == taught
    await _quick_run(store, "next")
    assert runs_in(await store.backend.histories.load(PROFILE)) == taught + 1


async def test_a_lesson_that_fails_harms_no_commit(
    server: RedisServer, connect: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker is answered, and the run is not learned from."""
    store = ProgressStore(await connect(server))

    async def fail(*_: Any) -> None:
        raise StoreUnavailableError

    with monkeypatch.context() as context:
        context.setattr(RedisHistories, "teach", fail)
        await _quick_run(store, "s")
    assert await store.backend.histories.load(PROFILE) == {}
    await _quick_run(store, "t")
    assert runs_in(await store.backend.histories.load(PROFILE)) == 1


@pytest.mark.guarantee("N")
async def test_a_run_that_went_back_in_time_teaches_once(client: Redis, backend: RedisBackend, tmp_path: Path) -> None:
    """Its session is completed again, since a Redis lost that it was; the node of its profile lost nothing."""
    store = ProgressStore(backend)
    await store.create_session("s", steps=STEPS[:1], profile=PROFILE)
    await store.start_step("s", 1)
    moment = KeyDump(client, backend._keyspace.of("s").state)  # noqa: SLF001 - the key alone goes back
    await store.complete_step("s", 1)
    moment.restore()
    await store.complete_step("s", 1)
    assert runs_in(await backend.histories.load(PROFILE)) == 1
    names = client.keys(f"{tmp_path}:*")
    assert not [name for name in names if PROFILE.encode() in name or b"Load" in name]


async def test_a_value_of_another_type_harms_no_commit(
    client: Redis, backend: RedisBackend, clock: ManualClock
) -> None:
    """In place of a history."""
    store = ProgressStore(backend, clock=clock)
    client.set(backend._keyspace.history(fingerprint(PROFILE)), "x")  # noqa: SLF001 - a key of this name
    assert (await run(store, clock, "run")).status == "completed"
    with pytest.raises(StoreUnavailableError):
        await store.learned(PROFILE)
    await store.forget_learned(PROFILE)
    assert await store.learned(PROFILE) == NOTHING_LEARNED


async def test_cells_that_no_run_teaches_are_left_out(
    client: Redis, backend: RedisBackend, caplog: pytest.LogCaptureFixture
) -> None:
    """Each of another program; the log has a line about the profile."""
    await teach(backend, "a", RUN, LOAD)
    foreign: dict[bytes, bytes | int] = {
        b"no cell": 1,
        b"1 Load": 1,
        b"1 5": 1,
        b"x 5 Load": 1,
        b"1 -2 Load": 1,
        b"1 513 Load": 1,
        b"1 9999999 Load": 1,
        b"-1 5 Load": 1,
        b"\xff 5 Load": 1,
        b"1 5 \xff": 1,
        b"2 5 Load": b"x",
        b"3 5 Load": 0,
        b"4 5 Load": -1,
        b"5 5 Load": 2**53,
        b"6 5 Load": b"1" * 5000,
    }
    for field, count in foreign.items():
        client.hset(backend._keyspace.history(fingerprint(PROFILE)), field, count)  # noqa: SLF001
    assert await backend.histories.load(PROFILE) == {RUN: 1, LOAD: 1}
    assert len([record for record in caplog.records if f"'{PROFILE}' is damaged" in record.getMessage()]) == 1


async def test_an_abandoned_profile_expires(client: Redis, backend: RedisBackend, tmp_path: Path) -> None:
    """Once all that it taught is too old. That a run has taught is noted for an hour."""
    await teach(backend, "a", RUN, LOAD)
    lifetimes_ms = {key: client.pttl(key) for key in cast(list[bytes], client.keys(f"{tmp_path}:*"))}
    histories = [key for key in lifetimes_ms if b":h" in key or key.endswith(b":profiles")]
    assert len(histories) == 3
    for key in histories:
        lifetime_ms = LESSON_LIFETIME_MS if b":h:" in key else HISTORY_LIFETIME_MS
        assert lifetime_ms - 60_000 < lifetimes_ms[key] <= lifetime_ms


async def test_an_unknown_outcome_teaches_nothing(
    server: RedisServer, connect: Open, lost_replies: LostReplies
) -> None:
    """The commit may have been applied; what the worker sends again then finds the run completed."""
    backend = await connect(server)
    store = ProgressStore(backend)
    await store.create_session("s", steps=STEPS[:1], profile=PROFILE)
    await store.start_step("s", 1)

    async def replace() -> None:
        other = ProgressStore(await connect(server))
        await other.create_session("s", steps=STEPS[:1], profile=PROFILE)

    lost_replies.lose(meanwhile=replace)
    with pytest.raises(OutcomeUnknownError):
        await store.complete_step("s", 1)
    assert await backend.histories.load(PROFILE) == {}
