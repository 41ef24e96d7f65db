"""The outbox in SQLite: what a process finds of the one before it."""

# ruff: noqa: ASYNC240 - a test may read its file

import sqlite3
from pathlib import Path

import pytest

from progress_sse.core.errors import StoreUnavailableError
from progress_sse.store.outbox import CLAIM_MS, LIFETIME_MS, Later
from tests.harness.serving import eventually
from tests.store.contract.test_outbox import NOW, Job, notice
from tests.store.sqlite.faults import Faults
from tests.store.sqlite.files import SOON_S, opened, sqlite_rows

DAY_MS = 86_400_000


async def test_a_clock_that_was_ahead_delays_none(path: Path) -> None:
    async with opened(path) as backend:
        job = Job(backend)
        await job.commit(notice(1, made_ms=NOW + DAY_MS))
        (taken,) = await job.take(NOW + DAY_MS)
        await job.outbox.settle(taken, Later(5000, 1, NOW), NOW + DAY_MS)
        await job.commit(notice(2, made_ms=NOW + DAY_MS))
    async with opened(path) as backend:
        assert await Job(backend).numbers(NOW) == []
        assert await Job(backend).numbers(NOW + 5000) == [1]
        assert await Job(backend).numbers(NOW + 3_600_000) == [1, 2]


async def test_a_claim_ends_with_its_process(path: Path) -> None:
    async with opened(path) as backend:
        job = Job(backend)
        await job.commit(notice(1))
        assert await job.numbers() == [1]
    async with opened(path) as backend:
        assert await Job(backend).numbers() == [1]


async def test_a_read_that_fails_delays_a_notice(path: Path, faults: Faults) -> None:
    """Until the claim has ended."""
    async with opened(path) as backend:
        job = Job(backend)
        await job.commit(notice(1))
        faults.fail("SELECT body", sqlite3.SQLITE_IOERR)
        with pytest.raises(StoreUnavailableError):
            await job.take()
        assert await job.numbers(NOW + CLAIM_MS) == [1]


async def test_dead_ones_are_tried_again_however_often(path: Path) -> None:
    """Behind those that wait, also after a restart."""
    async with opened(path) as backend:
        job = Job(backend)
        for number in (1, 2, 3):
            await job.commit(notice(number, lane=f"{number}"))
        for _ in range(70):
            (taken,) = [each for each in await job.take() if int(each.body) == 1] or await job.take()
            await job.outbox.settle(taken, "dead", NOW)
            assert await job.outbox.revive("q", None, NOW) == 1
    assert sqlite_rows(path, "SELECT notice_id FROM notices ORDER BY rank")[-1] == (notice(1).notice_id,)
    async with opened(path) as backend:
        assert await Job(backend).numbers() == [2, 3, 1]


async def test_what_is_old_goes_with_its_text(path: Path) -> None:
    """Of a queue that nothing sends, too; the log of the file is emptied."""
    async with opened(path) as backend:
        await Job(backend).commit(notice(1)._replace(body=b"a secret title"))
        await backend.outbox.discard((), NOW + LIFETIME_MS)
        assert await backend.outbox.counts("q") == (1, 0)
        await backend.outbox.discard((), NOW + LIFETIME_MS + 1)
        assert await backend.outbox.counts("q") == (0, 0)
    assert b"secret" not in path.read_bytes()


@pytest.mark.parametrize("is_delivered", [True, False])
async def test_what_has_gone_while_the_file_could_not_be_written(
    path: Path, faults: Faults, *, is_delivered: bool
) -> None:
    """It leaves the file with the next clean-up: its text does not stay there, and no restart sends it again."""

    def fail_the_next() -> None:
        faults.fail("BEGIN IMMEDIATE", sqlite3.SQLITE_IOERR)

    def ids() -> list[tuple[object, ...]]:
        return sqlite_rows(path, "SELECT notice_id FROM notices")

    async with opened(path) as backend:
        job = Job(backend)
        await job.commit(notice(1)._replace(body=b"a secret title"))
        (taken,) = await job.take()
        if is_delivered:
            fail_the_next()
            with pytest.raises(StoreUnavailableError):
                await job.outbox.settle(taken, "delivered", NOW)
        else:  # It goes for the next one of its session.
            faults.call_at("BEGIN IMMEDIATE", fail_the_next)
            began = faults.count("BEGIN IMMEDIATE")
            await job.commit(notice(2)._replace(most_in_lane=1))
            await eventually(lambda: faults.count("BEGIN IMMEDIATE") == began + 2, SOON_S)
        assert (notice(1).notice_id,) in ids()
        await backend.outbox.discard((), NOW)
        assert (notice(1).notice_id,) not in ids()
    assert b"secret" not in path.read_bytes()
