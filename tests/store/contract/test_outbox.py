"""The outbox: notices are kept with the commit of their transition, and claimed in order, whatever store has them."""

import pytest

from progress_sse.core.errors import ConflictError
from progress_sse.store import outbox
from progress_sse.store.backend import FullBackend
from progress_sse.store.outbox import CLAIM_MS, LIFETIME_MS, OVERTAKE_MS, Later, Notice, Taken
from progress_sse.store.types import Record
from tests.store.changes import after, created, moved, removed

NOW = 1_767_323_045_000
MINUTE_MS = 60_000


def notice(number: int, *, queue: str = "q", lane: str = "s", made_ms: int = NOW, size: int = 9) -> Notice:
    return Notice(f"msg_{number:032x}", queue, lane, made_ms, f"{number}".zfill(size).encode())


class Job:
    """A session, and its commits that bring notices."""

    def __init__(self, backend: FullBackend, session_id: str = "s") -> None:
        self.backend = backend
        self.outbox = backend.outbox
        self.session_id = session_id
        self.record: Record | None = None

    async def commit(self, *notices: Notice) -> None:
        change = created(self.session_id) if self.record is None else moved(self.record, 1)
        await self.backend.commit(change._replace(notices=notices))
        self.record = after(change)

    async def take(self, now_ms: int = NOW, *, queue: str = "q", most: int = 100) -> list[Taken]:
        return list(await self.outbox.take(queue, now_ms, most))

    async def numbers(self, now_ms: int = NOW, *, queue: str = "q", most: int = 100) -> list[int]:
        return [int(taken.body) for taken in await self.take(now_ms, queue=queue, most=most)]


@pytest.fixture
def job(backend: FullBackend) -> Job:
    return Job(backend)


async def test_a_notice_is_there_with_its_commit(job: Job) -> None:
    """In the queue that it is for, with the bytes that it was made of, once."""
    assert await job.take() == []
    await job.commit(notice(1), notice(2, queue="other"))
    (taken,) = await job.take()
    assert (taken.notice_id, taken.queue, taken.body) == (notice(1).notice_id, "q", notice(1).body)
    assert (taken.tries, taken.first_try_ms) == (0, None)
    assert await job.take() == []
    assert await job.numbers(queue="other") == [2]


async def test_a_commit_that_fails_brings_none(job: Job) -> None:
    await job.commit(notice(1))
    with pytest.raises(ConflictError):
        await job.backend.commit(created("s", "another")._replace(notices=(notice(2),)))
    assert await job.numbers() == [1]


async def test_one_of_a_session_waits_for_the_former(job: Job) -> None:
    """Until that is delivered or dead, however often it is tried; those of other sessions do not wait for it."""
    other = Job(job.backend, "t")
    await job.commit(notice(1), notice(2))
    await job.commit(notice(3))
    await other.commit(notice(4, lane="t"))
    first, fourth = sorted(await job.take(), key=lambda taken: taken.body)
    assert [int(each.body) for each in (first, fourth)] == [1, 4]
    assert await job.outbox.settle(first, Later(5000, 1, NOW), NOW)
    assert await job.numbers(NOW + 4999) == []
    (first,) = await job.take(NOW + 5000)
    assert (int(first.body), first.tries, first.first_try_ms) == (1, 1, NOW)
    assert await job.outbox.settle(first, "delivered", NOW + 5000)
    (second,) = await job.take(NOW + 5000)
    assert int(second.body) == 2
    assert await job.outbox.settle(second, "dead", NOW + 5000)
    assert await job.numbers(NOW + 5000) == [3]


async def test_it_waits_no_longer_than_an_hour(job: Job) -> None:
    """From its own commit on; the one that it overtakes is still tried."""
    await job.commit(notice(1))
    (first,) = await job.take()
    assert await job.outbox.settle(first, Later(2 * OVERTAKE_MS, 1, NOW), NOW)
    await job.commit(notice(2, made_ms=NOW + MINUTE_MS))
    assert await job.numbers(NOW + MINUTE_MS + OVERTAKE_MS - 1) == []
    (second,) = await job.take(NOW + MINUTE_MS + OVERTAKE_MS)
    assert int(second.body) == 2
    await job.outbox.settle(second, "delivered", NOW + MINUTE_MS + OVERTAKE_MS)
    assert await job.numbers(NOW + 2 * OVERTAKE_MS) == [1]


async def test_those_that_are_due_longest_come_first(job: Job) -> None:
    for number in (1, 2, 3):
        await Job(job.backend, f"{number}").commit(notice(number, lane=f"{number}", made_ms=NOW - number))
    assert await job.numbers(most=2) == [3, 2]
    assert await job.numbers() == [1]


