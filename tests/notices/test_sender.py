"""The hooks of a running server, against a receiver that answers as a test wants, by a clock that it advances."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from progress_sse.core.errors import StoreUnavailableError
from progress_sse.notices import sender
from progress_sse.notices.hooks_file import Hook
from progress_sse.notices.notifier import Notifier
from progress_sse.notices.schedule import Try
from progress_sse.settings import load_settings
from progress_sse.store.memory import MemoryBackend
from progress_sse.store.progress_store import ProgressStore
from progress_sse.store.types import StorageLimits
from tests.clock import ManualClock
from tests.notices.test_maker import ALL, hook, run_job


class Receiver:
    """Stands in for the requests of all hooks: what was sent, and what is answered."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []
        self.answer = Try(204)
        self.open = asyncio.Event()
        self.open.set()
        self.under_way = self.most_under_way = 0
        self.is_closed = False

    async def send(self, notice_id: str, body: bytes) -> Try:
        self.sent.append((notice_id, json.loads(body)["type"].removeprefix("session.")))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await self.open.wait()
            return self.answer
        finally:
            self.under_way -= 1

    async def aclose(self) -> None:
        self.is_closed = True

    @property
    def events(self) -> list[str]:
        return [event for _, event in self.sent]


async def settle() -> None:
    """Let every task run until it waits."""
    for _ in range(50):
        await asyncio.sleep(0)


async def pass_time(clock: ManualClock, seconds: int, step_s: float = 1) -> None:
    for _ in range(int(seconds / step_s)):
        clock.advance(step_s)
        await settle()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Receiver:
    receiver = Receiver()

    def deliverer(_hook: Hook) -> Receiver:
        return receiver

    monkeypatch.setattr(sender, "Deliverer", deliverer)
    return receiver


@pytest.fixture
async def store(clock: ManualClock) -> AsyncIterator[ProgressStore]:
    notifiers: list[Notifier] = []
    store = ProgressStore(
        MemoryBackend(StorageLimits()), clock=clock, on_commit=lambda change: notifiers[0].on_commit(change)
    )
    notifiers.append(Notifier(store, clock, load_settings(graceful_timeout_s=0.05)))
    await store.open()
    store.notifier = notifiers[0]  # type: ignore[attr-defined]
    yield store
    await notifiers[0].aclose()
    await store.aclose()


@pytest.fixture
async def notifier(store: ProgressStore, receiver: Receiver) -> Notifier:
    """Sends all events to the hook `all`."""
    assert receiver.sent == []
    notifier: Notifier = store.notifier  # type: ignore[attr-defined]
    await notifier.load((ALL,))
    return notifier


async def test_a_notice_is_sent_at_once(store: ProgressStore, notifier: Notifier, receiver: Receiver) -> None:
    """In the order of the commits, and never again."""
    await run_job(store)
    await settle()
    assert receiver.events == ["started", "completed"]
    assert await store.backend.outbox.counts("all") == (0, 0)
    all_hook = notifier.senders["all"]
    assert (all_hook.state, all_hook.results["delivered"], all_hook.last_success is not None) == ("up", 2, True)
    assert [past.tried.status for past in all_hook.tries] == [204, 204]


async def test_each_hook_gets_its_own(store: ProgressStore, notifier: Notifier, receiver: Receiver) -> None:
    await notifier.load((hook("a", "started"), hook("b", "started", "completed")))
    await run_job(store)
    await settle()
    assert sorted(receiver.events) == ["completed", "started", "started"]
    assert notifier.senders["b"].results["delivered"] == 2


async def test_eight_are_sent_at_a_time(store: ProgressStore, notifier: Notifier, receiver: Receiver) -> None:
    """One of a session; the next as soon as there is room. An operator sees the newest tries."""
    receiver.open.clear()
    for number in range(30):
        await run_job(store, f"{number}")
    await settle()
    assert receiver.events == ["started"] * 8
    receiver.open.set()
    await settle()
    assert (len(receiver.sent), receiver.most_under_way) == (60, 8)
    assert [past.notice_id for past in notifier.senders["all"].tries] == [each for each, _ in receiver.sent[10:]]
    assert notifier.senders["all"].state == "up"


async def test_it_is_tried_again(
    store: ProgressStore, notifier: Notifier, receiver: Receiver, clock: ManualClock
) -> None:
    """With the same id, and those of its session behind it wait."""
    receiver.answer = Try(500)
    await run_job(store)
    await settle()
    assert receiver.events == ["started"]
    await pass_time(clock, 4)
    assert receiver.events == ["started"]
    receiver.answer = Try(204)
    await pass_time(clock, 2)
    assert receiver.events == ["started", "started", "completed"]
    assert receiver.sent[0] == receiver.sent[1]
    assert notifier.senders["all"].results == {"failed": 1, "delivered": 2}


