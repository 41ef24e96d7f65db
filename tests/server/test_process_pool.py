"""The places of `serve --workers`: however a crash and a renewal meet in one, a single worker comes out of it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from anyio import wait_all_tasks_blocked

from progress_sse.core.errors import ConfigurationError
from progress_sse.server import process_pool
from progress_sse.server.process_pool import PAUSE_S, Crew, Place
from tests.clock import ManualClock
from tests.harness.serving import children, eventually

WAIT_S = 20

WORKER = f"""#!{sys.executable} -IS
import os, time
hold, tie = os.path.dirname(__file__) + "/hold", int(os.environ["PROGRESS_SSE_SOCKETS"].split(",")[1])
while os.path.exists(hold):
    time.sleep(0.01)
os.write(tie, b"ready")
os.read(tie, 1)
"""
"""A process that is a worker to its supervisor, but serves nobody; not ready as long as there is a file `hold`."""


class Scene:
    """A place that is kept filled, beginning with a worker."""

    def __init__(self, folder: Path, crew: Crew, caplog: pytest.LogCaptureFixture) -> None:
        self.program = folder / "worker"
        self.hold = folder / "hold"
        self._crew = crew
        self._clock = ManualClock()
        self._caplog = caplog
        self._others = set(children(os.getpid()))

    async def __aenter__(self) -> Scene:
        self.place = Place(self._crew, await self._crew.hire(), self._clock)
        self._keeping = asyncio.create_task(self.place.keep_filled())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._keeping.cancel()
        self._crew.end()
        await self._crew.wait()
        assert not self.workers()

    def workers(self) -> set[int]:
        """Those that live."""
        return set(children(os.getpid())) - self._others

    async def crash(self, pid: int) -> None:
        """Kill the worker, and wait until that has been noticed."""
        before = self._caplog.text.count("a worker ended")
        os.kill(pid, signal.SIGKILL)
        await eventually(lambda: self._caplog.text.count("a worker ended") > before, WAIT_S)

    def end(self) -> None:
        """Tell all to end."""
        self._crew.end()

    async def pause(self) -> None:
        """Let the pause after a crash pass, and begin what follows."""
        self._clock.advance(PAUSE_S)
        await wait_all_tasks_blocked()


@pytest.fixture
def stop_timeout_s() -> float:
    """Seconds that a worker has to end."""
    return 0.5


@pytest.fixture
async def scene(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, stop_timeout_s: float
) -> AsyncIterator[Scene]:
    """A scene of processes that start quickly."""
    program = tmp_path / "worker"
    program.write_text(WORKER)
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    with socket.socket() as listener:
        async with Scene(tmp_path, Crew(listener, stop_timeout_s), caplog) as scene:
            yield scene


async def test_a_crash_is_followed_by_another_worker_after_a_pause(scene: Scene) -> None:
    """One that cannot live must not keep the machine busy."""
    [crashed] = scene.workers()
    await scene.crash(crashed)
    assert not scene.workers()
    await scene.pause()
    assert len(scene.workers()) == 1


async def test_a_renewal_in_the_pause_after_a_crash_fills_the_place(scene: Scene) -> None:
    """And whoever came by it is looked after as any other."""
    [crashed] = scene.workers()
    await scene.crash(crashed)
    await scene.place.renew()
    [new] = scene.workers()
    await scene.pause()
    assert scene.workers() == {new}
    await scene.crash(new)
    await scene.pause()
    assert len(scene.workers()) == 1


async def test_a_crash_during_a_renewal_brings_no_second_worker(scene: Scene) -> None:
    """The one that is coming is for the same place."""
    [crashed] = scene.workers()
    scene.hold.touch()
    renewal = asyncio.create_task(scene.place.renew())
    await eventually(lambda: len(scene.workers()) == 2, WAIT_S)
    await scene.crash(crashed)
    [new] = scene.workers()
    await scene.pause()
    assert scene.workers() == {new}
    scene.hold.unlink()
    await renewal
    await wait_all_tasks_blocked()
    assert scene.workers() == {new}


async def test_a_renewal_replaces_who_is_just_coming_after_a_crash(scene: Scene) -> None:
    """It may have loaded what has been replaced meanwhile."""
    [crashed] = scene.workers()
    await scene.crash(crashed)
    scene.hold.touch()
    await scene.pause()
    [coming] = scene.workers()
    renewal = asyncio.create_task(scene.place.renew())
    await wait_all_tasks_blocked()
    assert scene.workers() == {coming}
    scene.hold.unlink()
    await renewal
    [new] = scene.workers()
    assert new != coming


async def test_a_renewal_in_vain_leaves_the_place_to_be_filled_after_the_pause(scene: Scene) -> None:
    """As while a new version is being installed."""
    [crashed] = scene.workers()
    await scene.crash(crashed)
    elsewhere = scene.program.rename(scene.program.with_name("elsewhere"))
    with pytest.raises(ConfigurationError, match="cannot be started"):
        await scene.place.renew()
    elsewhere.rename(scene.program)
    await scene.pause()
    assert len(scene.workers()) == 1


async def test_a_worker_that_neither_serves_nor_ends_is_given_up(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else nobody would ever be renewed again."""
    present = scene.workers()
    scene.hold.touch()
    monkeypatch.setattr(process_pool, "START_TIMEOUT_S", 0.2)
    with pytest.raises(ConfigurationError, match="did not start"):
        await scene.place.renew()
    assert scene.workers() == present


async def test_a_frozen_worker_is_killed_when_its_time_to_end_is_over(scene: Scene) -> None:
    """Or a renewal would wait for it for ever, and the end of the server after it."""
    [frozen] = scene.workers()
    os.kill(frozen, signal.SIGSTOP)
    async with asyncio.timeout(WAIT_S):
        await scene.place.renew()
    [new] = scene.workers()
    assert new != frozen


async def test_a_frozen_newcomer_is_killed_when_its_time_to_end_is_over(scene: Scene) -> None:
    """One that is told to end before it has begun to serve."""
    [present] = scene.workers()
    scene.hold.touch()
    renewal = asyncio.create_task(scene.place.renew())
    await eventually(lambda: len(scene.workers()) == 2, WAIT_S)
    [coming] = scene.workers() - {present}
    os.kill(coming, signal.SIGSTOP)
    scene.end()
    async with asyncio.timeout(WAIT_S):
        with pytest.raises(ConfigurationError, match="did not start"):
            await renewal


@pytest.mark.parametrize("stop_timeout_s", [600])
async def test_a_frozen_worker_is_killed_at_once_when_told_twice(scene: Scene) -> None:
    """It could not even see the second signal."""
    [frozen] = scene.workers()
    os.kill(frozen, signal.SIGSTOP)
    scene.end()
    scene.end()
    await eventually(lambda: not scene.workers(), WAIT_S)