@pytest.mark.guarantee(90)
async def test_a_clock_that_is_set_back_delays_none(job: Job) -> None:
    """By more than the wait that was asked for."""
    await job.commit(notice(1))
    (taken,) = await job.take()
    await job.outbox.settle(taken, Later(5000, 1, NOW), NOW)
    earlier = NOW - 86_400_000
    assert await job.numbers(earlier) == []
    assert await job.numbers(earlier + 5000) == [1]


@pytest.mark.guarantee(90)
async def test_a_clock_that_is_set_back_holds_up_none_behind_another(job: Job) -> None:
    """The hour for which one waits for the former begins anew once, and not at each look."""
    await job.commit(notice(1), notice(2))
    (first,) = await job.take()
    await job.outbox.settle(first, Later(2 * OVERTAKE_MS, 1, NOW), NOW)
    earlier = NOW - 86_400_000
    assert await job.numbers(earlier) == []
    assert await job.numbers(earlier + OVERTAKE_MS) == [2]


async def test_a_result_counts_under_its_claim_alone(job: Job) -> None:
    await job.commit(notice(1))
    (taken,) = await job.take()
    stale = taken._replace(claim=taken.claim[:-1] + "x")
    assert not await job.outbox.settle(stale, "delivered", NOW)
    assert await job.outbox.counts("q") == (1, 0)
    assert await job.outbox.settle(taken, "delivered", NOW)
    assert not await job.outbox.settle(taken, "delivered", NOW)
    assert await job.outbox.counts("q") == (0, 0)


async def test_each_queue_follows_a_clock_that_is_set_back(job: Job) -> None:
    await job.commit(notice(1), notice(2, queue="other"))
    for queue in ("q", "other"):
        (taken,) = await job.take(queue=queue)
        await job.outbox.settle(taken, Later(5000, 1, NOW), NOW)
    earlier = NOW - 86_400_000
    for queue in ("q", "other"):
        assert await job.numbers(earlier, queue=queue) == []
    assert [await job.numbers(earlier + 5000, queue=queue) for queue in ("q", "other")] == [[1], [2]]


async def test_a_claim_ends_by_itself(job: Job) -> None:
    """As where the store failed as its result came; also if the clock was set back meanwhile."""
    await job.commit(notice(1))
    (former,) = await job.take()
    assert await job.numbers(NOW + CLAIM_MS - 1) == []
    (taken,) = await job.take(NOW + CLAIM_MS)
    assert not await job.outbox.settle(former, "dead", NOW + CLAIM_MS)
    earlier = NOW - 86_400_000
    again = await job.take(earlier) or await job.take(earlier + CLAIM_MS)
    assert [each.notice_id for each in again] == [taken.notice_id]


@pytest.mark.guarantee(85)
@pytest.mark.parametrize("ending", ["removed", "replaced"])
async def test_it_outlives_its_session(job: Job, ending: str) -> None:
    """Those of the next session with this id wait for it."""
    await job.commit(notice(1))
    (first,) = await job.take()
    await job.outbox.settle(first, Later(5000, 1, NOW), NOW)
    assert job.record is not None
    if ending == "removed":
        await job.backend.commit(removed(job.record))
    expected = None if ending == "removed" else job.record.position
    await job.backend.commit(created(epoch="second", expected=expected)._replace(notices=(notice(2),)))
    assert await job.numbers() == []
    (first,) = await job.take(NOW + 5000)
    assert (first.notice_id, first.body, first.tries) == (notice(1).notice_id, notice(1).body, 1)
    await job.outbox.settle(first, "delivered", NOW + 5000)
    assert await job.numbers(NOW + 5000) == [2]


@pytest.mark.guarantee(84)
async def test_dead_ones_are_kept_for_another_try(job: Job) -> None:
    """All of them, or one; each begins anew, and none that waits is touched."""
    for number in (1, 2, 3):
        await job.commit(notice(number))
        if number < 3:
            (taken,) = await job.take()
            await job.outbox.settle(taken, "dead", NOW)
    assert await job.outbox.counts("q") == (1, 2)
    assert await job.outbox.revive("q", notice(3).notice_id, NOW) == 0
    assert await job.outbox.revive("q", notice(2).notice_id, NOW) == 1
    assert await job.outbox.counts("q") == (2, 1)
    assert await job.outbox.revive("q", None, NOW) == 1
    assert await job.outbox.revive("q", None, NOW) == 0
    assert await job.outbox.revive("nothing", None, NOW) == 0
    seen = []
    while taken_now := await job.take(NOW + OVERTAKE_MS):
        seen += [(int(taken.body), taken.tries, taken.first_try_ms) for taken in taken_now]
        for taken in taken_now:
            await job.outbox.settle(taken, "delivered", NOW)
    assert sorted(seen) == [(1, 0, None), (2, 0, None), (3, 0, None)]