@pytest.mark.guarantee(83)
async def test_a_hook_that_is_down_is_probed(
    store: ProgressStore, notifier: Notifier, receiver: Receiver, clock: ManualClock
) -> None:
    """By one notice at doubling pauses, for as long as it takes; then all the others follow."""
    receiver.answer = Try(0, "refused")
    for number in range(10):
        await store.create_session(f"{number}", total_steps=1)
        await store.start_step(f"{number}", 1)
    await settle()
    assert (len(receiver.sent), notifier.senders["all"].state) == (8, "down")
    await pass_time(clock, 29)
    assert len(receiver.sent) == 8
    await pass_time(clock, 2)
    assert len(receiver.sent) == 9
    await pass_time(clock, 86_400, step_s=60)
    assert len(receiver.sent) < 8 + 86_400 / 240
    assert await store.backend.outbox.counts("all") == (10, 0)
    receiver.answer = Try(204)
    await pass_time(clock, 302)
    assert notifier.senders["all"].state == "up"
    await pass_time(clock, 86_400, step_s=300)
    assert await store.backend.outbox.counts("all") == (0, 0)


@pytest.mark.guarantee(84)
async def test_what_is_refused_dies(
    store: ProgressStore, notifier: Notifier, receiver: Receiver, clock: ManualClock
) -> None:
    """After eight tries, and is kept for another one."""
    receiver.answer = Try(400)
    await store.create_session("s", total_steps=1)
    await store.start_step("s", 1)
    await pass_time(clock, 40 * 3600, step_s=60)
    assert len(receiver.sent) == 8
    assert await store.backend.outbox.counts("all") == (0, 1)
    assert notifier.senders["all"].results == {"failed": 8, "dead": 1}
    receiver.answer = Try(204)
    assert await store.backend.outbox.revive("all", None, notifier.senders["all"].now_ms) == 1
    await pass_time(clock, 2)
    assert (len(receiver.sent), len(set(receiver.sent))) == (9, 1)


async def test_a_hook_that_is_gone_is_off(
    store: ProgressStore, notifier: Notifier, receiver: Receiver, clock: ManualClock
) -> None:
    """Nothing new is written for it, what waits stays; a reload turns it on."""
    receiver.answer = Try(410)
    await store.create_session("s", total_steps=1)
    await store.start_step("s", 1)
    await settle()
    assert (notifier.senders["all"].state, await store.backend.outbox.counts("all")) == ("off", (1, 0))
    await store.complete_step("s", 1)
    await pass_time(clock, 600, step_s=10)
    assert (len(receiver.sent), await store.backend.outbox.counts("all")) == (1, (1, 0))
    receiver.answer = Try(204)
    await notifier.load((ALL,))
    await pass_time(clock, 10)
    assert receiver.events == ["started", "started"]


async def test_another_server_has_turned_it_off(
    store: ProgressStore, notifier: Notifier, receiver: Receiver, clock: ManualClock
) -> None:
    await store.backend.outbox.turn("all", is_on=False)
    await pass_time(clock, 6)
    assert notifier.senders["all"].is_off
    await run_job(store)
    await pass_time(clock, 10)
    assert receiver.sent == []


async def test_what_waits_for_another_hook_stays(
    store: ProgressStore, notifier: Notifier, receiver: Receiver, clock: ManualClock
) -> None:
    receiver.answer = Try(500)
    await run_job(store)
    await settle()
    await notifier.load((hook("other", "completed"),))
    await pass_time(clock, 60)
    assert await store.backend.outbox.counts("all") == (2, 0)
    assert receiver.events == ["started"]


@pytest.mark.guarantee(81)
async def test_a_shutdown_leaves_a_try_unmade(
    store: ProgressStore, notifier: Notifier, receiver: Receiver, clock: ManualClock
) -> None:
    """It does not wait for it longer than is allowed; the next server makes it."""
    receiver.open.clear()
    await run_job(store)
    await settle()
    await notifier.aclose()
    assert (receiver.under_way, receiver.is_closed) == (0, True)
    (taken,) = await store.backend.outbox.take("all", int(clock.now().timestamp() * 1000), 10)
    assert (taken.tries, taken.first_try_ms) == (0, None)


