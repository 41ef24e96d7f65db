"""A hub inside an application, in its process."""

import asyncio
import re
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing
from pathlib import Path

import httpx
import pytest
from anyio import wait_all_tasks_blocked

from progress_sse import Event, ProgressHub, Settings
from progress_sse.core.errors import ConfigurationError, InvalidSessionIdError, StoreUnavailableError
from progress_sse.streaming.subscriber import MAX_QUEUED_BYTES
from tests.harness.serving import eventually
from tests.live.notices.receiver import receiving, write_hooks

WAIT_S = 10


async def take(events: AsyncIterator[Event], count: int) -> list[Event]:
    async with asyncio.timeout(WAIT_S):
        return [await anext(events) for _ in range(count)]


@pytest.fixture
def transitions() -> list[Event]:
    """The events that `on_transition` was called with."""
    return []


@pytest.fixture
async def hub(transitions: list[Event]) -> AsyncIterator[ProgressHub]:
    hub = ProgressHub(Settings(store="memory://"), on_transition=transitions.append)
    async with hub.lifespan():
        yield hub


async def test_a_subscription_gets_the_events_of_a_browser(hub: ProgressHub, transitions: list[Event]) -> None:
    """The absent session, then its snapshot, then each step, until it is completed."""
    events = hub.subscribe("s")
    assert (await take(events, 1))[0].data["status"] == "not_found"
    await hub.store.create_session("s", 1)
    await hub.store.start_step("s", 1)
    await hub.store.complete_step("s", 1)
    created, *steps = await take(events, 3)
    assert (created.event, created.data["status"]) == ("snapshot", "pending")
    assert [each.data["step"]["status"] for each in steps] == ["running", "success"]
    assert steps == transitions
    with pytest.raises(StopAsyncIteration):
        await anext(events)


async def test_a_subscription_resumes_after_its_last_event(hub: ProgressHub) -> None:
    """It gets only the events that it missed, if any."""
    await hub.store.start_step("s", 1)
    async with aclosing(hub.subscribe("s")) as events:
        [seen] = await take(events, 1)
    await hub.store.report_progress("s", 1, 5)
    async with aclosing(hub.subscribe("s", last_event_id=seen.event_id)) as events:
        [missed] = await take(events, 1)
        assert (missed.event, missed.data["step"]["progress"]) == ("step", {"current": 5, "total": None})
        await hub.store.report_progress("s", 1, 6)
        assert (await take(events, 1))[0].data["step"]["progress"]["current"] == 6


async def test_a_slow_subscription_gets_a_snapshot(hub: ProgressHub) -> None:
    """The events that wait for it are bounded, and its last state is the true one."""
    await hub.store.start_step("s", 1)
    async with aclosing(hub.subscribe("s")) as events:
        await take(events, 1)
        for current in range(2 * MAX_QUEUED_BYTES // 8192):
            await hub.store.report_progress("s", 1, current, message="x" * 8192)
        seen = [*await take(events, 1)]
        while seen[-1].event == "step":
            seen += await take(events, 1)
        assert seen[-1].data["steps"][0]["progress"]["current"] == current


async def test_a_closed_subscription_holds_no_session(hub: ProgressHub) -> None:
    """Nor does one that was refused."""
    async with aclosing(hub.subscribe("s")) as events:
        await take(events, 1)
        assert hub._service.streams.hub.channel_count == 1  # noqa: SLF001 - seen nowhere else
    with pytest.raises(InvalidSessionIdError):
        await anext(hub.subscribe(".."))
    assert hub._service.streams.hub.channel_count == 0  # noqa: SLF001


async def test_a_hub_that_closes_ends_its_subscriptions() -> None:
    """Those that wait for an event, and those about to."""
    hub = ProgressHub(Settings(store="memory://"))
    for is_waiting in (True, False):
        async with hub.lifespan():
            events = hub.subscribe("s")
            await take(events, 1)
            end = asyncio.ensure_future(anext(events, None))
            if is_waiting:
                await wait_all_tasks_blocked()
        async with asyncio.timeout(WAIT_S):
            assert await end is None


@pytest.mark.parametrize("store", ["memory://", "sqlite:///{}/jobs.db"])
def test_a_hub_can_be_opened_again(tmp_path: Path, store: str) -> None:
    """As in tests of a host: one hub for all, an event loop for each, with a lifespan or without."""
    hub = ProgressHub(Settings(store=store.format(tmp_path)))

    async def report() -> str:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(hub.app), base_url="http://host") as client:
            found = (await client.get("/api/progress/s")).json()["status"]
            start = {"action": "start", "step": 1}
            assert (await client.post("/api/progress/s/update", json=start)).status_code == 200
            async with aclosing(hub.subscribe("s")) as events:
                await take(events, 1)
                await hub.store.complete_step("s", 1)
                assert (await take(events, 1))[0].data["step"]["status"] == "success"
            return str(found)

    async def report_after_start() -> str:
        async with hub.lifespan():
            return await report()

    async def report_before_start() -> str:
        found = await report()
        async with hub.lifespan():
            return found

    found = [asyncio.run(each()) for each in (report_after_start, report_before_start, report_after_start)]
    assert found == ["not_found", *["not_found" if store == "memory://" else "running"] * 2]