@pytest.mark.guarantee(86)
async def test_of_a_session_twenty_wait(job: Job) -> None:
    """The oldest goes, and is counted; other sessions and queues have their own."""
    for number in range(21):
        await job.commit(notice(number), notice(100 + number, queue="other"))
    await Job(job.backend, "t").commit(notice(50, lane="t"))
    assert await job.outbox.counts("q") == (21, 0)
    assert (job.outbox.lost["q"], job.outbox.lost["other"]) == (1, 1)
    assert sorted(await job.numbers(NOW + OVERTAKE_MS)) == [*range(1, 21), 50]


async def test_a_notice_may_take_the_place_of_those_before(job: Job) -> None:
    """Also of one that is being sent, whose result does not count then; other lanes keep theirs."""
    await job.commit(notice(1), notice(9, lane="t"))
    taken = next(each for each in await job.take() if int(each.body) == 1)
    await job.commit(notice(2)._replace(most_in_lane=1))
    assert not await job.outbox.settle(taken, "dead", NOW)
    assert await job.numbers() == [2]
    assert await job.outbox.counts("q") == (2, 0)


async def test_a_value_is_kept_once(job: Job) -> None:
    assert await job.outbox.keep("key", b"first\0\xff") == b"first\0\xff"
    assert await job.outbox.keep("key", b"second") == b"first\0\xff"
    assert await job.outbox.keep("other", b"third") == b"third"


@pytest.mark.guarantee(86)
@pytest.mark.parametrize(("limit", "value"), [("MAX_WAITING", 3), ("MAX_WAITING_BYTES", 3000)])
async def test_of_a_queue_so_many_wait(job: Job, monkeypatch: pytest.MonkeyPatch, limit: str, value: int) -> None:
    monkeypatch.setattr(outbox, limit, value)
    for number in range(5):
        each = notice(number, lane=f"{number}", made_ms=NOW - 5 + number, size=1000)
        await Job(job.backend, f"{number}").commit(each)
    await job.outbox.discard(["q"], NOW)
    assert sorted(await job.numbers()) == [2, 3, 4]
    assert job.outbox.lost["q"] == 2


@pytest.mark.guarantee(86)
async def test_after_seven_days_they_go(job: Job) -> None:
    """Those that wait are counted as lost, dead ones are not."""
    await job.commit(notice(1), notice(2))
    (taken,) = await job.take()
    await job.outbox.settle(taken, "dead", NOW)
    await job.commit(notice(3, made_ms=NOW + 1))
    await job.outbox.discard(["q"], NOW + LIFETIME_MS)
    assert await job.outbox.counts("q") == (2, 1)
    await job.outbox.discard(["q"], NOW + LIFETIME_MS + 1)
    assert await job.outbox.counts("q") == (1, 0)
    assert job.outbox.lost["q"] == 1
    assert await job.numbers(NOW + LIFETIME_MS + 1) == [3]


async def test_the_newest_dead_ones_are_kept(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "MAX_DEAD", 2)
    for number in range(4):
        await job.commit(notice(number))
        (taken,) = await job.take()
        await job.outbox.settle(taken, "dead", NOW)
    await job.outbox.discard(["q"], NOW)
    assert await job.outbox.counts("q") == (0, 2)
    await job.outbox.revive("q", None, NOW)
    assert sorted(await job.numbers(NOW + OVERTAKE_MS)) == [2, 3]


async def test_when_the_next_one_is_due(job: Job) -> None:
    assert await job.outbox.wake_at_ms("q", NOW) > NOW + LIFETIME_MS
    await job.commit(notice(1))
    assert await job.outbox.wake_at_ms("q", NOW) <= NOW
    (taken,) = await job.take()
    await job.outbox.settle(taken, Later(5000, 1, NOW), NOW)
    assert await job.outbox.wake_at_ms("q", NOW) == NOW + 5000


async def test_a_queue_is_turned_off_and_on(job: Job) -> None:
    await job.outbox.turn("q", is_on=False)
    await job.outbox.turn("other", is_on=False)
    await job.outbox.turn("other", is_on=True)
    assert await job.outbox.turned_off() == {"q"}