@pytest.mark.guarantee(89)
async def test_a_store_that_is_away(
    store: ProgressStore, notifier: Notifier, receiver: Receiver, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Notices wait for it."""

    async def take(*_: object) -> None:
        raise StoreUnavailableError

    with monkeypatch.context() as away:
        away.setattr(store.backend.outbox, "take", take)
        await run_job(store)
        await pass_time(clock, 5)
        assert receiver.sent == []
    await pass_time(clock, 2)
    assert receiver.events == ["started", "completed"]
    assert not any(task.done() for task in notifier.tasks)


async def test_a_reload_hides_no_hook(store: ProgressStore, notifier: Notifier, receiver: Receiver) -> None:
    """While it waits for tries under way, an operator finds the hooks that were there before."""
    receiver.open.clear()
    await run_job(store)
    await settle()
    loading = asyncio.create_task(notifier.load((hook("other", "completed"),)))
    await settle()
    assert not loading.done()
    assert list(notifier.senders) == ["all"]
    receiver.open.set()
    await loading
    assert list(notifier.senders) == ["other"]


@pytest.mark.parametrize(("again", "state"), [(ALL, "down"), (ALL._replace(secrets=(b"o" * 24,)), "up")])
async def test_a_reload_goes_on_with_a_hook_that_it_does_not_change(
    store: ProgressStore, notifier: Notifier, receiver: Receiver, clock: ManualClock, again: Hook, state: str
) -> None:
    """It stays down until its next probe; one that was changed is tried again."""
    receiver.answer = Try(500)
    for number in range(8):
        await run_job(store, f"{number}")
    await settle()
    tries = len(receiver.sent)
    await notifier.load((again,))
    assert notifier.senders["all"].state == state
    await pass_time(clock, 10)
    assert (len(receiver.sent) == tries) == (state == "down")


async def test_of_many_loads_the_last_one_counts(store: ProgressStore, notifier: Notifier, receiver: Receiver) -> None:
    """Each hook has one sender, and none once it is closed."""
    await asyncio.gather(*(notifier.load((hook(name, "started"),)) for name in ("a", "b", "a", "b")))
    assert sorted(task.get_name() for task in asyncio.all_tasks() if task in notifier.tasks) == ["hook b", "outbox"]
    await asyncio.gather(notifier.load((hook("a", "started"),)), notifier.aclose())
    await settle()
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("hook ")]
    assert receiver.is_closed


async def test_a_hook_that_fails_in_our_code_is_tried_again(
    store: ProgressStore,
    notifier: Notifier,
    receiver: Receiver,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Once its claim has ended."""

    async def fail(_notice_id: str, _body: bytes) -> Try:
        raise ZeroDivisionError

    with monkeypatch.context() as broken:
        broken.setattr(receiver, "send", fail)
        await store.create_session("s", total_steps=1)
        await store.start_step("s", 1)
        await settle()
    assert "a try for all failed by a ZeroDivisionError" in caplog.text
    await pass_time(clock, 59)
    assert receiver.sent == []
    await pass_time(clock, 3)
    assert receiver.events == ["started"]


async def test_a_clock_that_is_set_back_while_a_hook_is_down(
    store: ProgressStore, notifier: Notifier, receiver: Receiver, clock: ManualClock
) -> None:
    """The pauses between probes do not depend on it."""
    receiver.answer = Try(500)
    for number in range(8):
        await run_job(store, f"{number}")
    await settle()
    states = [notifier.senders["all"].state]
    receiver.answer = Try(204)
    clock.jump(-86_400)
    await pass_time(clock, 40)
    assert [*states, notifier.senders["all"].state] == ["down", "up"]
    await pass_time(clock, 40)
    assert await store.backend.outbox.counts("all") == (0, 0)


@pytest.mark.guarantee(90)
async def test_a_clock_that_is_set_back_after_a_first_try(
    store: ProgressStore, notifier: Notifier, receiver: Receiver, clock: ManualClock
) -> None:
    """The tries go on by the schedule: the third within six minutes."""
    receiver.answer = Try(400)
    await run_job(store)
    await settle()
    clock.jump(-3 * 86_400)
    await pass_time(clock, 360)
    assert receiver.events == ["started"] * 3


async def test_a_clock_that_jumps_ahead(
    store: ProgressStore, notifier: Notifier, receiver: Receiver, clock: ManualClock
) -> None:
    """Brings tries forward, also past former ones of the session, and loses none."""
    receiver.answer = Try(500)
    await run_job(store)
    await settle()
    receiver.answer = Try(204)
    clock.jump(86_400)
    await pass_time(clock, 2)
    assert (receiver.events[0], sorted(receiver.events[1:])) == ("started", ["completed", "started"])
    assert await store.backend.outbox.counts("all") == (0, 0)


@pytest.mark.guarantee(81)
async def test_memory_ends_with_the_process(
    store: ProgressStore, notifier: Notifier, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says how many notices went with it."""
    receiver.answer = Try(500)
    await run_job(store)
    await settle()
    await notifier.aclose()
    assert "2 notices are lost" in caplog.text