async def test_a_hub_that_closes_ends_its_streams() -> None:
    """Otherwise they would keep sending heartbeats after it is opened again, but no events."""
    hub = ProgressHub(Settings(store="memory://"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(hub.app), base_url="http://host") as client:
        async with hub.lifespan():
            await hub.store.start_step("s", 1)
            stream = asyncio.create_task(client.get("/api/progress/s/events"))
            await wait_all_tasks_blocked()
        async with asyncio.timeout(WAIT_S):
            received = (await stream).text
    assert "event: snapshot" in received
    assert re.search(r"\nretry: \d+\n\n$", received)


async def test_a_hub_whose_close_is_cancelled_closes_its_store(tmp_path: Path) -> None:
    """As when a host limits the time of its lifespan's end."""
    hub, is_open = ProgressHub(Settings(store=f"sqlite:///{tmp_path}/progress.db")), asyncio.Event()

    async def live() -> None:
        async with hub.lifespan():
            is_open.set()

    life = asyncio.create_task(live())
    await is_open.wait()
    life.cancel()
    with pytest.raises(asyncio.CancelledError):
        await life
    async with hub.lifespan():
        await hub.store.start_step("s", 1)


async def test_a_hub_that_was_stopped_by_a_signal_can_be_opened_again() -> None:
    """As in a notebook, whose process goes on after the signal."""
    hub, handler = ProgressHub(Settings(store="memory://")), signal.signal(signal.SIGTERM, lambda *_: None)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(hub.app), base_url="http://host") as client:
        try:
            async with hub.lifespan():
                signal.raise_signal(signal.SIGTERM)
                await wait_all_tasks_blocked()
                assert (await client.get("/readyz")).json() == {"status": "draining"}
        finally:
            signal.signal(signal.SIGTERM, handler)
        async with hub.lifespan():
            assert (await client.get("/readyz")).status_code == 200


async def test_a_callback_that_fails_does_not_affect_the_update(caplog: pytest.LogCaptureFixture) -> None:
    """The update is applied, and the log has the error."""

    def fail(_transition: Event) -> None:
        raise ValueError("no webhook today")

    hub = ProgressHub(Settings(store="memory://"), on_transition=fail)
    async with hub.lifespan():
        assert (await hub.store.start_step("s", 1)).status == "running"
    assert "no webhook today" in caplog.text


