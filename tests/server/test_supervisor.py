"""The slots of `serve --workers`: after a crash and a renewal in any order, each has one process."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Self

import pytest
from anyio import wait_all_tasks_blocked

from progress_sse.core.errors import ConfigurationError
from progress_sse.server import supervisor
from progress_sse.server.supervisor import PAUSE_S, ProcessPool, Slot
from tests.clock import ManualClock
from tests.harness.serving import children, eventually

pytestmark = pytest.mark.processes

WAIT_S = 20

PROGRAM = f"""#!{sys.executable} -IS
import os, time
hold, control = os.path.dirname(__file__) + "/hold", int(os.environ["PROGRESS_SSE_SOCKETS"].split(",")[0])
while os.path.exists(hold):
    time.sleep(0.01)
os.read(control, 4)
os.write(control, b"ready")
os.read(control, 1)
"""
"""A stand-in for a server process, which has no hooks, serves nothing, and is not ready while a file `hold` exists."""


class Scene:
    """A slot that is kept filled, and its processes."""

    def __init__(self, folder: Path, pool: ProcessPool, caplog: pytest.LogCaptureFixture) -> None:
        self.program = folder / "server"
        self.hold = folder / "hold"
        self._pool = pool
        self._clock = ManualClock()
        self._caplog = caplog
        self._others = set(children(os.getpid()))

    async def __aenter__(self) -> Self:
        self.slot = Slot(self._pool, await self._pool.spawn(), self._clock)
        self._keeping = asyncio.create_task(self.slot.keep_filled())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._keeping.cancel()
        self._pool.end()
        await self._pool.wait()
        assert not self.processes()

    def processes(self) -> set[int]:
        """The processes that live."""
        return set(children(os.getpid())) - self._others

    async def crash(self, pid: int) -> None:
        """Kill a process, and wait until the pool has logged that."""
        before = self._caplog.text.count("a server process ended")
        os.kill(pid, signal.SIGKILL)
        await eventually(lambda: self._caplog.text.count("a server process ended") > before, WAIT_S)

    def end(self) -> None:
        """Tell all processes to end."""
        self._pool.end()

    async def pause(self) -> None:
        """Let the pause after a crash pass, and wait until the slot has reacted."""
        self._clock.advance(PAUSE_S)
        await wait_all_tasks_blocked()


@pytest.fixture
def stop_timeout_s() -> float:
    """Seconds that a process has to end."""
    return 0.5


@pytest.fixture
async def scene(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, stop_timeout_s: float
) -> AsyncIterator[Scene]:
    """A scene whose processes start quickly."""
    program = tmp_path / "server"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    with socket.socket() as listener:
        async with Scene(tmp_path, ProcessPool(listener, stop_timeout_s), caplog) as scene:
            yield scene


async def test_a_crash_is_followed_by_another_process_after_a_pause(scene: Scene) -> None:
    """A process that always fails must not keep the machine busy."""
    [crashed] = scene.processes()
    await scene.crash(crashed)
    assert not scene.processes()
    await scene.pause()
    assert len(scene.processes()) == 1


async def test_a_renewal_in_the_pause_after_a_crash_fills_the_slot(scene: Scene) -> None:
    """The new process is replaced after a crash as any other."""
    [crashed] = scene.processes()
    await scene.crash(crashed)
    await scene.slot.renew()
    [new] = scene.processes()
    await scene.pause()
    assert scene.processes() == {new}
    await scene.crash(new)
    await scene.pause()
    assert len(scene.processes()) == 1


async def test_a_crash_during_a_renewal_spawns_no_second_process(scene: Scene) -> None:
    """The starting process is for the same slot."""
    [crashed] = scene.processes()
    scene.hold.touch()
    renewal = asyncio.create_task(scene.slot.renew())
    await eventually(lambda: len(scene.processes()) == 2, WAIT_S)
    await scene.crash(crashed)
    [new] = scene.processes()
    await scene.pause()
    assert scene.processes() == {new}
    scene.hold.unlink()
    await renewal
    await wait_all_tasks_blocked()
    assert scene.processes() == {new}


async def test_a_renewal_replaces_a_process_that_is_starting_after_a_crash(scene: Scene) -> None:
    """It may have loaded code that has been replaced meanwhile."""
    [crashed] = scene.processes()
    await scene.crash(crashed)
    scene.hold.touch()
    await scene.pause()
    [coming] = scene.processes()
    renewal = asyncio.create_task(scene.slot.renew())
    await wait_all_tasks_blocked()
    assert scene.processes() == {coming}
    scene.hold.unlink()
    await renewal
    [new] = scene.processes()
    assert new != coming


async def test_a_slot_is_filled_after_the_pause_despite_a_failed_renewal(scene: Scene) -> None:
    """A renewal fails, for example, while a new version is being installed."""
    [crashed] = scene.processes()
    await scene.crash(crashed)
    elsewhere = scene.program.rename(scene.program.with_name("elsewhere"))
    with pytest.raises(ConfigurationError, match="cannot be started"):
        await scene.slot.renew()
    elsewhere.rename(scene.program)
    await scene.pause()
    assert len(scene.processes()) == 1


async def test_a_process_that_neither_serves_nor_ends_is_killed(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise no process would ever be renewed again."""
    present = scene.processes()
    scene.hold.touch()
    monkeypatch.setattr(supervisor, "START_TIMEOUT_S", 0.2)
    with pytest.raises(ConfigurationError, match="did not start"):
        await scene.slot.renew()
    assert scene.processes() == present


async def test_a_frozen_process_is_killed_at_the_stop_timeout(scene: Scene) -> None:
    """Otherwise a renewal and the shutdown would wait for it for ever."""
    [frozen] = scene.processes()
    os.kill(frozen, signal.SIGSTOP)
    async with asyncio.timeout(WAIT_S):
        await scene.slot.renew()
    [new] = scene.processes()
    assert new != frozen


async def test_a_frozen_process_that_starts_is_killed_at_the_stop_timeout(scene: Scene) -> None:
    """The pool ends before the process serves."""
    [present] = scene.processes()
    scene.hold.touch()
    renewal = asyncio.create_task(scene.slot.renew())
    await eventually(lambda: len(scene.processes()) == 2, WAIT_S)
    [coming] = scene.processes() - {present}
    os.kill(coming, signal.SIGSTOP)
    scene.end()
    async with asyncio.timeout(WAIT_S):
        with pytest.raises(ConfigurationError, match="did not start"):
            await renewal


@pytest.mark.parametrize("stop_timeout_s", [600])
async def test_a_second_end_kills_a_frozen_process_at_once(scene: Scene) -> None:
    """A frozen process does not handle the second signal."""
    [frozen] = scene.processes()
    os.kill(frozen, signal.SIGSTOP)
    scene.end()
    scene.end()
    await eventually(lambda: not scene.processes(), WAIT_S)