async def test_a_store_that_cannot_be_used_is_503(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Without a lifespan the first request opens the store; the log says why it cannot."""
    path = tmp_path / "jobs.db"
    path.write_text("this is no database, " * 100)
    hub = ProgressHub(Settings(store=f"sqlite:///{path}"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(hub.app), base_url="http://host") as client:
        refused = await client.get("/api/progress/s")
        assert (refused.status_code, refused.json()["type"]) == (503, "/problems/store-unavailable")
        assert "jobs.db" in caplog.text
        path.unlink()
        assert (await client.get("/api/progress/s")).json()["status"] == "not_found"
    async with hub.lifespan():
        """Close the store that the request has opened."""


async def test_a_store_that_is_in_use_is_waited_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The host starts. One line names the cure; the hub opens once the store is free, without a request, too."""
    holder, hub = (ProgressHub(Settings(store=f"sqlite:///{tmp_path}/jobs.db")) for _ in range(2))
    async with AsyncExitStack() as stack:
        held = await stack.enter_async_context(AsyncExitStack())
        await held.enter_async_context(holder.lifespan())
        await stack.enter_async_context(hub.lifespan())
        async with httpx.AsyncClient(transport=httpx.ASGITransport(hub.app), base_url="http://host") as client:
            assert [(await client.get(path)).status_code for path in ("/s/a", "/api/progress/a", "/readyz")] == [
                503
            ] * 3
        for ask in (lambda: hub.store.start_step("a", 1), lambda: anext(hub.subscribe("a"))):
            with pytest.raises(StoreUnavailableError):
                await ask()
        [line] = caplog.messages
        assert re.search(r"jobs\.db is in use by another process; .* PROGRESS_SSE_STORE .*\.$", line)
        await held.aclose()
        await eventually(lambda: hub._service.is_running, WAIT_S)  # noqa: SLF001 - seen nowhere else
        assert (await hub.store.start_step("a", 1)).status == "running"


async def test_a_hub_that_closes_no_longer_waits_for_its_store(tmp_path: Path) -> None:
    """It leaves no task that would take the store later."""
    holder, hub = (ProgressHub(Settings(store=f"sqlite:///{tmp_path}/jobs.db")) for _ in range(2))
    async with holder.lifespan():
        before = asyncio.all_tasks()
        async with hub.lifespan():
            pass
        await wait_all_tasks_blocked()
        assert asyncio.all_tasks() == before


async def test_no_commit_is_without_its_notice(tmp_path: Path) -> None:
    """Neither while an application starts, nor while it ends and waits for a receiver."""
    async with receiving() as receiver:
        hooks = {f"h{number}": receiver.hook(on=["started", "completed"]) for number in range(20)}
        path = write_hooks(tmp_path / "hooks.toml", **hooks)
        settings = Settings(store=f"sqlite:///{tmp_path}/hub.db", hooks=path, graceful_timeout_s=1)

        async def run_job(hub: ProgressHub, session_id: str) -> None:
            while True:
                try:
                    await hub.store.start_step(session_id, 1)
                    await hub.store.finish_session(session_id)
                except StoreUnavailableError:
                    await asyncio.sleep(0)
                else:
                    return

        hub = ProgressHub(settings)
        at_the_start = asyncio.create_task(run_job(hub, "first"))
        async with hub.lifespan():
            await at_the_start
            await eventually(lambda: len(receiver.received) == 40, WAIT_S)
            receiver.delay_s = WAIT_S
            await hub.store.start_step("second", 1)
            await eventually(lambda: len(receiver.received) == 60, WAIT_S)
            at_the_end = asyncio.create_task(asyncio.sleep(0.1))
            at_the_end.add_done_callback(lambda _: jobs.append(asyncio.create_task(run_job(hub, "third"))))
            jobs: list[asyncio.Task[None]] = []
        await jobs[0]
        receiver.delay_s = 0
        async with hub.lifespan():
            await eventually(lambda: {("third", "started"), ("third", "completed")} <= receiver.ids().keys(), WAIT_S)


async def test_an_application_notifies_its_hooks(tmp_path: Path) -> None:
    """As a server does; it reads the file again when it is asked to, and a mistake leaves the hooks as they were."""
    async with receiving() as receiver:
        path = write_hooks(tmp_path / "hooks.toml", a=receiver.hook(on=["started"]))
        hub = ProgressHub(Settings(store="memory://", hooks=path))
        async with hub.lifespan():
            path.write_text("[hooks.a]\n")
            with pytest.raises(ConfigurationError, match=r"hooks\.a\.url: is missing"):
                await hub.reload_hooks()
            await hub.store.start_step("s", 1)
            await eventually(lambda: receiver.ids().keys() == {("s", "started")}, WAIT_S)
            write_hooks(path, a=receiver.hook(on=["completed"]))
            await hub.reload_hooks()
            await hub.store.finish_session("s")
            await eventually(lambda: ("s", "completed") in receiver.ids(), WAIT_S)


async def test_hooks_are_notified_from_the_first_request_on(tmp_path: Path) -> None:
    """Without a lifespan; also of what waits since an earlier process."""
    async with receiving() as receiver:
        receiver.status = 500
        path = write_hooks(tmp_path / "hooks.toml", a=receiver.hook(on=["started"]))
        settings = Settings(store=f"sqlite:///{tmp_path}/jobs.db", hooks=path)
        hub = ProgressHub(settings)
        async with hub.lifespan():
            await hub.store.start_step("s", 1)
            await eventually(lambda: len(receiver.received) == 1, WAIT_S)
        receiver.status = 204
        hub = ProgressHub(settings)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(hub.app), base_url="http://host") as client:
            assert (await client.get("/livez")).status_code == 200
            await client.get("/api/progress/s")
            await eventually(lambda: len(receiver.received) == 2, WAIT_S)
            async with hub.lifespan():
                """Close what the request has opened."""
    assert receiver.received[0][:4] == receiver.received[1][:4]
